"""`nodules.json`: the nodules of one study (schema hilum.nodules/1)."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from hilum.core import Nodule
from hilum.io.json_file import write_json

SCHEMA = "hilum.nodules/1"


def write_nodules(
    path: Path,
    study: Mapping[str, object],
    nodules: Sequence[Nodule],
    readers: Mapping[str, Sequence[Nodule]] | None = None,
) -> None:
    """Write the nodules of a study; what isn't known is null.

    Args:
        path: the file to write.
        study: what it is, for programs: key, patient, series, …; and by which rule the nodules were measured.
        nodules: one entry each.
        readers: by nodule id, what each reader's own outline measures.

    Raises:
        OutputError: the file could not be written.
    """
    readers = readers or {}
    entries = [
        record(nodule) | ({"readers": [record(one) for one in readers[nodule.id]]} if nodule.id in readers else {})
        for nodule in nodules
    ]
    write_json(path, {"schema": SCHEMA, "study": dict(study), "nodules": entries})


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
