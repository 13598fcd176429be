"""`hilum bench drr`: projectors beside their peers on one CT, pose and detector, taking turns on one machine."""

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.bench.gate import Chords, measure_chords
from hilum.bench.job import write_scene, write_volume
from hilum.bench.likeness import Likeness, likeness
from hilum.bench.lineup import HILUM, Engine, taking_part
from hilum.bench.machine import machine_facts
from hilum.bench.process import EngineProcess, Outcome
from hilum.core import InputError, Volume
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Beam, Pose, Projection, Setup
from hilum.drr.siddon import integrate_ray
from hilum.workflows.track import Track, silently

SHADOW_MM = 420.0
"""Side of the square through the isocentre that the detector sees: the whole chest."""

_EXACT_RAYS = 24
"""Rows and columns of the grid of pixels that are also integrated exactly."""

TURNED = Pose((3.0, 2.0, 4.0), (4.0, -3.0, 5.0))


@dataclass(frozen=True)
class Options:
    """What to run.

    Attributes:
        peers: the interpreter that has the peers; None for none.
        sizes: sides of the square detectors in pixels.
        repeats: timed projections of each engine that takes less than 5 s.
        slow: whether engines that take minutes take part.
    """

    peers: Path | None = None
    sizes: tuple[int, ...] = (256, 512)
    repeats: int = 7
    slow: bool = False

    def __post_init__(self) -> None:
        if self.repeats < 1 or not self.sizes or min(self.sizes) < _EXACT_RAYS:
            raise InputError(f"at least 1 repeat and detectors of at least {_EXACT_RAYS} pixels a side are needed.")


@dataclass(frozen=True)
class Entry:
    """One engine in one scene.

    Attributes:
        engine: who.
        seconds: of every timed projection, the warm-up left out.
        growth_mb: highest resident memory over the process after its imports, the volume included.
        to_hilum: the picture beside hilum's compiled projector's.
        to_exact: a grid of its pixels beside exact path lengths through the voxels.
        absent: why there is nothing, else "".
        versions: of what ran.
    """

    engine: Engine
    seconds: tuple[float, ...]
    growth_mb: float
    to_hilum: Likeness | None
    to_exact: Likeness | None
    absent: str
    versions: Mapping[str, str]

    @property
    def median_s(self) -> float:
        """NaN when it didn't run."""
        return float(np.median(self.seconds)) if self.seconds else np.nan


@dataclass(frozen=True)
class SceneResult:
    """All engines in one scene: beam, pose, and side of the detector in pixels."""

    beam: Beam
    pose: str
    side: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Benchmark:
    """Everything that was measured; no scene is there when the gate is shut.

    Attributes:
        chords: hilum's projectors on an ellipsoid.
        scenes: the timings.
        machine: what they were taken on.
        hu_mb: bytes of the CT as int16, in MB.
        shape_zyx: the CT's voxels.
    """

    chords: tuple[Chords, ...]
    scenes: tuple[SceneResult, ...]
    machine: Mapping[str, str]
    hu_mb: float
    shape_zyx: tuple[int, ...]
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether every projector is right, so that speed may be spoken of."""
        return all(row.passed for row in self.chords)


def bench_drr(ct: Volume, options: Options, track: Track = silently) -> Benchmark:
    """Accuracy first; then every scene with all engines taking turns."""
    machine, chords = machine_facts(), measure_chords()
    scenes: list[SceneResult] = []
    if all(row.passed for row in chords):
        with tempfile.TemporaryDirectory(prefix="hilum-bench-") as name:
            shared = Path(name)
            volume = write_volume(ct, shared)
            for beam, pose, side in track(_plan(options), "Scenes"):
                scenes.append(_run_scene(volume, shared, beam, pose, side, options))
    versions = {key: value for scene in scenes for entry in scene.entries for key, value in entry.versions.items()}
    return Benchmark(chords, tuple(scenes), machine, ct.array.size * 2 / 1e6, ct.array.shape, versions)


def room(beam: Beam, pose: Pose, side: int) -> Setup:
    """The X-ray room of all scenes: front view, the whole chest on the detector."""
    setup = Setup(beam=beam, pose=pose)
    magnification = setup.source_detector_mm / setup.source_patient_mm if beam is Beam.CONE else 1.0
    return Setup(beam=beam, pose=pose, pixel_mm=SHADOW_MM / side * magnification, shape_yx=(side, side))


def _plan(options: Options) -> list[tuple[Beam, Pose, int]]:
    cones = [(Beam.CONE, pose, side) for side in options.sizes for pose in (Pose(), TURNED)]
    return [*cones, *((Beam.PARALLEL, Pose(), side) for side in options.sizes)]


def _run_scene(volume: Volume, shared: Path, beam: Beam, pose: Pose, side: int, options: Options) -> SceneResult:
    projection = room(beam, pose, side).projection(volume.geometry)
    label = "straight" if pose == Pose() else "turned"
    engines = [engine for engine in taking_part(slow=options.slow) if beam in engine.beams]
    processes = []
    for number, engine in enumerate(engines):
        folder = shared / f"{beam}-{label}-{side}-{number}"
        write_scene(volume, projection, shared, folder)
        python = str(options.peers) if engine.is_peer and options.peers else sys.executable
        processes.append(EngineProcess(python, engine.module, engine.variant, folder))
    outcomes = take_turns(processes, options.repeats)
    entries = compare(volume, projection, engines, outcomes)
    return SceneResult(beam, label, side, entries)


def take_turns(processes: Sequence[EngineProcess], repeats: int) -> list[Outcome]:
    """A warm-up of each, then rounds over all (A B C A B C): what else the machine does meets everyone alike."""
    for number in range(1 + repeats):
        for process in processes:
            if number <= 1 or number <= _repeats(process, repeats):
                process.project()
    return [process.finish() for process in processes]


def _repeats(process: EngineProcess, repeats: int) -> int:
    """All of them under 5 s, two under 20 s, else one."""
    seconds = process.seconds[0] if process.seconds else 0.0
    return repeats if seconds < 5 else min(repeats, 2) if seconds < 20 else 1


def compare(
    volume: Volume, projection: Projection, engines: Sequence[Engine], outcomes: Sequence[Outcome]
) -> tuple[Entry, ...]:
    """Each picture beside hilum's, and on a grid of pixels beside exact path lengths."""
    ours = project_joseph(volume, projection)
    grid = np.ix_(*(np.linspace(0, size - 1, _EXACT_RAYS).round().astype(int) for size in projection.shape_yx))
    exact = _exact(volume, projection, grid)
    return tuple(_entry(engine, outcome, ours, exact, grid) for engine, outcome in zip(engines, outcomes, strict=True))


def _entry(engine: Engine, outcome: Outcome, ours: NDArray[Any], exact: NDArray[Any], grid: Any) -> Entry:
    image = outcome.image
    is_picture = image is not None and image.shape == ours.shape
    to_hilum = likeness(image, ours) if is_picture and image is not None and engine is not HILUM else None
    to_exact = likeness(image[grid], exact) if is_picture and image is not None else None
    absent = f"{outcome.absent}; {engine.install}" if outcome.absent and engine.install else outcome.absent
    return Entry(engine, outcome.seconds, outcome.growth_mb, to_hilum, to_exact, absent, outcome.versions)


def _exact(volume: Volume, projection: Projection, grid: tuple[NDArray[Any], ...]) -> NDArray[np.float64]:
    pixels = np.stack(np.broadcast_arrays(*grid), axis=-1)
    starts, directions = projection.rays(pixels)
    lines = zip(starts.reshape(-1, 3), directions.reshape(-1, 3), strict=True)
    values = [integrate_ray(volume.array, volume.geometry, start, direction) for start, direction in lines]
    return np.array(values).reshape(pixels.shape[:2])
