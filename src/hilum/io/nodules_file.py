"""`nodules.json`: the nodules of one study (schema hilum.nodules/1)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core import Diameters, KnownLesion, Nodule, UnreadableError
from hilum.io.json_file import read_json, write_json

SCHEMA = "hilum.nodules/1"


@dataclass(frozen=True)
class StudyNodules:
    """What a `nodules.json` says.

    Attributes:
        study: what it is of: key, patient, series, …
        nodules: the nodules; what is null or absent is None.
        entries: all that stands there of each of them, in the same order.
    """

    study: Mapping[str, Any]
    nodules: tuple[Nodule, ...]
    entries: tuple[Mapping[str, Any], ...]


def read_nodules(path: Path) -> StudyNodules:
    """The nodules of a `nodules.json`.

    Raises:
        InputError: there is no such file.
        UnreadableError: it is another file, or damaged.
    """
    content = read_json(path)
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise UnreadableError(f"{path} is no nodules.json: {SCHEMA} was expected.", "Check that it is the right file.")
    try:
        entries = tuple(content["nodules"])
        return StudyNodules(dict(content.get("study") or {}), tuple(map(_nodule, entries)), entries)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(f"{path} is damaged: {type(error).__name__}, {error}.", "Write it anew.") from error


def write_nodules(
    path: Path,
    study: Mapping[str, object],
    nodules: Sequence[Nodule],
    readers: Mapping[str, Sequence[Nodule]] | None = None,
    known: Sequence[KnownLesion] | None = None,
) -> None:
    """Write the nodules of a study; what isn't known is null.

    Args:
        path: the file to write.
        study: what it is, for programs: key, patient, series, …; and by which rule the nodules were measured.
        nodules: one entry each.
        readers: by nodule id, what each reader's own outline measures.
        known: lesions known from before, and what became of them; None when nobody looked.

    Raises:
        OutputError: the file could not be written.
    """
    readers = readers or {}
    entries = [
        record(nodule) | ({"readers": [record(one) for one in readers[nodule.id]]} if nodule.id in readers else {})
        for nodule in nodules
    ]
    said = {} if known is None else {"known": [lesion.record() for lesion in known]}
    write_json(path, {"schema": SCHEMA, "study": dict(study), "nodules": entries, **said})


def record(nodule: Nodule) -> dict[str, object]:
    """One nodule as it stands in the file."""
    lengths = nodule.diameters_mm
    place = {"centre_px": nodule.centre_px} if nodule.centre_px else {"centre_lps_mm": nodule.centre_lps_mm}
    return {
        "id": nodule.id,
        **place,
        "volume_mm3": nodule.volume_mm3,
        "long_axis_mm": lengths.long_axis_mm if lengths else None,
        "short_axis_mm": lengths.short_axis_mm if lengths else None,
        "mean_diameter_mm": lengths.mean_mm if lengths else None,
        "equivalent_diameter_mm": lengths.equivalent_mm if lengths else None,
        "score": nodule.score,
        "texture": nodule.texture,
        "reader_count": nodule.reader_count,
        "characteristics": dict(nodule.characteristics),
        "uncertainty": dict(nodule.uncertainty),
    }


def _nodule(entry: Mapping[str, Any]) -> Nodule:
    lengths = [_number(entry, name) for name in ("long_axis_mm", "short_axis_mm", "equivalent_diameter_mm")]
    known = [length for length in lengths if length is not None]
    readers = entry.get("reader_count")
    return Nodule(
        str(entry["id"]),
        centre_lps_mm=_numbers(entry, "centre_lps_mm", 3),
        centre_px=_numbers(entry, "centre_px", 2),
        volume_mm3=_number(entry, "volume_mm3"),
        diameters_mm=Diameters(*known) if len(known) == len(lengths) else None,
        texture=_number(entry, "texture"),
        reader_count=None if readers is None else int(readers),
        score=_number(entry, "score"),
        characteristics=dict(entry.get("characteristics") or {}),
        uncertainty=dict(entry.get("uncertainty") or {}),
    )


def _number(entry: Mapping[str, Any], name: str) -> float | None:
    value = entry.get(name)
    return None if value is None else float(value)


def _numbers(entry: Mapping[str, Any], name: str, count: int) -> Any:
    """A place of two or three numbers."""
    values = entry.get(name)
    if values is None:
        return None
    if len(values) != count:
        raise ValueError(f"{name} has {count} numbers, not {len(values)}")
    return tuple(float(value) for value in values)
