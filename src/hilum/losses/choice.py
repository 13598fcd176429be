"""A loss by name, with all its options, as a configuration holds it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from hilum.config import Choice

if TYPE_CHECKING:
    from hilum.losses.base import SegmentationLoss


class LossConfig(Choice):
    """Which loss, with every option; options that were left out are filled with their defaults."""

    kind = "loss"

    name: str = "bce_dice"
    """A name in the catalogue."""

    @classmethod
    def family(cls) -> "Mapping[str, type[SegmentationLoss]]":
        """The losses."""
        # Sums of losses hold choices of losses, so the catalogue, which has the sums, can only be asked when used.
        from hilum.losses.catalogue import LOSSES

        return LOSSES

    def build(self) -> "SegmentationLoss":
        """The loss."""
        from hilum.losses.catalogue import build_loss

        return build_loss(self.name, self.options)
