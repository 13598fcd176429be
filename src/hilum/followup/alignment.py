"""Where a place of the current picture lies in the earlier one: shift, affine map, then a smooth field.

SimpleITK does the work, on one thread, so that results are the same everywhere; its objects stay in this module.
Coordinates within are (x, y) in mm from the corner that a picture's first pixel begins at.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, gaussian_filter

from hilum.config import FrozenConfig
from hilum.core.geometry import Floats
from hilum.datasets.xray_sample import Picture

_LEAST_SPREAD = 0.04
"""Added to the local standard deviation, so that noise beside the patient isn't stretched to structure."""


class AlignmentConfig(FrozenConfig):
    """How two pictures are laid over each other."""

    cell_mm: float = 2.8
    """Side of the pixels on which the pictures are compared."""
    detail_mm: float = 10.0
    """Sigma of the window in which brightness and contrast are evened out before pictures are compared."""
    reach_mm: float = 48.0
    """Largest shift up, down or sideways that is tried at first."""
    turns_deg: tuple[float, ...] = (-5.0, -2.5, 0.0, 2.5, 5.0)
    """Turns that are tried at first."""
    sizes: tuple[float, ...] = (0.88, 0.94, 1.0, 1.06, 1.14)
    """Sizes that are tried at first: of the patient in the earlier picture, by that in the current one."""
    affine_steps: int = 30
    """Steps of the optimiser at each of two resolutions."""
    warp_steps: tuple[int, int] | None = (40, 20)
    """Steps of the demons, coarse and fine; none for an affine map only."""
    stiffness_mm: float = 14.0
    """Sigma by which the field is smoothed at each step; what is smaller isn't followed, so nodules keep their size."""


_FIRST_STEPS_MM = (2.0, 0.5)
"""By how much the affine map's first step moves the place that it moves most: the second where the first gets lost."""

_NET_MM, _NET_WINDOW_MM = 8.4, 40.0
"""Cells of the first, coarse search, and the window in which brightness is evened out there."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """From places in the current picture to those in the earlier one.

    Attributes:
        cell_mm: side of the cells of `field_mm`.
        field_mm: [2, y, x], at each cell's centre the way in mm (down, right) from the current to the earlier picture.
    """

    cell_mm: float
    field_mm: Floats

    def places_mm(self, points_mm: Floats) -> Floats:
        """Where points [..., 2] (row, column) of the current picture lie in the earlier one; mm from the corner."""
        from scipy.ndimage import map_coordinates

        index = points_mm.reshape(-1, 2).T / self.cell_mm - 0.5
        ways = [map_coordinates(way, index, order=1, mode="nearest") for way in self.field_mm]
        return np.asarray(points_mm + np.stack(ways, axis=-1).reshape(points_mm.shape))


def align(prior: Floats, current: Floats, config: AlignmentConfig) -> Alignment:
    """Lay an earlier picture over a current one.

    Args:
        prior: [y, x] on pixels of `config.cell_mm`.
        current: the same; the sizes may differ.
        config: how.
    """
    moving, fixed = (structure(picture, config) for picture in (prior, current))
    affine = _affine(fixed, moving, _start(prior, current, config), config)
    field = _field_of(affine, fixed, config.cell_mm)
    if config.warp_steps:
        bend = _demons(fixed, _resampled(moving, affine, fixed, config.cell_mm), config.warp_steps, config)
        field = _after(affine, bend, config.cell_mm)
    return Alignment(config.cell_mm, field)


def structure(picture: Picture | Floats, config: AlignmentConfig) -> NDArray[np.float32]:
    """A picture with brightness and contrast evened out in a window, so that tone hardly matters."""
    sigma = config.detail_mm / config.cell_mm
    mean = gaussian_filter(picture, sigma, mode="nearest")
    spread = np.sqrt(np.maximum(gaussian_filter(picture**2, sigma, mode="nearest") - mean**2, 0))
    return np.asarray((picture - mean) / (spread + _LEAST_SPREAD), dtype=np.float32)


def _start(prior: Floats, current: Floats, config: AlignmentConfig) -> "_Start":
    """The turn, size and shift at which both pictures look most alike, of a coarse net of all within reach.

    Gradient ascent alone would be caught by ribs that lie on their neighbours.
    """
    thick = max(1, round(_NET_MM / config.cell_mm))
    wide = config.model_copy(update={"cell_mm": thick * config.cell_mm, "detail_mm": _NET_WINDOW_MM})
    moving, fixed = (structure(_thicker(picture.astype(np.float32), thick), wide) for picture in (prior, current))
    reach = round(config.reach_mm / wide.cell_mm)
    found = [
        _best_shift(fixed, _turned(moving, turn, size, fixed.shape, reach), _Start(turn, size), wide.cell_mm)
        for turn in config.turns_deg
        for size in config.sizes
    ]
    return max(found, key=lambda one: one.likeness)


@dataclass(frozen=True)
class _Start:
    """Where the search begins: about the middle of both pictures."""

    turn_deg: float
    size: float
    shift_mm: tuple[float, float] = (0.0, 0.0)
    likeness: float = -1.0

    @property
    def matrix(self) -> Floats:
        """2×2 for (x, y)."""
        angle = np.deg2rad(self.turn_deg)
        return self.size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _turned(
    moving: NDArray[np.float32], turn: float, size: float, shape: tuple[int, ...], reach: int
) -> NDArray[np.float32]:
    """The moving picture turned and resized about its middle, with a margin of `reach` around fixed's shape."""
    matrix = _Start(turn, size).matrix[::-1, ::-1]  # (row, column)
    wanted = tuple(side + 2 * reach for side in shape)
    offset = (np.array(moving.shape) - 1) / 2 - matrix @ ((np.array(wanted) - 1) / 2)
    return np.asarray(affine_transform(moving, matrix, offset, wanted, order=1), dtype=np.float32)


def _best_shift(fixed: NDArray[np.float32], around: NDArray[np.float32], start: _Start, step_mm: float) -> _Start:
    """The start with the shift at which pictures correlate best."""
    places = sliding_window_view(around, fixed.shape)
    products = np.einsum("ijkl,kl->ij", places, fixed)
    norms = np.sqrt(np.einsum("ijkl,ijkl->ij", places, places)) * np.linalg.norm(fixed)
    likeness = products / (norms + 1e-6)
    row, column = np.unravel_index(int(np.argmax(likeness)), likeness.shape)
    middle_row, middle_column = ((size - 1) / 2 for size in likeness.shape)
    shift = np.array([float(column) - middle_column, float(row) - middle_row]) * step_mm
    x, y = start.matrix @ shift
    return _Start(start.turn_deg, start.size, (float(x), float(y)), float(likeness[row, column]))


def _centred(fixed: NDArray[np.float32], moving: NDArray[np.float32], cell_mm: float) -> tuple[float, float]:
    """The shift (x, y) that lays middle over middle."""
    down, right = ((b - a) * cell_mm / 2 for a, b in zip(fixed.shape, moving.shape, strict=True))
    return right, down


def _image(picture: NDArray[np.float32], cell_mm: float) -> Any:
    """SimpleITK's image with its first pixel's corner at 0."""
    import SimpleITK as sitk

    image = sitk.GetImageFromArray(picture)
    image.SetSpacing((cell_mm, cell_mm))
    image.SetOrigin((cell_mm / 2, cell_mm / 2))
    return image


def _affine(fixed: NDArray[np.float32], moving: NDArray[np.float32], start: _Start, config: AlignmentConfig) -> Any:
    """SimpleITK's affine transform from fixed to moving; the start itself where the optimiser makes it worse."""
    import SimpleITK as sitk

    first = sitk.AffineTransform(2)
    first.SetCenter([size * config.cell_mm / 2 for size in fixed.shape[::-1]])
    first.SetMatrix(start.matrix.ravel().tolist())
    centred = _centred(fixed, moving, config.cell_mm)
    first.SetTranslation([way + more for way, more in zip(centred, start.shift_mm, strict=True)])
    worst = _likeness(fixed, _resampled(moving, first, fixed, config.cell_mm))
    for step_mm in _FIRST_STEPS_MM:
        found = _optimised(fixed, moving, sitk.AffineTransform(first), step_mm, config)
        if _likeness(fixed, _resampled(moving, found, fixed, config.cell_mm)) > worst:
            return found
    return first


def _likeness(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Correlation about zero, which a structure's mean nearly is; what isn't covered counts as unlike."""
    return float(np.vdot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other) + 1e-6))


def _optimised(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], affine: Any, step_mm: float, config: AlignmentConfig
) -> Any:
    """The affine transform near this one that maximises correlation."""
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetNumberOfThreads(1)
    method.SetMetricAsCorrelation()
    method.SetMetricSamplingStrategy(method.NONE)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(1.0, 1e-5, config.affine_steps, 0.6, 1e-6, method.Once, step_mm)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([2, 1])
    method.SetSmoothingSigmasPerLevel([config.cell_mm, 0])
    method.SetSmoothingSigmasAreSpecifiedInPhysicalUnits(True)
    method.SetInitialTransform(affine, inPlace=True)
    method.Execute(_image(fixed, config.cell_mm), _image(moving, config.cell_mm))
    return affine


def _resampled(moving: NDArray[np.float32], transform: Any, fixed: NDArray[np.float32], cell_mm: float) -> Any:
    import SimpleITK as sitk

    tool = sitk.ResampleImageFilter()
    tool.SetNumberOfThreads(1)
    tool.SetReferenceImage(_image(fixed, cell_mm))
    tool.SetTransform(transform)
    return sitk.GetArrayFromImage(tool.Execute(_image(moving, cell_mm)))


def _demons(
    fixed: NDArray[np.float32], moving: NDArray[np.float32], steps: tuple[int, int], config: AlignmentConfig
) -> Floats:
    """[2, y, x] mm (down, right): where fixed's cells lie in moving, by demons at two resolutions."""
    import SimpleITK as sitk

    field = None
    for thick, count in zip((2, 1), steps, strict=True):
        cell_mm = thick * config.cell_mm
        images = [_image(one if thick == 1 else _thicker(one, thick), cell_mm) for one in (fixed, np.asarray(moving))]
        tool = sitk.FastSymmetricForcesDemonsRegistrationFilter()
        tool.SetNumberOfThreads(1)
        tool.SetNumberOfIterations(count)
        tool.SetSmoothDisplacementField(True)
        tool.SetStandardDeviations(config.stiffness_mm / cell_mm)
        tool.SetSmoothUpdateField(False)
        if field is None:
            field = tool.Execute(*images)
        else:
            field = tool.Execute(*images, sitk.Resample(field, images[0], sitk.Transform(), sitk.sitkLinear))
    way = np.asarray(sitk.GetArrayFromImage(field))
    return np.asarray(np.moveaxis(way[..., ::-1], -1, 0))


def _thicker(picture: NDArray[np.float32], thick: int) -> NDArray[np.float32]:
    """Means of `thick` by `thick` pixels; the last row and column are repeated where they don't fill one."""
    more = [(0, -size % thick) for size in picture.shape]
    full = np.pad(picture, more, mode="edge")
    rows, columns = (size // thick for size in full.shape)
    return np.asarray(full.reshape(rows, thick, columns, thick).mean((1, 3)), dtype=np.float32)


def _cells(shape: tuple[int, ...], cell_mm: float) -> Floats:
    """[y, x, 2] centres of cells (x, y) in mm."""
    rows, columns = ((np.arange(size) + 0.5) * cell_mm for size in shape)
    return np.stack(np.meshgrid(columns, rows), axis=-1)


def _mapped(affine: Any, points: Floats) -> Floats:
    matrix = np.array(affine.GetMatrix()).reshape(2, 2)
    centre, shift = np.array(affine.GetCenter()), np.array(affine.GetTranslation())
    return np.asarray((points - centre) @ matrix.T + centre + shift)


def _field_of(affine: Any, fixed: NDArray[np.float32], cell_mm: float) -> Floats:
    cells = _cells(fixed.shape, cell_mm)
    return np.moveaxis((_mapped(affine, cells) - cells)[..., ::-1], -1, 0)


def _after(affine: Any, bend: Floats, cell_mm: float) -> Floats:
    """The bend first, then the affine map."""
    cells = _cells(bend.shape[1:], cell_mm)
    bent = cells + np.moveaxis(bend, 0, -1)[..., ::-1]
    return np.moveaxis((_mapped(affine, bent) - cells)[..., ::-1], -1, 0)
