"""Which pictures an epoch shows: balance, hard negatives, curriculum; nothing but seed, epoch and place decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import ConfigError, TrainError
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.sampling import (
    Purpose,
    balanced,
    class_traits,
    difficulty,
    drawn_by,
    epoch_order,
    generator,
    hard_weights,
    nodule_difficulty,
    shown_at,
)
from hilum.datasets.xray_config import SOURCE_CURRICULUM, CurriculumStep, SamplingConfig
from hilum.datasets.xray_sample import NoduleInfo, XraySample
from hilum.train.config import Phase, TrainConfig


def sample(lesion, size_mm=10.0, visibility=0.5, contrast=1.0):
    plane = np.zeros((4, 4), np.float32)
    nodules = (NoduleInfo("1", size_mm, 4, visibility, contrast),) if lesion else ()
    return XraySample("a", "p", plane, np.full((4, 4), bool(lesion)), plane + 1, 0.7, nodules)


SAMPLES = [sample(n % 4 == 0, size_mm=3.0 + n / 2) for n in range(40)]
NONE_HARD = np.zeros(40)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.integers(1, 80), st.integers(0, 999))
def test_every_index_comes_as_often_as_its_weight_says(weights, draws, seed):
    weights = np.array(weights)
    if weights.sum() < 1e-3:
        return
    counts = np.bincount(drawn_by(weights, draws, np.random.default_rng(seed)), minlength=len(weights))
    expected = weights / weights.sum() * draws
    assert counts.sum() == draws
    assert (counts >= np.floor(expected - 1e-6)).all()
    assert (counts <= np.ceil(expected + 1e-6)).all()


def test_equal_weights_show_each_once_in_another_order_every_epoch():
    orders = [epoch_order(SAMPLES, SamplingConfig(), 0, epoch, NONE_HARD).tolist() for epoch in (0, 1, 0)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(40))
    assert orders[0] == orders[2] != orders[1]


def test_half_of_the_draws_have_a_lesion_when_told():
    config = SamplingConfig(draws=60, lesion_share=0.5)
    order = epoch_order(SAMPLES, config, 0, 3, NONE_HARD)
    assert len(order) == 60
    assert abs(sum(SAMPLES[n].has_lesion for n in order) - 30) <= 1


@given(st.lists(st.tuples(st.floats(0.1, 5), st.booleans()), min_size=2, max_size=20), st.floats(0.05, 0.95))
def test_balancing_keeps_proportions_within_a_kind(pairs, share):
    weights, lesions = (np.array(column) for column in zip(*pairs, strict=True))
    result = balanced(weights, lesions, share)
    if lesions.any() and not lesions.all():
        assert result[lesions].sum() / result.sum() == pytest.approx(share)
    for kind in (lesions, ~lesions):
        if kind.any():
            np.testing.assert_allclose(result[kind] / result[kind].sum(), weights[kind] / weights[kind].sum())


def test_pictures_with_false_alarms_come_more_often_up_to_a_limit():
    np.testing.assert_allclose(hard_weights(np.array([0, 1, 3, 1e9]), 2.0), [1, 2, 2.5, 3])
    hard = NONE_HARD.copy()
    hard[[1, 2]] = 1e9
    order = epoch_order(SAMPLES, SamplingConfig(hard_negatives=1.0, draws=42), 0, 0, hard)
    counts = np.bincount(order, minlength=40)
    assert counts[1] == counts[2] == 2
    assert counts.sum() == 42


def test_a_curriculums_epochs_count_from_1_as_phases_do():
    """A step until epoch 3 and a phase from epoch 4 on meet."""
    step, phases = CurriculumStep(until_epoch=3, easiest=0.5), (Phase(), Phase(first_epoch=4))
    shown = [shown_at(np.array([0.1, 0.9]), (step,), epoch - 1).all() for epoch in range(1, 6)]
    assert shown == [bool(TrainConfig(phases=phases).phase_at(epoch)) for epoch in range(1, 6)]


def test_a_curriculum_widens_and_always_shows_the_empty():
    known = np.array([0.1, 0.9, np.nan, 0.5, 0.3, 0.7, 0.8, np.nan])
    shown = {epoch: shown_at(known, SOURCE_CURRICULUM, epoch) for epoch in (0, 29, 30, 79, 80, 500)}
    assert shown[0].tolist() == [True, False, True, False, True, False, False, True]
    assert shown[30].tolist() == [True, False, True, True, True, True, False, True]
    np.testing.assert_array_equal(shown[29], shown[0])
    np.testing.assert_array_equal(shown[79], shown[30])
    assert shown[80].all()
    assert shown[500].all()
    order = epoch_order(SAMPLES, SamplingConfig(curriculum=SOURCE_CURRICULUM), 0, 0, NONE_HARD)
    assert len(order) == 40  # as many in every epoch, so that a schedule of steps can be laid out
    easiest = {36, 32, 28, 24}
    assert {n for n in order if SAMPLES[n].has_lesion} == easiest


def test_smaller_fainter_and_hidden_is_harder():
    usual = NoduleInfo("1", 10.0, 4, 0.5, 1.0)
    for name, lower in (("size_mm", 4.0), ("visibility", 0.1), ("contrast", 0.2)):
        assert nodule_difficulty(usual) < nodule_difficulty(NoduleInfo(**{**vars(usual), name: lower})) <= 1
    assert nodule_difficulty(NoduleInfo("1", 9.0, 4, 0.5, 1.0)) == pytest.approx(0.5)
    assert nodule_difficulty(NoduleInfo("1", 9.0, 4, np.nan, np.nan)) == pytest.approx(0.5)
    assert nodule_difficulty(NoduleInfo("1", np.nan, 4, np.nan, np.nan)) == 1
    assert nodule_difficulty(NoduleInfo("1", 9.0, 4, 0.0, -5.0)) == pytest.approx(1 - 0.5 / 3)
    assert np.isnan(difficulty(sample(False)))


def test_randomness_belongs_to_its_place_and_purpose():
    def first(*where):
        return generator(*where).random()

    where = [(0, purpose, epoch, place) for purpose in Purpose for epoch in range(3) for place in range(4)]
    assert len({first(*one) for one in where}) == len(where)
    assert [first(*one) for one in reversed(where)] == [first(*one) for one in where][::-1]
    assert first(1, Purpose.ORDER, 0) != first(0, Purpose.ORDER, 0)


def test_nothing_to_show_is_said():
    with pytest.raises(TrainError, match="all weights are 0"):
        drawn_by(np.zeros(3), 5, np.random.default_rng(0))
    with pytest.raises(ConfigError, match="one after another"):
        SamplingConfig.of({"curriculum": [{"until_epoch": 9, "easiest": 0.5}, {"until_epoch": 9, "easiest": 0.7}]})


@pytest.mark.parametrize(
    ("findings", "shows"),
    [((2, 3), [False, False, True, True]), ((1,), [False, True, False, False]), ((), [False] * 4)],
)
def test_films_show_something_where_a_class_is_a_finding_whatever_its_number(findings, shows):
    plane = np.zeros((4, 4), np.float32)
    films = [ClassSample("a", "p", plane, np.full((4, 4), number, np.uint8), plane + 1) for number in range(4)]
    assert class_traits(films, findings).has_lesion.tolist() == shows
