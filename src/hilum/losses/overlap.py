"""Losses of overlap: Dice, Tversky, and focal Tversky. All are one formula, with its numerator free of cancellation."""

from typing import Literal

import torch
from pydantic import NonNegativeFloat, PositiveFloat
from torch import Tensor

from hilum.losses.base import PixelLoss
from hilum.losses.parts import Loss, single
from hilum.losses.pixels import Pixels

Over = Literal["sample", "batch"]


class _Overlap(PixelLoss):
    class Config(PixelLoss.Config):
        """How overlaps are added up."""

        over: Over = "batch"
        """batch: sums over all images first. sample: a loss for each image, then their mean, so a small nodule counts
        like a large one; but an image without truth, or with a few pixels of it, is then nearly right when nothing is
        marked, and training on nodules tends to end there (`docs/explanation/losses.md`)."""
        smooth: PositiveFloat = 1.0
        """ε, in pixels. Makes an empty prediction of an empty truth right (loss 0), and says how soon a few false
        positives in an empty image cost all: at Σp = ε half. MONAI's default is 1e-5: empty images teach nothing."""

    config: Config


class Dice(_Overlap):
    """1 − (2I + ε) / (S + ε), with I = Σ p·t and S = Σ p + Σ t (Milletari 2016, without squares)."""

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        # Dice is Tversky's index with 1/2 for both errors; numerator and denominator, and so ε, are halved with it.
        config = self.config
        losses = _tversky_losses(pixels, (0.5, 0.5), smooth=config.smooth / 2, over=config.over)
        return single("dice", pixels.mean_of_groups(losses))


class Tversky(_Overlap):
    """1 − T, with T = (TP + ε) / (TP + a·FP + b·FN + ε) (Salehi 2017).

    TP = Σ p·t, FP = Σ p·(1 − t), FN = Σ (1 − p)·t. Salehi's and MONAI's α is `fp_weight`, their β `fn_weight`;
    other code, source B's comments among it, has them the other way round, so they have names here.
    """

    class Config(_Overlap.Config):
        """What a false positive and a false negative cost; Salehi's best for rare lesions are the defaults."""

        fp_weight: NonNegativeFloat = 0.3
        """a: of false positives."""
        fn_weight: NonNegativeFloat = 0.7
        """b: of false negatives; above `fp_weight`, sensitivity is favoured."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        return single("tversky", pixels.mean_of_groups(self.losses(pixels)))

    def losses(self, pixels: Pixels) -> Tensor:
        """1 − T of each sample and channel [B, C], or of each channel [1, C] when sums go over the batch."""
        config = self.config
        weights = (config.fp_weight, config.fn_weight)
        return _tversky_losses(pixels, weights, smooth=config.smooth, over=config.over)


class FocalTversky(Tversky):
    """(1 − T)^γ: γ above 1 lets what is nearly right fade, below 1 it makes it count more.

    What fades is a batch, or an image where `over` is sample.

    γ is the exponent itself, as in source A (2). Abraham & Khan (2019) write the exponent 1/γ, with 4/3 as
    their best γ: that is .75 here.
    """

    class Config(Tversky.Config):
        """Tversky's, and the exponent."""

        gamma: PositiveFloat = 2.0
        """γ, the exponent."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        # Below 1 an exponent has an infinite slope at 0, where an image is right; there the slope is 0 instead.
        wrong = self.losses(pixels).clamp(min=torch.finfo(pixels.truth.dtype).eps)
        return single("focal_tversky", pixels.mean_of_groups(wrong**self.config.gamma))


def _tversky_losses(pixels: Pixels, weights: tuple[float, float], *, smooth: float, over: Over) -> Tensor:
    """1 − T of each group, as (a·FP + b·FN) / (TP + a·FP + b·FN + ε): nothing is subtracted from 1."""
    probability, truth, together = pixels.probability, pixels.truth, over == "batch"
    right = pixels.sums(probability * truth, over_batch=together)
    false_positive = pixels.sums(probability * (1 - truth), over_batch=together)
    # σ(−x) and not 1 − σ(x), which is 0 for logits above 17 in float32.
    false_negative = pixels.sums((-pixels.logits).sigmoid() * truth, over_batch=together)
    wrong = weights[0] * false_positive + weights[1] * false_negative
    return wrong / (right + wrong + smooth)
