"""Pairs of masks: random, degenerate, and shapes whose answers are known."""

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


def shapes(axes):
    return st.tuples(*(st.integers(1, 9) for _ in range(axes)))


@st.composite
def mask_pairs(draw, axes=None):
    """Two masks of one shape, sparse to full, so that empty ones and borders come up often."""
    shape = draw(shapes(axes or draw(st.sampled_from([2, 3]))))
    shares = [draw(st.sampled_from([0, 5, 30, 70, 100])) for _ in range(2)]
    noise = draw(hnp.arrays(np.uint8, (2, *shape), elements=st.integers(0, 99), fill=st.nothing()))
    return tuple(part < share for part, share in zip(noise, shares, strict=True))


def spacings(axes):
    return st.tuples(*(st.sampled_from([0.1, 0.5, 0.7, 1.0, 2.5]) for _ in range(axes)))


def ball(shape, centre, radius, spacing=None):
    """Pixels whose centre lies within a radius in mm."""
    spacing = spacing or (1,) * len(shape)
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    return sum(((x - c) * s) ** 2 for x, c, s in zip(grid, centre, spacing, strict=True)) <= radius**2


def random_pairs(seed, shape, number):
    """Correlated pairs: a noisy blob and its noisy copy."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        share = rng.uniform(0.05, 0.6)
        truth = rng.random(shape) < share
        yield truth ^ (rng.random(shape) < rng.uniform(0, 0.4)), truth


def degenerate_pairs(shape):
    """Name and pair: one voxel, the border, everything."""
    one, corner, full = (np.zeros(shape, dtype=bool) for _ in range(3))
    one[tuple(n // 2 for n in shape)] = True
    corner[(0,) * len(shape)] = True
    full[:] = True
    border = full.copy()
    border[tuple(slice(1, -1) for _ in shape)] = False
    return {
        "the same voxel": (one, one),
        "two voxels": (one, corner),
        "voxel in the full image": (one, full),
        "full images": (full, full),
        "border in the full image": (border, full),
        "border and centre": (border, one),
    }
