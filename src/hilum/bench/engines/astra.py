"""ASTRA's 2D projector "linear" (Joseph) on the CPU, slice by slice: parallel beams within axial slices only.

Its 3D projectors need CUDA. Rows of the picture between two slices are interpolated from them.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .worker import MissingEngineError, Project, Scene, serve


def main(folder: Path, variant: str) -> None:
    """Run it; there is one variant."""
    del variant
    import astra

    serve(folder, _prepare, {"astra-toolbox": astra.__version__})


def _prepare(scene: Scene) -> Project:
    import astra

    if scene.source_lps_mm is not None or not np.allclose(np.abs(scene.axes), np.eye(3)[[0, 2, 1]]):
        raise MissingEngineError("ASTRA without CUDA takes parallel beams from front to back only")
    volume = scene.attenuation()
    grid = _grid(scene)
    _, column_mm = scene.pixel_mm
    detector = astra.create_proj_geom("parallel", column_mm, scene.shape_yx[1], [0.0])
    projector = astra.create_projector("linear", detector, grid)
    lines = _place_of_rows(scene)

    def render() -> NDArray[Any]:
        projected = np.zeros((len(volume), scene.shape_yx[1]), np.float32)
        for k, plane in enumerate(volume):
            name, line = astra.create_sino(plane, projector)
            projected[k] = line[0]
            astra.data2d.delete(name)
        return _interpolate(projected, lines)

    return render


def _grid(scene: Scene) -> Any:
    """The slice in mm around the middle of the detector, whose columns run along x."""
    import astra

    _, ny, nx = scene.shape_zyx
    _, y_mm, x_mm = scene.spacing_zyx_mm
    left = scene.origin_lps_mm[0] - x_mm / 2 - scene.centre_lps_mm[0]
    return astra.create_vol_geom(ny, nx, left, left + nx * x_mm, -ny * y_mm / 2, ny * y_mm / 2)


def _place_of_rows(scene: Scene) -> NDArray[np.float64]:
    """Index of the slice, with fractions, at which each row of the picture looks."""
    z_mm = scene.corner_lps_mm[2] + np.arange(scene.shape_yx[0]) * scene.row_step_lps_mm[2]
    return np.asarray((z_mm - scene.origin_lps_mm[2]) / scene.spacing_zyx_mm[0])


def _interpolate(lines: NDArray[np.float32], at: NDArray[np.float64]) -> NDArray[np.float32]:
    """Lines between lines; 0 from one line outside on."""
    bordered = np.pad(lines, ((1, 1), (0, 0)))
    place = np.clip(at + 1, 0, len(bordered) - 1.001)
    first = place.astype(int)
    share = (place - first).astype(np.float32)[:, None]
    return np.asarray((1 - share) * bordered[first] + share * bordered[first + 1])
