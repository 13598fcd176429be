"""What every engine's process does: read the scene, say what loading costs, project when told to, hand back the image.

The process gets a folder and talks JSON lines on stdin and stdout:

- it reads `scene.json`, and, when the engine asks, `attenuation.npy` (float32, 1/mm) or `hu.npy` (int16), [z, y, x];
- it says `{"ready": true, "versions": {…}}`, or `{"missing": "…"}` when what it runs is not installed;
- for each line on stdin it projects once and answers `{"seconds": …}`;
- at the end of stdin it writes `image.npy` [row, column] and answers `{"growth_mb": …}`: its highest resident memory
  over what it had after its imports, before the volume was read.

Only NumPy is needed, so that an environment without hilum can run it.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hilum.core import Geometry
    from hilum.drr.projection import Projection

Project = Callable[[], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Scene:
    """A volume along LPS axes, a source and a detector, in LPS mm.

    Attributes:
        folder: where the volume's files are.
        shape_zyx: the volume's voxels.
        spacing_zyx_mm: from voxel to voxel.
        origin_lps_mm: centre of the first voxel.
        shape_yx: the detector's rows and columns.
        corner_lps_mm: centre of pixel (0, 0).
        row_step_lps_mm: from a pixel to the one below.
        column_step_lps_mm: from a pixel to the one on its right.
        direction_lps: unit vector from source to detector.
        source_lps_mm: focal spot; None for a parallel beam.
    """

    folder: Path
    shape_zyx: tuple[int, ...]
    spacing_zyx_mm: NDArray[np.float64]
    origin_lps_mm: NDArray[np.float64]
    shape_yx: tuple[int, ...]
    corner_lps_mm: NDArray[np.float64]
    row_step_lps_mm: NDArray[np.float64]
    column_step_lps_mm: NDArray[np.float64]
    direction_lps: NDArray[np.float64]
    source_lps_mm: NDArray[np.float64] | None

    @classmethod
    def read(cls, folder: Path) -> "Scene":
        """The scene that `scene.json` in a folder describes."""
        content: dict[str, Any] = json.loads((folder / "scene.json").read_text(encoding="utf-8"))
        fields = {name: value if value is None else np.array(value, np.float64) for name, value in content.items()}
        shapes = {name: tuple(content[name]) for name in ("shape_zyx", "shape_yx")}
        named: dict[str, Any] = {**fields, **shapes}
        return cls(folder=folder, **named)

    def attenuation(self) -> NDArray[np.float32]:
        """The volume [z, y, x] in 1/mm."""
        return np.asarray(np.load(self.folder / "attenuation.npy"))

    def hu(self) -> NDArray[np.int16]:
        """The volume [z, y, x] in HU."""
        return np.asarray(np.load(self.folder / "hu.npy"))

    def geometry(self) -> "Geometry":
        """The volume's grid, where hilum is installed."""
        from hilum.core import Geometry

        (nz, ny, nx), (z, y, x), origin = self.shape_zyx, self.spacing_zyx_mm.tolist(), self.origin_lps_mm.tolist()
        return Geometry.regular((nz, ny, nx), (z, y, x), (origin[0], origin[1], origin[2]))

    def projection(self) -> "Projection":
        """The rays, where hilum is installed."""
        from hilum.drr.projection import Projection

        rows, columns = self.shape_yx
        steps = (self.row_step_lps_mm, self.column_step_lps_mm)
        return Projection((rows, columns), self.corner_lps_mm, *steps, self.direction_lps, self.source_lps_mm)

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """Row and column step."""
        return float(np.linalg.norm(self.row_step_lps_mm)), float(np.linalg.norm(self.column_step_lps_mm))

    @property
    def axes(self) -> NDArray[np.float64]:
        """3×3; rows: unit vectors to the right of the picture, up, and towards the source."""
        row_mm, column_mm = self.pixel_mm
        return np.stack([self.column_step_lps_mm / column_mm, -self.row_step_lps_mm / row_mm, -self.direction_lps])

    @property
    def centre_lps_mm(self) -> NDArray[np.float64]:
        """The middle of the detector, which the source faces."""
        rows, columns = self.shape_yx
        return np.asarray(
            self.corner_lps_mm + (rows - 1) / 2 * self.row_step_lps_mm + (columns - 1) / 2 * self.column_step_lps_mm
        )

    @property
    def source_detector_mm(self) -> float:
        """From the focal spot to the detector; infinite for a parallel beam."""
        return np.inf if self.source_lps_mm is None else float(np.linalg.norm(self.centre_lps_mm - self.source_lps_mm))


class MissingEngineError(Exception):
    """What the engine runs is not installed."""


def serve(
    folder: Path, prepare: Callable[[Scene], Project], versions: Mapping[str, str], *, is_child: bool = False
) -> None:
    """Answer the parent's lines until it closes stdin.

    Args:
        folder: the job.
        prepare: loads the volume in the engine's own form; what it returns projects, and is what is timed.
        versions: of what is measured.
        is_child: the work is done by processes that the engine starts, so their memory counts, not this one's.
    """
    answers = quiet_stdout()
    idle_mb = high_water_mb(is_child=is_child)
    project = prepare(Scene.read(folder))
    answer(answers, {"ready": True, "versions": dict(versions)})
    image = np.zeros(0)
    for _ in sys.stdin:
        start = time.perf_counter()
        image = project()
        answer(answers, {"seconds": time.perf_counter() - start})
    np.save(folder / "image.npy", np.asarray(image, dtype=np.float32))
    answer(answers, {"growth_mb": high_water_mb(is_child=is_child) - idle_mb})


def answer(stream: TextIO, content: Mapping[str, object]) -> None:
    """One JSON line."""
    stream.write(json.dumps(content) + "\n")
    stream.flush()


def quiet_stdout() -> TextIO:
    """The real stdout, for answers only: whatever libraries print goes to stderr from here on."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return answers


def high_water_mb(*, is_child: bool = False) -> float:
    """Highest resident memory so far in MB (10⁶ bytes): of this process, or of the largest that it started."""
    if is_child:
        return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) * 1024 / 1e6


def run(main: Callable[[Path, str], None], folder: str, variant: str) -> None:
    """An engine's `main`, or the answer that what it needs is missing."""
    try:
        main(Path(folder), variant)
    except (ImportError, MissingEngineError) as error:
        answer(sys.stdout, {"missing": str(error)})
