"""Boxes of an image, blended: against the sum written out, against MONAI, and what must not depend on them."""

from itertools import product

import pytest
import torch

from hilum.infer.sliding import boxes, slid

pytestmark = pytest.mark.usefixtures("one_thread")


def image(*size):
    return torch.rand(size, generator=torch.Generator().manual_seed(0))


def of_box(box):
    """An answer that depends on the whole box, so that boxes disagree where they overlap."""
    return box[:, :1] * box.mean() + box.std()


def of_each(some):
    """The same of several boxes."""
    return torch.cat([of_box(one[None]) for one in some])


@pytest.mark.parametrize(("size", "sides", "overlap"), [((17, 20), (8, 6), 0.5), ((9, 12, 10), (4, 12, 5), 0.25)])
def test_it_is_the_mean_by_weights_written_out(size, sides, overlap):
    images = image(1, 2, *size)
    falls = [torch.exp(-0.5 * ((torch.arange(side) - (side - 1) / 2) / (side / 8)) ** 2) for side in sides]
    weight = falls[0].clamp(min=1e-3)
    for fall in falls[1:]:
        weight = weight.unsqueeze(-1) * fall.clamp(min=1e-3)
    total, weights = torch.zeros(1, 1, *size), torch.zeros(size)
    each = [
        sorted({*range(0, long - side, max(1, int(side * (1 - overlap)))), long - side})
        for long, side in zip(size, sides, strict=True)
    ]
    for corner in product(*each):
        box = tuple(slice(start, start + side) for start, side in zip(corner, sides, strict=True))
        total[(0, 0, *box)] += of_box(images[(slice(None), slice(None), *box)])[0, 0] * weight
        weights[box] += weight
    torch.testing.assert_close(slid(of_box, images, sides, overlap), total / weights, rtol=1e-4, atol=1e-5)
    together = slid(of_each, images, sides, overlap, 3)
    torch.testing.assert_close(together, slid(of_each, images, sides, overlap))
    assert boxes(size, sides, overlap) == len(list(product(*each)))


def test_it_is_monais():
    """But for the least weight, which MONAI takes of the product of all axes: it matters at boxes' faces alone."""
    from monai.inferers.utils import sliding_window_inference

    images = image(1, 1, 40, 33, 36)
    oracle = sliding_window_inference(images, (16, 16, 16), 1, of_box, overlap=0.5, mode="gaussian")
    apart = (slid(of_box, images, (16, 16, 16), 0.5) - oracle).abs()
    assert apart.mean() < 5e-4
    assert apart.max() < 0.02
    assert apart[..., 8:16, 8:16, 8:16].max() < 2e-3


def test_one_box_is_the_network_itself():
    images = image(1, 1, 5, 6, 7)
    torch.testing.assert_close(slid(of_box, images, (5, 6, 7), 0.5), of_box(images))


@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.9])
def test_a_network_that_looks_at_single_pixels_sees_no_boxes(overlap):
    images = image(1, 1, 23, 31)
    torch.testing.assert_close(slid(torch.square, images, (8, 9), overlap), images**2)
