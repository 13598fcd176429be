"""The boundary loss: distances that are true, and a minimum that is the truth."""

import numpy as np
import torch

from hilum.losses.boundary import signed_distance
from hilum.losses.catalogue import build_loss
from hilum.models.output import Segmentation


def disk(radius: float, size: int = 33) -> np.ndarray:
    y, x = np.indices((size, size)) - size // 2
    return np.hypot(y, x) <= radius


def test_a_point_has_plain_distances():
    mask = np.zeros((5, 7), bool)
    mask[1, 2] = True
    y, x = np.indices(mask.shape)
    np.testing.assert_allclose(signed_distance(mask), np.hypot(y - 1, x - 2))


def test_a_line_of_pixels():
    mask = np.array([[0, 0, 1, 1, 1, 1, 1, 0]], bool)
    np.testing.assert_array_equal(signed_distance(mask), [[2, 1, 0, -1, -2, -1, 0, 1]])


def test_a_cube_in_space():
    mask = np.zeros((7, 7, 7), bool)
    mask[1:6, 1:6, 1:6] = True
    distance = signed_distance(mask)
    assert (distance[3, 3, 3], distance[3, 3, 0], distance[0, 0, 3]) == (-2, 1, np.sqrt(2))


def test_no_boundary_no_distance():
    assert not signed_distance(np.zeros((4, 4), bool)).any()
    assert not signed_distance(np.ones((4, 4), bool)).any()


def test_no_other_disk_costs_less_than_the_true_one():
    truth = torch.from_numpy(disk(8)).double()[None, None]
    loss = build_loss("boundary")
    costs = {
        radius: loss(Segmentation(torch.from_numpy(disk(radius)).double()[None, None] * 1600 - 800), truth).total
        for radius in range(3, 14)
    }
    # The true disk's outermost pixels have distance 0, so the one without them costs the same.
    assert costs[8] == min(costs.values()) < costs[6]
    assert costs[8] < 0 < costs[13]
