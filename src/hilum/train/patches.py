"""Pieces of a CT as they are learnt from: chosen and changed by numbers that follow from seed, epoch and place."""

from collections.abc import Sequence
from dataclasses import replace

from hilum.core import ConfigError
from hilum.datasets.augment3d import draw_augmentation3d
from hilum.datasets.patch_config import PatchAugmentConfig, PatchDataConfig
from hilum.datasets.patch_sample import PatchSample
from hilum.datasets.sampling import Purpose, generator, patch_traits
from hilum.datasets.slice_point import drawn_point, point_map
from hilum.train.config import TrainConfig
from hilum.train.drawn import DrawnCases


class Patches(DrawnCases[PatchSample]):
    """The training pieces.

    Args:
        samples: as loaded.
        config: of the run: its sampling, augmentation and seed.
        data: how often which of them is shown, and how often the network is told where the nodule is.

    Raises:
        ConfigError: the run shows pictures.
    """

    def __init__(self, samples: Sequence[PatchSample], config: TrainConfig, data: PatchDataConfig) -> None:
        if not isinstance(config.augment, PatchAugmentConfig):
            raise ConfigError(f"a run on pieces of a CT is needed, and data.kind is {config.data.kind}.")
        traits = patch_traits(samples, nodules_alike=data.nodules_alike, hard_share=data.hard_share)
        super().__init__(samples, traits, config)
        self._augment, self._point_share = config.augment, data.point_share

    def draw(self, epoch: int, place: int, case: int) -> PatchSample:
        """A piece as it is shown at a place of an epoch."""
        change = draw_augmentation3d(generator(self._seed, Purpose.AUGMENT, epoch, place), self._augment)
        shown = change(self.samples[case])
        return self._pointed_at(shown, epoch, place) if self._point_share else shown

    def _pointed_at(self, shown: PatchSample, epoch: int, place: int) -> PatchSample:
        """As somebody would click who means what is shown of the nodule, or falls for what only looks like one.

        The data set's own point is judged by.
        """
        rng = generator(self._seed, Purpose.POINT, epoch, place)
        is_told = rng.random() < self._point_share
        point = drawn_point(shown.truth, shown.voxel_mm, rng, shown.point_zyx) if is_told else None
        return replace(shown, point_zyx=point, prior=point_map(shown.truth.shape, point, shown.voxel_mm))
