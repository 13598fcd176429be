"""Temperatures of films by classes: what is three times too sure is made right, and unknown pixels have no say."""

import numpy as np
import pytest
from scipy.special import softmax

from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import LABELS
from hilum.evaluate.presence import Limit
from hilum.measure import LungRoles
from hilum.train.card_classes import class_sections
from hilum.train.class_facts import ClassFacts, calibrated
from hilum.train.class_judging import Said

TOO_SURE = 3.0
FACTS = ClassFacts({1: "lung", 2: "finding"})


def drawn(rng, logits):
    """One of each row's classes, as often as it is likely."""
    return (softmax(logits, axis=-1).cumsum(axis=-1) > rng.random(logits.shape[:-1])[..., None]).argmax(axis=-1)


def test_pixels_are_made_as_sure_as_they_are_right():
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1.5, (3, 60, 50, 3))
    truth = drawn(rng, logits).astype(np.uint8)
    weight = np.ones(truth.shape, dtype=np.float32)
    weight[:, :20] = 0
    truth[:, :20] = 0  # where nobody knows
    films = [
        ClassSample(str(at), str(at), np.zeros((60, 50), dtype=np.float32), truth[at], weight[at]) for at in range(3)
    ]
    said = Said([np.moveaxis(softmax(TOO_SURE * one, axis=-1), -1, 0) for one in logits])
    found = calibrated(said, films, FACTS, gates=False)
    assert found.facts.temperature == pytest.approx(TOO_SURE, rel=0.05)
    assert found.said.classes[0] == pytest.approx(np.moveaxis(softmax(logits[0], axis=-1), -1, 0), abs=0.03)


def finding_on(rows, *, has, at):
    """A film of 10 × 10 pixels, all of it lung, and a network that marks the finding on the first rows of it."""
    likely = np.full((3, 10, 10), 0.1)
    likely[1] = 0.8
    likely[:, :rows] = np.array([0.1, 0.2, 0.7])[:, None, None]
    truth = np.ones((10, 10), dtype=np.uint8)
    truth[:2] = 2 if has else 1
    return likely, ClassSample(str(at), str(at), np.zeros((10, 10), np.float32), truth, np.ones((10, 10), np.float32))


def test_a_finding_is_marked_from_where_it_tells_validation_films_apart():
    """One row of a finding that isn't there, three where it is. Probabilities stay; films with unknown pixels choose
    nothing, and on those nothing is marked where nobody knows.
    """
    pairs = [finding_on(3 if at < 6 else 1, has=at < 6, at=at) for at in range(12)]
    pairs.append(finding_on(2, has=True, at=12))
    pairs[-1][1].weight[0] = 0
    said, films = Said([one for one, _ in pairs]), [film for _, film in pairs]
    facts = ClassFacts({1: "lung", 2: "finding"}, LungRoles((1, 2), (2,)))
    found = calibrated(said, films, facts, gates=False)
    assert found.facts.limits == {2: Limit(20.0, 0.0, 1.0)}
    marked = [found.marked(place, film) for place, film in enumerate(films)]
    assert [(one == 2).sum() for one in marked] == [30] * 6 + [0] * 6 + [10]
    assert [(one == 0).sum() for one in marked] == [0] * 12 + [10]
    assert all(one[2].max() > 0.5 for one in found.said.classes)
    assert found.facts.record()["limits"] == {2: {"percent": 20.0, "shut_out": 0.0, "kept_out": 1.0}}


def test_a_card_says_what_limits_shut_out():
    limits = {2: Limit(1.234, 0.04, 0.5), 3: Limit(0.0), 4: Limit(0.001, 0.0, 1.0), 5: Limit(0.0, 0.0, 0.0)}
    names = {1: "lung", 2: "ground glass", 3: "consolidation", 4: "effusion", 5: "nodule"}
    card = "\n".join(class_sections(ClassFacts(names, limits=limits), None))
    assert "- ground glass: from 1.23 % on; that shuts out 4% of those films, and 50% of those on which it is" in card
    assert "- consolidation: any pixel of it counts, since it is rightly marked on fewer than 5 of these films" in card
    assert "- effusion: from less than 0.01 % on; that shuts out 0% of those films, and 100% of" in card
    assert "- nodule: any pixel of it counts, since no limit would keep out" in card


def test_labels_have_a_temperature_of_their_own():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1.5, (1500, len(LABELS)))
    truth = drawn(rng, logits)
    plane = np.zeros((1, 1), dtype=np.float32)
    films = [
        ClassSample(str(at), str(at), plane, plane.astype(np.uint8), plane, LABELS[one]) for at, one in enumerate(truth)
    ]
    films += [ClassSample("unsaid", "unsaid", plane, plane.astype(np.uint8), plane)] * 50
    sure = softmax(TOO_SURE * np.concatenate([logits, np.full((50, len(LABELS)), 0.0)]), axis=1)
    found = calibrated(Said(labels=sure), films, FACTS, gates=False)
    assert found.facts.label_temperature == pytest.approx(TOO_SURE, rel=0.1)
    assert np.isnan(found.facts.temperature)
