"""What every DICOM object that hilum writes begins with: patient and study, UIDs, decimal strings, file meta."""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.core import OutputError
from hilum.io.dicom.files import EXPLICIT_LITTLE, files_under, is_dicom, read_header

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.dataset import FileMetaDataset

_IDENTITY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyDate", "StudyTime"),
    *("StudyID", "AccessionNumber", "ReferringPhysicianName", "StudyDescription", "PatientPosition"),
)


@contextmanager
def valid_only(path: Path) -> Iterator[None]:
    """Pydicom refuses values that the standard forbids, such as a Patient ID of more than 64 characters.

    Raises:
        OutputError: it did; the message names `path` and the reason.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            yield
    except (ValueError, TypeError, UserWarning) as error:
        raise OutputError(f"{path} was not written: DICOM forbids it: {' '.join(str(error).split())[:160]}.") from error


def new_dataset(patient: str, like: Path | None) -> "Dataset":
    """Patient and General Study (PS3.3 C.7.1.1, C.7.2.1): those of `like` where it says, else `patient` and nothing.

    Args:
        patient: Patient ID and name.
        like: a DICOM file, or a folder of them; None for a study of its own.

    Raises:
        UnreadableError: `like` can't be read.
    """
    from pydicom import Dataset

    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for keyword in _IDENTITY:
        setattr(dataset, keyword, "")
    dataset.PatientName = dataset.PatientID = patient
    if like is not None:
        header = read_header(next((file for file in files_under(like) if is_dicom(file)), like))
        for keyword in _IDENTITY:
            if header.text(keyword):
                setattr(dataset, keyword, header.text(keyword))
    return dataset


def uid(seed: str, part: str) -> str:
    """A UID of the content (2.25 and 128 bits, PS3.5 annex B.2): the same content is the same instance."""
    digest = hashlib.blake2b(f"{seed}|{part}".encode(), digest_size=16).digest()
    return f"2.25.{int.from_bytes(digest, 'big')}"


def decimal_string(number: float) -> str:
    """A number with as many digits as the 16 characters of a DS hold (PS3.5 6.2)."""
    from pydicom.valuerep import format_number_as_ds

    return str(format_number_as_ds(float(number) + 0.0))


def file_meta() -> "FileMetaDataset":
    """File meta of an uncompressed little-endian object (PS3.10 7.1)."""
    from pydicom.dataset import FileMetaDataset
    from pydicom.uid import PYDICOM_IMPLEMENTATION_UID, UID

    meta = FileMetaDataset()
    meta.TransferSyntaxUID = UID(EXPLICIT_LITTLE)
    meta.ImplementationClassUID = PYDICOM_IMPLEMENTATION_UID
    return meta
