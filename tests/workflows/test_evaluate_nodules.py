"""Readers' nodules of a case, from the files that `nodules.json` names, in 2D and in 3D."""

import json
from pathlib import Path

import numpy as np
import pytest

from hilum.core import Geometry, Mask
from hilum.datasets.prepared import CaseSource
from hilum.evaluate.cases import JudgeRule
from hilum.io import write_mask
from hilum.workflows.evaluate_case import CaseJob, CaseOutcome, judge_source
from hilum.workflows.evaluate_predictions import Reading


def written(folder: Path, name: str, array: np.ndarray) -> str:
    if array.ndim == 2:
        from PIL import Image

        Image.fromarray(array).save(folder / f"{name}.png")
        return f"{name}.png"
    grid = Geometry(array.shape, np.eye(4))
    write_mask(Mask(array, grid), folder / f"{name}.nii.gz")
    return f"{name}.nii.gz"


@pytest.mark.parametrize("shape", [(24, 24), (12, 24, 24)])
def test_nodules_are_told_apart_by_their_readers(tmp_path, shape):
    three, two = np.zeros(shape, np.uint8), np.zeros(shape, np.uint8)
    three[..., 4:9, 4:9], two[..., 15:18, 15:18] = 7, 3
    votes = {7: 3, 3: 2}
    entries = [
        {
            "id": str(n),
            "reader_count": votes[bits],
            "votes": written(tmp_path, f"votes{n}", np.where(mask, votes[bits], 0).astype(np.uint8)),
            "readers": written(tmp_path, f"readers{n}", mask),
        }
        for n, (bits, mask) in enumerate(((7, three), (3, two)))
    ]
    nodules = tmp_path / "nodules.json"
    nodules.write_text(json.dumps({"schema": "hilum.nodules/1", "study": {}, "nodules": entries}))
    truth = tmp_path / written(tmp_path, "truth", ((three + two) > 0).astype(np.uint8))
    (tmp_path / "predictions").mkdir()
    written(tmp_path / "predictions", "a", (three > 0).astype(np.uint8))
    job = CaseJob(tmp_path / "predictions", Reading(), np.nan, JudgeRule())
    outcome = judge_source(CaseSource("a", "p", truth, nodules=nodules), job)
    assert isinstance(outcome, CaseOutcome), outcome
    assert [(one.readers, one.dice, one.reader_dice) for one in outcome.result.nodules] == [(3, 1, 1), (2, 0, 0)]
