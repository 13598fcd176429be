"""Makes the cases of one nodule of a data set of slices: pictures, masks and readers, as files and as records."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError, Nodule
from hilum.core.mask import Selection
from hilum.datasets.drr_pairs import silhouette_centre
from hilum.datasets.slice_file import LEVEL, NoduleStack
from hilum.datasets.slice_point import box_centre
from hilum.datasets.slice_scale import estimated_ends
from hilum.io import write_json, write_png
from hilum.io.atomic import atomic_folder
from hilum.io.nodules_file import SCHEMA, record
from hilum.measure import disc_diameter_mm
from hilum.workflows.output import sha256_of

FOLDER = "cases"
IMAGE, UNION, CONSENSUS, VOTES, READERS = "image.png", "union.png", "consensus.png", "votes.png", "readers.png"
NODULES = "nodules.json"


@dataclass(frozen=True)
class SliceSteps:
    """Distances in mm.

    Attributes:
        pixel_mm: side of a pixel.
        slice_mm: from slice to slice; None when nobody knows.

    Raises:
        ValueError: a number that can't be.
    """

    pixel_mm: float
    slice_mm: float | None

    def __post_init__(self) -> None:
        if not 0 < self.pixel_mm < 10 or (self.slice_mm is not None and not 0 < self.slice_mm < 100):
            raise ValueError(f"steps of {self.pixel_mm:g} and {self.slice_mm} mm can't be")


def stack_cases(stack: NoduleStack, steps: SliceSteps, out: Path) -> list[dict[str, object]]:
    """All slices of one nodule, one case each.

    Returns:
        A record for the index of each.

    Raises:
        InputError: no reader has a pixel of it, or a crop is one grey all over.
        OutputError: the place can't be written to.
    """
    if not stack.reader_count:
        raise InputError("no reader has a pixel of it on any slice.", "Leave it out: it is no nodule.")
    flat = [stack.key(z) for z, image in enumerate(stack.images) if image.min() == image.max()]
    if flat:
        raise InputError(f"every pixel of {flat[0]} has one level.", "Crop it from the CT again.")
    votes, agreed = stack.votes(), stack.consensus()
    return [_case(stack, z, steps, votes[z], agreed[z], out) for z in range(len(stack.slices))]


def _case(
    stack: NoduleStack, z: int, steps: SliceSteps, votes: NDArray[np.uint8], agreed: Selection, out: Path
) -> dict[str, object]:
    key = stack.key(z)
    with atomic_folder(out / FOLDER / key, replace=True) as folder:
        write_png(stack.images[z], folder / IMAGE)
        write_png(votes > 0, folder / UNION)
        write_png(agreed, folder / CONSENSUS)
        write_png(votes, folder / VOTES)
        write_png(_renumbered(stack, z), folder / READERS)
        write_json(folder / NODULES, _nodules(stack, z, steps, votes, agreed))
    about = {
        "nodule": stack.name,
        "reader_count": stack.reader_count,
        "number": stack.slices[z],
        "step_mm": steps.slice_mm,
        "point_px": box_centre(stack.votes() > 0),
        "hu_ends": estimated_ends(stack.images[z]),
        "hu_ends_are": "estimated",
    }
    names = (IMAGE, UNION, CONSENSUS, VOTES, READERS, NODULES)
    return case_record(key, stack.patient, steps.pixel_mm, about, out, names) | {"nodules": f"{FOLDER}/{key}/{NODULES}"}


def case_record(
    key: str, patient: str, pixel_mm: float, about: dict[str, object], out: Path, names: Sequence[str]
) -> dict[str, object]:
    """A case's entry in the index, with the hash of each of its files."""
    files = {f"{FOLDER}/{key}/{name}": sha256_of(out / FOLDER / key / name) for name in names}
    return {
        "key": key,
        "patient": patient,
        "image": f"{FOLDER}/{key}/{IMAGE}",
        "masks": {"union": f"{FOLDER}/{key}/{UNION}", "consensus": f"{FOLDER}/{key}/{CONSENSUS}"},
        "pixel_mm": [pixel_mm, pixel_mm],
        "slice": about,
        "sha256": files[f"{FOLDER}/{key}/{IMAGE}"],
        "files": files,
    }


def _renumbered(stack: NoduleStack, z: int) -> NDArray[np.uint8]:
    """Bits of the readers who outlined the nodule, from 0 without gaps: reader k of n."""
    bits = [mask[z].astype(np.uint8) << k for k, mask in enumerate(stack.drawn)]
    return np.asarray(np.bitwise_or.reduce(bits), dtype=np.uint8)


def _nodules(
    stack: NoduleStack, z: int, steps: SliceSteps, votes: NDArray[np.uint8], agreed: Selection
) -> dict[str, object]:
    study = {
        "key": stack.key(z),
        "patient": stack.patient,
        "nodule": stack.name,
        "consensus": LEVEL,
        "pixel_mm": [steps.pixel_mm, steps.pixel_mm],
        "votes": "pixel = how many readers have it",
        "readers": "bit k of a pixel: reader k of the nodule has it",
        "equivalent_diameter_mm": "of the disc with the consensus' area on this slice",
    }
    if not votes.any():
        return {"schema": SCHEMA, "study": study, "nodules": []}
    nodule = Nodule(stack.name, centre_px=silhouette_centre(votes > 0), reader_count=stack.reader_count)
    area_mm2 = int(agreed.sum()) * steps.pixel_mm**2
    size = {"equivalent_diameter_mm": disc_diameter_mm(area_mm2) if area_mm2 else None}
    entry = record(nodule) | size | {"votes": VOTES, "readers": READERS}
    return {"schema": SCHEMA, "study": study, "nodules": [entry]}
