"""Maps of the patient's space: a smooth bend, then an affine map."""

from dataclasses import dataclass
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, GeometryError, Mask, Quantity, Volume
from hilum.core.geometry import Floats
from hilum.core.volume import OUTSIDE_HU, Voxels

_STEPS, _CLOSE_MM = 60, 5e-3
"""Of the fixed point: as many steps at most, until no place moves farther."""


@dataclass(frozen=True, eq=False)
class Deformation:
    """Place p goes to affine(p + bend(p)); the bend is read between the points of a grid, and is 0 beyond it.

    Attributes:
        affine: 4×4 in LPS mm.
        bend_mm: [z, y, x, 3] at each point of the grid the way along x, y, z of LPS, float32; it should fade to 0
            towards the grid's faces, or places there jump.
        geometry: of the bend, along the patient's axes.

    Raises:
        GeometryError: bend and grid don't fit, the grid is turned, or the affine map can't be undone.
    """

    affine: Floats
    bend_mm: NDArray[np.float32]
    geometry: Geometry

    def __post_init__(self) -> None:
        if self.bend_mm.shape != (*self.geometry.shape_zyx, 3):
            raise GeometryError(f"a bend {self.bend_mm.shape} doesn't fit the grid {self.geometry.shape_zyx} × 3.")
        if not np.allclose(self.geometry.directions, np.eye(3)):
            raise GeometryError("a bend's grid lies along the patient's axes.", "Use Geometry.regular.")
        Geometry((1, 1, 1), self.affine)  # refuses what can't be undone

    @classmethod
    def of_affine(cls, affine: Floats) -> "Deformation":
        """A map without a bend."""
        return cls(affine, np.zeros((1, 1, 1, 3), np.float32), Geometry.regular((1, 1, 1), (1.0, 1.0, 1.0)))

    def places_mm(self, points_lps_mm: Floats) -> Floats:
        """Where points [..., 3] go."""
        return self._moved(points_lps_mm + self.bends_mm(points_lps_mm), self.affine)

    def origins_mm(self, points_lps_mm: Floats) -> Floats:
        """Where points [..., 3] come from: the inverse, by fixed point. NaN where the map has none, as at a fold.

        The steps contract wherever the bend changes by less than 1 mm a mm (Chen 2008, "A simple fixed-point approach
        to invert a deformation field").
        """
        straight = self._moved(points_lps_mm, np.asarray(np.linalg.inv(self.affine))).reshape(-1, 3)
        found, moving = straight.copy(), np.arange(len(straight))
        for _ in range(_STEPS):
            nearer = straight[moving] - self.bends_mm(found[moving])
            far = np.linalg.norm(nearer - found[moving], axis=-1) > _CLOSE_MM
            found[moving] = nearer
            moving = moving[far]
            if not len(moving):
                break
        found[moving] = np.nan
        return found.reshape(points_lps_mm.shape)

    def inverted(self, geometry: Geometry) -> "Deformation":
        """The inverse as a map of its own, whose bend lies on this grid; where there is none, its affine map alone.

        Raises:
            GeometryError: the grid is turned.
        """
        points = geometry.to_lps_mm(np.moveaxis(np.indices(geometry.shape_zyx), 0, -1))
        bend = np.nan_to_num(self._moved(self.origins_mm(points), self.affine) - points)
        return Deformation(np.asarray(np.linalg.inv(self.affine)), bend.astype(np.float32), geometry)

    def bends_mm(self, points_lps_mm: Floats) -> Floats:
        """The bend [..., 3] at points [..., 3]."""
        from scipy.ndimage import map_coordinates

        index = self.geometry.to_index(points_lps_mm).reshape(-1, 3).T
        ways = [map_coordinates(self.bend_mm[..., axis], index, order=1, cval=0.0) for axis in range(3)]
        return np.stack(ways, axis=-1).astype(np.float64).reshape(points_lps_mm.shape)

    def volume_change(self) -> NDArray[np.float32]:
        """[z, y, x] at each point of the bend's grid the map's Jacobian determinant: volume there over volume here.

        1 without any change, not above 0 where the map folds. By central differences.
        """
        if min(self.geometry.shape_zyx) < 2:
            return np.full(self.geometry.shape_zyx, np.linalg.det(self.affine[:3, :3]), dtype=np.float32)
        steps = self.geometry.spacing_zyx_mm
        rows = [list(np.gradient(self.bend_mm[..., one], *steps))[::-1] for one in range(3)]
        derivative = np.moveaxis(np.array(rows), (0, 1), (-2, -1))
        return np.asarray(np.linalg.det(np.eye(3) + derivative) * np.linalg.det(self.affine[:3, :3]), np.float32)

    @overload
    def pulled(self, image: Volume, geometry: Geometry, threads: int = ...) -> Volume: ...
    @overload
    def pulled(self, image: Mask, geometry: Geometry, threads: int = ...) -> Mask: ...
    def pulled(self, image: Volume | Mask, geometry: Geometry, threads: int = 1) -> Volume | Mask:
        """An image at the places that a grid's voxels go to: one on the grid on which this map starts.

        Between voxels a volume is read linearly, to float32, a mask by the nearest. What lies outside the image is as
        in `resample_to`.

        Args:
            image: where the map leads to.
            geometry: where it starts: of the result.
            threads: of SimpleITK.
        """
        if isinstance(image, Mask):
            labels = self._read(image.labels, image.require_geometry(), geometry, 0, threads)
            return Mask(labels, geometry, names=image.names)
        outside = OUTSIDE_HU if image.quantity is Quantity.HU else 0.0
        array = self._read(image.array.astype(np.float32, copy=False), image.geometry, geometry, outside, threads)
        return Volume(array, geometry, image.quantity)

    def _read(self, array: Voxels, source: Geometry, target: Geometry, outside: float, threads: int) -> Voxels:
        """SimpleITK in index space on both sides, so that it takes sheared grids, too."""
        import SimpleITK as sitk

        tool = sitk.ResampleImageFilter()
        tool.SetNumberOfThreads(threads)
        tool.SetSize(target.shape_zyx[::-1])
        tool.SetDefaultPixelValue(outside)
        tool.SetInterpolator(sitk.sitkLinear if array.dtype.kind == "f" else sitk.sitkNearestNeighbor)
        to_index = np.asarray(np.linalg.solve(source.affine_lps, self.affine))
        # the transform that is added last is applied first
        tool.SetTransform(
            sitk.CompositeTransform([_affine(to_index), self._bending(), _affine(np.array(target.affine_lps))])
        )
        return np.asarray(sitk.GetArrayFromImage(tool.Execute(sitk.GetImageFromArray(array))))

    def _bending(self) -> Any:
        import SimpleITK as sitk

        field = sitk.GetImageFromArray(self.bend_mm.astype(np.float64), isVector=True)
        field.SetSpacing(self.geometry.spacing_zyx_mm[::-1])
        field.SetOrigin(self.geometry.origin_lps_mm)
        return sitk.DisplacementFieldTransform(field)

    @staticmethod
    def _moved(points: Floats, affine: Floats) -> Floats:
        return np.asarray(points @ affine[:3, :3].T + affine[:3, 3])


def _affine(matrix: Floats) -> Any:
    import SimpleITK as sitk

    transform = sitk.AffineTransform(3)
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation(matrix[:3, 3].tolist())
    return transform
