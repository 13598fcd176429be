"""Numbers and grids in a person's words, the same for every format."""

from collections.abc import Iterable, Sequence

import numpy as np

from hilum.core import Geometry

_THICK_MM = 3.0
"""Above this, guidelines call sections too thick for small nodules (Bankier 2017: 1.5 mm or less is wanted)."""
_ANISOTROPIC = 5.0
_SMALL_MM = 100.0
"""An adult's chest is some 300 mm wide: less is a crop."""


def grid_line(geometry: Geometry) -> str:
    """Voxels, their size and the extent, x first as people say it."""
    voxels, steps, sizes = geometry.shape_zyx[::-1], geometry.spacing_zyx_mm[::-1], geometry.size_zyx_mm[::-1]
    each = " × ".join(f"{step:.3f}" for step in steps)
    return f"{times(voxels, 0)} voxels of {each} mm ({times(sizes, 1)} mm)"


def geometry_notes(geometry: Geometry, *, is_ct: bool) -> tuple[str, ...]:
    """What is odd about a grid, one line each."""
    notes = []
    if 1 in geometry.shape_zyx:
        notes.append("it is flat: one slice is no CT volume")
    notes += resolution_notes(geometry, is_ct=is_ct)
    if np.linalg.det(geometry.directions) < 0:
        notes.append(f"left-handed: index axes run {geometry.axis_codes}, a mirror image when shown without its affine")
    if max(geometry.size_zyx_mm) < _SMALL_MM and 1 not in geometry.shape_zyx:
        notes.append(f"small: {times(geometry.size_zyx_mm[::-1], 1)} mm is no whole chest")
    return (*notes, *_direction_notes(geometry))


def resolution_notes(geometry: Geometry, *, is_ct: bool) -> tuple[str, ...]:
    """What is odd about the size of a grid's voxels, one line each; only a CT is judged by what nodules need."""
    steps, notes = geometry.spacing_zyx_mm, []
    slice_mm = steps[geometry.axial_axis]
    if is_ct and slice_mm > _THICK_MM:
        notes.append(f"thick slices ({number(slice_mm, 1)} mm): small nodules are missed or measured badly above 3 mm")
    if max(steps) > _ANISOTROPIC * min(steps):
        notes.append(f"its voxels are {number(max(steps) / min(steps), 1)} times as long as they are wide")
    return tuple(notes)


def _direction_notes(geometry: Geometry) -> tuple[str, ...]:
    axes, notes = geometry.directions, []
    skew = np.abs(axes.T @ axes - np.eye(3)).max()
    if skew > 1e-3:
        off = number(float(np.degrees(np.arcsin(min(1.0, skew)))), 1)
        notes.append(f"sheared: its axes are up to {off}° off a right angle")
    oblique = np.degrees(np.arccos(np.clip(np.abs(axes).max(axis=0), 0, 1))).max()
    if oblique > 1 and skew <= 1e-3:
        notes.append(f"oblique: turned {number(oblique, 1)}° against the patient's axes")
    return tuple(notes)


def grid_facts(geometry: Geometry) -> dict[str, object]:
    """A grid for programs: JSON-ready."""
    return {
        "shape_zyx": list(geometry.shape_zyx),
        "spacing_zyx_mm": list(geometry.spacing_zyx_mm),
        "size_zyx_mm": list(geometry.size_zyx_mm),
        "affine_lps": geometry.affine_lps.tolist(),
        "orientation": geometry.axis_codes,
        "frame_uid": geometry.frame_uid,
    }


def number(value: float, digits: int = 3) -> str:
    """A number for people: at most so many decimals, no needless zeros, a true minus sign."""
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:.0f}"
    return text.replace("-0", "0") if text in ("-0",) else text.replace("-", "−")


def times(values: Sequence[float], digits: int = 3) -> str:
    """Sizes for people, "512 × 512 × 133"."""
    return " × ".join(number(value, digits) for value in values)


def count(number_of: int, thing: str) -> str:
    """How many of a thing, "1 slice", "2 slices"."""
    return f"{number_of} {thing}{'' if number_of == 1 else 's'}"


def listed(names: Iterable[str], most: int = 4) -> str:
    """Names for people: the first few, "unnamed" for empty ones, and "…" where more follow."""
    known = [name or "unnamed" for name in names]
    return ", ".join(known[:most]) + (", …" if len(known) > most else "")
