"""What a volume file holds, in a person's words."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.core import Geometry
from hilum.core.volume import OUTSIDE_HU, Voxels
from hilum.io.description import Description
from hilum.io.stored import StoredVolume, is_whole
from hilum.io.volumes import read_stored
from hilum.io.words import geometry_notes, grid_facts, grid_line, number

MOST_LABELS = 255
_FEW_LABELS = 16
_EVEN = 0.6
"""A grey picture's neighbours rarely agree; those in the 118 organs of the sample CT do in nine of ten voxels."""
_LUNG_HU = -500


@dataclass(frozen=True)
class Values:
    """What is known about a volume's numbers.

    Attributes:
        low: smallest finite value.
        high: largest finite value.
        nonfinite: how many are NaN or infinite.
        counts: voxels by label, when all are whole, 0 or more and at most 255; None otherwise.
        evenness: share of voxels other than 0 whose neighbour along x has the same value.
    """

    low: float
    high: float
    nonfinite: int
    counts: tuple[int, ...] | None
    evenness: float = 0.0

    @classmethod
    def of(cls, array: Voxels) -> "Values":
        """Look at all values of [z, y, x], slice by slice."""
        finite = [slab[np.isfinite(slab)] if array.dtype.kind == "f" else slab.ravel() for slab in array]
        filled = [slab for slab in finite if slab.size]
        if not filled:
            return cls(np.nan, np.nan, array.size, None)
        low, high = float(min(slab.min() for slab in filled)), float(max(slab.max() for slab in filled))
        nonfinite = array.size - sum(slab.size for slab in finite)
        labels = low >= 0 and high <= MOST_LABELS and not nonfinite
        if not labels or not is_whole(array):
            return cls(low, high, nonfinite, None)
        counts = sum(np.bincount(slab.astype(np.uint8), minlength=MOST_LABELS + 1) for slab in filled)
        return cls(low, high, nonfinite, tuple(int(n) for n in np.asarray(counts)), _evenness(array))

    @property
    def look_like_hu(self) -> bool:
        """Whether they reach down to lung and up to tissue, as a CT's do."""
        return self.low <= _LUNG_HU and self.high >= 0

    @property
    def are_blank(self) -> bool:
        """Whether there is but one value, or none that is a number."""
        return bool(np.isnan(self.low) or self.low == self.high)

    @property
    def look_like_labels(self) -> bool:
        """Whether they are whole numbers with background, few or in even regions: labels, not grey values."""
        if self.counts is None or self.counts[0] == 0:
            return False
        present = sum(n > 0 for n in self.counts)
        return 1 < present <= _FEW_LABELS or (present > _FEW_LABELS and self.evenness > _EVEN)


def holds_labels(stored: StoredVolume) -> bool:
    """Whether a volume file is a mask: its numbers look like labels, or it is 8-bit and empty."""
    values = Values.of(stored.array if (stored.slope, stored.intercept) == (1, 0) else stored.values())
    return values.look_like_labels or (stored.array.dtype == np.uint8 and values.are_blank)


def _evenness(array: Voxels) -> float:
    same = sum(int(((slab[:, 1:] == slab[:, :-1]) & (slab[:, 1:] != 0)).sum()) for slab in array)
    return same / max(1, int(np.count_nonzero(array)))


def describe_volume(path: Path) -> Description:
    """What a NIfTI, MetaImage or NRRD file holds; raises like `read_stored`."""
    stored = read_stored(path)
    array = stored.array if (stored.slope, stored.intercept) == (1, 0) else stored.values()
    values, geometry = Values.of(array), stored.geometry
    is_mask = values.look_like_labels
    kind = (
        "mask" if is_mask else "CT volume" if values.look_like_hu else "blank volume" if values.are_blank else "volume"
    )
    what = _labels(values, geometry) if is_mask else _range(values)
    summary = f"{stored.format}, {grid_line(geometry)}, {what}, axes {geometry.axis_codes}"
    odd = (
        *stored.odd,
        *geometry_notes(geometry, is_ct=kind == "CT volume"),
        *(() if is_mask else _value_notes(values)),
    )
    return Description(str(path), kind, summary, odd, _facts(stored, values, kind))


def _value_notes(values: Values) -> tuple[str, ...]:
    """What is odd about numbers that ought to be HU."""
    notes = []
    if values.are_blank:
        return ("all values are the same, or none is a number: there is no picture in it",)
    if values.nonfinite:
        notes.append(f"{values.nonfinite} values are not numbers (NaN or infinite)")
    if values.low >= 0 and values.high <= 255:
        notes.append("all values are in 0…255: display values or a mask, not HU")
    elif values.low >= 0:
        notes.append("no value is below 0: not HU, or stored without its offset of −1024")
    elif values.low > _LUNG_HU:
        notes.append(
            f"no value is below {number(_LUNG_HU)}: air and lung are missing, so these are hardly HU of a chest"
        )
    elif values.low < OUTSIDE_HU:
        notes.append(f"values go below {number(OUTSIDE_HU)} HU: padding outside the scanner's field, or not HU")
    return tuple(notes)


def _range(values: Values) -> str:
    unit = "HU" if values.look_like_hu else "values"
    return f"{unit} {number(values.low)}…{number(values.high)}"


def _labels(values: Values, geometry: Geometry) -> str:
    present = [(label, n) for label, n in enumerate(values.counts or ()) if n and label]
    shown = [f"{label} ({n * geometry.voxel_mm3 / 1000:.3g} ml)" for label, n in present[:5]]
    more = f" and {len(present) - 5} more" if len(present) > 5 else ""
    return f"label{'' if len(present) == 1 else 's'} {', '.join(shown)}{more}"


def _facts(stored: StoredVolume, values: Values, kind: str) -> dict[str, object]:
    geometry = stored.geometry
    labels = {str(label): n for label, n in enumerate(values.counts or ()) if n and label}
    return {
        "format": stored.format,
        "stored_type": str(stored.array.dtype),
        **grid_facts(geometry),
        "value_range": [values.low, values.high],
        **(
            {"label_voxels": labels, "label_names": {str(k): v for k, v in stored.names.items()}}
            if kind == "mask"
            else {}
        ),
    }
