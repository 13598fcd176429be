"""Free-response figures of two models: differences are those of the figures, exchanges those of a plain loop."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from hilum.core.evaluation import CaseMarks, CaseRow, Evaluation, Threshold
from hilum.evaluate.comparison import compare_evaluations
from hilum.evaluate.free_response import RATE_NAMES, TwoModels, compare_free_response, detections_of, on_false_scale
from hilum.metrics.froc import RATES, average_precision, froc_curve, sensitivity_at, wafroc


def drawn_marks(seed, cases=12, skill=1.0, scale=1.0):
    """Two images a patient, every third without a lesion; hits score higher by `skill`."""
    rng = np.random.default_rng(seed)
    found = {}
    for n in range(cases):
        lesions = 0 if n % 3 == 2 else int(np.random.default_rng(n).integers(1, 4))
        hit = int(rng.binomial(lesions, 0.7))
        hits = scale * (rng.normal(skill, 1, hit)).round(1)
        false = scale * rng.normal(0, 1, rng.integers(0, 4)).round(1)  # rounded: ties happen
        found[f"k{n}"] = CaseMarks(tuple(hits.tolist()), lesions - hit, tuple(false.tolist()))
    return found


def rows(cases=12):
    return [CaseRow(f"k{n}", f"p{n // 2}") for n in range(cases)]


def figures(marks):
    found = detections_of([marks[row.key] for row in rows()])
    at = sensitivity_at(froc_curve(found), RATES)
    return {
        "wafroc": wafroc(found),
        "lesion_average_precision": average_precision(found),
        "cpm": at.mean(),
        **dict(zip(RATE_NAMES, at, strict=True)),
    }


def compared(first, second, number=2**6):
    return compare_free_response(TwoModels.of(rows(), first, second), np.random.default_rng(0), 60, number)


@pytest.mark.parametrize("seed", range(4))
def test_the_scale_of_false_marks_changes_no_figure(seed):
    found = detections_of(list(drawn_marks(seed).values()))
    scaled = on_false_scale(found)
    assert average_precision(scaled) == pytest.approx(average_precision(found))
    assert wafroc(scaled) == pytest.approx(wafroc(found))
    assert sensitivity_at(froc_curve(scaled), RATES) == pytest.approx(sensitivity_at(froc_curve(found), RATES))


def test_differences_are_those_of_the_figures():
    first, second = drawn_marks(1), drawn_marks(2, skill=2.0, scale=50)
    expected = {name: figures(second)[name] - value for name, value in figures(first).items()}
    found = {one.difference.name: one.difference for one in compared(first, second)}
    assert {name: one.value for name, one in found.items()} == pytest.approx(expected)
    assert all(one.low <= one.high for one in found.values())


def test_p_is_the_share_of_exchanges_that_differ_as_much():
    """A plain loop over all 2⁶ exchanges of six patients' marks, on the common scale."""
    first, second = drawn_marks(1), drawn_marks(2, skill=2.5)

    def scaled(marks):
        flat = on_false_scale(detections_of([marks[row.key] for row in rows()]))
        return {
            f"k{n}": CaseMarks(
                tuple(flat.score[(flat.scan == n) & flat.is_hit]),
                marks[f"k{n}"].missed,
                tuple(flat.score[(flat.scan == n) & ~flat.is_hit]),
            )
            for n in range(12)
        }

    both = scaled(first), scaled(second)
    seen = []
    for swap in product((0, 1), repeat=6):
        here, there = ({f"k{n}": both[side ^ swap[n // 2]][f"k{n}"] for n in range(12)} for side in (0, 1))
        seen.append({name: figures(there)[name] - value for name, value in figures(here).items()})
    for one in compared(first, second):
        name = one.difference.name
        as_large = [abs(each[name]) >= abs(seen[0][name]) - 1e-12 for each in seen]
        assert one.permutation_p == pytest.approx(np.mean(as_large)), name


def test_twins_in_other_units_do_not_differ():
    scored = drawn_marks(3)
    twin = {
        key: replace(one, hits=tuple(np.exp(one.hits)), false=tuple(np.exp(one.false))) for key, one in scored.items()
    }
    for one in compared(scored, twin):
        assert one.difference.value == pytest.approx(0, abs=1e-12)
        assert one.permutation_p == 1


def test_p_is_uniform_without_a_difference():
    """Two detectors of one skill and other scales: p below .2 in about a fifth of the trials."""
    p = []
    for trial in range(60):
        pair = drawn_marks(2 * trial + 100), drawn_marks(2 * trial + 101, scale=9)
        p.append([one.permutation_p for one in compared(*pair)][:3])
    assert np.all(np.abs(np.mean(np.array(p) < 0.2, axis=0) - 0.2) < 0.16)  # three standard errors of 60 trials


def model(marks, figure="wafroc"):
    values = {"lesions": 1.0, "false_positives": 0.0, "lesion_sensitivity": 1.0}
    cases = tuple(CaseRow(row.key, row.patient, values) for row in rows())
    about = {"data": "made", "split": "test", "split_hash": "", "truth": "points", "threshold": Threshold()}
    return Evaluation(**about, figures={figure: None}, cases=cases, marks=marks, truth_hash="f00d")


def test_the_same_marks_with_worse_scores_are_seen_to_be_worse():
    """Nothing at the operating point differs; what differs is which marks are sure."""
    good = {f"k{n}": CaseMarks((0.9,), 0, (0.1 + n / 1000,)) if n % 3 else CaseMarks((), 0, (0.2,)) for n in range(12)}
    bad = {key: CaseMarks((0.1,) * len(one.hits), 0, (0.9,)) for key, one in good.items()}
    found = compare_evaluations({"good": model(good), "bad": model(bad), "twin": model(good)}, samples=40)
    wafrocs = {(one.first, one.second): one for one in found.versus if one.figure == "wafroc"}
    assert wafrocs["good", "bad"].paired.difference.value == pytest.approx(-1)
    assert wafrocs["good", "bad"].paired.permutation_p == pytest.approx(3 * 2 / 2**6)  # Holm over three pairs
    assert wafrocs["good", "twin"].paired.permutation_p == 1
    assert wafrocs["good", "bad"].verdict.startswith("WAFROC area: ")
    assert all(one.paired.permutation_p == 1 for one in found.versus if one.figure == "lesion_sensitivity")


def test_models_without_scored_marks_are_said_not_to_be_compared_by_them():
    found = compare_evaluations({"scored": model(drawn_marks(1)), "masks": model({}, "dice_mean")}, samples=20)
    assert not any(one.figure in ("wafroc", "cpm") for one in found.versus)
    (note,) = [alarm for alarm in found.alarms if alarm.name == "marks_not_compared"]
    assert note.evidence == ("masks",)
