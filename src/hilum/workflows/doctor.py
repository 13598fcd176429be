"""What is installed, what is missing, and what to do about it."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from hilum.core import MissingError
from hilum.io.installed import lidc_database_path, sample_ct_path, sample_organs_path


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: what it is.
        ok: whether it is as it should be.
        detail: what was found.
        needed_for: what doesn't work without it; "everything" for what nothing works without.
        remedy: what to do; "" when nothing has to be done.
    """

    name: str
    ok: bool
    detail: str
    needed_for: str
    remedy: str = ""


def examine() -> list[Finding]:
    """Look at the interpreter, the machine, every required package and the installed data."""
    data = (
        ("sample CT", sample_ct_path, "hilum demo"),
        ("organ mask of the sample CT", sample_organs_path, "hilum demo"),
        ("LIDC readers' outlines", lidc_database_path, "hilum demo, nodules given as lidc:PATIENT"),
    )
    return [
        _interpreter(),
        _machine(),
        *(_package(name) for name in _required_packages()),
        _codecs(),
        *(_data(*entry) for entry in data),
    ]


def _interpreter() -> Finding:
    found = platform.python_version()
    ok = sys.version_info >= (3, 11)
    return Finding("Python", ok, found, "everything", "" if ok else "Install Python 3.11 or later.")


def _machine() -> Finding:
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    detail = f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, {memory_gb:.0f} GB memory"
    return Finding("machine", True, detail, "everything")


def _required_packages() -> list[str]:
    """Names of the packages that hilum's own metadata asks for, without extras."""
    lines = [line for line in requires("hilum") or [] if "extra ==" not in line]
    return sorted({_name(line) for line in lines}, key=str.lower)


def _name(requirement: str) -> str:
    end = next((n for n, letter in enumerate(requirement) if not (letter.isalnum() or letter in "-_.")), None)
    return requirement[:end]


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, version(name), "everything")
    except PackageNotFoundError:
        return Finding(name, False, "not installed", "everything", f"pip install {name}")


def _codecs() -> Finding:
    """Whether compressed DICOM can be decoded (JPEG, JPEG-LS, JPEG 2000 through gdcm)."""
    from pydicom.pixels.decoders.base import get_decoder
    from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless

    missing = [
        uid.name for uid in (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless) if not get_decoder(uid).is_available
    ]
    detail = f"no decoder for {', '.join(missing)}" if missing else "JPEG, JPEG-LS, JPEG 2000, RLE"
    remedy = "pip install python-gdcm" if missing else ""
    return Finding("DICOM decoders", not missing, detail, "compressed DICOM", remedy)


def _data(name: str, find: Callable[[], Path], needed_for: str) -> Finding:
    try:
        return Finding(name, True, str(find()), needed_for)
    except MissingError as error:
        return Finding(name, False, "not installed", needed_for, error.remedy)
