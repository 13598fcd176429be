"""A whole CT that a data set is made of: what it is called, whose it is, a hash of its files."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hilum.core import InputError
from hilum.datasets.splits import is_held_out, leading_lidc_patient
from hilum.io.dicom.series import Series, choose_ct
from hilum.io.inputs import require_path
from hilum.io.kinds import VOLUMES, recognise
from hilum.workflows.output import sha256_of
from hilum.workflows.patch_case import safe

_ENDINGS = (".nii.gz", ".nii", ".mhd", ".mha", ".nrrd")


@dataclass(frozen=True)
class WholeCt:
    """A CT's files.

    Attributes:
        path: of it.
        name: safe as a file name.
        lidc: whose it is, of LIDC-IDRI's patients, where that is known.
        hash: of its files.
        uid: of its series; None where it is no DICOM.
    """

    path: Path
    name: str
    lidc: str | None
    hash: str
    uid: str | None = None


def whole_ct(path: Path, uid: str | None = None) -> WholeCt:
    """What is known of a DICOM folder, NIfTI or MHD before it is read.

    Args:
        path: of it.
        uid: which DICOM series, where there are several, or the end of its UID.

    Raises:
        InputError: it is missing, or of a held-out patient.
    """
    series = _series(path, uid)
    name = _name(path)
    lidc = leading_lidc_patient(series.patient or "") if series else leading_lidc_patient(name)
    if lidc is not None and is_held_out(lidc):
        raise InputError(f"{path} is of {lidc}, who is held out.", "Take another patient's CT.")
    return WholeCt(path, name, lidc, ct_hash(path, series), series.uid if series else None)


def _series(path: Path, uid: str | None) -> Series | None:
    require_path(path)
    if path.is_file() and recognise(path) in VOLUMES:
        return None
    return choose_ct(path, uid)


def _name(path: Path) -> str:
    name = path.absolute().name
    ending = next((one for one in _ENDINGS if name.lower().endswith(one)), "")
    return safe(name[: len(name) - len(ending)]) or "ct"


def ct_hash(path: Path, series: Series | None) -> str:
    """SHA-256 of all files of a CT, whatever their names.

    Args:
        path: of a file that is no DICOM; its voxels may stand beside it.
        series: a DICOM series; None for such a file.
    """
    files = series.files if series else (path, *(path.with_suffix(end) for end in (".raw", ".zraw")))
    return hashlib.sha256("".join(sorted(sha256_of(one) for one in files if one.is_file())).encode()).hexdigest()
