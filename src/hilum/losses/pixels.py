"""Logits, truth and weights, pixel by pixel, in a precision that sums of many pixels can bear."""

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from hilum.core import GeometryError


@dataclass(frozen=True, eq=False)
class Pixels:
    """One batch, ready to be compared. All three have the shape [B, C, H, W] or [B, C, D, H, W], and one type.

    Attributes:
        logits: float32; float64 when the network's were.
        truth: 0 to 1; 0 where the weight is 0.
        weight: ≥ 0; 0 where a pixel has no influence.
    """

    logits: Tensor
    truth: Tensor
    weight: Tensor

    @classmethod
    def of(cls, logits: Tensor, target: Tensor, weight: Tensor | None = None) -> Self:
        """Bring a batch together.

        Args:
            logits: of any floating type; float16 and bfloat16 become float32.
            target: of the same shape; NaN is allowed where the weight is 0.
            weight: broadcastable to the target; None for 1 everywhere.

        Raises:
            GeometryError: shapes that don't belong together.
        """
        if logits.ndim < 3 or logits.shape != target.shape:
            raise GeometryError(
                f"a loss needs logits and truth of one shape [B, C, H, W] or [B, C, D, H, W], "
                f"got {list(logits.shape)} and {list(target.shape)}."
            )
        precision = torch.promote_types(logits.dtype, torch.float32)
        precise = logits.to(precision)
        weights = expanded(precise.new_ones(()) if weight is None else weight.to(precise), target.shape)
        truth = target.to(precise)
        return cls(precise, truth if weight is None else visible(truth, weights), weights)

    @property
    def probability(self) -> Tensor:
        """Sigmoid of the logits."""
        return self.logits.sigmoid()

    def mean(self, values: Tensor) -> Tensor:
        """Σ weight·value / Σ weight, of all pixels; 0 when no pixel counts."""
        return (self.weight * values).sum() / _positive(self.weight.sum())

    def sums(self, values: Tensor, *, over_batch: bool) -> Tensor:
        """Σ weight·value of each sample and channel [B, C], or of each channel of the whole batch [1, C]."""
        spatial = tuple(range(2, self.truth.ndim))
        weighted = self.weight * values
        return weighted.sum((0, *spatial)).unsqueeze(0) if over_batch else weighted.sum(spatial)

    def mean_of_groups(self, values: Tensor) -> Tensor:
        """Mean of what `sums` made values [B, C] or [1, C] of, over the groups in which any pixel counts."""
        counts = self.sums(torch.ones_like(self.truth), over_batch=len(values) < len(self.truth)) > 0
        return torch.where(counts, values, 0).sum() / counts.sum().clamp(min=1)


def expanded(weight: Tensor, shape: torch.Size) -> Tensor:
    """Weights at the shape of the truth.

    Raises:
        GeometryError: they can't be broadcast to it.
    """
    try:
        return weight.broadcast_to(shape)
    except RuntimeError:
        raise GeometryError(
            f"weights of shape {list(weight.shape)} can't be broadcast to a truth of shape {list(shape)}.",
            "Give [B, 1, H, W], [B, 1, 1, 1] or the truth's own shape.",
        ) from None


def visible(truth: Tensor, weight: Tensor) -> Tensor:
    """The truth with 0 where the weight is 0, so that nothing of what is written there is seen, not even NaN."""
    return torch.where(weight > 0, truth, torch.zeros_like(truth))


def _positive(total: Tensor) -> Tensor:
    """A divisor that is never 0: what is divided by it is 0 then."""
    return total.clamp(min=torch.finfo(total.dtype).tiny)
