"""The projector with gradients: the same picture, and slopes that finite differences find too."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from hilum.core import Geometry, GeometryError, Quantity, View, Volume
from hilum.drr.differentiable import project_torch, rotation_matrix
from hilum.drr.joseph import project_joseph_plain
from hilum.drr.projection import Beam, Pose, Setup

GRID = Geometry.regular((20, 26, 24), (2.0, 1.0, 1.2), (5, 6, 7))
ROOM = Setup(beam=Beam.CONE, source_detector_mm=900, source_patient_mm=700, pixel_mm=2.5, shape_yx=(18, 16))


@pytest.fixture(scope="module")
def blobs():
    rng = np.random.default_rng(5)
    points = np.moveaxis(np.indices(GRID.shape_zyx), 0, -1)
    centres = rng.uniform((5, 6, 6), (15, 20, 18), (4, 3))
    return sum(np.exp(-((points - centre) ** 2).sum(axis=-1) / 18) for centre in centres)


@pytest.mark.parametrize("view", [View.AP, View.PA, View.LATERAL, View.OBLIQUE])
@pytest.mark.parametrize("beam", Beam)
def test_it_is_the_plain_projector_in_any_pose(view, beam, blobs):
    pose = Pose((6, -4, 9), (3, -2, 5))
    room = replace(ROOM, view=view, beam=beam, oblique_deg=30)
    expected = project_joseph_plain(
        Volume(blobs, GRID, Quantity.ATTENUATION), replace(room, pose=pose).projection(GRID)
    )
    pose_tensors = (
        torch.tensor(pose.rotation_deg, dtype=torch.float64),
        torch.tensor(pose.shift_mm, dtype=torch.float64),
    )
    found = project_torch(torch.tensor(blobs), GRID, room.projection(GRID), *pose_tensors)
    assert_allclose(found.numpy(), expected, atol=1e-9)


def test_the_turn_is_the_poses():
    turn = (11.0, -23.0, 37.0)
    assert_allclose(rotation_matrix(torch.tensor(turn, dtype=torch.float64)).numpy(), Pose(turn).rotation, atol=1e-12)


def test_the_gradient_in_the_pose_is_the_finite_difference(blobs):
    projection = ROOM.projection(GRID)
    weights = torch.tensor(np.random.default_rng(1).random(projection.shape_yx))
    volume = torch.tensor(blobs)

    def loss(pose):
        return (project_torch(volume, GRID, projection, pose[:3], pose[3:]) * weights).sum()

    pose = torch.tensor([4.0, -3.0, 2.0, 1.1, -0.7, 0.4], dtype=torch.float64, requires_grad=True)
    loss(pose).backward()
    step = 1e-4
    for number in range(6):
        offset = torch.zeros(6, dtype=torch.float64)
        offset[number] = step
        with torch.no_grad():
            slope = (loss(pose + offset) - loss(pose - offset)) / (2 * step)
        assert pose.grad[number].item() == pytest.approx(slope.item(), rel=2e-3, abs=1e-3)


def test_the_gradient_in_the_volume_is_the_back_projection(blobs):
    projection = ROOM.projection(GRID)
    volume = torch.tensor(blobs, requires_grad=True)
    weights = torch.tensor(np.random.default_rng(2).random(projection.shape_yx))
    (project_torch(volume, GRID, projection) * weights).sum().backward()
    other = torch.tensor(np.random.default_rng(3).random(GRID.shape_zyx))
    forward = (project_torch(other, GRID, projection) * weights).sum()
    assert (volume.grad * other).sum().item() == pytest.approx(forward.item(), rel=1e-9), "⟨Aᵀw, x⟩ = ⟨w, Ax⟩"


def test_a_pose_is_found_again_by_descent(blobs):
    projection = ROOM.projection(GRID)
    volume = torch.tensor(blobs)
    truth = torch.tensor([3.0, -2.0, 1.5], dtype=torch.float64)
    target = project_torch(volume, GRID, projection, shift_mm=truth)
    shift = torch.zeros(3, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([shift], max_iter=30, line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        misfit = ((project_torch(volume, GRID, projection, shift_mm=shift) - target) ** 2).mean()
        misfit.backward()
        return misfit

    optimiser.step(closure)
    assert_allclose(shift.detach().numpy()[[0, 2]], truth.numpy()[[0, 2]], atol=0.05)


def test_what_can_not_be_projected_is_refused(blobs):
    with pytest.raises(GeometryError, match="doesn't fit the grid"):
        project_torch(torch.tensor(blobs[1:]), GRID, ROOM.projection(GRID))
    wide = Setup(beam=Beam.CONE, source_detector_mm=120, source_patient_mm=40, pixel_mm=60, shape_yx=(40, 40))
    with pytest.raises(GeometryError, match="spread too far"):
        project_torch(torch.tensor(blobs), GRID, wide.projection(GRID))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_it_is_the_same_picture(blobs):
    projection = ROOM.projection(GRID)
    on_cpu = project_torch(torch.tensor(blobs), GRID, projection)
    on_gpu = project_torch(torch.tensor(blobs, device="cuda"), GRID, projection)
    assert_allclose(on_gpu.cpu().numpy(), on_cpu.numpy(), atol=1e-9)
