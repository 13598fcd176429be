"""Some slices of a data set as one picture, so that a person sees what was made (`qa.png`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum.datasets.slice_scale import canonical
from hilum.io import read_mask, read_radiograph
from hilum.io.text_file import write_bytes
from hilum.report.slices import SliceShown, slice_sheet

SHEET = "qa.png"
_SHOWN, _SEED = 48, 0


def write_sheet(cases: Sequence[Mapping[str, Any]], folder: Path, path: Path, shown: int = _SHOWN) -> None:
    """Write the picture: the middle slices of nodules drawn at random, by reader count; negatives come first.

    Args:
        cases: the data set's records.
        folder: of the data set.
        path: of the picture.
        shown: how many slices.
    """
    of_nodule: dict[str, list[Mapping[str, Any]]] = {}
    for case in cases:
        of_nodule.setdefault(case["slice"]["nodule"] or case["key"], []).append(case)
    names = np.random.default_rng(_SEED).permutation(sorted(of_nodule))[:shown]
    chosen = [of_nodule[name][len(of_nodule[name]) // 2] for name in names]
    chosen.sort(key=lambda case: (case["slice"]["reader_count"], case["key"]))
    write_bytes(path, slice_sheet([_shown(case, folder) for case in chosen]))


def _shown(case: Mapping[str, Any], folder: Path) -> SliceShown:
    consensus, union = (read_mask(folder / case["masks"][name]).labels > 0 for name in ("consensus", "union"))
    picture = canonical(read_radiograph(folder / case["image"]).array)
    return SliceShown(f"{case['key']} n={case['slice']['reader_count']}", picture, consensus, union)
