"""Truth at coarser sizes: nothing is lost, nothing is moved, nothing that is ignored is seen."""

import pytest
import torch
from torch import Size

from hilum.core import GeometryError
from hilum.losses.pooling import pooled
from tests.losses.batches import generator, truth


def test_by_hand():
    target = torch.tensor([[[[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]]])
    weight = torch.tensor([[[[1.0, 1.0, 0.0, 1.0], [1.0, 1.0, 0.0, 2.0]]]])
    area, counts = pooled(target, weight, Size((1, 2)), "area")
    assert area.tolist() == [[[[0.25, pytest.approx(2 / 3)]]]]
    assert counts.tolist() == [[[[1.0, 0.75]]]]
    assert pooled(target, weight, Size((1, 2)), "max")[0].tolist() == [[[[1.0, 1.0]]]]


@pytest.mark.parametrize("shape", [(2, 1, 16, 24), (2, 1, 13, 21), (1, 2, 9, 10, 11)])
@pytest.mark.parametrize("step", [1, 2, 4, 8])
def test_area_keeps_the_sum_of_the_truth(shape, step):
    target = truth(shape)
    area, counts = pooled(target, None, Size(-(-length // step) for length in shape[2:]), "area")
    assert (area * counts).sum().item() * step ** len(shape[2:]) == pytest.approx(target.sum().item())


@pytest.mark.parametrize("length", [96, 97, 100, 111])
@pytest.mark.parametrize("step", [2, 4, 8, 16])
def test_cells_are_where_a_network_that_halves_has_them(length, step):
    """Padding is below and on the right: the cell of pixel y is y // step, also when the size is no multiple."""
    for y in (0, length // 2, length - 1):
        target = torch.zeros(1, 1, length, 64)
        target[0, 0, y, 63] = 1
        for how in ("max", "area"):
            coarse = pooled(target, None, Size((-(-length // step), 64 // step)), how)[0]  # type: ignore[arg-type]
            assert coarse.nonzero().tolist() == [[0, 0, y // step, 63 // step]]


def test_no_nodule_is_lost_by_the_maximum():
    target = torch.zeros(1, 1, 64, 64)
    target[0, 0, 37, 5] = 1
    assert pooled(target, None, Size((2, 2)), "max")[0].tolist() == [[[[0, 0], [1, 0]]]]


@pytest.mark.parametrize("how", ["max", "area"])
def test_sizes_that_are_no_power_of_two_divide_the_image_evenly(how):
    target = truth((1, 1, 15, 6))
    coarse, counts = pooled(target, None, Size((5, 2)), how)
    blocks = target.reshape(1, 1, 5, 3, 2, 3)
    torch.testing.assert_close(coarse, blocks.amax((3, 5)) if how == "max" else blocks.mean((3, 5)))
    assert (counts == 1).all()


@pytest.mark.parametrize("how", ["max", "area"])
def test_truth_of_weight_0_is_not_seen(how):
    target, weight = truth((2, 1, 8, 8)), torch.rand(2, 1, 8, 8, generator=generator(5)).round()
    hidden = torch.where(weight > 0, target, torch.nan)
    for ours, theirs in zip(
        pooled(hidden, weight, Size((2, 4)), how), pooled(target, weight, Size((2, 4)), how), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_larger_sizes_and_other_dimensions_are_refused():
    for size in ((8, 9), (4, 4, 4)):
        with pytest.raises(GeometryError, match=r"truth of size \[8, 8\] can't be pooled"):
            pooled(truth((1, 1, 8, 8)), None, Size(size), "area")
