"""Union and consensus in one run, and zones of the lungs, from files to files."""

import json

import numpy as np
import pytest

from hilum.core import OutputError
from hilum.io import write_png
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions
from tests.evaluate.judged import disc

SHAPE = (48, 60)
AGREED, ALONE = disc(SHAPE, (12, 15), 5), disc(SHAPE, (36, 45), 4)


def written(folder, *, with_lungs=True, **masks):
    """Four patients of whom two have a nodule that one reader outlined, and nobody else."""
    lungs = np.zeros(SHAPE, bool)
    lungs[4:44, 6:26], lungs[4:44, 34:54] = True, True
    cases = []
    for n in range(4):
        names = {"union": AGREED | ALONE if n % 2 else AGREED, "consensus": AGREED, "lungs": lungs, **masks}
        for name, mask in names.items():
            write_png(mask, folder / "data" / f"{name}{n}.png")
        write_png(AGREED | ALONE, folder / "pred" / f"case{n}.png")
        kept = [name for name in names if with_lungs or name != "lungs"]
        case = {"key": f"case{n}", "patient": f"p{n}", "image": None, "nodules": None, "sha256": ""}
        cases.append({**case, "masks": {name: f"{name}{n}.png" for name in kept}, "pixel_mm": [1.0, 1.0]})
    splits = {"rule": "made", "hash": "abc", "train": [], "test": [f"p{n}" for n in range(4)]}
    index = {"schema": "hilum.dataset/1", "kind": "made", "cases": cases, "splits": splits, "failures": []}
    (folder / "data" / "dataset.json").write_text(json.dumps(index))


@pytest.fixture(autouse=True)
def undrawn(monkeypatch):
    """Drawing is most of the time, and not the question."""
    for name in ("curve_pictures", "example_pictures"):
        monkeypatch.setattr(f"hilum.workflows.evaluate_files.{name}", lambda *_: {})


def judged(folder, truth=None, out="out", **options):
    wanted = TruthWanted(folder / "data", "test", truth)
    run = run_evaluate(folder / "pred", wanted, folder / out, EvaluateOptions(bootstraps=100, **options))
    return run, json.loads((folder / out / "evaluation.json").read_text())


@pytest.mark.parametrize("truth", [None, "union"])
def test_the_consensus_stands_beside_the_union_and_is_what_its_own_run_gives(tmp_path, truth):
    written(tmp_path)
    _, both = judged(tmp_path, truth)
    _, alone = judged(tmp_path, "consensus", "alone")
    (beside,) = both["by_truth"]
    assert (both["truth"], beside["name"]) == ("union", "consensus")
    assert alone["by_truth"] == []
    for name, figure in beside["figures"].items():
        assert figure == alone["figures"][name]
    rivals = {one["name"]: one["figures"] for one in beside["rivals"]}
    assert {"all background", "all foreground"} <= rivals.keys()
    for one in alone["rivals"]:
        assert rivals[one["name"]] == one["figures"]
    assert "The same rivals by the truth “consensus”" in (tmp_path / "out" / "report.html").read_text()
    names = {"dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image", "hd95_mm", "nsd_2mm"}
    assert names <= beside["figures"].keys()
    assert beside["figures"]["false_positives_per_image"]["value"] == 1
    assert both["figures"]["false_positives_per_image"]["value"] == 0.5
    assert "union" in (tmp_path / "out" / "report.html").read_text()


def test_both_truths_have_one_threshold(tmp_path):
    written(tmp_path)
    for n in range(4):
        write_png((40_000 * AGREED + 20_000 * ALONE).astype(np.uint16), tmp_path / "pred" / f"case{n}.png")
    for threshold, false in ((0.2, 1), (0.5, 0)):
        _, found = judged(tmp_path, out=f"at{threshold}", threshold=threshold)
        figures = found["by_truth"][0]["figures"]
        assert figures["false_positives_per_image"]["value"] == false
        assert figures["dice_mean"]["value"] == (1 if threshold == 0.5 else pytest.approx(2 * 81 / (81 + 81 + 49)))


def test_another_consensus_is_another_run(tmp_path):
    written(tmp_path)
    judged(tmp_path)
    assert judged(tmp_path)[0].was_done
    write_png(ALONE, tmp_path / "data" / "consensus0.png")
    with pytest.raises(OutputError):
        judged(tmp_path)


def test_lungs_name_the_zones_and_without_them_thirds_do(tmp_path):
    written(tmp_path)
    run, found = judged(tmp_path)
    assert found["places"] == "zones of the lung field"
    some = {one["name"]: one["figures"]["lesion_sensitivity"]["n"] for one in found["by_place"]}
    assert {name: n for name, n in some.items() if n} == {"right upper zone": 4, "left lower zone": 2}
    assert found["truth"] == "union"
    assert run.evaluation.truth == "union"
    written(tmp_path, with_lungs=False)
    _, found = judged(tmp_path, out="thirds")
    assert found["places"] == "thirds of the picture"
    some = {one["name"]: one["figures"]["lesion_sensitivity"]["n"] for one in found["by_place"]}
    assert {name: n for name, n in some.items() if n} == {"top left": 4, "bottom right": 2}
    assert "bottom right" in (tmp_path / "thirds" / "report.html").read_text()


def test_masks_beside_the_truth_that_are_of_another_picture_are_listed(tmp_path):
    written(tmp_path)
    write_png(disc((20, 20), (10, 10), 3), tmp_path / "data" / "consensus0.png")
    write_png(disc((20, 20), (10, 10), 3), tmp_path / "data" / "lungs1.png")
    run, _ = judged(tmp_path)
    assert [one.input for one in run.failures] == ["case0", "case1"]
    assert all("20 × 20 pixels, the truth 48 × 60" in one.error for one in run.failures)
