"""Packages that hilum can do without: those that graphs are written, run and quantised with."""

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from hilum.core import MissingError

EXPORT_EXTRA = ("nncf>=3.4,<4", "onnx>=1.23,<2", "onnxruntime>=1.31,<2", "onnxscript>=0.7,<1", "openvino>=2026.4")
"""The extra `export`, as pyproject.toml has it."""
INSTALL = "pip install " + " ".join(f"'{one}'" for one in EXPORT_EXTRA)
NVML = "pynvml"
"""Reads a graphics card's energy counter; the package nvidia-ml-py."""


def installed(package: str) -> bool:
    """Whether a package can be imported; it isn't."""
    return find_spec(package) is not None


def version_of(package: str) -> str:
    """An installed package's version; "" when it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def require_packages(what: str, *packages: str) -> None:
    """Check that what a command needs is installed.

    Raises:
        MissingError: names what isn't, and the command that installs all of it.
    """
    if missing := [one for one in packages if not installed(one)]:
        raise MissingError(f"{what} needs {' and '.join(missing)}, not installed here.", f"Install them: {INSTALL}")
