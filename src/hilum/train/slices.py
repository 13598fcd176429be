"""CT slices as they are learnt from: chosen and changed by numbers that follow from seed, epoch and place."""

from collections.abc import Sequence
from dataclasses import replace

from hilum.datasets.augment2d import draw_augmentation
from hilum.datasets.sampling import Purpose, generator, slice_traits
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.slice_point import drawn_point, point_map
from hilum.datasets.slice_sample import SliceSample
from hilum.datasets.style2d import draw_style
from hilum.train.config import TrainConfig
from hilum.train.drawn import DrawnCases


class Slices(DrawnCases[SliceSample]):
    """The training slices.

    Args:
        samples: as loaded.
        config: of the run: its sampling, augmentation and seed.
        data: which of them, and how often the network is told where the nodule is.
    """

    def __init__(self, samples: Sequence[SliceSample], config: TrainConfig, data: SliceDataConfig) -> None:
        super().__init__(samples, slice_traits(samples, nodules_alike=data.nodules_alike), config)
        self._point_share = data.point_share

    def draw(self, epoch: int, place: int, case: int) -> SliceSample:
        """A slice as it is shown at a place of an epoch."""
        augment = self._config.picture_augment
        change = draw_augmentation(generator(self._seed, Purpose.AUGMENT, epoch, place), augment)
        if augment.style.share:
            change = replace(
                change, style=draw_style(generator(self._seed, Purpose.STYLE, epoch, place), augment.style)
            )
        shown = change(self.samples[case])
        return self._pointed_at(shown, epoch, place) if self._point_share else shown

    def _pointed_at(self, shown: SliceSample, epoch: int, place: int) -> SliceSample:
        rng = generator(self._seed, Purpose.POINT, epoch, place)
        is_told = rng.random() < self._point_share
        step_mm = (shown.pixel_mm, shown.pixel_mm)
        point_px = drawn_point(shown.truth, step_mm, rng) if is_told else None
        told = point_map(shown.truth.shape, point_px, step_mm)
        return replace(shown, point_px=point_px, prior=told)
