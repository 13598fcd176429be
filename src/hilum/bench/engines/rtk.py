"""ITK-RTK's `JosephForwardProjectionImageFilter` on the CPU (wheel itk-rtk), cone and parallel.

The scene is turned into RTK's own frame, where the source is on the z axis, the picture's right is x and its top is y.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .worker import Project, Scene, serve

_SOURCE_MM = 1000.0
"""Where RTK is told that the isocentre is; only source and detector count."""


def main(folder: Path, variant: str) -> None:
    """Run it; there is one variant."""
    del variant
    import itk
    from itk import RTK as rtk  # noqa: N811 - the module's own name

    image_type = itk.Image[itk.F, 3]
    rtk.JosephForwardProjectionImageFilter[image_type, image_type].New()
    serve(folder, _prepare, {"itk-rtk": _version(), "itk": itk.Version.GetITKVersion()})


def _prepare(scene: Scene) -> Project:
    import itk
    from itk import RTK as rtk  # noqa: N811 - the module's own name

    image_type = itk.Image[itk.F, 3]
    project = rtk.JosephForwardProjectionImageFilter[image_type, image_type].New()
    project.InPlaceOff()
    detector, volume = _detector(scene), _volume(scene)
    project.SetInput(0, detector)
    project.SetInput(1, volume)
    project.SetGeometry(_geometry(scene))
    return partial(_render, project, (detector, volume))


def _render(project: Any, inputs: tuple[Any, Any]) -> NDArray[Any]:
    """Run the filter again; `inputs` are held here because ITK doesn't keep NumPy's memory alive."""
    import itk

    del inputs
    project.Modified()
    project.Update()
    return np.asarray(itk.array_from_image(project.GetOutput())[0, ::-1])


def _geometry(scene: Scene) -> Any:
    from itk import RTK as rtk  # noqa: N811 - the module's own name

    geometry = rtk.ThreeDCircularProjectionGeometry.New()
    geometry.AddProjection(_SOURCE_MM, scene.source_detector_mm if scene.source_lps_mm is not None else 0.0, 0.0)
    return geometry


def _detector(scene: Scene) -> Any:
    """An empty stack of one projection; RTK's rows run upwards."""
    import itk

    (rows, columns), (row_mm, column_mm) = scene.shape_yx, scene.pixel_mm
    image = itk.image_from_array(np.zeros((1, rows, columns), np.float32))
    image.SetSpacing((column_mm, row_mm, 1.0))
    image.SetOrigin((-(columns - 1) / 2 * column_mm, -(rows - 1) / 2 * row_mm, 0.0))
    return image


def _volume(scene: Scene) -> Any:
    import itk

    image = itk.image_view_from_array(scene.attenuation())
    toward = scene.source_detector_mm if scene.source_lps_mm is not None else _SOURCE_MM
    isocentre = scene.centre_lps_mm + scene.axes[2] * (toward - _SOURCE_MM)
    image.SetOrigin((scene.axes @ (scene.origin_lps_mm - isocentre)).tolist())
    image.SetSpacing(scene.spacing_zyx_mm[::-1].tolist())
    image.SetDirection(itk.matrix_from_array(np.ascontiguousarray(scene.axes)))
    return image


def _version() -> str:
    from importlib.metadata import version

    return version("itk-rtk")
