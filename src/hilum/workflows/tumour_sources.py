"""What a folder of tumour CTs holds: NIfTI with masks (Medical Segmentation Decathlon), or DICOM with boxes (VOC)."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from hilum.core import Failure, Failures, HilumError, InputError, UnreadableError, UnsupportedError
from hilum.io.dicom.files import is_dicom
from hilum.io.inputs import files_in, require_path
from hilum.io.json_file import read_json
from hilum.workflows.patch_case import safe

INDEX = "dataset.json"
_TUMOUR = ("tumour", "tumor", "cancer", "nodule", "lesion", "metasta")
"""What a tumour's label is called by its beginning or within."""


@dataclass(frozen=True)
class TumourJob:
    """One CT, or a folder with some of one patient.

    Attributes:
        key: unique, and safe as a file name.
        path: a volume, or a folder with DICOM slices.
        mask: its labels; None where boxes are looked up.
        label: number of the tumour in the mask.
        annotations: folder below which boxes lie; None where there is a mask.
    """

    key: str
    path: Path
    mask: Path | None = None
    label: int = 1
    annotations: Path | None = None


@dataclass(frozen=True, eq=False)
class TumourSource:
    """What was found.

    Attributes:
        jobs: sorted by key.
        kind: "decathlon" or "boxes".
        licence: as the source says it; "" when it doesn't.
        hash: SHA-256 over names and sizes.
        failures: what can't be used.
    """

    jobs: tuple[TumourJob, ...]
    kind: str
    licence: str
    hash: str
    failures: tuple[Failure, ...] = ()


def tumour_source(src: Path, label: int | None = None) -> TumourSource:
    """Find the CTs and what marks their tumours.

    Args:
        src: a folder with `dataset.json`, `imagesTr` and `labelsTr`; or with DICOM series and Pascal-VOC files that are
            called by SOP Instance UIDs, wherever they lie below it.
        label: number of the tumour in masks; None takes the only one, or the one that is called so.

    Raises:
        InputError: there is no such folder, nothing of either kind in it, or several labels may be the tumour's.
        UnreadableError: `dataset.json` is damaged.
        UnsupportedError: it is of no CTs.
    """
    if not require_path(src).is_dir():
        raise InputError(f"{src} is a file; a folder of tumour CTs was expected.", "Name the folder.")
    return _decathlon(src, label) if (src / INDEX).is_file() else _with_boxes(src)


def _decathlon(src: Path, label: int | None) -> TumourSource:
    index, failures = read_json(src / INDEX), Failures()
    try:
        rows = [(src / row["image"], src / row["label"]) for row in index["training"]]
        labels = {int(number): str(name) for number, name in dict(index["labels"]).items()}
        modalities = [str(one) for one in dict(index.get("modality") or {}).values()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnreadableError(
            f"{src / INDEX} is no index of the Decathlon: it lacks {error}.", "It has training and labels."
        ) from error
    if modalities and not all("CT" in one.upper() for one in modalities):
        raise UnsupportedError(f"{src} holds {', '.join(modalities)}, and CT was expected.", "Take a set of CTs.")
    number = _label(labels, label, src)
    jobs = []
    for image, mask in rows:
        if image.is_file() and mask.is_file():
            jobs.append(TumourJob(safe(image.name.split(".")[0]), image, mask, number))
        else:
            lost = image if not image.is_file() else mask
            failures.add(str(lost.relative_to(src)), InputError(f"{lost} doesn't exist.", "Copy it as well."))
    _require_jobs(jobs, src)
    files = [path for job in jobs for path in (job.path, job.mask) if path is not None]
    licence = str(index.get("licence") or index.get("license") or "")
    return TumourSource(_sorted(jobs), "decathlon", licence, _hash(files, src), tuple(failures))


def _label(labels: Mapping[int, str], wanted: int | None, src: Path) -> int:
    marked = {number: name for number, name in labels.items() if number > 0}
    found = [n for n, name in marked.items() if any(word in name.lower() for word in _TUMOUR)] or list(marked)
    if wanted is not None:
        found = [wanted] if wanted in marked else []
    if len(found) != 1:
        listed = ", ".join(f"{number} {name}" for number, name in marked.items())
        raise InputError(f"which label of {src} is the tumour can't be told; it has {listed}.", "Choose one: --label.")
    return found[0]


def _with_boxes(src: Path) -> TumourSource:
    lost = Failures()
    files = files_in(src, lost)
    folders = sorted({path.parent for path in files if path.suffix.lower() != ".xml" and _is_dicom(path)})
    boxes = [path for path in files if path.suffix.lower() == ".xml"]
    if not folders or not boxes:
        raise InputError(
            f"{src} holds neither a Decathlon {INDEX}, nor DICOM with boxes (Pascal VOC, UID.xml).",
            "Name the folder that holds both the CTs and what marks their tumours.",
        )
    jobs = [
        TumourJob(safe("_".join(folder.relative_to(src).parts)) or "ct", folder, annotations=src) for folder in folders
    ]
    return TumourSource(_sorted(jobs), "boxes", "", _hash(files, src), tuple(lost))


def _is_dicom(path: Path) -> bool:
    try:
        return is_dicom(path)
    except HilumError:
        return False


@lru_cache(maxsize=1)
def box_files(folder: Path) -> Mapping[str, Path]:
    """Pascal-VOC files below a folder by the UID that names them; looked for once in a process."""
    return {path.stem: path for path in files_in(folder, Failures()) if path.suffix.lower() == ".xml"}


def _require_jobs(jobs: Iterable[Any], src: Path) -> None:
    if not any(True for _ in jobs):
        raise InputError(f"none of the CTs that {src / INDEX} names is there.", "Unpack imagesTr and labelsTr.")


def _sorted(jobs: Iterable[TumourJob]) -> tuple[TumourJob, ...]:
    return tuple(sorted(jobs, key=lambda job: job.key))


def _hash(files: Iterable[Path], src: Path) -> str:
    """Names and sizes: reading all CTs to see whether a run may go on would take as long as the run."""
    lines = (f"{path.relative_to(src)} {path.stat().st_size}\n" for path in sorted(files))
    return hashlib.sha256("".join(lines).encode()).hexdigest()
