"""The projector for learning and registration: PyTorch, on any device, with gradients in the volume and in the pose.

Joseph's method as in `hilum.drr.joseph`, written as bilinear look-ups of whole planes. Planes are taken in groups; when
a gradient is wanted, each group is computed again on the way back instead of being kept, so that memory stays bounded.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import grid_sample
from torch.utils.checkpoint import checkpoint

from hilum.core import Geometry, GeometryError
from hilum.drr.projection import Projection, index_rays

_PLANES_AT_ONCE = 16


def project_torch(
    attenuation: Tensor,
    geometry: Geometry,
    projection: Projection,
    rotation_deg: Tensor | None = None,
    shift_mm: Tensor | None = None,
) -> Tensor:
    """Line integrals [row, column] of a volume, differentiable in the volume and in the pose.

    Args:
        attenuation: [z, y, x] in 1/mm, float32 or float64, on the device to compute on.
        geometry: the volume's grid.
        projection: the rays for the patient as the CT has them (a `Setup` without pose).
        rotation_deg: [3], the patient's turn about x, y, z as in `Pose`; None for none.
        shift_mm: [3], the patient's shift along x, y, z as in `Pose`; None for none.

    Raises:
        GeometryError: the volume is not on this grid, or the rays don't share a main axis (a cone as wide as a room).
    """
    if tuple(attenuation.shape) != geometry.shape_zyx:
        raise GeometryError(f"a volume of shape {tuple(attenuation.shape)} doesn't fit the grid {geometry.shape_zyx}.")
    projection.require_hit(geometry)
    points, steps = _posed_rays(attenuation, geometry, projection, (rotation_deg, shift_mm))
    axis = _main_axis(steps)
    planes = attenuation.movedim(axis, 0)
    others = [other for other in range(3) if other != axis]
    slopes = steps[..., others] / steps[..., [axis]]
    starts = points[..., others] - points[..., [axis]] * slopes
    total = torch.zeros(projection.shape_yx, dtype=attenuation.dtype, device=attenuation.device)
    wants_gradient = torch.is_grad_enabled() and any(part.requires_grad for part in (attenuation, points, steps))
    for first in range(0, len(planes), _PLANES_AT_ONCE):
        group = (planes[first : first + _PLANES_AT_ONCE], first, starts, slopes)
        total = total + (
            checkpoint(_sum_planes, *group, use_reentrant=False) if wants_gradient else _sum_planes(*group)
        )
    return total / steps[..., axis].abs()


def _posed_rays(
    like: Tensor, geometry: Geometry, projection: Projection, pose: tuple[Tensor | None, Tensor | None]
) -> tuple[Tensor, Tensor]:
    """Points and steps per mm of all rays [row, column, 3] in voxel indices (k, j, i), in the turned patient."""
    points, steps = (
        torch.as_tensor(np.ascontiguousarray(part), dtype=like.dtype, device=like.device)
        for part in index_rays(geometry, projection)
    )
    rotation_deg, shift_mm = pose
    if rotation_deg is None and shift_mm is None:
        return points, steps
    zero = torch.zeros(3, dtype=like.dtype, device=like.device)
    turn = rotation_matrix(zero if rotation_deg is None else rotation_deg)
    to_lps = torch.as_tensor(geometry.affine_lps[:3, :3][:, ::-1].copy(), dtype=like.dtype, device=like.device)
    to_index = torch.linalg.inv(to_lps)
    back = to_index @ turn.T @ to_lps
    middle = (torch.tensor(geometry.shape_zyx, dtype=like.dtype, device=like.device) - 1) / 2
    shift = to_index @ (zero if shift_mm is None else shift_mm)
    return (points - middle - shift) @ back.T + middle, steps @ back.T


def rotation_matrix(rotation_deg: Tensor) -> Tensor:
    """3×3 of a turn [3] in degrees about x, then y, then z: `Pose.rotation`, differentiable."""
    cosine, sine = torch.cos(torch.deg2rad(rotation_deg)), torch.sin(torch.deg2rad(rotation_deg))
    zero, one = torch.zeros_like(cosine[0]), torch.ones_like(cosine[0])
    about_x = torch.stack([one, zero, zero, zero, cosine[0], -sine[0], zero, sine[0], cosine[0]])
    about_y = torch.stack([cosine[1], zero, sine[1], zero, one, zero, -sine[1], zero, cosine[1]])
    about_z = torch.stack([cosine[2], -sine[2], zero, sine[2], cosine[2], zero, zero, zero, one])
    return about_z.reshape(3, 3) @ about_y.reshape(3, 3) @ about_x.reshape(3, 3)


def _main_axis(steps: Tensor) -> int:
    """The array axis that all rays follow; each must advance along it, at no more than 80° from it."""
    share = (steps.detach().abs() / steps.detach().norm(dim=-1, keepdim=True)).amin(dim=(0, 1))
    axis = int(share.argmax())
    if share[axis] < 0.17:
        raise GeometryError(
            "the rays spread too far for one projection along one axis.", "Use hilum.drr.joseph, or a narrower cone."
        )
    return axis


def _sum_planes(planes: Tensor, first: int, starts: Tensor, slopes: Tensor) -> Tensor:
    """Sum over a group of planes [n, v, u] of the values where the rays cross them; 0 from one voxel outside on."""
    numbers = torch.arange(first, first + len(planes), dtype=starts.dtype, device=starts.device)
    at = starts + numbers[:, None, None, None] * slopes
    size = torch.tensor(planes.shape[1:], dtype=starts.dtype, device=starts.device)
    # A border of zeros: grid_sample then reads between the outermost voxels and nothing, as Joseph's method does here.
    bordered = torch.nn.functional.pad(planes, (1, 1, 1, 1))
    scaled = (at + 1) / (size + 1) * 2 - 1
    read = grid_sample(bordered[:, None], scaled.flip(-1), mode="bilinear", padding_mode="zeros", align_corners=True)
    return read[:, 0].sum(dim=0)
