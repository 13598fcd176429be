"""Right first: chords of an ellipsoid through every projector of hilum, before any speed is looked at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Quantity, Volume
from hilum.core.geometry import Floats
from hilum.drr.joseph import project_joseph, project_joseph_plain
from hilum.drr.projection import Beam, Pose, Projection, Setup
from hilum.drr.siddon import project_siddon

Projector = Callable[[Volume, Projection], NDArray[Any]]

LIMIT = 0.002
"""Mean error of a partial-volume ellipsoid's chords at 1 mm, as a share of its longest."""

PROJECTORS: Mapping[str, Projector] = {
    "Joseph, compiled": project_joseph,
    "Joseph, plain": project_joseph_plain,
    "Siddon, reference": project_siddon,
}
_RADII_MM = np.array([26.0, 22.0, 28.0])
_GRID = Geometry.regular((64, 64, 64), (1, 1, 1))
_OVER = 5
_POSES = (Pose(), Pose((7, 5, 11)))


@dataclass(frozen=True)
class Chords:
    """How one projector did.

    Attributes:
        projector: which.
        setting: beam and pose.
        mean_error: mean of |projected − chord| / longest chord over the rays that are well inside.
        bias: mean of (projected − chord) / longest chord over the same rays.
        worst_error: the greatest of them.
        passed: whether the mean error (for exact path lengths through boxes, the bias) is within the limit.
    """

    projector: str
    setting: str
    mean_error: float
    bias: float
    worst_error: float
    passed: bool


def measure_chords() -> tuple[Chords, ...]:
    """Every projector, in parallel and cone beam, straight and turned."""
    ellipsoid = _ellipsoid()
    cases = product(PROJECTORS.items(), Beam, _POSES)
    return tuple(_measure(name, project, ellipsoid, beam, pose) for (name, project), beam, pose in cases)


def _measure(name: str, project: Projector, ellipsoid: Volume, beam: Beam, pose: Pose) -> Chords:
    projection = Setup(beam=beam, pixel_mm=3.7, pose=pose).projection(_GRID)
    chords = _chords_mm(projection)
    errors = ((project(ellipsoid, projection) - chords) / chords.max())[chords > 0.5 * chords.max()]
    mean, bias = float(np.abs(errors).mean()), float(errors.mean())
    judged = abs(bias) if project is project_siddon else mean
    turned = "straight" if pose == Pose() else "turned"
    return Chords(name, f"{beam}, {turned}", mean, bias, float(np.abs(errors).max()), judged <= LIMIT)


def _ellipsoid() -> Volume:
    """The share of every voxel that lies within an ellipsoid in the grid's middle, by sub-voxels."""
    steps = (np.arange(_OVER) + 0.5) / _OVER - 0.5
    index = np.moveaxis(np.indices(_GRID.shape_zyx), 0, -1)
    inside = np.zeros(_GRID.shape_zyx)
    for offset in product(steps, repeat=3):
        inside += (((_GRID.to_lps_mm(index + offset) - _middle()) / _RADII_MM) ** 2).sum(axis=-1) <= 1
    return Volume((inside / _OVER**3).astype(np.float32), _GRID, Quantity.ATTENUATION)


def _chords_mm(projection: Projection) -> Floats:
    """Length of each pixel's ray within the ellipsoid: the difference of a quadratic's two roots."""
    starts, directions = projection.rays(np.moveaxis(np.indices(projection.shape_yx), 0, -1))
    p, d = (starts - _middle()) / _RADII_MM, directions / _RADII_MM
    a, b, c = (d * d).sum(axis=-1), (p * d).sum(axis=-1), (p * p).sum(axis=-1) - 1
    return np.asarray(2 * np.sqrt(np.maximum(b * b - a * c, 0)) / a)


def _middle() -> Floats:
    return _GRID.to_lps_mm((np.array(_GRID.shape_zyx) - 1) / 2)
