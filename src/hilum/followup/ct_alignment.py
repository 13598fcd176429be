"""Where places in the lungs of one CT lie on another: turn and shift, affine map, then a smooth bend.

SimpleITK does the work; its objects stay in this module. The number of threads is an argument and changes no result:
every sum over voxels is either SimpleITK's own in a fixed order, or done by one thread.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.config import FrozenConfig
from hilum.core import Geometry
from hilum.core.geometry import Floats
from hilum.followup.ct_scene import Scene
from hilum.ops import Deformation, grown

_BEYOND_MM = 9.0
"""Around the fixed lungs, where the affine map is judged too, so that edges count on both sides."""
_START_POINTS = 4000
_LEAST_SEEN = 0.3
"""Share of the fixed scene that the moving one has to reach at a start."""
_FIRST_STEPS_MM = (4.0, 1.0)
"""By how much the first step moves the place that it moves most: the second where the first gets lost."""
_FADE_MM = 15.0
"""From a scene's faces inwards, over which the bend fades to 0."""


class CtAlignmentConfig(FrozenConfig):
    """How the lungs of two CTs are laid over each other."""

    cell_mm: float = 3.0
    """Side of the voxels on which lungs are compared."""
    turns_deg: tuple[float, ...] = (-15.0, 0.0, 15.0)
    """Turns about each axis that are tried at first."""
    shifts_mm: tuple[float, ...] = (-100.0, -75.0, -50.0, -25.0, 0.0, 25.0, 50.0, 75.0, 100.0)
    """Shifts along the body that are tried at first, from centre of lungs on centre of lungs."""
    affine_steps: int = 40
    """Steps of the optimiser, at most, at each of two resolutions."""
    levels: tuple[int, ...] = (4, 4, 4, 2, 2, 1)
    """Resolutions at which the bend is found, one after the other, each on top of those before: cells to a voxel."""
    bend_steps: tuple[int, ...] = (40, 40, 40, 30, 30, 20)
    """Steps of the demons at each."""
    smooth_cells: float = 2.0
    """Sigma, in voxels of the resolution, by which the bend is smoothed at each step."""


def find_affine(fixed: Scene, moving: Scene, config: CtAlignmentConfig, threads: int) -> Floats:
    """4×4 from places in the fixed scene to those in the moving one: best of some starts, rigid, then affine.

    Args:
        fixed: one CT's.
        moving: the other's.
        config: how.
        threads: of SimpleITK.
    """
    import SimpleITK as sitk

    sample = _Sample.of(fixed)
    found = _start(sample, moving, config)
    for kind in (sitk.Euler3DTransform, lambda: sitk.AffineTransform(3)):
        found = _improved(kind, found, (sample, fixed, moving), config, threads)
    return found


@dataclass(frozen=True, eq=False)
class _Sample:
    """Some places of a scene about the lungs, and what is there.

    Attributes:
        points: [n, 3] in LPS mm.
        structure: [n].
        centre: [3] of the lungs.
    """

    points: Floats
    structure: NDArray[np.float32]
    centre: Floats

    @classmethod
    def of(cls, fixed: Scene) -> "_Sample":
        places = np.argwhere(grown(fixed.lungs, _BEYOND_MM, fixed.geometry.spacing_zyx_mm))
        chosen = places[:: max(1, len(places) // _START_POINTS)]
        points = fixed.geometry.to_lps_mm(chosen)
        return cls(points, fixed.structure[tuple(chosen.T)], fixed.places_mm().mean(axis=0))

    def unlikeness(self, moving: Scene, matrix: Floats) -> float:
        """Mean squared difference of what both scenes reach; infinite where that is too little."""
        from scipy.ndimage import map_coordinates

        index = moving.geometry.to_index(self.points @ matrix[:3, :3].T + matrix[:3, 3])
        seen = ((index >= 0) & (index <= np.array(moving.geometry.shape_zyx) - 1)).all(axis=1)
        if seen.mean() < _LEAST_SEEN:
            return np.inf
        there = map_coordinates(moving.structure, index[seen].T, order=1)
        return float(np.mean((self.structure[seen] - there) ** 2))


def _start(sample: _Sample, moving: Scene, config: CtAlignmentConfig) -> Floats:
    """Centre of lungs on centre of lungs; of some turns and shifts the one at which the scenes are most alike."""
    other = moving.places_mm().mean(axis=0)
    tried = [
        _rigid(turns, sample.centre, other + np.array((0.0, 0.0, shift)))
        for turns, shift in product(product(config.turns_deg, repeat=3), config.shifts_mm)
    ]
    return tried[int(np.argmin([sample.unlikeness(moving, one) for one in tried]))]


def _rigid(turns_deg: tuple[float, ...], centre: Floats, to: Floats) -> Floats:
    from scipy.spatial.transform import Rotation

    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", turns_deg, degrees=True).as_matrix()
    matrix[:3, 3] = to - matrix[:3, :3] @ centre
    return matrix


def _improved(
    kind: Callable[[], Any], start: Floats, pair: tuple[_Sample, Scene, Scene], config: CtAlignmentConfig, threads: int
) -> Floats:
    """A better map of this kind; the start itself where the optimiser gets lost, with large and with small steps."""
    sample, fixed, moving = pair
    for step_mm in _FIRST_STEPS_MM:
        transform = kind()
        _set(transform, start, sample.centre)
        found = _matrix(_optimised(transform, step_mm, fixed, moving, config, threads))
        if sample.unlikeness(moving, found) < sample.unlikeness(moving, start):
            return found
    return start


def _set(transform: Any, matrix: Floats, centre: Floats) -> None:
    """Give a transform of SimpleITK its values: it turns about the centre, then shifts."""
    transform.SetCenter(centre.tolist())
    transform.SetMatrix(matrix[:3, :3].ravel().tolist())
    transform.SetTranslation((matrix[:3, :3] @ centre + matrix[:3, 3] - centre).tolist())


def _matrix(transform: Any) -> Floats:
    centre, result = np.array(transform.GetCenter()), np.eye(4)
    result[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    result[:3, 3] = centre + np.array(transform.GetTranslation()) - result[:3, :3] @ centre
    return result


def _optimised(
    transform: Any, step_mm: float, fixed: Scene, moving: Scene, config: CtAlignmentConfig, threads: int
) -> Any:
    """The transform near this one with the least squared difference, at a quarter and half of the resolution."""
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(threads)
    method.SetMetricAsMeanSquares()
    method.SetMetricSamplingStrategy(method.NONE)
    where = grown(fixed.lungs, _BEYOND_MM, fixed.geometry.spacing_zyx_mm)
    method.SetMetricFixedMask(_image(where.astype(np.uint8), fixed.geometry))
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(step_mm, 0.02, config.affine_steps, 0.6, 1e-5)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2])
    method.SetSmoothingSigmasPerLevel([2 * config.cell_mm, config.cell_mm])
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    method.SetInitialTransform(transform, inPlace=True)
    method.Execute(_image(fixed.structure, fixed.geometry), _image(moving.structure, moving.geometry))
    return transform


def bent(fixed: Scene, moving: Scene, affine: Floats, config: CtAlignmentConfig, threads: int) -> Deformation:
    """The affine map with a bend before it, by demons from coarse to fine.

    Symmetric forces (Vercauteren 2009) on structure: squared differences mean something there, as tone is evened out.
    Each resolution begins without a bend, and what it finds is put on top of what was found: smoothing then holds back
    what is added, not what is there, and large bends aren't cut short.

    Args:
        fixed: on whose grid the bend is.
        moving: the other CT's.
        affine: 4×4 from fixed to moving.
        config: how.
        threads: of SimpleITK.
    """
    import SimpleITK as sitk

    still = _image(fixed.structure, fixed.geometry)
    so_far = sitk.Image(still.GetSize(), sitk.sitkVectorFloat64)
    so_far.CopyInformation(still)
    for thick, count in zip(config.levels, config.bend_steps, strict=True):
        moved = _moved(fixed, moving, (affine, so_far), threads)
        pair = [sitk.BinShrink(one, [thick] * 3) if thick > 1 else one for one in (still, moved)]
        tool = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        tool.SetNumberOfThreads(threads)
        tool.SetNumberOfIterations(count)
        tool.SetSmoothDisplacementField(True)
        tool.SetStandardDeviations(config.smooth_cells)
        more = sitk.Resample(tool.Execute(*pair), still, sitk.Transform(), sitk.sitkLinear, 0.0)
        so_far = more + sitk.Resample(so_far, still, sitk.DisplacementFieldTransform(sitk.Image(more)))
    bend = np.asarray(sitk.GetArrayFromImage(so_far), dtype=np.float32)
    return Deformation(affine, bend * _fading(fixed.geometry)[..., None], fixed.geometry)


def _moved(fixed: Scene, moving: Scene, way: tuple[Floats, Any], threads: int) -> Any:
    """The moving structure through a bend and an affine map, on the fixed scene's grid.

    Where the moving CT doesn't reach stands the fixed one's structure, so nothing pulls there.
    """
    import SimpleITK as sitk

    affine, bend = way
    straight = sitk.AffineTransform(3)
    straight.SetMatrix(affine[:3, :3].ravel().tolist())
    straight.SetTranslation(affine[:3, 3].tolist())
    tool = sitk.ResampleImageFilter()
    tool.SetNumberOfThreads(threads)
    tool.SetReferenceImage(bend)
    tool.SetTransform(sitk.CompositeTransform([straight, sitk.DisplacementFieldTransform(sitk.Image(bend))]))
    tool.SetDefaultPixelValue(float("nan"))
    found = np.asarray(sitk.GetArrayFromImage(tool.Execute(_image(moving.structure, moving.geometry))))
    return _image(np.where(np.isnan(found), fixed.structure, found), fixed.geometry)


def _image(array: NDArray[Any], grid: Geometry) -> Any:
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(array)
    image.SetSpacing(grid.spacing_zyx_mm[::-1])
    image.SetOrigin(grid.origin_lps_mm)
    return image


def _fading(grid: Geometry) -> NDArray[np.float32]:
    """[z, y, x] 0 on the grid's faces, 1 from some way inwards, smooth between."""
    result = np.ones(grid.shape_zyx, dtype=np.float32)
    for axis, (size, step) in enumerate(zip(grid.shape_zyx, grid.spacing_zyx_mm, strict=True)):
        away = np.minimum(np.arange(size), np.arange(size)[::-1]) * step / min(_FADE_MM, (size - 1) * step / 2 + 1e-6)
        share = np.clip(away, 0, 1)
        result *= np.moveaxis((share**2 * (3 - 2 * share)).astype(np.float32)[:, None, None], 0, axis)
    return result
