"""Where voxels are."""

from dataclasses import dataclass
from itertools import product
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hilum.core.errors import GeometryError

Shape3: TypeAlias = tuple[int, int, int]
Triple: TypeAlias = tuple[float, float, float]
Floats: TypeAlias = NDArray[np.float64]

GRID_TOLERANCE_MM = 1e-3
"""Two grids are the same when no corner differs by more than this: far below a voxel, above float32 headers."""


@dataclass(frozen=True, eq=False)
class Geometry:
    """A grid in the patient: voxel index (k, j, i) to LPS millimetres.

    LPS is DICOM's patient frame (PS3.3 C.7.6.2.1.1): x grows to the patient's left, y to the back, z to the head.

    Attributes:
        shape_zyx: voxels along z, y, x, as in the array.
        affine_lps: 4×4, maps (i, j, k, 1) to (x, y, z, 1) in mm, float64; index 0 is the centre of the first voxel.
        frame_uid: DICOM Frame of Reference UID; None for formats that have none.

    Raises:
        GeometryError: the shape is not three positive numbers, or the affine is not an invertible, finite 4×4 one.
    """

    shape_zyx: Shape3
    affine_lps: Floats
    frame_uid: str | None = None

    def __post_init__(self) -> None:
        if len(self.shape_zyx) != 3 or any(int(n) != n or n < 1 for n in self.shape_zyx):
            raise GeometryError(f"a grid needs three positive sizes (z, y, x), got {tuple(self.shape_zyx)}.")
        affine = np.array(self.affine_lps, dtype=np.float64)
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or not np.array_equal(affine[3], (0, 0, 0, 1)):
            raise GeometryError(f"an affine is a finite 4×4 matrix with the last row 0 0 0 1, got {affine.tolist()}.")
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if not (lengths > 0).all() or abs(np.linalg.det(affine[:3, :3] / np.where(lengths > 0, lengths, 1))) < 1e-6:
            raise GeometryError(f"the three axes of a grid must be apart and longer than 0, got {affine.tolist()}.")
        affine.setflags(write=False)
        object.__setattr__(self, "affine_lps", affine)
        object.__setattr__(self, "shape_zyx", tuple(int(n) for n in self.shape_zyx))

    @classmethod
    def regular(cls, shape_zyx: Shape3, spacing_zyx_mm: Triple, origin_lps_mm: Triple = (0.0, 0.0, 0.0)) -> "Geometry":
        """An axial grid along the patient's axes, without turn or flip."""
        affine = np.eye(4)
        affine[:3, :3] = np.diag(spacing_zyx_mm[::-1])
        affine[:3, 3] = origin_lps_mm
        return cls(shape_zyx, affine)

    @property
    def spacing_zyx_mm(self) -> Triple:
        """Distance between neighbouring voxel centres along z, y, x of the array."""
        x, y, z = np.linalg.norm(self.affine_lps[:3, :3], axis=0)
        return float(z), float(y), float(x)

    @property
    def origin_lps_mm(self) -> Triple:
        """Centre of voxel (0, 0, 0)."""
        x, y, z = self.affine_lps[:3, 3]
        return float(x), float(y), float(z)

    @property
    def directions(self) -> Floats:
        """3×3; the columns are the unit vectors in LPS along which i, j and k grow."""
        axes = self.affine_lps[:3, :3]
        return np.asarray(axes / np.linalg.norm(axes, axis=0))

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel (a sheared grid's too: the determinant)."""
        return abs(float(np.linalg.det(self.affine_lps[:3, :3])))

    @property
    def size_zyx_mm(self) -> Triple:
        """Extent of the grid along its axes, from voxel edge to voxel edge."""
        z, y, x = (n * step for n, step in zip(self.shape_zyx, self.spacing_zyx_mm, strict=True))
        return z, y, x

    @property
    def axis_codes(self) -> str:
        """Where i, j, k grow to, as the nearest patient directions, for example "LPS" or "LAS"."""
        letters = (("R", "L"), ("A", "P"), ("I", "S"))
        nearest = np.abs(self.directions).argmax(axis=0)
        return "".join(letters[row][int(self.directions[row, column] > 0)] for column, row in enumerate(nearest))

    @property
    def axial_axis(self) -> int:
        """The array axis (0, 1, 2) that runs most nearly from foot to head: fixing its index gives an axial slice."""
        return 2 - int(np.abs(self.directions[2]).argmax())

    def to_lps_mm(self, index_kji: ArrayLike) -> Floats:
        """Voxel indices [..., 3] as (k, j, i), fractions allowed, to points [..., 3] in LPS mm."""
        ijk = np.asarray(index_kji, dtype=np.float64)[..., ::-1]
        return np.asarray(ijk @ self.affine_lps[:3, :3].T + self.affine_lps[:3, 3])

    def to_index(self, point_lps_mm: ArrayLike) -> Floats:
        """Points [..., 3] in LPS mm to voxel indices [..., 3] as (k, j, i), with fractions."""
        offset = np.asarray(point_lps_mm, dtype=np.float64) - self.affine_lps[:3, 3]
        return np.asarray((offset @ np.linalg.inv(self.affine_lps[:3, :3]).T)[..., ::-1])

    def contains(self, point_lps_mm: ArrayLike) -> NDArray[np.bool_]:
        """Whether points [..., 3] lie within the grid's voxels (edges included)."""
        index = self.to_index(point_lps_mm)
        return np.asarray(((index >= -0.5) & (index <= np.array(self.shape_zyx) - 0.5)).all(axis=-1))

    def corners_lps_mm(self) -> Floats:
        """Centres of the eight corner voxels, [8, 3]."""
        return self.to_lps_mm(list(product(*((0, n - 1) for n in self.shape_zyx))))

    def crop(self, start_kji: Shape3, shape_zyx: Shape3) -> "Geometry":
        """The grid of the block that starts at `start_kji`; every voxel stays where it is in the patient.

        Raises:
            GeometryError: the block leaves the grid.
        """
        stop = np.add(start_kji, shape_zyx)
        if min(start_kji) < 0 or (stop > self.shape_zyx).any():
            raise GeometryError(f"the block {start_kji} + {shape_zyx} leaves the grid {self.shape_zyx}.")
        affine = np.array(self.affine_lps)
        affine[:3, 3] = self.to_lps_mm(start_kji)
        return Geometry(shape_zyx, affine, self.frame_uid)

    def with_spacing(self, spacing_zyx_mm: Triple) -> "Geometry":
        """The grid with other steps over the same extent: same outer corner, sizes rounded up to cover all of it."""
        ratio = np.array(spacing_zyx_mm) / self.spacing_zyx_mm
        nz, ny, nx = np.maximum(1, np.ceil(np.array(self.shape_zyx) / ratio - 1e-6)).astype(int)
        affine = np.array(self.affine_lps)
        affine[:3, :3] *= ratio[::-1]
        affine[:3, 3] = self.to_lps_mm(ratio / 2 - 0.5)
        return Geometry((int(nz), int(ny), int(nx)), affine, self.frame_uid)

    def is_same_grid(self, other: "Geometry") -> bool:
        """Whether both grids put every voxel at the same place, and don't name two different frames of reference."""
        frames = {self.frame_uid, other.frame_uid} - {None}
        if self.shape_zyx != other.shape_zyx or len(frames) > 1:
            return False
        apart_mm = np.abs(self.corners_lps_mm() - other.corners_lps_mm()).max()
        return bool(apart_mm <= GRID_TOLERANCE_MM)

    def require_same_grid(self, other: "Geometry") -> None:
        """Refuse to go on with arrays whose voxels lie at different places.

        Raises:
            GeometryError: the grids differ; the message says how and what to do.
        """
        if self.is_same_grid(other):
            return
        if self.shape_zyx != other.shape_zyx:
            what = f"the grid {other.shape_zyx} is not the image's {self.shape_zyx}"
        elif None not in (self.frame_uid, other.frame_uid) and self.frame_uid != other.frame_uid:
            what = f"the frame of reference {other.frame_uid} is not the image's {self.frame_uid}"
        else:
            apart_mm = np.abs(self.corners_lps_mm() - other.corners_lps_mm()).max()
            what = f"the grids have the same shape {self.shape_zyx}, but lie up to {apart_mm:.3g} mm apart"
        raise GeometryError(
            what + ".",
            "Resample it first: hilum convert IT OUT --like IMAGE, or hilum.ops.resample_to(it, image.geometry)",
        )
