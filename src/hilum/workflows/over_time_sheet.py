"""Some lesions of a data set over time as one picture, so that a person sees what was made (`qa.png`)."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core.changes import ChangeKind
from hilum.datasets.stored_changes import StoredChange, stored_changes
from hilum.io import read_mask, read_radiograph
from hilum.io.text_file import write_bytes
from hilum.report.over_time import PairOverTime, contact_sheet

SHEET = "qa.png"
_EACH, _LEAST_MM, _HALF_MM, _SEED = 3, 6.0, 35.0, 0


def write_sheet(cases: Sequence[Mapping[str, Any]], folder: Path, path: Path, each: int = _EACH) -> None:
    """Write the picture: some lesions of each kind, of cases drawn at random; the first of 6 mm and more there.

    Args:
        cases: the data set's records.
        folder: of the data set.
        path: of the picture.
        each: lesions of each kind.
    """
    rng, rows, missing = np.random.default_rng(_SEED), [], dict.fromkeys(ChangeKind, each)
    for place in rng.permutation(len(cases)):
        if not any(missing.values()):
            break
        wanted = {one["change"] for one in cases[place]["lesions"] if missing[ChangeKind(one["change"])]}
        found = _lesion(stored_changes(folder / cases[place]["changes"]).lesions, wanted) if wanted else None
        if found is not None:
            missing[found.kind] -= 1
            rows.append((found.kind, _pair(cases[place], folder, found)))
    order = list(ChangeKind)
    write_bytes(path, contact_sheet([pair for _, pair in sorted(rows, key=lambda row: order.index(row[0]))]))


def _lesion(lesions: Sequence[StoredChange], wanted: set[str]) -> StoredChange | None:
    large = (one for one in lesions if one.kind in wanted and np.nanmax([one.size_mm, one.prior_size_mm]) >= _LEAST_MM)
    return next(large, None)


def _pair(case: Mapping[str, Any], folder: Path, lesion: StoredChange) -> PairOverTime:
    changes = stored_changes(folder / case["changes"])
    reach = round(_HALF_MM / case["pixel_mm"][1])
    rows, columns = (slice(max(0, round(at) - reach), round(at) + reach) for at in lesion.centre_px)
    origin = "inserted" if lesion.is_synthetic else "real"
    sizes = ["none" if np.isnan(size) else f"{size:.0f} mm" for size in (lesion.prior_size_mm, lesion.size_mm)]
    return PairOverTime(
        title=f"{lesion.kind} ({origin}): {sizes[0]} before, {sizes[1]} now · {case['key'][:14]}",
        kinds={one.id: one.kind for one in changes.lesions},
        current=read_radiograph(folder / case["image"]).array,
        earlier=read_radiograph(folder / case["prior"]["earlier"]).array,
        prior=read_radiograph(folder / case["prior"]["image"]).array,
        labels=changes.labels,
        earlier_mask=read_mask(folder / case["prior"]["earlier_mask"]).labels > 0,
        prior_labels=changes.prior_labels,
        rows=rows,
        columns=columns,
    )
