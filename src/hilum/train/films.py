"""Unlabeled films beside the X-rays that are learnt from: drawn by seed, epoch and place, as everything else is."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from hilum.core import ConfigError
from hilum.datasets.augment2d import draw_augmentation
from hilum.datasets.insertion import NoduleBank
from hilum.datasets.sampling import Purpose, generator
from hilum.datasets.xray_sample import Picture, XraySample
from hilum.train.config import TrainConfig
from hilum.train.xrays import Xrays


@dataclass(frozen=True, eq=False, kw_only=True)
class BesideFilm(XraySample):
    """An X-ray as it is shown, with a film beside it.

    Attributes:
        film: [y, x] of the X-ray's size, 0 to 1; of nothing in it is known whether it is a lesion.
    """

    film: Picture


class FilmXrays(Xrays):
    """The training pictures, and a film beside every so many-th place of an epoch.

    Films are cut, turned and toned as X-rays are, but have their own style: it is what is to be learnt.

    Args:
        samples: as loaded.
        config: of the run.
        bank: nodules to insert into X-rays; never into films.
        films: brought to the run's pixel size and style of picture; their truth is not looked at.

    Raises:
        ConfigError: there is no film.
    """

    def __init__(
        self,
        samples: Sequence[XraySample],
        config: TrainConfig,
        bank: NoduleBank | None,
        films: Sequence[XraySample],
    ) -> None:
        super().__init__(samples, config, bank)
        if not films:
            raise ConfigError("there is no film to adapt to.", "Give a data set that has pictures: --unlabeled FILMS")
        self._films = films

    def draw(self, epoch: int, place: int, case: int) -> XraySample:
        """A sample as it is shown at a place of an epoch, with its film where it has one."""
        sample = super().draw(epoch, place, case)
        if place % self._config.adaptation.every:
            return sample
        rng = generator(self._seed, Purpose.FILM, epoch, place)
        film = self._films[int(rng.integers(len(self._films)))]
        shown = draw_augmentation(rng, self._config.picture_augment)(film).image
        return BesideFilm(**{one.name: getattr(sample, one.name) for one in fields(sample)}, film=shown)
