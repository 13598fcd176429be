"""X-ray samples as they are learnt from: chosen, filled, changed, by numbers that follow from seed, epoch and place."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from hilum.core import ConfigError
from hilum.datasets.augment2d import Augmentation, draw_augmentation, draw_prior_change
from hilum.datasets.insertion import NoduleBank, draw_insertions, inserted
from hilum.datasets.sampling import Purpose, generator, xray_traits
from hilum.datasets.style2d import draw_style
from hilum.datasets.xray_prior import shuffled_once, shuffled_prior
from hilum.datasets.xray_sample import XraySample
from hilum.train.config import TrainConfig, xrays_of
from hilum.train.drawn import DrawnCases


class Xrays(DrawnCases[XraySample]):
    """The training pictures.

    Args:
        samples: as loaded.
        config: of the run: its sampling, insertion, augmentation and seed.
        bank: nodules to insert; needed where the configuration inserts any.

    Raises:
        ConfigError: it does, and there is no bank; or the data are no X-rays.
    """

    def __init__(self, samples: Sequence[XraySample], config: TrainConfig, bank: NoduleBank | None = None) -> None:
        if config.insertion.share and bank is None:
            raise ConfigError(
                "nodules are to be inserted, and there are none to take.",
                "Train on published pairs (or a pack with a bank), or set insertion.share to 0.",
            )
        super().__init__(samples, xray_traits(samples), config)
        self._data, self._bank = xrays_of(config), bank
        self.whole = shuffled_once(samples) if self._data.prior == "shuffled" else samples

    def draw(self, epoch: int, place: int, case: int) -> XraySample:
        """A sample as it is shown at a place of an epoch."""
        sample, config = self.samples[case], self._config
        if self._bank is not None and config.insertion.share:
            rng = generator(self._seed, Purpose.INSERT, epoch, place)
            drawn = draw_insertions(rng, self._bank, config.insertion, sample.patient)
            sample = inserted(sample, drawn, self._bank, self._data.truth, self._data.visibility_floor)
        rng = generator(self._seed, Purpose.AUGMENT, epoch, place)
        change = draw_augmentation(rng, config.picture_augment)
        if config.picture_augment.style.share:
            rng = generator(self._seed, Purpose.STYLE, epoch, place)
            change = replace(change, style=draw_style(rng, config.picture_augment.style))
        if self._data.prior == "none":
            return change(sample)
        return self._beside_prior(change, case, generator(self._seed, Purpose.PRIOR, epoch, place))

    def _beside_prior(self, change: Augmentation, case: int, rng: np.random.Generator) -> XraySample:
        """The changed sample with its second image, which has a tone of its own unless it is the X-ray itself."""
        sample = self.samples[case]
        if self._data.prior == "same":
            changed = change(replace(sample, prior=None))
            return replace(changed, prior=changed.image)
        if self._data.prior == "shuffled":
            sample = shuffled_prior(rng, self.samples, case)
        return replace(change, prior=draw_prior_change(rng, self._config.picture_augment))(sample)
