"""Labels on the grid of a volume or on the pixels of a radiograph."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import GeometryError, InputError, UnitError
from hilum.core.geometry import Geometry
from hilum.core.radiograph import PixelMm

Labels: TypeAlias = NDArray[np.unsignedinteger]
Selection: TypeAlias = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Mask:
    """Which voxels (or pixels) belong to what. A voxel has one label; what overlaps goes into masks of its own.

    Attributes:
        labels: unsigned integers [z, y, x] or [y, x]; 0 is background.
        geometry: the grid of a 3D mask; None for a 2D one.
        pixel_mm: (row step, column step) of a 2D mask; None for 3D, or when unknown.
        names: what each label means.

    Raises:
        GeometryError: labels and grid don't fit.
        InputError: labels are not unsigned integers.
    """

    labels: Labels
    geometry: Geometry | None = None
    pixel_mm: PixelMm | None = None
    names: Mapping[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.labels.dtype.kind != "u":
            raise InputError(f"a mask's labels are unsigned integers, got {self.labels.dtype}.")
        if self.geometry is not None and self.labels.shape != self.geometry.shape_zyx:
            raise GeometryError(f"labels of shape {self.labels.shape} don't fit the grid {self.geometry.shape_zyx}.")
        if self.geometry is None and self.labels.ndim != 2:
            raise GeometryError(f"a mask without a grid is 2D, got labels of shape {self.labels.shape}.")
        object.__setattr__(self, "names", MappingProxyType(dict(self.names)))

    @classmethod
    def of(cls, selection: Selection, geometry: Geometry, name: str = "nodule") -> "Mask":
        """A mask with one label, 1, where `selection` [z, y, x] is true."""
        return cls(selection.astype(np.uint8), geometry, names={1: name})

    def select(self, label: int | str) -> Selection:
        """Where one label, given by number or name, is.

        Raises:
            InputError: no label has this name.
        """
        if isinstance(label, str):
            numbers = [number for number, name in self.names.items() if name == label]
            if not numbers:
                raise InputError(f"the mask has no {label!r}; it has {', '.join(self.names.values()) or 'no names'}.")
            return np.asarray(np.isin(self.labels, numbers))
        return np.asarray(self.labels == label)

    def require_geometry(self) -> Geometry:
        """The grid of a 3D mask.

        Raises:
            UnitError: the mask is 2D.
        """
        if self.geometry is None:
            raise UnitError("a 2D mask has no place in the patient; a 3D one with its grid was expected.")
        return self.geometry
