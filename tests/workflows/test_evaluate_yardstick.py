"""The human yardstick beside predictions on LIDC's patients, in a plain folder too, as silhouettes and in 3D."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Failures, Geometry, InputError, Mask
from hilum.core.figures import Figure
from hilum.evaluate.yardstick import Against, View, YardstickRow
from hilum.io import write_mask, write_png
from hilum.workflows import yardstick
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted, truth_source
from hilum.workflows.evaluate_plan import EvaluateOptions

DICE = {View.SILHOUETTE: 0.85, View.SLICE: 0.72, View.VOLUME: 0.78}


@pytest.fixture
def asked(monkeypatch):
    """Which patients the yardstick was asked for."""
    calls = []

    def of(patients):
        calls.append(set(patients))
        rows = [
            YardstickRow(view, Against.OTHERS, f"n ≥ 3{size}", Figure("dice", value - less, n=2), 2)
            for view, value in DICE.items()
            for size, less in (("", 0.0), (", < 8 mm", 0.1))
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


def judged(folder, view=None):
    wanted = TruthWanted(folder / "truth", patients=folder / "whose.csv", pixel_mm=(1.0, 1.0), yardstick=view)
    run_evaluate(folder / "pred", wanted, folder / "out", EvaluateOptions(bootstraps=100), force=True)
    return json.loads((folder / "out" / "evaluation.json").read_text())


def prepared(folder, whose, kind):
    cases = [
        {"key": key, "patient": patient, "image": f"{key}.png", "masks": {"mask": f"{key}.png"}}
        for key, patient in whose.items()
    ]
    splits = {"rule": "made", "hash": "abc", "train": [], "validation": list(whose.values()), "test": []}
    index = {"schema": "hilum.dataset/1", "kind": kind, "cases": cases, "splits": splits, "failures": []}
    (folder / "dataset.json").write_text(json.dumps(index))


LIDC = {"a": "LIDC-IDRI-0003", "b": "LIDC-IDRI-0004"}


@pytest.mark.parametrize(
    ("shape", "view"), [((24, 24), View.SILHOUETTE), ((24, 24), View.SLICE), ((6, 24, 24), View.VOLUME)]
)
def test_a_plain_folder_of_lidc_patients_has_the_yardstick_that_was_asked_for(tmp_path, asked, shape, view):
    written(tmp_path, shape, LIDC)
    found = judged(tmp_path, view)["yardstick"]
    assert asked == [set(LIDC.values())]
    assert (found["compared"], found["dice"]["value"]) == (view, DICE[view])
    assert [(one["name"], one["dice"]["value"]) for one in found["by_size"]] == [("< 8 mm", DICE[view] - 0.1)]
    page = (tmp_path / "out" / "report.html").read_text()
    assert f"The human yardstick: {DICE[view]:.3f}" in page
    assert f"{DICE[view] - 0.1:.3f}" in page[page.index("Dice by size: one LIDC reader") - 2000 :]


def test_a_plain_folder_has_none_unless_asked(tmp_path, asked):
    """Axial slices, silhouettes and lung masks look alike: nobody says which a folder's masks are, so it asks."""
    written(tmp_path, (24, 24), LIDC)
    found = judged(tmp_path)
    assert found["yardstick"] is None
    assert any("--yardstick silhouette, slice or volume" in note for note in found["notes"])
    assert asked == []
    written(tmp_path, (24, 24), {"a": "LIDC-IDRI-0003", "b": "somebody"})
    assert not any("yardstick" in note for note in judged(tmp_path)["notes"])


def test_a_yardstick_of_another_dimension_is_said_to_be_missing(tmp_path, asked):
    written(tmp_path, (24, 24), LIDC)
    found = judged(tmp_path, View.VOLUME)
    assert found["yardstick"] is None
    assert any("compared by 3D, and these are pictures" in note for note in found["notes"])
    assert asked == []


def test_a_yardstick_for_patients_of_another_source_is_refused(tmp_path, asked):
    written(tmp_path, (24, 24), {"a": "LIDC-IDRI-0003", "b": "LIDC-IDRI-0004-follow-up"})
    with pytest.raises(InputError, match="no patient of LIDC"):
        judged(tmp_path, View.SILHOUETTE)
    assert judged(tmp_path)["yardstick"] is None
    assert asked == []


@pytest.mark.parametrize(("kind", "view"), [("drr-pairs", View.SILHOUETTE), ("slices", View.SLICE), ("other", None)])
def test_a_data_sets_kind_says_what_readers_are_compared_by(tmp_path, kind, view):
    prepared(tmp_path, LIDC, kind)
    assert truth_source(TruthWanted(tmp_path, "validation")).yardstick is view
    prepared(tmp_path, {"a": "LIDC-IDRI-0003", "b": "somebody"}, kind)
    assert truth_source(TruthWanted(tmp_path, "validation")).yardstick is None


def test_the_terminal_says_yardstick_and_rivals_in_a_line_each(tmp_path, asked, capsys):
    written(tmp_path, (24, 24), LIDC)
    words = [str(tmp_path / "pred"), str(tmp_path / "out"), "--data", str(tmp_path / "truth")]
    words += ["--patients", str(tmp_path / "whose.csv"), "--yardstick", "slice", "--bootstraps", "100"]
    for _ in range(2):  # the second finds everything there
        assert main(["evaluate", *words]) == 0
        said = capsys.readouterr().out
        assert "yardstick, Dice            one LIDC reader 0.720 (slice, nodules n ≥ 3, others' consensus)" in said
        assert "rivals, dice_mean          all background 0.000" in said
    assert len(asked) == 1
