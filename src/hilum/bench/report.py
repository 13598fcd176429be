"""The dated report: Markdown for people, JSON for programs."""

from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from hilum.bench.drr import Benchmark, Entry, SceneResult
from hilum.bench.gate import LIMIT
from hilum.io.atomic import atomic_file
from hilum.io.installed import SAMPLE_PATIENT
from hilum.io.json_file import write_json


def write_report(found: Benchmark, command: str, out: Path, day: date) -> Path:
    """Write `<day>-drr.md` and `<day>-drr.json` into a folder, and return the first."""
    path = out / f"{day.isoformat()}-drr.md"
    write_json(
        path.with_suffix(".json"), {"schema": "hilum.bench.drr/1", "date": day, "command": command, "found": found}
    )
    with atomic_file(path) as temporary:
        temporary.write_text(render(found, command, day), encoding="utf-8")
    return path


def render(found: Benchmark, command: str, day: date) -> str:
    """The Markdown."""
    voxels = " × ".join(str(size) for size in reversed(found.shape_zyx))
    parts = [
        f"# DRR: speed and accuracy beside peers, {day.isoformat()}",
        f"Made by `{command}`. CT: {SAMPLE_PATIENT}, {voxels} voxels, {found.hu_mb:.0f} MB as int16. "
        "All engines get the same volume, rays and detector, one run, in turns (A B C A B C); the first projection of "
        "each is a warm-up and left out.",
        _table(("machine", ""), found.machine.items()),
        "## First: is it right?",
        "Chords of an ellipsoid (radii 26, 22, 28 mm, partial volumes, 1 mm voxels), as shares of the longest. The "
        f"gate: mean error at most {LIMIT:.1%}; for exact path lengths through boxes, which differ from an ellipsoid "
        "ray by ray, the bias.",
        _table(
            ("projector", "rays", "mean error", "bias", "worst", "gate"),
            (
                (
                    row.projector,
                    row.setting,
                    f"{row.mean_error:.3%}",
                    f"{row.bias:+.3%}",
                    f"{row.worst_error:.3%}",
                    "passed" if row.passed else "FAILED",
                )
                for row in found.chords
            ),
        ),
    ]
    if not found.passed:
        return "\n\n".join([*parts, "The gate is shut: no speed is reported for projectors that are wrong."]) + "\n"
    return (
        "\n\n".join([*parts, _legend(), *(_scene(scene, found.hu_mb) for scene in found.scenes), _notes(found)]) + "\n"
    )


def _legend() -> str:
    return (
        "## Then: how fast?\n\nMemory is the growth of a process over what it had after its imports, the volume "
        "included, in MB and as a multiple of the int16 volume. Differences are over pixels behind the patient (line "
        "integral at least 0.5): correlation, mean |difference| over the mean, and signed bias, to hilum's picture; "
        "and the mean |difference| and bias to exact path lengths on a grid of 24 × 24 pixels."
    )


def _scene(scene: SceneResult, hu_mb: float) -> str:
    header = (
        "engine",
        "median s",
        "min–max s",
        "n",
        "× fastest peer",
        "memory MB",
        "× int16",
        "correlation",
        "difference",
        "bias",
        "to exact",
        "bias to exact",
    )
    fastest = fastest_peer_s(scene)
    present = [entry for entry in scene.entries if entry.seconds]
    title = f"### {scene.beam}, {scene.pose}, {scene.side} × {scene.side}"
    lines = [title, _table(header, (_row(entry, fastest, hu_mb) for entry in present)), verdict(scene, hu_mb)]
    lines += [f"- {entry.engine.name}: absent: {entry.absent}" for entry in scene.entries if entry.absent]
    return "\n\n".join(line for line in lines if line)


def fastest_peer_s(scene: SceneResult) -> float:
    """Median of the fastest peer in a scene; NaN without any."""
    return min((entry.median_s for entry in scene.entries if entry.engine.is_peer and entry.seconds), default=np.nan)


def verdict(scene: SceneResult, hu_mb: float) -> str:
    """What hilum's own figures are beside the aims, in one paragraph."""
    medians = {entry.engine.name: entry for entry in scene.entries if entry.seconds}
    ours, floor = medians.get("hilum"), medians.get("floor, int16")
    if ours is None:
        return ""
    sentences = []
    if np.isfinite(fastest_peer_s(scene)):
        sentences.append(f"hilum is {fastest_peer_s(scene) / ours.median_s:.1f} × as fast as the fastest peer")
    if floor:
        sentences.append(f"takes {ours.median_s / floor.median_s:.1f} × one pass over the int16 volume")
    sentences.append(f"and grows by {ours.growth_mb / hu_mb:.1f} × the int16 volume")
    return ", ".join(sentences) + "."


def _row(entry: Entry, fastest_s: float, hu_mb: float) -> Sequence[str]:
    near, exact = entry.to_hilum, entry.to_exact
    return (
        entry.engine.name,
        f"{entry.median_s:.4g}",
        f"{min(entry.seconds):.4g}–{max(entry.seconds):.4g}",
        str(len(entry.seconds)),
        _or_dash(entry.median_s / fastest_s, ".2f"),
        _or_dash(entry.growth_mb, ".0f"),
        _or_dash(entry.growth_mb / hu_mb, ".1f"),
        f"{near.correlation:.6f}" if near else "–",
        f"{near.mean_difference:.3%}" if near else "–",
        f"{near.bias:+.3%}" if near else "–",
        f"{exact.mean_difference:.3%}" if exact else "–",
        f"{exact.bias:+.3%}" if exact else "–",
    )


def _or_dash(value: float, form: str) -> str:
    return f"{value:{form}}" if np.isfinite(value) else "–"


def _notes(found: Benchmark) -> str:
    engines = {entry.engine.name: entry.engine for scene in found.scenes for entry in scene.entries}
    notes = [f"- {engine.name}: {engine.note}." for engine in engines.values() if engine.note]
    versions = ", ".join(f"{name} {version}" for name, version in sorted(found.versions.items()))
    return "\n".join(["## What else to know", "", *notes, f"- Versions: {versions}."])


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
