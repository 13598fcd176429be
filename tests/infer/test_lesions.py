"""From a map to lesions: one a peak, ranked, with sizes only where millimetres are known."""

import math

import numpy as np
import pytest

from hilum.infer.lesions import LesionRule, lesions
from hilum.ops import PeakRule

RULE = LesionRule(threshold=0.5, peaks=PeakRule(lowest=0.1, apart_mm=5))


def blob(place: tuple[int, int], height: float, radius: float = 4.0, shape: tuple[int, int] = (100, 120)) -> np.ndarray:
    y, x = np.ogrid[: shape[0], : shape[1]]
    distance = np.hypot(y - place[0], x - place[1])
    return np.where(distance <= radius, height, 0).astype(np.float32)


def test_each_peak_is_a_lesion_and_the_likeliest_comes_first():
    found = lesions(blob((20, 30), 0.6) + blob((70, 90), 0.9) + blob((50, 50), 0.3), (1, 1), RULE, knows_mm=True)
    assert [round(one.score, 2) for one in found] == [0.9, 0.6, 0.3]
    assert [one.id for one in found] == ["1", "2", "3"]
    assert found[0].centre_px == pytest.approx((70, 90), abs=0.5)


def test_size_is_the_disc_s_diameter_and_only_of_what_is_marked():
    marked, listed = lesions(blob((20, 30), 0.9, 6) + blob((70, 90), 0.3, 6), (0.5, 0.5), RULE, knows_mm=True)
    pixels = int((blob((20, 30), 0.9, 6) > 0).sum())
    assert marked.characteristics["equivalent_diameter_mm"] == pytest.approx(2 * math.sqrt(pixels * 0.25 / math.pi))
    assert "equivalent_diameter_mm" not in listed.characteristics
    (unsized,) = lesions(blob((20, 30), 0.9, 6), (0.5, 0.5), RULE, knows_mm=False)
    assert not unsized.characteristics


def test_a_marked_lesion_with_two_peaks_is_one():
    two = np.maximum(blob((40, 40), 0.7, 8), np.maximum(blob((40, 36), 0.9, 2), blob((40, 46), 0.95, 2)))
    (found,) = lesions(two, (1, 1), RULE, knows_mm=True)
    assert found.score == pytest.approx(0.95)


def test_peaks_nearer_than_the_rule_says_are_one():
    near = blob((40, 40), 0.30, 1) + blob((40, 44), 0.2, 1)
    assert len(lesions(near, (1, 1), RULE, knows_mm=True)) == 1
    assert len(lesions(near, (1, 1), LesionRule(0.5, PeakRule(0.1, apart_mm=2)), knows_mm=True)) == 2


def test_nothing_is_found_where_nothing_is():
    assert lesions(np.zeros((50, 50), np.float32), (1, 1), RULE, knows_mm=True) == []


def test_pixels_of_next_to_no_size_take_no_memory_and_no_time():
    """Within reach is then the whole picture: one lesion is marked, and nothing beside it is listed."""
    marked = blob((20, 30), 0.9) + blob((70, 90), 0.3)
    (found,) = lesions(marked, (1e-4, 1e-4), RULE, knows_mm=True)
    assert found.score == pytest.approx(0.9)
