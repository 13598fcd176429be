"""Binary cross entropy, with weights against the rarity of nodules."""

from collections.abc import Mapping
from typing import Annotated

import torch
from pydantic import Discriminator, Field, PositiveFloat, Tag
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hilum.config import FrozenConfig
from hilum.losses.base import PixelLoss
from hilum.losses.parts import Loss, single
from hilum.losses.pixels import Pixels


class BatchWeight(FrozenConfig):
    """A weight of positive pixels from each batch: factor · negatives / positives, from 1/cap to cap."""

    factor: PositiveFloat = 1.0
    """Times negatives / positives. Source A has 100."""
    cap: Annotated[float, Field(ge=1)] = 20.0
    """The largest weight, also that of a batch without positives. 10 to 50 is sane; source A has 1000, where its
    formula always ends on nodule masks: a constant."""

    def find(self, pixels: Pixels) -> Tensor:
        """The weight of this batch, by the sums of the pixels' weights; scalar."""
        positives = (pixels.weight * pixels.truth).sum()
        negatives = pixels.weight.sum() - positives
        tiny = torch.finfo(positives.dtype).tiny
        return (self.factor * negatives / positives.clamp(min=tiny)).clamp(min=1 / self.cap, max=self.cap)


def _kind(value: object) -> str:
    return "by_batch" if isinstance(value, BatchWeight | Mapping) else "fixed"


PosWeight = Annotated[
    Annotated[PositiveFloat, Tag("fixed")] | Annotated[BatchWeight, Tag("by_batch")], Discriminator(_kind)
]


class Bce(PixelLoss):
    """Mean of −[v·t·log p + (1 − t)·log(1 − p)], with v the weight of positive pixels.

    As `torch.nn.BCEWithLogitsLoss`: the mean is over pixels (by `weight`), not over v as well.
    """

    class Config(PixelLoss.Config):
        """How much more a positive pixel counts."""

        pos_weight: PosWeight = 1.0
        """A fixed weight, or a rule that finds it for each batch."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        rule = self.config.pos_weight
        positive = rule.find(pixels) if isinstance(rule, BatchWeight) else pixels.logits.new_tensor(rule)
        values = binary_cross_entropy_with_logits(pixels.logits, pixels.truth, pos_weight=positive, reduction="none")
        return single("bce", pixels.mean(values))
