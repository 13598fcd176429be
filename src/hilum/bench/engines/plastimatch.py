"""The command `plastimatch drr` (Debian's package plastimatch), algorithm "exact" or "uniform", on the CPU.

It is a command, so its time is that of the whole process: start, reading the volume, projecting, writing the picture.
It needs the volume along LPS axes: from others its picture is empty, without a word.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .worker import MissingEngineError, Project, Scene, serve

_MM_PER_CM = 10

_HEADER = """ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
TransformMatrix = 1 0 0 0 1 0 0 0 1
Offset = {origin}
ElementSpacing = {spacing}
DimSize = {size}
ElementType = MET_FLOAT
ElementDataFile = LOCAL
"""


def main(folder: Path, variant: str) -> None:
    """Run one algorithm."""
    if shutil.which("plastimatch") is None:
        raise MissingEngineError("no command plastimatch")
    version = _call("--version").split()[-1]
    serve(folder, lambda scene: _prepare(scene, variant), {"plastimatch": version}, is_child=True)


def _prepare(scene: Scene, algorithm: str) -> Project:
    volume, prefix = scene.folder / "volume.mha", scene.folder / "drr"
    _write(scene, volume)
    words = ["drr", "-A", "cpu", "-i", algorithm, "-P", "none", "-t", "pfm", *_geometry(scene), "-O", str(prefix)]

    def render() -> NDArray[Any]:
        _call(*words, str(volume))
        return _read_pfm(next(scene.folder.glob("drr*.pfm")))

    return render


def _geometry(scene: Scene) -> list[str]:
    """Options: the isocentre may be any point on the axis, so it is the middle between source and detector."""
    distance_mm, toward = scene.source_detector_mm, scene.axes[2]
    isocentre = scene.centre_lps_mm + toward * distance_mm / 2
    size_mm = np.multiply(scene.shape_yx, scene.pixel_mm)
    options: dict[str, Any] = {
        "--sad": [distance_mm / 2],
        "--sid": [distance_mm],
        "-o": isocentre,
        "--nrm": toward,
        "--vup": scene.axes[1],
        "-r": scene.shape_yx,
        "-z": size_mm,
    }
    return [word for key, values in options.items() for word in (key, " ".join(f"{value:.12g}" for value in values))]


def _write(scene: Scene, path: Path) -> None:
    header = _HEADER.format(
        origin=" ".join(map(str, scene.origin_lps_mm)),
        spacing=" ".join(map(str, scene.spacing_zyx_mm[::-1])),
        size=" ".join(map(str, scene.shape_zyx[::-1])),
    )
    path.write_bytes(header.encode() + scene.attenuation().tobytes())


def _read_pfm(path: Path) -> NDArray[np.float32]:
    """A grey PFM: three lines of text, then float32; rows from top to bottom, and attenuation taken as if in 1/cm."""
    _, size, scale, data = path.read_bytes().split(b"\n", 3)
    columns, rows = (int(number) for number in size.split())
    values = np.frombuffer(data, "<f4" if float(scale) < 0 else ">f4").reshape(rows, columns)
    return np.asarray(values * np.float32(_MM_PER_CM))


def _call(*words: str) -> str:
    done = subprocess.run(["plastimatch", *words], capture_output=True, text=True, check=True)  # noqa: S603, S607
    return done.stdout
