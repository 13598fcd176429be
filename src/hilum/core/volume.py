"""A CT, or another quantity, on a grid."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import GeometryError, InputError, UnitError
from hilum.core.geometry import Geometry, Shape3

Voxels: TypeAlias = NDArray[Any]

AIR_HU = -1000.0
"""Air, by the definition of the Hounsfield scale."""
OUTSIDE_HU = -1024.0
"""The lowest value of CTs with 12 bits, and what stands where nothing was measured."""


class Quantity(StrEnum):
    """What a voxel's number means."""

    HU = "HU"
    ATTENUATION = "1/mm"
    DISPLAY = "display"


@dataclass(frozen=True, eq=False)
class Volume:
    """Numbers on a grid, with their meaning.

    Attributes:
        array: [z, y, x]; int16 HU as read where that is exact, float32 after resampling.
        geometry: where the voxels are.
        quantity: what the numbers mean.

    Raises:
        GeometryError: the array's shape is not the grid's.
    """

    array: Voxels
    geometry: Geometry
    quantity: Quantity = Quantity.HU

    def __post_init__(self) -> None:
        if self.array.shape != self.geometry.shape_zyx:
            raise GeometryError(f"an array of shape {self.array.shape} doesn't fit the grid {self.geometry.shape_zyx}.")

    def require(self, quantity: Quantity) -> None:
        """Refuse numbers of another meaning.

        Raises:
            UnitError: the voxels hold something else.
        """
        if self.quantity is not quantity:
            raise UnitError(f"voxels in {quantity} were expected, these are in {self.quantity}.")

    def require_finite(self) -> None:
        """Refuse voxels that hold no number; whole numbers always do.

        Raises:
            InputError: some are NaN or infinite.
        """
        if self.array.dtype.kind == "f" and not np.isfinite(self.array).all():
            count = int((~np.isfinite(self.array)).sum())
            raise InputError(
                f"{count} of {self.array.size} voxels are no finite numbers.",
                "Fill them first, for example with -1024 HU.",
            )

    def crop(self, start_kji: Shape3, shape_zyx: Shape3) -> "Volume":
        """The block that starts at `start_kji`, as a view; every voxel stays where it is in the patient."""
        geometry = self.geometry.crop(start_kji, shape_zyx)
        block = tuple(slice(start, start + size) for start, size in zip(start_kji, shape_zyx, strict=True))
        return Volume(self.array[block], geometry, self.quantity)

    def astype(self, dtype: type[np.generic]) -> "Volume":
        """The same volume with numbers of another type."""
        return Volume(self.array.astype(dtype), self.geometry, self.quantity)
