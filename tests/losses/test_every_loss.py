"""What holds for every loss: slopes, stability, and what must not matter."""

import pytest
import torch
from torch import Tensor

from hilum.core import GeometryError
from hilum.losses.base import SegmentationLoss
from hilum.losses.catalogue import LOSSES, build_loss
from hilum.models.output import Segmentation
from tests.losses.batches import EVERY, generator, mapped, output, tensors, truth

SHAPE = (3, 1, 8, 12)
TRUTHS = {"empty": torch.zeros(SHAPE), "full": torch.ones(SHAPE), "both": truth(SHAPE).float()}


@pytest.fixture(params=EVERY)
def loss(request) -> SegmentationLoss:
    return build_loss(*EVERY[request.param])


def test_every_loss_of_the_catalogue_is_tested():
    """Those of boxes and of classes have tests of their own."""
    own = {name for name, loss in LOSSES.items() if loss.of_boxes or loss.of_classes}
    assert {name for name, _ in EVERY.values()} == LOSSES.keys() - own


def test_slopes_are_those_of_differences(loss):
    shape = (2, 1, 4, 3)
    given, target = output(shape), truth(shape)
    weight = torch.rand(shape, generator=generator(2), dtype=torch.float64)
    weight[0, 0, 1] = 0

    def total(logits: Tensor, attention: Tensor, *deep: Tensor) -> Tensor:
        return loss(Segmentation(logits, attention, deep), target, weight).total

    assert torch.autograd.gradcheck(total, [part.requires_grad_() for part in tensors(given)])


@pytest.mark.parametrize("kind", TRUTHS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_totals_and_slopes_are_finite(loss, kind, dtype):
    for scale in (0.0, 1.0, 1e4):
        require_finite(loss, mapped(output(SHAPE, scale=scale), lambda logits: logits.to(dtype)), TRUTHS[kind])


def require_finite(loss: SegmentationLoss, plain: Segmentation, target: Tensor) -> None:
    given = mapped(plain, Tensor.requires_grad_)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        result = loss(given, target)
    result.total.backward()
    assert result.total.dtype == torch.float32
    assert result.total.isfinite()
    slopes = [part.grad for part in tensors(given) if part.grad is not None]
    assert slopes
    assert all(slope.isfinite().all() for slope in slopes)


def test_half_precision_costs_only_the_rounding_of_the_logits(loss):
    rounded = mapped(output(), lambda logits: logits.to(torch.bfloat16))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        low = loss(rounded, truth().float()).total
    high = loss(mapped(rounded, Tensor.double), truth()).total
    torch.testing.assert_close(low.double(), high, rtol=1e-5, atol=1e-6)


def test_the_truth_may_be_of_any_type(loss):
    given, target = output(), truth()
    same = [loss(given, target.to(dtype)).total for dtype in (torch.float64, torch.uint8, torch.bool, torch.float16)]
    assert len({float(total) for total in same}) == 1


def test_the_order_of_the_batch_does_not_matter(loss):
    order = torch.tensor([2, 0, 1])
    given, target, weight = output(), truth(), torch.rand(SHAPE, generator=generator(3), dtype=torch.float64)
    turned = loss(mapped(given, lambda logits: logits[order]), target[order], weight[order]).total
    torch.testing.assert_close(turned, loss(given, target, weight).total)


def test_left_and_right_are_alike(loss):
    given, target = output(), truth()
    mirrored = loss(mapped(given, lambda logits: logits.flip(-1)), target.flip(-1)).total
    torch.testing.assert_close(mirrored, loss(given, target).total)


def test_a_volume_of_one_slice_is_an_image(loss):
    given, target = output(), truth()
    volume = loss(mapped(given, lambda logits: logits.unsqueeze(2)), target.unsqueeze(2)).total
    torch.testing.assert_close(volume, loss(given, target).total)


def test_no_axis_of_a_volume_is_special(loss):
    """A piece of a CT may lie any way: turned with its truth and weights, it costs the same."""
    shape, order = (2, 1, 8, 4, 6), (0, 1, 4, 2, 3)
    given, target = output(shape), truth(shape)
    weight = torch.rand(shape, generator=generator(5), dtype=torch.float64)
    turned = loss(
        mapped(given, lambda logits: logits.permute(order)), target.permute(order), weight.permute(order)
    ).total
    torch.testing.assert_close(turned, loss(given, target, weight).total)


def test_a_weight_of_one_everywhere_is_no_weight(loss):
    given, target = output(), truth()
    torch.testing.assert_close(loss(given, target, torch.ones(1)).total, loss(given, target).total)


def test_weights_broadcast(loss):
    given, target = output(), truth()
    columns = torch.rand(1, 1, 1, 12, generator=generator(4))
    torch.testing.assert_close(
        loss(given, target, columns).total, loss(given, target, columns.expand(SHAPE).clone()).total
    )


def test_pixels_of_weight_0_have_no_influence(loss):
    given, target, weight = output(), truth(), torch.ones(SHAPE)
    weight[:, :, 2:5, 3:8] = 0
    before = loss(given, target, weight).total
    ignored = weight == 0
    logits = torch.where(ignored, output(seed=9).logits, given.logits).requires_grad_()
    attention = output().attention
    assert attention is not None
    other = Segmentation(logits, attention.requires_grad_(), given.deep)
    changed = loss(other, torch.where(ignored, torch.nan, target), weight).total
    torch.testing.assert_close(changed, before)
    (slope,) = torch.autograd.grad(changed, logits, allow_unused=True)
    assert slope is None or not slope[ignored].any()


def test_a_sample_of_weight_0_might_as_well_not_be_there(loss):
    given, target = output(), truth()
    weight = torch.tensor([1.0, 0.0, 1.0]).view(3, 1, 1, 1)
    kept = torch.tensor([0, 2])
    alone = loss(mapped(given, lambda logits: logits[kept]), target[kept]).total
    torch.testing.assert_close(loss(given, target, weight).total, alone)


def test_when_nothing_counts_nothing_is_lost(loss):
    given = mapped(output(), lambda logits: logits.requires_grad_())
    total = loss(given, truth(), torch.zeros(1)).total
    slopes = torch.autograd.grad(total, tensors(given), allow_unused=True)
    assert total == 0
    assert all(slope is None or not slope.any() for slope in slopes)


def test_the_truth_costs_less_than_its_opposite(loss):
    target = truth()
    target[0] = 0  # for those that ask only whether a picture shows anything
    right = Segmentation(
        target * 20 - 10,
        attention=torch.nn.functional.avg_pool2d(target, 4) * 20 - 10,
        deep=tuple(torch.nn.functional.max_pool2d(target, step) * 20 - 10 for step in (2, 4)),
    )
    assert loss(right, target).total < loss(mapped(right, torch.neg), target).total


def test_parts_are_scalars_without_gradient(loss):
    result = loss(mapped(output(), lambda logits: logits.requires_grad_()), truth())
    assert result.parts
    assert all(part.ndim == 0 and not part.requires_grad for part in result.parts.values())
    assert result.total.requires_grad


def test_shapes_that_do_not_belong_together_are_refused(loss):
    with pytest.raises(GeometryError, match=r"of one shape|can't be pooled"):
        loss(output(), truth().unsqueeze(2))
    with pytest.raises(GeometryError, match="can't be broadcast"):
        loss(output(), truth(), torch.ones(5, 7))
