"""X-ray samples as they are learnt from: chosen, filled, changed, by numbers that follow from seed, epoch and place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hilum.core import ConfigError
from hilum.datasets.augment2d import Augmentation, draw_augmentation, draw_prior_change
from hilum.datasets.insertion import NoduleBank, draw_insertions, inserted
from hilum.datasets.sampling import Purpose, epoch_order, generator
from hilum.datasets.style2d import draw_style
from hilum.datasets.xray_prior import shuffled_once, shuffled_prior
from hilum.datasets.xray_sample import XraySample
from hilum.train.config import TrainConfig


class Xrays:
    """The training pictures.

    Attributes:
        samples: as loaded.
        hard: [n] false positives of each in the last pass over the training pictures; 0 before there was one.
        whole: as the network is shown them where nothing is changed.

    Args:
        samples: as loaded.
        config: of the run: its sampling, insertion, augmentation and seed.
        bank: nodules to insert; needed where the configuration inserts any.

    Raises:
        ConfigError: it does, and there is no bank.
    """

    def __init__(self, samples: Sequence[XraySample], config: TrainConfig, bank: NoduleBank | None = None) -> None:
        if config.insertion.share and bank is None:
            raise ConfigError(
                "nodules are to be inserted, and there are none to take.",
                "Train on published pairs (or a pack with a bank), or set insertion.share to 0.",
            )
        self.samples = samples
        self.whole = shuffled_once(samples) if config.data.prior == "shuffled" else samples
        self.hard = np.zeros(len(samples))
        self._config, self._bank, self._seed = config, bank, config.trainer.seed

    def order(self, epoch: int) -> Sequence[int]:
        """Which samples an epoch, counted from 0, shows at its places."""
        chosen = epoch_order(self.samples, self._config.sampling, self._seed, epoch, self.hard)
        return [int(one) for one in chosen]

    def draw(self, epoch: int, place: int, case: int) -> XraySample:
        """A sample as it is shown at a place of an epoch."""
        sample, config = self.samples[case], self._config
        if self._bank is not None and config.insertion.share:
            rng = generator(self._seed, Purpose.INSERT, epoch, place)
            drawn = draw_insertions(rng, self._bank, config.insertion, sample.patient)
            sample = inserted(sample, drawn, self._bank, config.data.truth, config.data.visibility_floor)
        rng = generator(self._seed, Purpose.AUGMENT, epoch, place)
        change = draw_augmentation(rng, config.augment)
        if config.augment.style.share:
            rng = generator(self._seed, Purpose.STYLE, epoch, place)
            change = replace(change, style=draw_style(rng, config.augment.style))
        if config.data.prior == "none":
            return change(sample)
        return self._beside_prior(change, case, generator(self._seed, Purpose.PRIOR, epoch, place))

    def _beside_prior(self, change: Augmentation, case: int, rng: np.random.Generator) -> XraySample:
        """The changed sample with its second image, which has a tone of its own unless it is the X-ray itself."""
        sample, config = self.samples[case], self._config
        if config.data.prior == "same":
            changed = change(replace(sample, prior=None))
            return replace(changed, prior=changed.image)
        if config.data.prior == "shuffled":
            sample = shuffled_prior(rng, self.samples, case)
        return replace(change, prior=draw_prior_change(rng, config.augment))(sample)
