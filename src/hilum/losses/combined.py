"""Weighted sums of losses: the usual two, source A's three, and any that a configuration lists."""

from typing import Annotated

from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor

from hilum.losses.base import Output, PixelLoss, SegmentationLoss
from hilum.losses.bce import BatchWeight, Bce
from hilum.losses.choice import LossConfig
from hilum.losses.focal import Focal
from hilum.losses.overlap import Dice, Tversky
from hilum.losses.parts import Loss, weighted_sum
from hilum.losses.pixels import Pixels


class BceDice(PixelLoss):
    """BCE and Dice: BCE has a gradient everywhere, Dice knows no imbalance. Source C has .7 and .3."""

    class Config(PixelLoss.Config):
        """Both losses and their weights."""

        bce_weight: NonNegativeFloat = 1.0
        """Weight of BCE."""
        dice_weight: NonNegativeFloat = 1.0
        """Weight of Dice."""
        bce: Bce.Config = Bce.Config()
        """BCE's own settings."""
        dice: Dice.Config = Dice.Config()
        """Dice's own settings."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        config = self.config
        bce, dice = Bce(config.bce).of(pixels), Dice(config.dice).of(pixels)
        return weighted_sum([(config.bce_weight, bce), (config.dice_weight, dice)])


class Medical(PixelLoss):
    """Source A's combined loss: .4 Tversky + .3 focal + .3 BCE with a weight from each batch.

    A names no α and γ for its focal term: Lin's here. A comment of its can be read as focal Tversky in that place;
    `combined` says that too. Nor does A say what Tversky's sums are over: the batch here, as in every other loss.
    """

    class Config(PixelLoss.Config):
        """The three losses and their weights."""

        tversky_weight: NonNegativeFloat = 0.4
        """Weight of Tversky."""
        focal_weight: NonNegativeFloat = 0.3
        """Weight of focal."""
        bce_weight: NonNegativeFloat = 0.3
        """Weight of BCE."""
        tversky: Tversky.Config = Tversky.Config(fp_weight=0.3, fn_weight=0.7)
        """Tversky's own settings."""
        focal: Focal.Config = Focal.Config()
        """Focal's own settings."""
        bce: Bce.Config = Bce.Config(pos_weight=BatchWeight(factor=100, cap=1000))
        """BCE's own settings; the sane weight is `{pos_weight: {factor: 1, cap: 20}}`."""

    config: Config

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        config = self.config
        return weighted_sum(
            [
                (config.tversky_weight, Tversky(config.tversky).of(pixels)),
                (config.focal_weight, Focal(config.focal).of(pixels)),
                (config.bce_weight, Bce(config.bce).of(pixels)),
            ]
        )


class Term(LossConfig):
    """One loss in a sum."""

    weight: PositiveFloat = 1.0
    """What it is multiplied by."""


class Combined(SegmentationLoss):
    """Σ weight × loss, of any losses by name; parts keep their names."""

    class Config(SegmentationLoss.Config):
        """The terms."""

        terms: Annotated[tuple[Term, ...], Field(min_length=1)]
        """At least one."""

    config: Config

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._terms = [(term.weight, term.build()) for term in self.config.terms]

    def __call__(self, output: Output, target: Tensor, weight: Tensor | None = None) -> Loss:
        """As in `SegmentationLoss`."""
        return weighted_sum([(factor, loss(output, target, weight)) for factor, loss in self._terms])
