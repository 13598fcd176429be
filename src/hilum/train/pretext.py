"""Learning from pictures alone: squares are hidden, and the network redraws them (He 2022; Xie 2022).

No mask is looked at. What is learnt is kept by the encoder, with which a run that marks lesions then begins. Skips
don't give the hidden squares away: they are hidden before the first convolution.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.sampling import Purpose, generator
from hilum.datasets.xray_sample import Picture, Truth, XraySample
from hilum.train.config import PretextConfig
from hilum.train.xrays import Xrays

GREY = 0.5
"""What a hidden square shows: 0 after the networks' own normalisation."""


@dataclass(frozen=True, eq=False)
class HiddenSample:
    """A picture with hidden squares.

    Attributes:
        patient: whose it is.
        image: [y, x] as it is shown.
        truth: [y, x] as it was, 0 to 1.
        weight: [y, x] 1 where it is hidden, 0 where it is shown or lies beyond the picture's edge.
        prior: [y, x] an earlier picture, of which nothing is hidden; None for none.
        prior_lesions: [y, x] its known lesions; None where they are not shown.
    """

    patient: str
    image: Picture
    truth: Picture
    weight: Picture
    prior: Picture | None = None
    prior_lesions: Truth | None = None


def hidden_squares(
    rng: np.random.Generator, shape_yx: tuple[int, int], config: PretextConfig, pixel_mm: float
) -> Selection:
    """Which pixels [y, x] are hidden: a fixed share of the squares of a lattice that lies anywhere.

    Args:
        rng: draws the lattice's place and the squares.
        shape_yx: of the picture.
        config: share and side.
        pixel_mm: side of a pixel.
    """
    side = max(1, round(config.square_mm / pixel_mm))
    rows, columns = (-(-size // side) + 1 for size in shape_yx)
    chosen = rng.permutation(rows * columns) < round(config.share * rows * columns)
    top, left = rng.integers(side, size=2)
    lattice = np.kron(chosen.reshape(rows, columns), np.ones((side, side), dtype=bool))
    return np.asarray(lattice[top : top + shape_yx[0], left : left + shape_yx[1]])


def hidden(sample: XraySample, config: PretextConfig, rng: np.random.Generator) -> HiddenSample:
    """A picture with squares hidden and, if the configuration says so, noise on the rest."""
    shape_yx = (sample.image.shape[0], sample.image.shape[1])
    squares = hidden_squares(rng, shape_yx, config, sample.pixel_mm)
    noise = rng.normal(0, 1, shape_yx) * config.noise_level
    shown = np.where(squares, GREY, np.clip(sample.image + noise, 0, 1)).astype(np.float32)
    weight = (squares & (sample.weight > 0)).astype(np.float32)
    return HiddenSample(sample.patient, shown, sample.image, weight, sample.prior, sample.prior_lesions)


class HiddenXrays:
    """Training pictures with hidden squares, others each time that a picture is shown.

    Args:
        xrays: as for a run that marks lesions: their order, and how they are changed.
        config: what is hidden.
        seed: of the run.
    """

    def __init__(self, xrays: Xrays, config: PretextConfig, seed: int) -> None:
        self._xrays, self._config, self._seed = xrays, config, seed

    def order(self, epoch: int) -> Sequence[int]:
        """As `LearningCases` has it."""
        return self._xrays.order(epoch)

    def draw(self, epoch: int, place: int, case: int) -> HiddenSample:
        """As `LearningCases` has it."""
        return hidden(self._xrays.draw(epoch, place, case), self._config, self._rng(epoch, place))

    def _rng(self, epoch: int, place: int) -> np.random.Generator:
        return generator(self._seed, Purpose.HIDE, epoch, place)


def hidden_once(samples: Sequence[XraySample], config: PretextConfig) -> list[HiddenSample]:
    """Validation pictures with squares hidden, the same in every epoch of every run."""
    return [hidden(one, config, generator(0, Purpose.HIDE, 0, case)) for case, one in enumerate(samples)]


def judge_redrawn(redrawn: Sequence[Floats], samples: Sequence[HiddenSample]) -> dict[str, float]:
    """How well hidden pixels are redrawn, beside the trivial guess: each picture's mean of what is shown.

    Args:
        redrawn: [y, x] of each picture, 0 to 1.
        samples: the pictures, of the same shapes.

    Returns:
        hidden_error and trivial_error, mean squares over all hidden pixels, and explained: 1 less their ratio.
    """
    errors, trivial, pixels = 0.0, 0.0, 0.0
    for drawn, sample in zip(redrawn, samples, strict=True):
        where = sample.weight > 0
        wanted = sample.truth[where].astype(np.float64)
        guess = sample.image[~where].mean(dtype=np.float64) if not where.all() else GREY
        errors += float(np.square(drawn[where] - wanted).sum())
        trivial += float(np.square(guess - wanted).sum())
        pixels += len(wanted)
    pixels, trivial = max(pixels, 1.0), max(trivial, np.finfo(float).tiny)
    return {"explained": 1 - errors / trivial, "hidden_error": errors / pixels, "trivial_error": trivial / pixels}
