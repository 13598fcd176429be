"""Free-response curves of parts of the lesions: false marks of all images, weighted together they are the whole."""

import numpy as np
import pytest

from hilum.evaluate.case_lesions import Marks
from hilum.evaluate.detection import froc_of_part, froc_points
from hilum.evaluate.evaluation import resamples_of
from hilum.evaluate.points import PointLesion, PointPrediction, PointTruth, judge_points

SHAPE = (100, 100)


def some_cases(count=30, seed=0):
    """Films of none to two lesions of three subtleties; marks on some of them, and elsewhere."""
    rng = np.random.default_rng(seed)
    cases = []
    for number in range(count):
        centres = [(20.0, 20.0), (70.0, 70.0)][: int(rng.integers(0, 3))]
        lesions = [PointLesion(centre, 12.0, float(rng.integers(1, 4))) for centre in centres]
        hits = [lesion for lesion in lesions if rng.random() < 0.2 + 0.25 * lesion.subtlety]
        places = [hit.centre for hit in hits] + [(45.0 + k, 5.0) for k in range(int(rng.integers(0, 3)))]
        points = np.array(places).reshape(-1, 2)
        marks = Marks(points, rng.random(len(points)), np.full(len(points), 8.0))
        truth = PointTruth(lesions, SHAPE, (1.0, 1.0))
        cases.append(judge_points(f"c{number}", f"p{number}", truth, PointPrediction(marks, marks, is_scored=True)))
    return cases


def test_parts_weighted_by_their_lesions_are_the_whole():
    cases = some_cases()
    draw = resamples_of(cases, 20, 0)
    whole = froc_points(cases, draw)
    parts = [froc_of_part(cases, draw, lambda one, level=level: one.subtlety == level) for level in (1, 2, 3)]
    for rate, figure in whole.items():
        assert sum(part[rate].n for part in parts) == figure.n
        mean = sum(part[rate].value * part[rate].n for part in parts) / figure.n
        assert mean == pytest.approx(figure.value)
        assert all(part[rate].low <= part[rate].value <= part[rate].high for part in parts)
    assert froc_of_part(cases, draw, lambda one: one.size_mm > 0)["1"].value == whole["1"].value


def test_a_part_without_lesions_has_no_curve():
    cases = some_cases()
    assert froc_of_part(cases, resamples_of(cases, 5, 0), lambda one: one.subtlety == 9) == {}
