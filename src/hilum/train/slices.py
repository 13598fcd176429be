"""CT slices as they are learnt from: chosen and changed by numbers that follow from seed, epoch and place."""

from collections.abc import Sequence
from dataclasses import replace

from hilum.datasets.augment2d import draw_augmentation
from hilum.datasets.sampling import Purpose, generator, slice_traits
from hilum.datasets.slice_sample import SliceSample
from hilum.datasets.style2d import draw_style
from hilum.train.config import TrainConfig
from hilum.train.drawn import DrawnCases


class Slices(DrawnCases[SliceSample]):
    """The training slices.

    Args:
        samples: as loaded.
        config: of the run: its sampling, augmentation and seed.
        nodules_alike: whether each nodule is shown as often as any other.
    """

    def __init__(self, samples: Sequence[SliceSample], config: TrainConfig, *, nodules_alike: bool) -> None:
        super().__init__(samples, slice_traits(samples, nodules_alike=nodules_alike), config)

    def draw(self, epoch: int, place: int, case: int) -> SliceSample:
        """A slice as it is shown at a place of an epoch."""
        augment = self._config.augment
        change = draw_augmentation(generator(self._seed, Purpose.AUGMENT, epoch, place), augment)
        if augment.style.share:
            change = replace(
                change, style=draw_style(generator(self._seed, Purpose.STYLE, epoch, place), augment.style)
            )
        return change(self.samples[case])
