"""The sanity check fails a map that weights don't change, passes one that they make, and is the same each time."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from hilum.core import Sanity, SanityStep
from hilum.explain.gradcam import LayerMap, Shown
from hilum.explain.layers import default_layer
from hilum.explain.sanity import SanityRule, cascade, forgetting, likeness, rank_correlation, sanity_check
from tests.explain.tiny import Deaf
from tests.models.small import NAMES, narrow, picture

pytestmark = pytest.mark.usefixtures("one_thread")
NAN = float("nan")


def everywhere(shown):
    return np.ones(shown.size, dtype=bool)


def test_a_map_of_the_picture_alone_fails():
    shown = Shown(picture(1, 1, 16, 16))
    found = sanity_check(Deaf().eval(), shown, "encoder.0", everywhere(shown), SanityRule(draws=3))
    assert found.left == pytest.approx(1)
    assert found.floor == pytest.approx(1)
    assert found.passes is False
    assert found.verdict.startswith("FAILED: with random weights a rank correlation of 1.00 is left")


def test_a_map_that_comes_from_the_weights_passes():
    network, shown = narrow("unet", seed=2, inputs=1).eval(), Shown(picture(1, 1, 64, 64))
    found = sanity_check(network, shown, default_layer(network), everywhere(shown), SanityRule(draws=6, seed=1))
    assert [step.part for step in found.steps][:2] == ["deep_heads", "head"]
    assert found.steps[0].rank_correlation == pytest.approx(1), "deep heads have no part in the logits"
    assert found.left < 0.5
    assert found.passes


def test_the_same_seed_gives_the_same_and_nothing_else_is_touched():
    network, shown = narrow("unet", inputs=1).eval(), Shown(picture(1, 1, 32, 32))
    weights = {key: value.clone() for key, value in network.state_dict().items()}
    state = torch.random.get_rng_state()
    first, second, other = (
        sanity_check(network, shown, "encoder.stages.1", everywhere(shown), SanityRule(draws=2, seed=seed))
        for seed in (5, 5, 6)
    )
    assert repr(first) == repr(second) != repr(other)
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize("name", NAMES)
def test_part_after_part_forgets_until_nothing_is_left(name):
    network = narrow(name, seed=0).eval()
    own = network.state_dict()
    names = {id(value): key for key, value in network.named_parameters()}
    changed, steps = set(), list(cascade(network).values())
    for part, forgotten in zip(steps, forgetting(network, seed=1), strict=True):
        changed |= {names[id(one)] for one in part.parameters()}
        now = forgotten.state_dict()
        differs = {key for key in names.values() if not torch.equal(own[key], now[key])}
        assert differs <= changed
        assert not forgotten.training
    assert changed == set(names.values())
    with torch.random.fork_rng():
        torch.manual_seed(1)
        fresh = type(network)(network.config).state_dict()
    assert all(torch.equal(value, fresh[key]) for key, value in now.items())


def test_rank_correlation_is_pearsons_of_ranks():
    rng = np.random.default_rng(0)
    one, other = (rng.integers(0, 5, (6, 7)).astype(np.float32) for _ in range(2))
    ranks = [rankdata(values.ravel()) for values in (one, other)]
    expected = np.corrcoef(*ranks)[0, 1]
    assert rank_correlation(LayerMap(one, (6, 7)), LayerMap(other, (6, 7))) == pytest.approx(expected)
    assert rank_correlation(LayerMap(one, (6, 7)), LayerMap(one**3, (6, 7))) == pytest.approx(1)


def test_likeness_is_1_of_the_same_map_whatever_its_scale_and_falls():
    values = np.random.default_rng(0).random((16, 16)).astype(np.float32)
    one, larger, turned = (LayerMap(v, (16, 16)) for v in (values, 7 * values, values[::-1].copy()))
    assert likeness(one, larger) == pytest.approx(1, abs=1e-5)
    assert likeness(one, turned) < 0.5


@pytest.mark.parametrize("values", [np.zeros((4, 4)), np.ones((4, 4)), np.full((4, 4), NAN)])
def test_a_map_without_ranks_has_no_likeness(values):
    flat, other = LayerMap(values.astype(np.float32), (32, 32)), LayerMap(np.eye(4, dtype=np.float32), (32, 32))
    assert math.isnan(rank_correlation(flat, other))
    assert math.isnan(likeness(other, flat))


@pytest.mark.parametrize(
    ("left", "passes", "word"),
    [((0.5, NAN), True, "passed"), ((0.4, 0.7), False, "FAILED"), ((NAN,), None, "undecided")],
)
def test_the_verdict_is_of_the_last_step_alone(left, passes, word):
    steps = (SanityStep("head", (0.99,), (1.0,)), SanityStep("all", left, left))
    found = Sanity(steps, among_random=(NAN,), most=0.5, seed=0)
    assert found.passes is passes
    assert found.verdict.startswith(word)
    assert math.isnan(found.floor)
