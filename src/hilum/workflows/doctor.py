"""What is installed, what is missing, and what to do about it."""

import os
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from hilum.core import MissingError
from hilum.infer.extras import EXPORT_EXTRA, INSTALL
from hilum.io.installed import lidc_database_path, sample_ct_path, sample_organs_path

_NEEDED_FOR = {
    "highdicom": "DICOM SEG",
    "jinja2": "reports",
    "matplotlib": "pictures and reports",
    "einops": "the network swin_unetr",
    "monai": "hilum train, predict and models",
    "nibabel": "NIfTI",
    "numba": "X-rays from CTs",
    "pillow": "PNG, JPEG and TIFF",
    "pydicom": "DICOM",
    "python-gdcm": "compressed DICOM",
    "pytorch-lightning": "hilum train",
    "pyyaml": "settings and recipes",
    "reportlab": "reports as PDF: hilum followup",
    "rich": "progress bars",
    "safetensors": "weights: hilum train and predict",
    "scikit-image": "X-rays from CTs",
    "scipy": "measuring",
    "simpleitk": "resampling",
    "tensorboard": "hilum train",
    "torch": "hilum train, predict and models",
}
_GIB = 2**30


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
        ("organ mask of the sample CT", sample_organs_path, "what lies in front of a nodule on the demo's X-ray"),
        ("LIDC readers' outlines", lidc_database_path, "hilum demo, nodules given as lidc:PATIENT"),
    )
    return [
        _interpreter(),
        _machine(),
        *_devices(),
        *(_package(requirement) for requirement in _requirements()),
        *_codecs(),
        _optional(),
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


def _devices() -> list[Finding]:
    """What networks can be computed on; --device auto takes the first CUDA device, else the processor."""
    try:
        import torch
    except ImportError:
        return []  # the missing package has its own line
    bfloat16 = "in bfloat16 by AMX" if torch.cpu._is_amx_tile_supported() else "no AMX: bfloat16 is slower than 32 bits"
    processor = f"cpu ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads, {bfloat16})"
    cards = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    devices = [processor, *(_card(index, torch.cuda.get_device_properties(index)) for index in cards)]
    return [Finding("devices", True, "; ".join(devices), "hilum train and predict")]


def _card(index: int, found: Any) -> str:
    return f"cuda:{index} {found.name} ({found.total_memory / _GIB:.0f} GiB)"


def _requirements() -> list[Requirement]:
    """What hilum's own metadata asks for, by name."""
    asked = [Requirement(line) for line in requires("hilum") or []]
    return sorted((one for one in asked if one.marker is None), key=lambda requirement: requirement.name.lower())


def _package(requirement: Requirement) -> Finding:
    name, wanted = requirement.name, str(requirement.specifier)
    needed_for = _NEEDED_FOR.get(name.lower(), "everything")
    remedy = f"pip install '{name}{wanted}'"
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, False, "not installed", needed_for, remedy)
    if requirement.specifier.contains(found, prereleases=True):
        return Finding(name, True, found, needed_for)
    return Finding(name, False, f"{found}, but {wanted} is needed", needed_for, remedy)


def _optional() -> Finding:
    """Packages of the extra `export`; nothing is wrong without them."""
    found = [_package(Requirement(one)) for one in EXPORT_EXTRA]
    named = ", ".join(f"{one.name} {one.detail}" for one in found)
    ok = all(one.ok for one in found)
    return Finding("packages for export (optional)", True, named, "hilum export", "" if ok else INSTALL)


def _codecs() -> list[Finding]:
    """Whether compressed DICOM can be decoded (JPEG, JPEG-LS, JPEG 2000 through gdcm)."""
    try:
        from pydicom.pixels.decoders.base import get_decoder
        from pydicom.uid import JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless
    except ImportError:
        return []  # the missing package has its own line
    wanted = (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless)
    missing = [uid.name for uid in wanted if not get_decoder(uid).is_available]
    detail = f"no decoder for {', '.join(missing)}" if missing else "JPEG, JPEG-LS, JPEG 2000, RLE"
    remedy = "pip install python-gdcm" if missing else ""
    return [Finding("DICOM decoders", not missing, detail, "compressed DICOM", remedy)]


def _data(name: str, find: Callable[[], Path], needed_for: str) -> Finding:
    try:
        return Finding(name, True, str(find()), needed_for)
    except MissingError as error:
        return Finding(name, False, "not installed", needed_for, error.remedy)
