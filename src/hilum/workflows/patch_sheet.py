"""Some pieces of a data set as one picture, so that a person sees what was made (`qa.png`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum.datasets.patch_sample import HARD, POSITIVE, RANDOM
from hilum.datasets.slice_scale import WINDOWS
from hilum.io import read_mask, read_volume
from hilum.io.text_file import write_bytes
from hilum.ops import to_lps_axes
from hilum.report.slices import SliceShown, slice_sheet

SHEET = "qa.png"
_SHOWN = {POSITIVE: 32, RANDOM: 8, HARD: 16}
_SYNTHETIC = "synthetic"
"""In the truth of nodules that were put there."""
_SEED = 0
_TITLE = 24
"""Letters of a key that fit above a picture."""


def write_sheet(cases: Sequence[Mapping[str, Any]], folder: Path, path: Path) -> None:
    """Write the picture: the middle axial slices of pieces drawn at random, nodules first, then the other kinds.

    Args:
        cases: the data set's records.
        folder: of the data set.
        path: of the picture.
    """
    rng, chosen = np.random.default_rng(_SEED), []
    for kind, most in _SHOWN.items():
        own = sorted((case for case in cases if case["patch"]["kind"] == kind), key=lambda case: str(case["key"]))
        chosen += [own[place] for place in sorted(rng.permutation(len(own))[:most].tolist())]
    common = [remark for remark in chosen[0]["odd"] if all(remark in case["odd"] for case in chosen)]
    caption = "; ".join(["middle axial slices, with the truth", *common])
    write_bytes(path, slice_sheet([_shown(case, folder) for case in chosen], caption))


def _shown(case: Mapping[str, Any], folder: Path) -> SliceShown:
    ct = to_lps_axes(read_volume(folder / case["image"])).array
    truth = to_lps_axes(read_mask(folder / case["masks"]["nodule"])).labels > 0
    middle, (low, high) = len(ct) // 2, WINDOWS["lung"]
    picture = np.clip((ct[middle].astype(np.float64) - low) / (high - low), 0, 1)
    made = " synthetic" if _SYNTHETIC in case["patch"]["truth"] and case["patch"]["nodule"] else ""
    title = f"{case['key'][-_TITLE:]} {case['patch']['kind']}{made}"
    return SliceShown(title, picture, truth[middle], np.zeros_like(truth[middle]))
