"""A job's folder for an engine: the volume once, a scene for each geometry."""

from pathlib import Path

import numpy as np

from hilum.core import Volume
from hilum.drr.attenuation import attenuation
from hilum.drr.projection import Projection
from hilum.io.json_file import write_json
from hilum.ops import to_lps_axes


def write_volume(ct: Volume, folder: Path) -> Volume:
    """Write `hu.npy` and `attenuation.npy` along LPS axes, and return the volume of attenuation."""
    straight = to_lps_axes(ct)
    hu = np.ascontiguousarray(straight.array.round().astype(np.int16))
    result = attenuation(Volume(hu, straight.geometry))
    np.save(folder / "hu.npy", hu)
    np.save(folder / "attenuation.npy", result.array)
    return result


def write_scene(volume: Volume, projection: Projection, shared: Path, folder: Path) -> None:
    """A folder for one engine: the scene, and links to the volume's files in `shared`."""
    folder.mkdir(parents=True)
    for name in ("hu.npy", "attenuation.npy"):
        (folder / name).symlink_to(shared / name)
    write_json(
        folder / "scene.json",
        {
            "shape_zyx": volume.geometry.shape_zyx,
            "spacing_zyx_mm": volume.geometry.spacing_zyx_mm,
            "origin_lps_mm": volume.geometry.origin_lps_mm,
            "shape_yx": projection.shape_yx,
            "corner_lps_mm": projection.corner_lps_mm,
            "row_step_lps_mm": projection.row_step_lps_mm,
            "column_step_lps_mm": projection.column_step_lps_mm,
            "direction_lps": projection.direction_lps,
            "source_lps_mm": projection.source_lps_mm,
        },
    )
