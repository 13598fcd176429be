"""Supervised attention: a network is told where to look."""

from torch import Tensor

from hilum.core import ConfigError
from hilum.losses.base import Head, Output, SegmentationLoss
from hilum.losses.combined import BceDice
from hilum.losses.parts import Loss, single
from hilum.losses.pooling import pooled


class Attention(SegmentationLoss):
    """BCE and Dice, by their weights, of the attention's logits with the truth, area-pooled to the attention's size.

    A term of `combined`: source C weighs it .5, source A .1. (Source A samples the attention map at every 32nd pixel;
    the mean of an area loses no nodule.)
    """

    class Config(SegmentationLoss.Config):
        """How attention and truth are compared."""

        compare: BceDice.Config = BceDice.Config(bce_weight=1, dice_weight=0)
        """Source C's is BCE alone, the default."""

    config: Config

    def __call__(self, output: Output, target: Tensor, weight: Tensor | None = None) -> Loss:
        """As in `SegmentationLoss`.

        Raises:
            ConfigError: this output has no attention.
        """
        if output.attention is None:
            raise ConfigError(
                "the loss attention has no attention to teach.",
                "Choose a model that has one, or leave the term out; beside deep_supervision it goes, not inside it.",
            )
        truth, weights = pooled(target, weight, output.attention.shape[2:], "area")
        return single("attention", BceDice(self.config.compare)(Head(output.attention), truth, weights).total)
