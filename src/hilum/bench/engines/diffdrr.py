"""DiffDRR's renderers, "siddon" and "trilinear", on the CPU without gradients.

Rays are rendered in patches, DiffDRR's own way to bound memory. The volume goes in as attenuation: its own conversion
from HU is left out, so that pictures can be compared.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .worker import Project, Scene, serve

_PATCH = 128
"""Pixels along a patch's side: all at once takes 14 GB at 512²."""

_TO_RAS = np.diag([-1.0, -1.0, 1.0])


def main(folder: Path, variant: str) -> None:
    """Run one renderer."""
    from importlib.metadata import version

    import torch
    from diffdrr import drr

    del drr
    versions = {"diffdrr": version("diffdrr"), "torch": torch.__version__}
    serve(folder, lambda scene: _prepare(scene, variant), versions)


def _prepare(scene: Scene, renderer: str) -> Project:
    import torch
    from diffdrr.drr import DRR
    from diffdrr.pose import RigidTransform

    row_mm, column_mm = scene.pixel_mm
    rows, columns = scene.shape_yx
    sizes = {"height": rows, "width": columns, "delx": column_mm, "dely": row_mm}
    camera = DRR(_subject(scene), sdd=scene.source_detector_mm, renderer=renderer, patch_size=_PATCH, **sizes)
    pose = RigidTransform(torch.as_tensor(_pose(scene), dtype=torch.float32)[None])

    def render() -> NDArray[Any]:
        with torch.inference_mode():
            return np.asarray(camera(pose)[0, 0].numpy())

    return render


def _subject(scene: Scene) -> SimpleNamespace:
    """What DiffDRR reads of a torchio subject, without further copies of the volume."""
    import torch

    affine = np.eye(4)
    affine[:3, :3] = _TO_RAS * scene.spacing_zyx_mm[::-1]
    affine[:3, 3] = _TO_RAS @ scene.origin_lps_mm
    volume = torch.from_numpy(scene.attenuation()).permute(2, 1, 0)[None]
    image = SimpleNamespace(affine=affine, data=volume)
    return SimpleNamespace(volume=image, density=image, mask=None, reorient=torch.eye(4))


def _pose(scene: Scene) -> NDArray[np.float64]:
    """Camera to RAS: its x runs to the picture's left (DiffDRR mirrors columns), y up, z from source to detector."""
    right, up, toward = scene.axes
    pose = np.eye(4)
    pose[:3, :3] = np.stack([_TO_RAS @ -right, _TO_RAS @ up, _TO_RAS @ -toward], axis=1)
    pose[:3, 3] = _TO_RAS @ np.asarray(scene.source_lps_mm)
    return pose
