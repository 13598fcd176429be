"""A temperature from validation to test: fitted there, applied here, and never on the same patients unsaid."""

import json

import numpy as np
import pytest

from hilum.core import InputError
from hilum.io import write_png
from hilum.metrics.calibration import tempered
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions
from tests.evaluate.judged import disc

SHARPNESS = 2.5
SHAPE = (40, 40)


@pytest.fixture
def dataset(tmp_path):
    """Eight patients; probabilities that were right are stored too sure."""
    rng = np.random.default_rng(0)
    spot, cases = disc(SHAPE, (20, 20), 11), []
    for n in range(8):
        right = np.where(spot, rng.uniform(0.05, 0.9, SHAPE), 0.005)
        write_png(rng.uniform(size=SHAPE) < right, tmp_path / "data" / f"case{n}.png")
        stored = np.rint(65535 * tempered(right, 1 / SHARPNESS)).astype(np.uint16)
        write_png(stored, tmp_path / "pred" / f"case{n}.png")
        case = {"key": f"case{n}", "patient": f"p{n}", "image": None, "masks": {"union": f"case{n}.png"}}
        cases.append({**case, "nodules": None, "pixel_mm": [1.0, 1.0], "sha256": ""})
    splits = {"rule": "made", "seed": None, "hash": "abc", "train": []}
    splits |= {"validation": [f"p{n}" for n in range(5)], "test": [f"p{n}" for n in range(5, 8)]}
    index = {"schema": "hilum.dataset/1", "kind": "made", "cases": cases, "splits": splits, "failures": []}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(index))
    return tmp_path


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Drawing is most of the time, and not the question."""
    for name in ("curve_pictures", "example_pictures"):
        monkeypatch.setattr(f"hilum.workflows.evaluate_files.{name}", lambda *_: {})


def evaluated(folder, split, out, **options):
    wanted = TruthWanted(folder / "data", split)
    options = EvaluateOptions(threshold=0.5, bootstraps=100, **options)
    return run_evaluate(folder / "pred", wanted, folder / out, options)


def test_the_curves_have_both(dataset, monkeypatch):
    given = []
    monkeypatch.setattr("hilum.workflows.evaluate_files.curve_pictures", lambda *some: given.append(some[2]) or {})
    evaluated(dataset, "validation", "val")
    evaluated(dataset, "test", "test", temperature_from=dataset / "val")
    plain, at_temperature = given
    assert plain.reliability_before is None
    assert at_temperature.reliability_before.error > at_temperature.reliability.error


def record(folder, out):
    return json.loads((folder / out / "evaluation.json").read_text())


def test_validation_fits_and_test_applies(dataset):
    validation = evaluated(dataset, "validation", "val").evaluation
    assert validation.fitted.value == pytest.approx(SHARPNESS, rel=0.15)
    assert validation.temperature is None
    assert "ece_before" not in validation.figures
    fitted = record(dataset, "val")["fitted_temperature"]
    assert (fitted["value"], fitted["fitted_on"]) == (validation.fitted.value, "made abc, validation")
    assert fitted["loss_after"] < fitted["loss_before"]

    plain = evaluated(dataset, "test", "plain").evaluation
    test = evaluated(dataset, "test", "test", temperature_from=dataset / "val").evaluation
    assert record(dataset, "test")["temperature"] == fitted
    assert record(dataset, "test")["fitted_temperature"] is record(dataset, "plain")["temperature"] is None
    for name in ("ece", "brier", "ace_mean"):
        before = name.replace("_mean", "") + "_before" + ("_mean" if "_mean" in name else "")
        assert test.figures[before].value == pytest.approx(plain.figures[name].value)
        assert test.figures[name].value < test.figures[before].value
    for name in ("dice_mean", "roc_auc_pooled", "average_precision_mean", "lesion_sensitivity"):
        assert test.figures[name] == plain.figures[name]
    assert "temperature_on_reported" not in [alarm.name for alarm in test.alarms]
    page = (dataset / "test" / "report.html").read_text()
    assert "at the temperature" in page
    assert "--temperature-from" in (dataset / "val" / "report.html").read_text()


def test_another_temperature_is_another_run_and_the_same_is_done(dataset):
    evaluated(dataset, "validation", "val")
    options = {"temperature_from": dataset / "val"}
    first = evaluated(dataset, "test", "out", **options)
    again = evaluated(dataset, "test", "out", **options)
    assert (first.was_done, again.was_done) == (False, True)
    assert again.evaluation.temperature == first.evaluation.temperature


def test_the_patients_that_it_was_fitted_on_ring(dataset):
    evaluated(dataset, "validation", "val")
    same = evaluated(dataset, "validation", "same", temperature_from=dataset / "val").evaluation
    (rung,) = [alarm for alarm in same.alarms if alarm.name == "temperature_on_reported"]
    assert rung.evidence == tuple(f"p{n}" for n in range(5))
    assert not rung.is_note


def test_only_an_evaluation_of_validation_has_a_temperature(dataset):
    evaluated(dataset, "test", "test")
    with pytest.raises(InputError, match="of the split 'test'"):
        evaluated(dataset, "validation", "out", temperature_from=dataset / "test")
    for n in range(8):
        write_png(np.zeros(SHAPE, bool), dataset / "masks" / f"case{n}.png")
    wanted = TruthWanted(dataset / "data", "validation")
    run_evaluate(dataset / "masks", wanted, dataset / "val", EvaluateOptions(bootstraps=100))
    with pytest.raises(InputError, match="fitted no temperature"):
        evaluated(dataset, "test", "out", temperature_from=dataset / "val")


def test_masks_have_nothing_to_apply_it_to_and_probabilities_without_error_have_none(dataset):
    evaluated(dataset, "validation", "val")
    for n in range(8):
        write_png(disc(SHAPE, (20, 20), 5), dataset / "masks" / f"case{n}.png")
    options = EvaluateOptions(temperature_from=dataset / "val", bootstraps=100)
    found = run_evaluate(dataset / "masks", TruthWanted(dataset / "data", "test"), dataset / "out", options).evaluation
    assert "temperature_unused" in [alarm.name for alarm in found.alarms]
    assert found.temperature is None
    for n in range(8):
        truth = disc(SHAPE, (20, 20), 5 + n)
        write_png(truth, dataset / "data" / f"case{n}.png")
        write_png((65535 * (0.2 + 0.5 * truth)).astype(np.uint16), dataset / "pred" / f"case{n}.png")
    assert evaluated(dataset, "validation", "sure").evaluation.fitted is None
    assert any("no temperature was fitted" in note for note in record(dataset, "sure")["notes"])
