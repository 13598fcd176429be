"""Films by classes as they are learnt from: chosen and changed by numbers that follow from seed, epoch and place."""

from collections.abc import Sequence
from dataclasses import replace

from hilum.datasets.augment2d import draw_augmentation
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.sampling import Purpose, class_traits, generator
from hilum.datasets.style2d import draw_style
from hilum.train.config import TrainConfig
from hilum.train.drawn import DrawnCases


class ClassFilms(DrawnCases[ClassSample]):
    """The training films.

    Args:
        samples: as loaded.
        config: of the run: its sampling, augmentation and seed.
        findings: numbers of the classes that are involved lung.
    """

    def __init__(self, samples: Sequence[ClassSample], config: TrainConfig, findings: Sequence[int]) -> None:
        super().__init__(samples, class_traits(samples, findings), config)

    def draw(self, epoch: int, place: int, case: int) -> ClassSample:
        """A film as it is shown at a place of an epoch."""
        augment = self._config.picture_augment
        change = draw_augmentation(generator(self._seed, Purpose.AUGMENT, epoch, place), augment)
        if augment.style.share:
            style = draw_style(generator(self._seed, Purpose.STYLE, epoch, place), augment.style)
            change = replace(change, style=style)
        return change(self.samples[case])
