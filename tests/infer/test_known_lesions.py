"""A second look: calls by a threshold, and what becomes of the first network's mask, scores and nodules."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from hilum.core import ConfigError, KnownLesion, Mask, Prediction, Provenance, Radiograph, SpacingPlane
from hilum.infer.known_lesions import Look, SecondLook, merged, require_known_lesions
from hilum.infer.lesions import LesionRule
from hilum.infer.loaded import LoadedModel, PriorWanted
from hilum.infer.xray import XrayPredictor
from hilum.infer.xray_domain import XrayStyle
from hilum.infer.xray_prior import EarlierXray
from hilum.models.output import Segmentation
from tests.datasets.test_chest import chest
from tests.evaluate.judged import disc

SHAPE, STEP_MM = (60, 60), 1.4
FIRST, SECOND = 0.4, 0.2
NOTHING = np.zeros(SHAPE, dtype=bool)


def first(*places, score=0.8):
    """A prediction that marks discs of 3 pixels."""
    probability = np.full(SHAPE, 0.01, np.float32)
    for place in places:
        probability[disc(SHAPE, place, 3)] = score
    mask = Mask((probability >= FIRST).astype(np.uint8))
    return Prediction("p", probability, mask, (), Provenance("m", "w", "c", "v", {"mask": FIRST}))


def look(place, score, mask=NOTHING, name="1"):
    known = KnownLesion(name, place, None, score, 0.1, disc(SHAPE, place, 3))
    return Look.of(known, np.where(mask, 0.6, 0.05).astype(np.float32), SECOND)


def seen_within(one, radius):
    """The same look, through a view of this radius."""
    view = disc(SHAPE, tuple(map(int, one.lesion.centre_px)), radius)
    return replace(one, probability=np.where(view, one.probability, 0).astype(np.float32))


def marked(prediction, *looks):
    return merged(prediction, looks, FIRST, SECOND).probability >= FIRST


def test_what_is_called_gone_is_taken_away_and_nothing_else():
    found = marked(first((20, 20), (40, 40)), look((20, 20), 0.05))
    np.testing.assert_array_equal(found, disc(SHAPE, (40, 40), 3))


def test_what_is_still_there_gets_the_second_mask():
    own = disc(SHAPE, (21, 20), 5)
    np.testing.assert_array_equal(marked(first((20, 20)), look((20, 20), 0.9, own)), own)
    np.testing.assert_array_equal(marked(first(), look((20, 20), 0.9, own)), own)


def test_what_is_still_there_and_not_seen_stays_as_it_was():
    there = look((20, 20), 0.15)
    np.testing.assert_array_equal(marked(first(), there), disc(SHAPE, (20, 20), 3))
    np.testing.assert_array_equal(marked(first((20, 22)), there), disc(SHAPE, (20, 20), 3))


def test_of_two_that_touch_one_can_be_gone():
    both = first((20, 20), (20, 26))
    own = disc(SHAPE, (20, 27), 2)
    gone = look((20, 20), 0.05)
    np.testing.assert_array_equal(marked(both, gone, look((20, 26), 0.9, own, "2")), own)
    assert not marked(both, gone, look((20, 26), 0.05, name="2")).any()


def test_scores_keep_one_threshold():
    own = disc(SHAPE, (20, 20), 2)
    found = merged(
        first((20, 20), (40, 40)), [look((20, 20), 0.9, own), look((40, 40), 0.0)], FIRST, SECOND
    ).probability
    assert found[20, 20] == pytest.approx(FIRST + (1 - FIRST) * (0.6 - SECOND) / (1 - SECOND))
    assert found[40, 40] == pytest.approx(0.05 * FIRST / SECOND)
    assert ((found >= FIRST) == own).all()
    levels = np.round(found * 65535) / 65535  # as stored
    assert ((levels >= FIRST) == own).all()


def test_without_known_lesions_nothing_changes():
    one = first((20, 20))
    np.testing.assert_array_equal(merged(one, [], FIRST, SECOND).probability, one.probability)


def test_a_mass_that_reaches_beyond_the_view_of_a_known_speck_stays_and_is_said():
    mass = disc(SHAPE, (20, 25), 15)
    prediction = replace(first(), probability=np.where(mass, 0.8, 0.01).astype(np.float32))
    for score in (0.05, 0.9):
        speck = seen_within(look((20, 12), score, disc(SHAPE, (20, 12), 2)), 9)
        found = merged(prediction, [speck], FIRST, SECOND)
        np.testing.assert_array_equal(found.probability >= FIRST, mass | speck.mask)
        assert "1 marks reach far beyond the known lesions" in found.notes[0]


def test_what_is_gone_is_not_marked_by_its_neighbours_look():
    wide = disc(SHAPE, (20, 26), 8)
    found = marked(first(), look((20, 20), 0.05), look((20, 26), 0.9, wide, "2"))
    gone = disc(SHAPE, (20, 20), 3) & ~disc(SHAPE, (20, 26), 3)
    np.testing.assert_array_equal(found, wide & ~gone)


def test_a_blob_elsewhere_in_a_view_is_no_answer():
    beside = look((20, 20), 0.9, disc(SHAPE, (32, 20), 2))
    np.testing.assert_array_equal(beside.mask, disc(SHAPE, (20, 20), 3))


@pytest.mark.parametrize("threshold", [0.3, 0.1, 0.7, 0.55])
def test_what_is_put_back_reaches_the_threshold_as_it_is_stored(threshold):
    found = merged(first(), [look((20, 20), 0.15)], threshold, SECOND).probability
    stored = np.round(found * 65535).astype(np.uint16) / 65535
    np.testing.assert_array_equal(stored >= threshold, disc(SHAPE, (20, 20), 3))


class Unchanged(nn.Module):
    """Says that a lesion is where it was, unless the difference to the earlier picture is dark there."""

    def forward(self, xray, prior):
        difference, known = prior[:, :1], prior[:, 1:]
        inside = (difference * known).sum((2, 3), keepdim=True) / known.sum((2, 3), keepdim=True)
        return Segmentation((20 * known * (inside > 0.35) - 10).expand_as(xray))


def model(**more):
    plain = {"pixel_mm": STEP_MM, "threshold": 0.5, "gone_threshold": 0.5}
    plain |= {"prior": PriorWanted("earlier", lesions=True, one_by_one=True)}
    return LoadedModel(
        "again", Unchanged(), "w2", "c2", {"threshold": {"value": 0.5}}, is_pretext=False, **plain | more
    )


PLACES = (100, 70), (140, 180)
RULE = LesionRule(FIRST)


@pytest.fixture(scope="module")
def films():
    """A chest with one of two known lesions left; nothing marked by the first network."""
    rng = np.random.default_rng(0)
    ground = np.clip(0.6 * chest(STEP_MM) + 0.02 * rng.standard_normal(chest(STEP_MM).shape), 0, 1)
    known = np.any([disc(ground.shape, place, 6) for place in PLACES], axis=0)
    other = 0.02 * rng.standard_normal(ground.shape)  # or it would be a copy
    now, before = ground + 0.25 * disc(ground.shape, PLACES[0], 6), ground + other + 0.25 * known
    size = {"pixel_mm": (STEP_MM, STEP_MM), "plane": SpacingPlane.PATIENT}
    xray, earlier = (Radiograph((np.clip(one, 0, 1) * 255).astype(np.uint8), **size) for one in (now, before))
    probability = np.full(known.shape, 0.01, np.float32)
    nothing = Prediction("p", probability, Mask(np.zeros(known.shape, np.uint8)), (), Provenance("m", "w", "c", "v"))
    return xray, EarlierXray(earlier, known, XrayStyle.PUBLISHED, is_laid_over=True, hashes=(("image", "a"),)), nothing


@pytest.mark.usefixtures("one_thread")
def test_each_known_lesion_is_looked_at_again(films):
    xray, earlier, nothing = films
    found = SecondLook(model(), XrayStyle.PUBLISHED)(nothing, xray, earlier, RULE)
    assert [one.record()["called"] for one in found.known] == ["there", "gone"]
    np.testing.assert_allclose([one.centre_px for one in found.known], PLACES, atol=0.5)
    assert found.known[0].was_mm == pytest.approx(2 * 6 * STEP_MM, rel=0.05)
    there = disc(found.mask.labels.shape, PLACES[0], 6)
    overlap = (found.mask.labels > 0) & there
    assert 2 * overlap.sum() / (found.mask.labels.sum() + there.sum()) > 0.85
    assert [nodule.score >= FIRST for nodule in found.nodules] == [True] + [False] * (len(found.nodules) - 1)
    assert found.provenance.options["known_lesions"]["weights_hash"] == "w2"
    assert found.provenance.options["prior_files"] == {"image": "a"}
    assert not any("doubtful" in note for note in found.notes)


@pytest.mark.usefixtures("one_thread")
def test_calls_beside_a_doubted_earlier_picture_are_doubtful(films):
    xray, earlier, nothing = films
    doubted = replace(earlier, notes=("it is another patient's",))
    found = SecondLook(model(), XrayStyle.PUBLISHED)(nothing, xray, doubted, RULE)
    assert "the earlier X-ray: it is another patient's" in found.notes
    assert found.notes[-1] == "what is called gone, or still there, is as doubtful as the earlier X-ray"


@pytest.mark.usefixtures("one_thread")
def test_a_mask_of_nothing_known_changes_nothing(films):
    xray, earlier, nothing = films
    none = replace(earlier, lesions=np.zeros_like(earlier.lesions))
    found = SecondLook(model(), XrayStyle.PUBLISHED)(nothing, xray, none, RULE)
    assert found.known == ()
    np.testing.assert_array_equal(found.probability, nothing.probability)


def test_other_models_are_refused():
    with pytest.raises(ConfigError, match="looks at whole pictures"):
        require_known_lesions(model(prior=PriorWanted("earlier", lesions=True)))
    with pytest.raises(ConfigError, match="no threshold below which"):
        require_known_lesions(model(gone_threshold=None))
    with pytest.raises(ConfigError, match="--model xray --known-lesions MODEL"):
        XrayPredictor(model())
    assert SecondLook(model()).stated["thresholds"] == {"mask": 0.5, "gone": 0.5}
