"""Nodules as tables."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from hilum.core import Nodule
from hilum.report.page import Table

_COLUMNS = (
    "",
    "volume mm³",
    "long axis mm",
    "short axis mm",
    "mean diameter mm",
    "equivalent mm",
    "centre x, y, z (LPS mm)",
)
_SCALES: Mapping[str, str] = {
    "subtlety": "1 extremely subtle … 5 obvious",
    "internal_structure": "1 soft tissue, 2 fluid, 3 fat, 4 air",
    "calcification": "1 popcorn, 2 laminated, 3 solid, 4 non-central, 5 central, 6 absent",
    "sphericity": "1 linear … 3 ovoid … 5 round",
    "margin": "1 poorly defined … 5 sharp",
    "lobulation": "1 none … 5 marked",
    "spiculation": "1 none … 5 marked",
    "texture": "1 non-solid … 3 part-solid … 5 solid",
    "malignancy": "1 highly unlikely … 5 highly suspicious (an impression, no diagnosis)",
}
"""LIDC's scales in words (Armato 2011, table of nodule characteristics)."""
_SHADOW_COLUMNS: Mapping[str, str] = {
    "diameter_mm": "diameter of the shadow mm",
    "longest_chord_mm": "thickest mm",
    "contribution_mean": "adds to the line integral (mean)",
    "cnr": "contrast to noise, seen",
    "own_cnr": "its own",
    "visibility": "visibility",
}
_WORTH_TELLING = 0.01
_ONE_DIGIT = 10


def size_table(nodule: Nodule, readers: Sequence[Nodule], rounded_mm: int | None, remark: str = "") -> Table:
    """The sizes of one nodule: its consensus, then each reader's own outline.

    Args:
        nodule: the consensus, measured.
        readers: what each reader's outline measures.
        rounded_mm: the mean diameter as Fleischner compares it; None when there is none.
        remark: a sentence to add, such as that it is a mass.
    """
    rows = [_row("consensus", nodule)]
    rows += [_row(f"reader {number}", one) for number, one in enumerate(readers, start=1)]
    caption = f"Nodule {nodule.id}, outlined by {nodule.reader_count} reader{'s' if nodule.reader_count != 1 else ''}."
    if rounded_mm is not None:
        caption += f" Mean diameter as Fleischner rounds it: {rounded_mm} mm."
    return Table(_COLUMNS, rows, f"{caption} {remark}".rstrip())


def rating_table(nodule: Nodule, readers: Sequence[Nodule]) -> Table:
    """LIDC's ratings: all readers together (median; the most frequent name), each reader, and what the numbers mean."""
    rows = []
    for name, scale in _SCALES.items():
        ratings = [one.characteristics.get(name) for one in (nodule, *readers)]
        rows.append([name.replace("_", " "), *("–" if value is None else f"{value:g}" for value in ratings), scale])
    heads = ("rating", "together", *(f"reader {number}" for number in range(1, len(readers) + 1)), "scale")
    return Table(heads, rows, f"How the readers rated nodule {nodule.id}.")


def nodule_line(nodule: Nodule, middle_x_mm: float) -> str:
    """One sentence for the top of a page: side, volume with the readers' range, axes, readers.

    Args:
        nodule: with the readers' range as its uncertainty.
        middle_x_mm: the x (LPS) that parts the patient's right from the left.
    """
    if nodule.diameters_mm is None or nodule.volume_mm3 is None or nodule.centre_lps_mm is None:
        return f"Nodule {nodule.id}: too small to enclose a voxel."
    side = "left" if nodule.centre_lps_mm[0] > middle_x_mm else "right"
    bounds = [nodule.uncertainty.get(f"volume_mm3_{word}", math.nan) for word in ("low", "high")]
    lengths = nodule.diameters_mm
    return (
        f"Nodule {nodule.id}, on the patient's {side}: {_ml(nodule.volume_mm3)} ml (readers {_ml(bounds[0])} to "
        f"{_ml(bounds[1])}), {lengths.long_axis_mm:.1f} × {lengths.short_axis_mm:.1f} mm, outlined by "
        f"{nodule.reader_count} of 4 readers."
    )


def _ml(volume_mm3: float) -> str:
    return f"{volume_mm3 / 1000:.2g}"


def shadow_table(shadows: Sequence[tuple[str, Mapping[str, Any]]]) -> Table:
    """What nodules' shadows measure.

    Args:
        shadows: id of each nodule, and its figures by name; among them `overlap`, shares by organ.
    """
    rows = []
    for name, figures in shadows:
        hidden = [f"{organ} {share:.0%}" for organ, share in figures["overlap"].items() if share >= _WORTH_TELLING]
        cells = [_number(figures[column]) for column in _SHADOW_COLUMNS]
        rows.append([f"nodule {name}", *cells, ", ".join(hidden) or "–"])
    caption = "The shadows on the X-ray; lengths in the nodule's plane."
    return Table(("", *_SHADOW_COLUMNS.values(), "overlaps with"), rows, caption)


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}" if abs(value) >= _ONE_DIGIT else f"{value:.2f}"


def _row(name: str, nodule: Nodule) -> list[str]:
    volume = "–" if nodule.volume_mm3 is None else f"{nodule.volume_mm3:.0f}"
    lengths = nodule.diameters_mm
    values = (lengths.long_axis_mm, lengths.short_axis_mm, lengths.mean_mm, lengths.equivalent_mm) if lengths else ()
    cells = [f"{value:.1f}" for value in values] or ["–"] * 4
    centre = ", ".join(f"{value:.1f}" for value in nodule.centre_lps_mm) if nodule.centre_lps_mm else "–"
    return [name, volume, *cells, centre]
