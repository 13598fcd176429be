"""What a folder offers to make DRR pairs of: published pairs, or CTs of LIDC patients."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from hilum.core import Failure, Failures, HilumError, InputError, UnreadableError
from hilum.datasets.drr_pairs import MASK, PICTURE, pair_folder, pair_name
from hilum.datasets.splits import is_held_out
from hilum.io.inputs import files_in, require_path
from hilum.io.kinds import VOLUMES, Kind, recognise

_PATIENT = re.compile(r"LIDC-IDRI-\d{4}(?!\d)", re.ASCII)
_VOLUME_ENDINGS = (".nii", ".nii.gz", ".mhd", ".mha", ".nrrd", ".dcm")
"""What a file that is called so has to hold; content that is something else is damage."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class Job:
    """One thing to make pairs of.

    Attributes:
        key: unique, and safe as a file name.
        patient: "LIDC-IDRI-0001" and so on.
        path: the picture of a published pair, a volume file, or a folder with one DICOM series.
        series_uid: of a DICOM series; "" when nobody says.
    """

    key: str
    patient: str
    path: Path
    series_uid: str = ""

    @property
    def folder(self) -> str:
        """Where the pair lies in the published layout."""
        return pair_folder(self.patient)


@dataclass(frozen=True)
class Sources:
    """What was found.

    Attributes:
        jobs: sorted by key.
        are_pairs: whether they are published pairs, not CTs.
        without_ct: folders with sound DICOM but no CT. They are told like failures but don't count towards their limit:
            LIDC's own archive has a chest X-ray beside the CT of many a patient.
        left_out: keys of held-out patients, sorted: they are in no data set.
        hash: SHA-256 over what decides the result: of pairs the content, of CTs names and sizes, because reading
            them all to see whether a run may go on would take as long as the run.
    """

    jobs: tuple[Job, ...]
    are_pairs: bool
    without_ct: tuple[Failure, ...]
    left_out: tuple[str, ...]
    hash: str


class _NoCtError(InputError):
    """A folder holds DICOM, and none of it is a CT."""


def find_sources(src: Path, failures: Failures) -> Sources:
    """Everything below a folder that pairs can be made of; what can't be told is recorded.

    Where there is a `…_drr.png`, the folder is the published layout. Otherwise every NIfTI, MetaImage or NRRD file and
    every folder that holds DICOM CT slices itself is a CT. The patient is the LIDC name in the path, the last one if
    there are several, or else DICOM's Patient ID. Links are followed. A file that is called like a volume and isn't,
    and a link that leads nowhere are failures.

    Raises:
        InputError: there is no such folder, or nothing of either kind in it.
        TooManyFailuresError: more can't be told than is allowed.
    """
    lost = Failures()
    files = files_in(require_path(src), lost)
    for one in lost:
        failures.add(str(Path(one.input).relative_to(src)), InputError(one.error, one.remedy))
    pictures = [path for path in files if path.name.endswith(PICTURE)]
    without_ct = Failures()
    found = [*_pairs(pictures, src, failures)] if pictures else [*_cts(files, src, failures, without_ct)]
    if not found and not len(failures) and not len(without_ct):
        raise InputError(
            f"{src} holds neither published pairs (…{PICTURE}) nor CTs (DICOM, NIfTI, MHD/MHA, NRRD).",
            "Name the folder that holds them.",
        )
    jobs = _unique(sorted(found, key=lambda job: (job.key, str(job.path))))
    held_out = tuple(job.key for job in jobs if is_held_out(job.patient))
    rest = tuple(job for job in jobs if not is_held_out(job.patient))
    return Sources(rest, bool(pictures), tuple(without_ct), held_out, _hash(pictures, files, src))


def _pairs(pictures: Iterable[Path], src: Path, failures: Failures) -> Iterable[Job]:
    for path in pictures:
        try:
            name = pair_name(path.name)
            if not mask_beside(path).is_file():
                raise InputError(f"{path.name} has no mask beside it.", f"Copy {mask_beside(path).name} as well.")
        except HilumError as error:
            failures.add(str(path.relative_to(src)), error)
        else:
            yield Job(name.key, name.patient, path)


def mask_beside(picture: Path) -> Path:
    """The mask that belongs to a pair's picture."""
    return picture.with_name(picture.name.removesuffix(PICTURE) + MASK)


def _cts(files: Iterable[Path], src: Path, failures: Failures, without_ct: Failures) -> Iterable[Job]:
    dicom_folders: dict[Path, list[Path]] = {}
    for path in files:
        try:
            kind = recognise(path)
            if kind in VOLUMES:
                yield _ct_job(path, src, "", "")
            elif kind is Kind.DICOM:
                dicom_folders.setdefault(path.parent, []).append(path)
            elif path.name.lower().endswith(_VOLUME_ENDINGS):
                raise UnreadableError(f"{path} is called like a volume, and is {kind.phrase}.", "Get a sound copy.")
        except HilumError as error:
            failures.add(str(path.relative_to(src)), error)
    for folder, slices in dicom_folders.items():
        try:
            yield _dicom_job(folder, slices, src)
        except _NoCtError as error:
            without_ct.add(str(folder.relative_to(src)), error)
        except HilumError as error:
            failures.add(str(folder.relative_to(src)), error)


def _dicom_job(folder: Path, slices: Iterable[Path], src: Path) -> Job:
    """The first CT slice tells what a folder holds; several series in it are refused when it is read."""
    from hilum.io.dicom import read_header

    others = set()
    for path in slices:
        header = read_header(path)
        if header.text("Modality") == "CT":
            return _ct_job(folder, src, header.text("PatientID"), header.text("SeriesInstanceUID"))
        others.add(header.text("Modality") or "none given")
    raise _NoCtError(
        f"{folder} holds DICOM files, and no CT (modality: {', '.join(sorted(others))}).",
        "Leave the folder out of the source, or get the CT.",
    )


def _ct_job(path: Path, src: Path, patient_id: str, series_uid: str) -> Job:
    """Raises InputError when nobody says whose CT it is, or path and header say different things."""
    relative = path.relative_to(src)
    in_path, in_header = _PATIENT.findall(str(relative)), _PATIENT.findall(patient_id)
    if in_path and in_header and in_path[-1] != in_header[-1]:
        raise InputError(
            f"{relative} is named {in_path[-1]}, and its DICOM Patient ID is {in_header[-1]}.",
            "Find out whose it is: one of them may be a held-out patient.",
        )
    named = in_path or in_header or _PATIENT.findall(src.name)
    if not named:
        raise InputError(
            f"{relative} doesn't say whose CT it is: neither its name nor a DICOM Patient ID is LIDC-IDRI-….",
            "Name the file or its folder like LIDC-IDRI-0001; without it there is no truth to attach.",
        )
    stem = "_".join((*relative.parts[:-1], relative.name.split(".")[0] if path.is_file() else relative.name))
    rest = _UNSAFE.sub("-", stem.replace(named[-1], "")).strip("-._")
    return Job(f"{named[-1]}_{rest}" if rest else named[-1], named[-1], path, series_uid)


def _unique(jobs: Iterable[Job]) -> tuple[Job, ...]:
    """The same jobs; where two would have one key, later ones get a number."""
    seen: Counter[str] = Counter()
    result = []
    for job in jobs:
        seen[job.key] += 1
        result.append(job if seen[job.key] == 1 else replace(job, key=f"{job.key}~{seen[job.key]}"))
    return tuple(result)


def _hash(pictures: Iterable[Path], files: Iterable[Path], src: Path) -> str:
    digest = hashlib.sha256()
    pairs = [path for picture in pictures for path in (picture, mask_beside(picture))]
    for path in pairs or files:
        digest.update(f"{path.relative_to(src)}\n".encode())
        if not pairs:
            digest.update(f"{path.stat().st_size}\n".encode())
        elif path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()
