"""Connected parts: what touches, how large, and which is the largest."""

import numpy as np
import pytest

from hilum.core import GeometryError
from hilum.ops import Connectivity, label_parts, largest_part, part_sizes


def flooded(mask, connectivity):
    """Plain flood fill, part by part."""
    labels, number = np.zeros(mask.shape, int), 0
    steps = [step for step in np.ndindex((3,) * mask.ndim) if np.any(np.array(step) != 1)]
    moves = [np.array(step) - 1 for step in steps]
    if connectivity is Connectivity.FACES:
        moves = [move for move in moves if np.abs(move).sum() == 1]
    for start in np.argwhere(mask):
        if labels[tuple(start)]:
            continue
        number += 1
        waiting = [start]
        while waiting:
            at = waiting.pop()
            inside = (at >= 0).all() and (at < mask.shape).all()
            if inside and mask[tuple(at)] and not labels[tuple(at)]:
                labels[tuple(at)] = number
                waiting += [at + move for move in moves]
    return labels


@pytest.mark.parametrize("connectivity", Connectivity)
@pytest.mark.parametrize(("shape", "share"), [((20, 15), 0.4), ((6, 8, 7), 0.2)])
def test_parts_are_those_of_a_flood_fill(connectivity, shape, share):
    mask = np.random.default_rng(5).random(shape) < share
    labels, expected = label_parts(mask, connectivity), flooded(mask, connectivity)
    assert expected.max() > 2
    np.testing.assert_array_equal(labels, expected)
    sizes = part_sizes(labels)
    assert sizes.tolist() == [np.count_nonzero(expected == n) for n in range(1, expected.max() + 1)]
    np.testing.assert_array_equal(largest_part(mask, connectivity), expected == 1 + sizes.argmax())


def test_corners_touch_unless_faces_are_asked_for():
    mask = np.eye(3, dtype=bool)
    assert part_sizes(label_parts(mask)).tolist() == [3]
    assert part_sizes(label_parts(mask, Connectivity.FACES)).tolist() == [1, 1, 1]


def test_nothing_has_no_parts():
    empty = np.zeros((4, 4), bool)
    assert part_sizes(label_parts(empty)).tolist() == []
    assert not largest_part(empty).any()
    with pytest.raises(GeometryError, match="got shape"):
        label_parts(np.zeros(4, bool))
