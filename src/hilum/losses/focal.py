"""Focal losses: pixels that are right already count less."""

from typing import Annotated

import torch
from pydantic import Field, NonNegativeFloat
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, logsigmoid

from hilum.losses.base import PixelLoss
from hilum.losses.parts import Loss, single
from hilum.losses.pixels import Pixels

Share = Annotated[float, Field(ge=0, le=1)]


class Focal(PixelLoss):
    """Mean of −α_t·(1 − p_t)^γ·log p_t (Lin 2017, equation 5); p_t = p and α_t = α where t is 1, else 1 − p and 1 − α.

    A truth between 0 and 1 mixes log p_t and α_t, and 1 − p_t is σ(−x·(2t − 1)), as in MONAI.
    """

    class Config(PixelLoss.Config):
        """Lin's defaults; source B has α .75, γ 3 for nodules."""

        alpha: Share | None = 0.25
        """Weight of positive pixels; 1 − alpha is that of negative ones. None: all count 1."""
        gamma: NonNegativeFloat = 2.0
        """How fast right pixels fade; 0 is (weighted) cross entropy."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        alpha = self.config.alpha
        share = None if alpha is None else pixels.logits.new_tensor(alpha)
        return single("focal", pixels.mean(_focal(pixels, self.config.gamma, share)))


class AdaptiveFocal(PixelLoss):
    """Focal loss with α from each batch, γ constant (source E): α is the share of negative pixels, up to `alpha_cap`.

    So positive and negative pixels weigh the same in sum. Without a cap, a batch without positives would have α = 1
    and teach nothing; 1 − `alpha_cap` is the floor, for batches without negatives.
    """

    class Config(PixelLoss.Config):
        """What doesn't adapt."""

        gamma: NonNegativeFloat = 2.0
        """How fast right pixels fade."""
        alpha_cap: Annotated[float, Field(ge=0.5, lt=1)] = 0.999
        """The largest α. Where less of the batch than 1 − alpha_cap is nodule, negatives outweigh positives."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        cap = self.config.alpha_cap
        alpha = pixels.mean(1 - pixels.truth).clamp(min=1 - cap, max=cap)
        return single("adaptive_focal", pixels.mean(_focal(pixels, self.config.gamma, alpha)))


def _focal(pixels: Pixels, gamma: float, alpha: Tensor | None) -> Tensor:
    """The focal loss of each pixel; powers of 1 − p_t are taken in the logarithm, where they can't overflow."""
    logits, truth = pixels.logits, pixels.truth
    cross_entropy = binary_cross_entropy_with_logits(logits, truth, reduction="none")
    focus = torch.exp(gamma * logsigmoid(-logits * (2 * truth - 1)))
    if alpha is None:
        return focus * cross_entropy
    return (alpha * truth + (1 - alpha) * (1 - truth)) * focus * cross_entropy
