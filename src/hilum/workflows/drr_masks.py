"""Nodules on a picture as files: their masks, and what nodules.json says of them."""

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, count
from pathlib import Path

from hilum.drr.figures import Cast
from hilum.io.nodules_file import record
from hilum.io.raster import write_png

_LONGEST_NAME = 80


def entries(casts: Sequence[Cast]) -> list[dict[str, object]]:
    """Every nodule of a picture as it stands in nodules.json: size and place, then what its shadow measures."""
    return [_entry(cast, stem) for cast, stem in zip(casts, _stems(casts), strict=True)]


def write_masks(casts: Sequence[Cast], folder: Path) -> None:
    """One PNG (0 and 255) for each nodule in view and each of its readers."""
    for cast, stem in zip(casts, _stems(casts), strict=True):
        if cast.shadow is not None and cast.in_view:
            write_png(cast.shadow.silhouette, folder / _mask_name(stem))
        for number, one in enumerate(cast.readers, start=1):
            if one.is_seen:
                write_png(one.silhouette, folder / _mask_name(stem, number))


def _entry(cast: Cast, stem: str) -> dict[str, object]:
    readers = [_mask_name(stem, number) for number, one in enumerate(cast.readers, start=1) if one.is_seen]
    return {
        **record(replace(cast.subject.nodule, centre_px=None)),
        "centre_px": cast.centre_px,
        "in_view": cast.in_view,
        "note": cast.subject.note or None,
        "warning": cast.warning or None,
        "mask": _mask_name(stem) if cast.in_view else None,
        "reader_masks": readers,
        "shadow": cast.figures,
    }


def _mask_name(stem: str, reader: int | None = None) -> str:
    return f"masks/{_file_name(stem, reader)}.png"


def _file_name(stem: str, reader: int | None) -> str:
    return f"{stem}-reader-{reader}" if reader else stem


def _stems(casts: Sequence[Cast]) -> list[str]:
    """Files are named after the nodules; where two names or ids are the same (in any case), a number follows."""
    taken: set[str] = set()
    stems = []
    for cast in casts:
        safe = "nodule-" + re.sub(r"[^A-Za-z0-9_.-]", "_", cast.subject.nodule.id)[:_LONGEST_NAME]
        for stem in chain([safe], (f"{safe}-{number}" for number in count(2))):
            files = {_file_name(stem, reader).lower() for reader in range(len(cast.readers) + 1)}
            if not files & taken:
                break
        taken |= files
        stems.append(stem)
    return stems
