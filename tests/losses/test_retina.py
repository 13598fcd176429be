"""The detector's loss: which anchors are whose, what counts and what doesn't, and each part by hand."""

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn.functional import softplus

from hilum.core import ConfigError, GeometryError
from hilum.losses.catalogue import build_loss
from hilum.losses.retina import boxes_of
from hilum.models.boxes import anchors_of, middles
from hilum.models.output import Detection, Segmentation

SIZE, STRIDES, SIDES = (24, 16, 32), (4, 8), ((4, 6, 10), (16, 24, 40))
ANCHORS = anchors_of(SIZE, STRIDES, SIDES)
POSITIONS = (6 * 4 * 8, 3 * 2 * 4)
KINDS = [{}, {"classes": "focal"}, {"boxes": "giou"}]


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def output(batch=3, seed=0, scale=1.0):
    """Random answers for every anchor."""
    logits = torch.randn(batch, len(ANCHORS), generator=generator(seed)) * scale
    codes = torch.randn(batch, len(ANCHORS), 6, generator=generator(seed + 1)) * 0.3 * scale
    return Detection(logits, codes, ANCHORS, POSITIONS, SIZE)


def truth(*boxes):
    """[1, 1, z, y, x] with these boxes filled."""
    mask = torch.zeros(1, 1, *SIZE)
    for z0, y0, x0, z1, y1, x1 in boxes:
        mask[0, 0, z0:z1, y0:y1, x0:x1] = 1
    return mask


TRUTH = torch.cat([truth((3, 4, 5, 9, 10, 12)), truth(), truth((0, 0, 0, 4, 3, 5), (12, 5, 18, 24, 16, 30))])


@pytest.fixture(params=KINDS, ids=str)
def loss(request):
    return build_loss("retina", request.param)


def test_parts_of_a_mask_are_boxes_also_at_the_edge():
    mask = np.zeros((9, 8, 10), bool)
    mask[0:2, 0:3, 4:6] = mask[2, 3, 6] = True  # touching by a corner: one part
    mask[6:9, 5:8, 9] = True
    mask[5, 0, 0] = True
    assert boxes_of(mask).tolist() == [[0, 0, 4, 3, 4, 7], [5, 0, 0, 6, 1, 1], [6, 5, 9, 9, 8, 10]]
    assert boxes_of(mask, 2).tolist() == [[0, 0, 4, 3, 4, 7], [6, 5, 9, 9, 8, 10]]
    assert boxes_of(np.zeros((4, 4, 4), bool)).shape == (0, 6)


def matched(target, weight=None, **options):
    """Which box each anchor of one piece is given."""
    of = build_loss("retina", options)
    boxes = boxes_of(target[0, 0].numpy() > 0)
    return of._matched(boxes, torch.ones(len(ANCHORS)) if weight is None else weight, output(1))


def test_every_nodule_has_an_anchor_of_its_own():
    rng = np.random.default_rng(0)
    for _ in range(60):
        side = rng.integers(2, 14, 3)
        low = [int(rng.integers(0, length - own)) for length, own in zip(SIZE, side, strict=True)]
        box = (*low, *(a + int(b) for a, b in zip(low, side, strict=True)))
        own = matched(truth(box))
        assert (own == 0).any()
        assert (own == 0).sum() <= 24
        apart = (middles(ANCHORS[own == 0]) - middles(torch.tensor([box]).float())).abs().max()
        assert apart <= 12


def test_what_is_near_a_nodule_is_no_background():
    own = matched(truth((4, 4, 4, 12, 12, 12)))
    low, high = torch.maximum(ANCHORS[:, :3], torch.tensor(4.0)), torch.minimum(ANCHORS[:, 3:], torch.tensor(12.0))
    both = (high - low).clamp(min=0).prod(1)
    shared = both / ((ANCHORS[:, 3:] - ANCHORS[:, :3]).prod(1) + 512 - both)
    assert (own[shared >= 0.2] != -1).all()
    assert (own[shared < 0.19] == -1).sum() > 100
    assert set(own.tolist()) == {-2, -1, 0}


def test_anchors_in_voxels_of_weight_0_or_in_padding_do_not_count():
    small = replace(output(1), size=(20, 13, 32))
    weight = torch.ones(1, 1, *SIZE)[:, :, :20, :13]
    weight[..., 10:16] = 0
    logits = torch.zeros(1, len(ANCHORS), requires_grad=True)
    target = truth((3, 4, 1, 9, 10, 7))[:, :, :20, :13]
    target[weight == 0] = torch.nan
    of = build_loss("retina", {"least_negatives": len(ANCHORS)})
    of(replace(small, class_logits=logits), target, weight).total.backward()
    at = middles(ANCHORS)
    ignored = (at[:, 0] >= 20) | (at[:, 1] >= 13) | ((at[:, 2] >= 10) & (at[:, 2] < 16))
    assert logits.grad is not None
    assert not logits.grad[0, ignored].any()
    assert (logits.grad[0, ~ignored] != 0).float().mean() > 0.9


def right(target):
    """Answers that are as they should be."""
    of, given = build_loss("retina"), output(len(target))
    logits, codes = torch.full_like(given.class_logits, -12.0), torch.zeros_like(given.codes)
    for number, mask in enumerate(target):
        boxes = boxes_of(mask[0].numpy() > 0)
        own = of._matched(boxes, torch.ones(len(ANCHORS)), given)
        which = (own >= 0).nonzero()[:, 0]
        logits[number, which] = 12.0
        if len(which):
            codes[number, which] = given.encoded(boxes[own[which]], which)
    return replace(given, class_logits=logits, codes=codes)


def test_the_truth_costs_next_to_nothing_and_its_opposite_more(loss):
    given = right(TRUTH)
    found = loss(given, TRUTH)
    assert found.total < 1e-4
    assert loss(replace(given, class_logits=-given.class_logits), TRUTH).total > 0.5
    assert loss(replace(given, codes=given.codes + 0.3), TRUTH).parts["box"] > 0.05


def test_what_is_right_is_found_again():
    """Truth to loss to boxes: the anchors of the loss are those of the network's boxes."""
    for found, mask in zip(right(TRUTH).found(), TRUTH, strict=True):
        wanted = boxes_of(mask[0].numpy() > 0)
        places = found.places[found.scores > 0.5]
        assert sorted(places.round().tolist()) == sorted(wanted.tolist())
        torch.testing.assert_close(places, places.round(), rtol=0, atol=1e-3)


def test_parts_are_named_and_add_up():
    found = build_loss("retina", {"box_weight": 2.5})(output(), TRUTH)
    assert list(found.parts) == ["class", "box"]
    torch.testing.assert_close(found.total, found.parts["class"] + 2.5 * found.parts["box"])


def test_the_hardest_of_the_background_count():
    """By hand: the mean of softplus over the nodule's anchors and, of the others, the highest logits."""
    given, target = output(1), truth((3, 4, 5, 9, 10, 12))
    own = matched(target)
    logits = given.class_logits[0]
    nodules, background = logits[own >= 0], logits[own == -1].sort(descending=True).values
    for negatives, least in ((3.0, 2), (1.0, 40)):
        chosen = background[: max(least, round(negatives * len(nodules)))]
        expected = torch.cat([softplus(-nodules), softplus(chosen)]).mean()
        of = build_loss("retina", {"negatives": negatives, "least_negatives": least})
        torch.testing.assert_close(of(given, target).parts["class"], expected)


def test_focal_by_hand():
    given, target = output(1), truth((3, 4, 5, 9, 10, 12))
    own, total = matched(target).tolist(), 0.0
    for logit, whose in zip(given.class_logits[0].tolist(), own, strict=True):
        p = 1 / (1 + math.exp(-logit))
        if whose >= 0:
            total -= 0.75 * (1 - p) ** 3 * math.log(p)
        elif whose == -1:
            total -= 0.25 * p**3 * math.log(1 - p)
    found = build_loss("retina", {"classes": "focal"})(given, target).parts["class"]
    assert found.item() == pytest.approx(total / sum(one >= 0 for one in own), rel=1e-4)


def test_slopes_are_finite_and_reach_what_counts(loss):
    for target in (TRUTH, torch.zeros_like(TRUTH)):
        given = output(scale=5.0)
        logits, codes = given.class_logits.bfloat16().requires_grad_(), given.codes.bfloat16().requires_grad_()
        total = loss(replace(given, class_logits=logits, codes=codes), target).total
        total.backward()
        assert total.dtype == torch.float32
        assert total.isfinite()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
        assert logits.grad.any()
        assert codes.grad is not None
        assert codes.grad.isfinite().all()
        assert codes.grad.any() == bool(target.any())


def test_nothing_is_drawn_and_the_order_of_the_batch_does_not_matter(loss):
    given, before = output(), torch.get_rng_state()
    found = loss(given, TRUTH).total
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(found, loss(given, TRUTH).total)
    order = torch.tensor([2, 0, 1])
    turned = replace(given, class_logits=given.class_logits[order], codes=given.codes[order])
    torch.testing.assert_close(loss(turned, TRUTH[order]).total, found)


def test_a_piece_of_weight_0_might_as_well_not_be_there(loss):
    given, weight = output(), torch.tensor([1.0, 1, 0]).view(3, 1, 1, 1, 1)
    torch.testing.assert_close(loss(given, TRUTH, weight).total, loss(given.first(2), TRUTH[:2]).total)
    assert loss(given, TRUTH, torch.zeros(1)).total == 0


def test_what_does_not_belong_together_is_refused(loss):
    with pytest.raises(ConfigError, match="gives none"):
        loss(Segmentation(torch.zeros(1, 1, *SIZE)), truth())
    with pytest.raises(GeometryError, match="not of one shape"):
        loss(output(1), truth()[..., :-1])
    with pytest.raises(GeometryError, match="not of one shape"):
        loss(output(2), truth())


def test_the_root_logger_is_left_alone(loss):
    handlers = list(logging.getLogger().handlers)
    loss(output(), TRUTH)
    assert logging.getLogger().handlers == handlers
