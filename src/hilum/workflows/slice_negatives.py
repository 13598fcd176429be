"""Slices without a nodule, from a tumour CT with Pascal-VOC boxes: found, cropped and written as cases."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from hilum.core import InputError, UnreadableError, Volume
from hilum.datasets.slice_negatives import Box, NegativeCrop, NegativeRule, negative_crops
from hilum.datasets.splits import is_lidc_patient
from hilum.io import write_png
from hilum.io.atomic import atomic_folder
from hilum.io.dicom.files import read_header
from hilum.io.dicom.series import Series, choose_ct
from hilum.io.dicom.volume import volume_of
from hilum.workflows.evaluate_data import folder_hash
from hilum.workflows.output import sha256_of
from hilum.workflows.slice_case import CONSENSUS, FOLDER, IMAGE, UNION, case_record
from hilum.workflows.track import Track

UNKNOWN_LICENCE = "negatives: as their source says"
_LARGEST_XML = 2**20
_EDGES = ("xmin", "xmax", "ymin", "ymax")


@dataclass(frozen=True)
class NegativesFrom:
    """Where negatives come from.

    Attributes:
        folder: of the CT's DICOM series.
        boxes: folder with one Pascal-VOC XML for each slice with a tumour, named by its SOP Instance UID.
        licence: of both, with the source's name, for cards.
        rule: where crops are taken.
    """

    folder: Path
    boxes: Path
    licence: str = UNKNOWN_LICENCE
    rule: NegativeRule = field(default_factory=NegativeRule)


@dataclass(frozen=True, eq=False)
class NegativeSource:
    """A CT that negatives are taken of.

    Attributes:
        patient: as DICOM names them.
        series: the slices.
        boxes: by index of the slice.
        crop_yx: size of a crop.
        licence: of the CT.
        rule: where crops are taken.
        hash: SHA-256 of the CT's files and the boxes.
    """

    patient: str
    series: Series
    boxes: Mapping[int, Sequence[Box]]
    crop_yx: tuple[int, int]
    licence: str
    rule: NegativeRule
    hash: str

    @property
    def name(self) -> str:
        """Of all its slices, safe as a file name."""
        return f"negatives-{re.sub('[^A-Za-z0-9_.-]', '_', self.patient)}"


def negative_source(wanted: NegativesFrom, crop_yx: Sequence[int]) -> NegativeSource:
    """Find the CT and its boxes.

    Raises:
        InputError: a folder is missing, the CT is of LIDC or of nobody, or no box belongs to it.
        UnreadableError: a box's file is damaged.
    """
    for folder in (wanted.folder, wanted.boxes):
        if not folder.is_dir():
            raise InputError(f"{folder} is no folder.", "Negatives need a CT's folder and that of its boxes.")
    series = choose_ct(wanted.folder, None)
    if not series.patient or is_lidc_patient(series.patient):
        raise InputError(
            f"the negatives' CT is of {series.patient or 'nobody'}; negatives are of named patients beside LIDC's.",
            "Give another CT.",
        )
    boxes = boxes_of(series, {path.stem: path for path in wanted.boxes.glob("*.xml")})
    if not any(boxes.values()):
        raise InputError(
            f"none of the boxes in {wanted.boxes} belongs to a slice of {wanted.folder}.",
            "Boxes are named by the slice's SOP Instance UID: UID.xml.",
        )
    files = hashlib.sha256("\n".join(sha256_of(path) for path in series.files).encode()).hexdigest()
    return NegativeSource(
        patient=series.patient,
        series=series,
        boxes=boxes,
        crop_yx=(crop_yx[0], crop_yx[1]),
        licence=wanted.licence,
        rule=wanted.rule,
        hash=f"{files} boxes {folder_hash(wanted.boxes)}",
    )


def boxes_of(series: Series, files: Mapping[str, Path]) -> dict[int, tuple[Box, ...]]:
    """The boxes that belong to a series, by the index of the slice.

    Args:
        series: the slices.
        files: Pascal-VOC files, by the SOP Instance UID that names them; of other series, too.

    Raises:
        InputError: a file can't be read.
        UnreadableError: a file is damaged.
    """
    uids = (read_header(plane.pixels.path).text("SOPInstanceUID") for plane in series.slices)
    return {index: _boxes(files[uid]) for index, uid in enumerate(uids) if uid in files}


def _boxes(path: Path) -> tuple[Box, ...]:
    """The boxes of a Pascal-VOC file: first and last column, first and last row."""
    try:
        content = path.read_bytes()
        if len(content) > _LARGEST_XML or b"<!DOCTYPE" in content or b"<!ENTITY" in content:
            raise UnreadableError(f"{path} is no Pascal-VOC file.", "Take it away.")
        found = ElementTree.fromstring(content).iter("bndbox")  # noqa: S314 - entities are refused above
        numbers = [
            [round(float(box.findtext(name) or "")) for name in ("xmin", "xmax", "ymin", "ymax")] for box in found
        ]
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.", "Check the boxes' folder.") from error
    except (ElementTree.ParseError, ValueError) as error:
        raise UnreadableError(f"{path} is no Pascal-VOC file: {error}.", "Get a sound copy.") from error
    return tuple((x0, x1, y0, y1) for x0, x1, y0, y1 in numbers)


def negative_cases(source: NegativeSource, out: Path, track: Track) -> list[dict[str, Any]]:
    """All crops of the CT, one case each.

    Raises:
        HilumError: the CT can't be read, is not in HU, or has no body.
        OutputError: the place can't be written to.
    """
    ct = volume_of(source.series)
    crops = negative_crops(ct, source.boxes, source.crop_yx, source.rule)
    named = [(f"{source.name}_{number:04}", crop) for number, crop in enumerate(crops)]
    return [_case(key, crop, source, ct, out) for key, crop in track(named, "Negatives")]


def _case(key: str, crop: NegativeCrop, source: NegativeSource, ct: Volume, out: Path) -> dict[str, Any]:
    """Stretched as the nodules' crops are; the HU of its ends are kept, so that nothing has to be estimated."""
    low, high = float(crop.hu.min()), float(crop.hu.max())
    levels = np.rint((crop.hu - low) / max(high - low, 1) * 255).astype(np.uint8)
    with atomic_folder(out / FOLDER / key, replace=True) as folder:
        write_png(levels, folder / IMAGE)
        for name in (UNION, CONSENSUS):
            write_png(np.zeros(levels.shape, dtype=bool), folder / name)
    z_mm, _, pixel_mm = ct.geometry.spacing_zyx_mm
    about = {
        "nodule": "",
        "reader_count": 0,
        "number": crop.slice_index,
        "step_mm": z_mm,
        "hu_ends": [low, high],
        "hu_ends_are": "known",
    }
    case = case_record(key, source.patient, pixel_mm, about, out, (IMAGE, UNION, CONSENSUS))
    return case | {"source": {"patient": source.patient, "licence": source.licence, "corner_px": crop.corner}}
