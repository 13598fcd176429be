"""Writes one piece of a CT as a case of a data set: image, mask, nodules, and its record."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hilum.core import Mask, Nodule, Volume
from hilum.datasets.patch_source import PatchSource
from hilum.io import write_mask, write_volume
from hilum.io.atomic import atomic_folder
from hilum.io.nodules_file import write_nodules
from hilum.workflows.output import sha256_of

FOLDER = "cases"
IMAGE, MASK, NODULES = "image.nii.gz", "mask.nii.gz", "nodules.json"
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of a CT.

    Attributes:
        key: of the case.
        patient: whose it is.
        image: int16 HU.
        mask: of all nodules in it, on the same grid.
        about: what it is a piece of.
        nodule: the one in its middle, measured; None of a piece without one.
        odd: what a person who uses the case should know, one line each.
        study: further entries of `nodules.json`.
    """

    key: str
    patient: str
    image: Volume
    mask: Mask
    about: PatchSource
    nodule: Nodule | None = None
    odd: tuple[str, ...] = ()
    study: Mapping[str, object] = field(default_factory=dict)


def safe(name: str) -> str:
    """A name that can be a file's."""
    return _UNSAFE.sub("-", name).strip("-.")


def write_piece(piece: Piece, out: Path) -> dict[str, object]:
    """Write a piece's files, whole or not at all.

    Returns:
        Its record for the index.

    Raises:
        OutputError: the place can't be written to.
    """
    place = f"{FOLDER}/{piece.key}"
    names = [IMAGE, MASK, *([NODULES] if piece.nodule else [])]
    with atomic_folder(out / place, replace=True) as folder:
        write_volume(piece.image, folder / IMAGE)
        write_mask(piece.mask, folder / MASK)
        if piece.nodule:
            study = {"key": piece.key, "patient": piece.patient, "series": piece.about.series or None}
            write_nodules(folder / NODULES, {**study, "truth": piece.about.truth, **piece.study}, [piece.nodule])
    files = {f"{place}/{name}": sha256_of(out / place / name) for name in names}
    return {
        "key": piece.key,
        "patient": piece.patient,
        "image": f"{place}/{IMAGE}",
        "masks": {"nodule": f"{place}/{MASK}"},
        "nodules": f"{place}/{NODULES}" if piece.nodule else None,
        "patch": piece.about.record(),
        "odd": piece.odd,
        "sha256": files[f"{place}/{IMAGE}"],
        "files": files,
    }
