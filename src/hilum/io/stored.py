"""A volume as a file has it, before anybody says whether it is a CT or a mask."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import numpy as np

from hilum.core import Geometry, GeometryError, Mask, Quantity, UnsupportedError, Volume
from hilum.core.geometry import Floats, Shape3
from hilum.core.mask import Labels
from hilum.core.volume import Voxels

_FARTHEST_MM = 1e7
"""Ten kilometres: whatever is farther is a damaged number (and its square might overflow)."""
_MEND = "Export it again, or mend the header."


@dataclass(frozen=True, eq=False)
class StoredVolume:
    """What a NIfTI, MetaImage or NRRD file holds.

    Attributes:
        array: [z, y, x], in the type that the file has; true values are `slope * array + intercept`.
        geometry: the grid, already in LPS millimetres.
        format: "NIfTI", "MetaImage" or "NRRD", for people.
        slope: factor of the true values.
        intercept: offset of the true values.
        odd: what is strange about the header, one line each.
        names: what the labels mean, where the format says (3D Slicer's segmentations).
        quantity: what the numbers are, where the file says; these formats have no field for it, so mostly None.
    """

    array: Voxels
    geometry: Geometry
    format: str
    slope: float = 1.0
    intercept: float = 0.0
    odd: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=lambda: MappingProxyType({}))
    quantity: Quantity | None = None

    def values(self) -> Voxels:
        """The true values: int16 where every one of them is exactly that, float32 otherwise.

        Stored int16 with a whole offset is shifted where it lies, since a CT should be held once: `array` then has the
        true values, and `intercept` is 0.
        """
        if not self._fits_int16():
            return self._scaled()
        if self.array.dtype == np.int16:
            # Modular arithmetic: the sums fit, so an offset that wraps on the way comes back.
            np.add(self.array, np.array(int(self.intercept)).astype(np.int16), out=self.array)
            object.__setattr__(self, "intercept", 0.0)
            return self.array
        settled: Voxels = np.empty(self.array.shape, dtype=np.int16)
        for k, plane in enumerate(self.array):
            wide = plane if plane.dtype.kind == "f" else plane.astype(np.int64)
            settled[k] = wide + int(self.intercept)
        return settled

    def _fits_int16(self) -> bool:
        if self.slope != 1 or not float(self.intercept).is_integer() or not is_whole(self.array):
            return False
        ends = (int(self.array.min()) + int(self.intercept), int(self.array.max()) + int(self.intercept))
        return bool(np.iinfo(np.int16).min <= ends[0] and ends[1] <= np.iinfo(np.int16).max)

    def _scaled(self) -> Voxels:
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (self.slope, self.intercept) != (1, 0)
            values = self.array.astype(np.float32, copy=scaled)
            if self.slope != 1:
                values *= np.float32(self.slope)
            if self.intercept != 0:
                values += np.float32(self.intercept)
        return values

    def volume(self, source: str) -> Volume:
        """As a volume; in HU unless the file says otherwise, since what is read here as a volume is a CT.

        Raises:
            UnsupportedError: it is flat; `source` names the file.
        """
        if 1 in self.geometry.shape_zyx:
            nz, ny, nx = self.geometry.shape_zyx
            raise UnsupportedError(
                f"{source} is flat ({nx} × {ny} × {nz}); a CT volume has several slices.", "Give the whole volume."
            )
        return Volume(self.values(), self.geometry, self.quantity or Quantity.HU)

    def mask(self, source: str) -> Mask:
        """As labels; `source` names the file in errors.

        Raises:
            UnsupportedError: the values are not whole numbers of 0 or more.
        """
        identity = (self.slope, self.intercept) == (1, 0)
        return Mask(as_labels(self.array if identity else self.values(), source), self.geometry, names=self.names)


def grid_of(path: Path, shape_zyx: Shape3, affine_lps: Floats) -> Geometry:
    """The grid that a header gives.

    Raises:
        GeometryError: it gives none; the message names the file.
    """
    if not np.isfinite(affine_lps).all() or np.abs(affine_lps).max() > _FARTHEST_MM:
        raise GeometryError(f"{path} has a header whose sizes or positions are no lengths of a body.", _MEND)
    try:
        return Geometry(shape_zyx, affine_lps)
    except GeometryError as error:
        axes = np.array2string(affine_lps[:3, :3], separator=", ").replace("\n", "")
        raise GeometryError(
            f"{path} has a header that gives no grid: its axes, in columns, are {axes}.", _MEND
        ) from error


def as_labels(array: Voxels, source: str) -> Labels:
    """Labels of the smallest unsigned type that holds them, any shape.

    Raises:
        UnsupportedError: the values are not whole numbers of 0 or more.
    """
    if not is_whole(array):
        raise UnsupportedError(
            f"{source} is no mask: its values have fractions (or are not numbers), labels are whole.",
            "A probability map has to be thresholded first.",
        )
    low, high = array.min(), array.max()
    if low < 0 or high > np.iinfo(np.uint32).max:
        raise UnsupportedError(
            f"{source} is no mask: its values run from {low:g} to {high:g}, labels are 0 or more.",
            "If this is a CT, give it as the image.",
        )
    return array.astype(np.min_scalar_type(int(high)), copy=False)


def is_whole(array: Voxels) -> bool:
    """Whether all values are whole numbers; by slices, so that no second copy is held."""
    if array.dtype.kind in "biu":
        return True
    slabs = array if array.ndim == 3 else array[None]
    with np.errstate(invalid="ignore"):
        return all(bool((np.isfinite(slab) & (np.trunc(slab) == slab)).all()) for slab in slabs)
