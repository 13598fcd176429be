"""The detector: its anchors and codes by hand, its boxes against plain loops, and what holds for every network."""

import math
from itertools import product

import numpy as np
import pytest
import torch

from hilum.core import ConfigError, GeometryError
from hilum.models.boxes import anchors_of, decoded, diameters, drawn, encoded, middles, suppressed
from hilum.models.catalogue import build_model
from hilum.models.macs import count_macs
from hilum.models.output import Detection, KeepRule
from tests.models.small import narrow, picture

EXACT = {"rtol": 1e-4, "atol": 1e-5}


def boxes_by_chance(count, seed=0, size=40.0):
    rng = np.random.default_rng(seed)
    low = rng.uniform(0, size, (count, 3))
    return torch.tensor(np.concatenate([low, low + rng.uniform(2, 14, (count, 3))], axis=1), dtype=torch.float32)


def test_it_is_small_and_cheap():
    with torch.device("meta"):
        network = build_model("retina3d")
    assert sum(own.numel() for own in network.parameters()) <= 1_500_000
    assert count_macs(build_model("retina3d"), (64, 64, 64)).total <= 3e9


def test_anchors_are_cubes_about_the_middle_of_each_cell():
    found = anchors_of((16, 8, 24), (4, 8), ((4, 6), (16, 24)))
    assert found.dtype == torch.float32
    expected = []
    for stride, sides in ((4, (4, 6)), (8, (16, 24))):
        for z, y, x in product(*(range(stride // 2, size, stride) for size in (16, 8, 24))):
            expected += [[*(at - side / 2 for at in (z, y, x)), *(at + side / 2 for at in (z, y, x))] for side in sides]
    np.testing.assert_array_equal(found.numpy(), expected)


def test_anchors_of_inference_can_be_learnt_from():
    with torch.inference_mode():
        kept = anchors_of((8, 8, 8), (8,), ((6,),))
    assert not kept.is_inference()


def test_codes_come_back_and_nothing_is_the_anchor():
    boxes, anchors = boxes_by_chance(30), boxes_by_chance(30, seed=1)
    torch.testing.assert_close(decoded(encoded(boxes, anchors), anchors), boxes, rtol=1e-5, atol=1e-4)
    torch.testing.assert_close(decoded(torch.zeros(30, 6), anchors), anchors)
    one = encoded(torch.tensor([[2.0, 4, 0, 12, 8, 4]]), torch.tensor([[0.0, 0, 0, 5, 8, 4]]))
    torch.testing.assert_close(one, torch.tensor([[0.9, 0.25, 0, math.log(2), math.log(0.5), 0]]))


def shared_by_hand(one, other):
    both = math.prod(max(0.0, min(one[a + 3], other[a + 3]) - max(one[a], other[a])) for a in range(3))
    own = math.prod(one[a + 3] - one[a] for a in range(3))
    others = math.prod(other[a + 3] - other[a] for a in range(3))
    return both / (own + others - both)


def kept_by_hand(boxes, scores, iou, most):
    kept = []
    for number in sorted(range(len(boxes)), key=lambda one: (-scores[one], one)):
        clear = True
        for other in kept:
            apart = math.dist(*([(box[a] + box[a + 3]) / 2 for a in range(3)] for box in (boxes[number], boxes[other])))
            radius = math.prod(boxes[other][a + 3] - boxes[other][a] for a in range(3)) ** (1 / 3) / 2
            if shared_by_hand(boxes[number], boxes[other]) > iou or apart < radius:
                clear = False
        if clear and len(kept) < most:
            kept.append(number)
    return kept


@pytest.mark.parametrize(("iou", "most"), [(0.1, 100), (0.0, 100), (0.5, 100), (0.1, 3), (1.0, 5)])
def test_boxes_that_stay_are_those_of_a_plain_double_loop(iou, most):
    for seed in range(4):
        boxes = boxes_by_chance(40, seed, size=25)
        scores = torch.rand(40, generator=torch.Generator().manual_seed(seed)).round(decimals=1)
        found = suppressed(boxes, scores, iou, most).tolist()
        assert found == kept_by_hand(boxes.tolist(), scores.tolist(), iou, most)


def test_no_box_leaves_none():
    assert suppressed(torch.zeros(0, 6), torch.zeros(0), 0.1, 5).tolist() == []
    assert not drawn(torch.zeros(0, 6), torch.zeros(0), (3, 4, 5)).any()


def test_a_small_box_within_a_large_one_is_the_same_nodule():
    boxes = torch.tensor([[0.0, 0, 0, 30, 30, 30], [14, 14, 14, 18, 18, 18], [24, 24, 24, 29, 29, 29]])
    assert suppressed(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.1, 9).tolist() == [0, 2]


def test_a_drawn_box_is_its_ellipsoid():
    box = torch.tensor([[3.2, 5.0, 8.5, 27.2, 21.0, 38.5]])
    canvas = drawn(box, torch.tensor([0.7]), (30, 40, 50))
    assert (canvas > 0).sum().item() == pytest.approx(math.pi / 6 * 24 * 16 * 30, rel=0.02)
    middle = (canvas > 0).nonzero().float().mean(0) + 0.5
    torch.testing.assert_close(middle, middles(box)[0], rtol=0, atol=0.1)
    assert canvas.unique().tolist() == pytest.approx([0, 0.7])
    assert diameters(box).item() == pytest.approx((24 * 16 * 30) ** (1 / 3))


def test_where_boxes_overlap_the_highest_score_counts_and_small_ones_are_seen():
    boxes = torch.tensor(
        [[0.0, 0, 0, 10, 10, 10], [4, 0, 0, 14, 10, 10], [20.2, 3.1, 4.6, 20.4, 3.2, 4.9], [-9, 0, 0, -2, 5, 5]]
    )
    canvas = drawn(boxes, torch.tensor([0.3, 0.8, 0.5, 0.9]), (24, 12, 12))
    assert canvas[5, 5, 5] == pytest.approx(0.8)
    assert canvas[1, 5, 5] == pytest.approx(0.3)
    assert (canvas == 0.5).nonzero().tolist() == [[20, 3, 4]]


def test_every_size_comes_back():
    network = narrow("retina3d", inputs=1).eval()
    for size in ((1, 1, 1), (7, 8, 13), (25, 3, 40)):
        with torch.no_grad():
            output = network(picture(1, 1, *size))
            assert output.probability().shape == (1, 1, *size)
        assert output.codes.shape == (1, len(output.anchors), 6)
        assert output.class_logits.shape == (1, len(output.anchors))
        assert sum(output.positions) * 3 == len(output.anchors)
        assert all(
            ((middles(one.places) >= 0) & (middles(one.places) <= torch.tensor(size))).all() for one in output.found()
        )


def both(output):
    return [output.class_logits, output.codes]


def test_a_batch_equals_a_loop_and_its_first():
    network, images, priors = narrow("retina3d").eval(), picture(3, 1, 12, 20, 24), picture(3, 1, 12, 20, 24, seed=1)
    with torch.no_grad():
        together = network(images, priors)
        alone = [both(network(images[[i]], priors[[i]])) for i in range(3)]
        for whole, parts in zip(both(together), zip(*alone, strict=True), strict=True):
            torch.testing.assert_close(whole, torch.cat(parts), **EXACT)
        for own, other in zip(both(together.first(2)), both(network(images, priors)), strict=True):
            assert torch.equal(own, other[:2])
        assert torch.equal(together.probability()[:2], together.first(2).probability())
        assert all(
            torch.equal(*pair) for pair in zip(both(network(images)), both(network(images, images)), strict=True)
        )
        assert not torch.equal(network(images).class_logits, together.class_logits)


def learn(network):
    output = network(picture(2, 1, 20, 32, 24), picture(2, 1, 20, 32, 24, seed=1))
    torch.stack([(one.float() * picture(*one.shape, seed=2)).sum() for one in both(output)]).sum().backward()


def test_gradients_reach_every_parameter_and_each_is_in_one_part():
    network = narrow("retina3d")
    learn(network)
    assert [key for key, own in network.named_parameters() if own.grad is None or not own.grad.any()] == []
    in_parts = [id(own) for part in network.parts().values() for own in part.parameters()]
    assert sorted(in_parts) == sorted(id(own) for own in network.parameters())
    assert set(network.parts()) == {"encoder", "decoder", "head"}
    assert len(network.encoder_stages()) == 3


def test_bfloat16_is_finite_and_near():
    network, image = narrow("retina3d"), picture(1, 1, 24, 24, 24)
    with torch.autocast("cpu", torch.bfloat16):
        learn(network)
    assert all(own.grad is not None and own.grad.isfinite().all() for own in network.parameters())
    network = network.eval()
    with torch.no_grad():
        exact = network(image)
        with torch.autocast("cpu", torch.bfloat16):
            rough = network(image).in_32_bits()
    assert rough.class_logits.dtype == rough.codes.dtype == torch.float32
    assert (exact.class_logits.sigmoid() - rough.class_logits.sigmoid()).abs().max() < 0.02
    assert (exact.codes - rough.codes).abs().max() < 0.1


def test_channels_last_computes_the_same():
    network, image = narrow("retina3d").eval(), picture(2, 1, 16, 24, 24)
    with torch.no_grad():
        plain = network(image)
        last = network.to(memory_format=network.memory_format)(image.contiguous(memory_format=network.memory_format))
    for one, other in zip(both(plain), both(last), strict=True):
        torch.testing.assert_close(one, other, **EXACT)


def test_a_shift_of_a_whole_stride_shifts_every_box():
    network = narrow("retina3d", inputs=1).eval()
    step = network.stride
    wide = torch.full((1, 1, 80, 80, 80), 0.5)
    wide[..., 36:44, 36:44, 36:44] = picture(8, 8, 8)
    with torch.no_grad():
        straight, moved = network(wide), network(wide.roll((step, 0, -step), (2, 3, 4)))
    shift = torch.tensor([step, 0.0, -step] * 2)
    where = {tuple(box): number for number, box in enumerate(moved.anchors.tolist())}
    inner = ((middles(straight.anchors) - 40).abs() < 6).all(1).nonzero()[:, 0]
    moved_to = [where[tuple(box)] for box in (straight.anchors[inner] + shift).tolist()]
    for one, other in zip(both(straight), both(moved), strict=True):
        torch.testing.assert_close(one[0, inner], other[0, moved_to], **EXACT)


def test_each_answer_is_that_of_its_own_anchor():
    """What an anchor's logit depends on lies around the anchor's middle, of every level and wherever it is."""
    network = narrow("retina3d", inputs=1, norm="none", widths=[4, 4], blocks=[0, 1], anchor_scales=[1]).eval()
    for wanted in (0, 200, 1500, 2400):
        image = picture(1, 1, 48, 32, 40).requires_grad_()
        output = network(image)
        place = middles(output.anchors)[wanted]
        for answer in (output.class_logits[0, wanted], output.codes[0, wanted].sum()):
            (slope,) = torch.autograd.grad(answer, image, retain_graph=True)
            seen = slope[0, 0].nonzero().float() + 0.5
            low, high = seen.amin(0), seen.amax(0)
            assert ((low < place) & (place < high)).all()
            free = (low > 1) & (high < torch.tensor([47.0, 31, 39]))
            assert ((low + high) / 2 - place)[free].abs().max(initial=torch.tensor(0.0)) <= 2 if free.any() else True


def test_untrained_it_expects_few_nodules():
    with torch.no_grad():
        logits = narrow("retina3d", start_probability=0.03)(picture(2, 1, 32, 32, 32)).class_logits
    assert logits.sigmoid().mean().item() == pytest.approx(0.03, rel=0.3)


def test_what_is_kept_obeys_the_rule():
    anchors = torch.tensor(
        [[0.0, 0, 0, 8, 8, 8], [1, 0, 0, 9, 8, 8], [20, 20, 20, 28, 28, 28], [28, 28, 28, 36, 36, 36]]
    )
    logits = torch.tensor([[0.9, 0.6, 0.3, 0.95]]).logit()
    given = Detection(logits, torch.zeros(1, 4, 6), anchors, (4,), (30, 30, 30))
    (found,) = given.found()
    assert found.scores.tolist() == pytest.approx([0.9, 0.3])
    torch.testing.assert_close(found.places, anchors[[0, 2]])
    strict = Detection(logits, torch.zeros(1, 4, 6), anchors, (4,), (40, 40, 40), KeepRule(0.5, 0.1, 1))
    assert strict.found()[0].scores.tolist() == pytest.approx([0.95])
    assert strict.probability().sum().item() == pytest.approx(0.95 * (strict.probability() > 0).sum().item(), rel=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"anchors_px": [5]}, "half an anchor's side is a whole number"),
        ({"anchor_scales": [1, 2, 4, 8]}, "4 levels need more stages"),
        ({"channels": 12}, "channels"),
        ({"least_score": 1}, "least_score"),
        ({"blocks": [1, 1]}, "4 widths and 2 counts"),
    ],
)
def test_options_that_cannot_be_are_named(options, says):
    with pytest.raises(ConfigError, match=says):
        build_model("retina3d", options)


def test_inputs_of_another_shape_are_refused():
    with pytest.raises(GeometryError, match="D, H, W"):
        narrow("retina3d")(picture(1, 1, 8, 8))
    with pytest.raises(GeometryError, match="second image's shape"):
        narrow("retina3d")(picture(1, 1, 8, 8, 8), picture(1, 1, 8, 8, 9))
