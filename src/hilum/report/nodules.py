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


def size_table(nodule: Nodule, readers: Sequence[Nodule], rounded_mm: int | None) -> Table:
    """The sizes of one nodule: its consensus, then each reader's own outline.

    Args:
        nodule: the consensus, measured.
        readers: what each reader's outline measures.
        rounded_mm: the mean diameter as Fleischner compares it; None when there is none.
    """
    rows = [_row("consensus", nodule)]
    rows += [_row(f"reader {number}", one) for number, one in enumerate(readers, start=1)]
    caption = f"Nodule {nodule.id}, outlined by {nodule.reader_count} reader{'s' if nodule.reader_count != 1 else ''}."
    if rounded_mm is not None:
        caption += f" Mean diameter as Fleischner rounds it: {rounded_mm} mm."
    ratings = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in nodule.characteristics.items())
    if ratings:
        caption += f" Median ratings (LIDC's scales): {ratings}."
    return Table(_COLUMNS, rows, caption)


_SHADOW_COLUMNS: Mapping[str, str] = {
    "diameter_mm": "diameter of the shadow mm",
    "longest_chord_mm": "thickest mm",
    "contribution_mean": "adds to the line integral (mean)",
    "cnr": "contrast to noise, seen",
    "own_cnr": "its own",
    "visibility": "visibility",
}


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


_WORTH_TELLING = 0.01


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.1f}" if abs(value) >= _ONE_DIGIT else f"{value:.2f}"


_ONE_DIGIT = 10


def _row(name: str, nodule: Nodule) -> list[str]:
    volume = "–" if nodule.volume_mm3 is None else f"{nodule.volume_mm3:.0f}"
    lengths = nodule.diameters_mm
    values = (lengths.long_axis_mm, lengths.short_axis_mm, lengths.mean_mm, lengths.equivalent_mm) if lengths else ()
    cells = [f"{value:.1f}" for value in values] or ["–"] * 4
    centre = ", ".join(f"{value:.1f}" for value in nodule.centre_lps_mm) if nodule.centre_lps_mm else "–"
    return [name, volume, *cells, centre]
