"""X-ray samples as they are learnt from: chosen, then augmented, by numbers that follow from seed, epoch and place."""

from collections.abc import Sequence

import numpy as np

from hilum.datasets.augment2d import draw_augmentation
from hilum.datasets.sampling import Purpose, epoch_order, generator
from hilum.datasets.xray_config import AugmentConfig, SamplingConfig
from hilum.datasets.xray_sample import XraySample


class Xrays:
    """The training pictures.

    Attributes:
        samples: as loaded.
        hard: [n] false positives of each in the last pass over the training pictures; 0 before there was one.

    Args:
        samples: as loaded.
        sampling: which an epoch shows.
        augment: how they are changed.
        seed: of the run.
    """

    def __init__(
        self, samples: Sequence[XraySample], sampling: SamplingConfig, augment: AugmentConfig, seed: int
    ) -> None:
        self.samples = samples
        self.hard = np.zeros(len(samples))
        self._sampling, self._augment, self._seed = sampling, augment, seed

    def order(self, epoch: int) -> Sequence[int]:
        """Which samples an epoch, counted from 0, shows at its places."""
        chosen = epoch_order(self.samples, self._sampling, self._seed, epoch, self.hard)
        return [int(one) for one in chosen]

    def draw(self, epoch: int, place: int, case: int) -> XraySample:
        """A sample as it is shown at a place of an epoch."""
        rng = generator(self._seed, Purpose.AUGMENT, epoch, place)
        return draw_augmentation(rng, self._augment)(self.samples[case])
