"""The human yardstick beside predictions on LIDC's patients, in a plain folder too, as silhouettes and in 3D."""

import json

import numpy as np
import pytest

from hilum.core import Failures, Geometry, Mask
from hilum.core.figures import Figure
from hilum.evaluate.yardstick import Against, View, YardstickRow
from hilum.io import write_mask, write_png
from hilum.workflows import yardstick
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions

DICE = {View.SILHOUETTE: 0.85, View.VOLUME: 0.78}


@pytest.fixture
def asked(monkeypatch):
    """Which patients the yardstick was asked for."""
    calls = []

    def of(patients):
        calls.append(set(patients))
        rows = [
            YardstickRow(view, Against.OTHERS, "n ≥ 3", Figure("dice", value, n=2), 2) for view, value in DICE.items()
        ]
        return yardstick.Yardstick("some", tuple(rows), 2, 2, 0, Failures())

    monkeypatch.setattr(yardstick, "patients_yardstick", of)
    return calls


def written(folder, shape, whose):
    for key in ("a", "b"):
        lesion = np.zeros(shape, np.uint8)
        lesion[..., 4:9, 5:9] = 1
        for place in ("truth", "pred"):
            (folder / place).mkdir(exist_ok=True)
            if len(shape) == 2:
                write_png(lesion > 0, folder / place / f"{key}.png")
            else:
                write_mask(Mask(lesion, Geometry(shape, np.eye(4))), folder / place / f"{key}.nii.gz")
    (folder / "whose.csv").write_text("key,patient\n" + "\n".join(f"{key},{who}" for key, who in whose.items()))


def judged(folder):
    wanted = TruthWanted(folder / "truth", patients=folder / "whose.csv")
    run_evaluate(folder / "pred", wanted, folder / "out", EvaluateOptions(bootstraps=20))
    return json.loads((folder / "out" / "evaluation.json").read_text())


@pytest.mark.parametrize(("shape", "view"), [((24, 24), View.SILHOUETTE), ((6, 24, 24), View.VOLUME)])
def test_a_plain_folder_of_lidc_patients_has_the_yardstick_of_its_dimension(tmp_path, asked, shape, view):
    written(tmp_path, shape, {"a": "LIDC-IDRI-0003", "b": "LIDC-IDRI-0004"})
    found = judged(tmp_path)
    assert asked == [{"LIDC-IDRI-0003", "LIDC-IDRI-0004"}]
    assert (found["yardstick"]["compared"], found["yardstick"]["dice"]["value"]) == (view, DICE[view])
    assert f"{DICE[view]:.3f}" in (tmp_path / "out" / "report.html").read_text()


def test_one_patient_of_another_source_is_enough_to_have_none(tmp_path, asked):
    written(tmp_path, (24, 24), {"a": "LIDC-IDRI-0003", "b": "LIDC-IDRI-0004-follow-up"})
    assert judged(tmp_path)["yardstick"] is None
    assert asked == []
