"""Whether a picture shows anything at all, as a loss of its own."""

import torch
from pydantic import PositiveFloat
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hilum.losses.base import PixelLoss
from hilum.losses.parts import Loss, single
from hilum.losses.pixels import Pixels


class Presence(PixelLoss):
    """Binary cross entropy between a picture's smooth maximum of logits and whether its truth has any pixel.

    The smooth maximum is the mean of the logits x with weights exp(s·x) (the Boltzmann operator): their mean for s = 0,
    the largest for s → ∞. Losses of pixels say little about a small lesion that is marked where there is none; this one
    counts a picture as much as any other. Pixels of weight 0 are not looked at; a picture of such pixels alone is left
    out.
    """

    class Config(PixelLoss.Config):
        """How sharp the maximum is, and how much pictures with something count."""

        sharpness: PositiveFloat = 1.0
        """s."""
        pos_weight: PositiveFloat = 1.0
        """Of pictures whose truth has a pixel."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        seen = (pixels.weight > 0).flatten(2)
        has_any = seen.any(-1)  # [B, C]
        if not has_any.any():
            return single("presence", pixels.logits.sum() * 0)
        highest = smooth_maximum(pixels.logits.flatten(2)[has_any], seen[has_any], self.config.sharpness)
        shows = (pixels.truth.flatten(2)[has_any] > 0).any(-1).to(highest.dtype)
        weight = pixels.logits.new_tensor(self.config.pos_weight)
        return single("presence", binary_cross_entropy_with_logits(highest, shows, pos_weight=weight))


def smooth_maximum(values: Tensor, seen: Tensor, sharpness: float) -> Tensor:
    """The Boltzmann operator, [...] of values [..., N], over those that are seen: one of each row at least."""
    kept = values.masked_fill(~seen, 0.0)
    shares = torch.softmax((sharpness * kept).masked_fill(~seen, -torch.inf), -1)
    return (shares * kept).sum(-1)
