"""Squared error of probabilities, or of brightness where a network redraws its picture."""

from hilum.losses.base import PixelLoss
from hilum.losses.parts import Loss, single
from hilum.losses.pixels import Pixels


class SquaredError(PixelLoss):
    """Mean of (p − t)²: Brier's score (1950) of a mask; of a picture, the error of its redrawn pixels (He 2022)."""

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        return single("squared_error", pixels.mean((pixels.probability - pixels.truth) ** 2))
