"""The benchmark's own machinery, on a tiny volume: processes, absent peers, the gate, the report."""

import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from hilum.bench import drr
from hilum.bench.drr import Entry, Options, SceneResult, bench_drr, take_turns
from hilum.bench.gate import Chords, measure_chords
from hilum.bench.job import write_scene, write_volume
from hilum.bench.likeness import likeness
from hilum.bench.lineup import FLOORS, HILUM, HILUM_CT, PEERS
from hilum.bench.process import EngineProcess
from hilum.bench.report import render, write_report
from hilum.core import Geometry, InputError, Volume
from hilum.drr.joseph import project_joseph
from hilum.drr.projection import Beam, Pose

NO_PYTHON = Path("/nowhere/python")


@pytest.fixture(scope="module")
def ct():
    """A body of water in air, stored from front to back as LIDC's sample is (LAS)."""
    array = np.full((20, 40, 36), -1000, np.int16)
    array[2:18, 8:32, 6:30] = np.random.default_rng(2).integers(-50, 400, (16, 24, 24))
    flipped = np.diag([1.0, -1.0, 1.0, 1.0]) @ Geometry.regular((20, 40, 36), (9.0, 8.0, 8.0)).affine_lps
    return Volume(array, Geometry((20, 40, 36), flipped))


@pytest.fixture
def scene(ct, tmp_path):
    volume = write_volume(ct, tmp_path)
    return volume, drr.room(Beam.CONE, Pose(), 48).projection(volume.geometry)


@pytest.mark.parametrize("engine", [HILUM, HILUM_CT], ids=lambda engine: engine.variant)
def test_a_process_makes_the_picture_that_the_projector_makes(engine, scene, tmp_path):
    volume, projection = scene
    write_scene(volume, projection, tmp_path, tmp_path / "job")
    [outcome] = take_turns([EngineProcess(sys.executable, engine.module, engine.variant, tmp_path / "job")], 2)
    assert not outcome.absent
    assert len(outcome.seconds) == 2, "the warm-up is left out"
    assert outcome.growth_mb > 0
    assert "hilum" in outcome.versions
    assert_allclose(outcome.image, project_joseph(volume, projection), rtol=1e-5, atol=1e-5)


def test_the_floor_is_a_pass_over_all_voxels(scene, tmp_path):
    volume, projection = scene
    write_scene(volume, projection, tmp_path, tmp_path / "job")
    [outcome] = take_turns([EngineProcess(sys.executable, "floor", "float32", tmp_path / "job")], 1)
    assert outcome.image.max() == volume.array.max()


@pytest.mark.parametrize(
    ("python", "module", "reason"),
    [
        (sys.executable, "rtk", "No module named 'itk'"),
        (sys.executable, "no_such_engine", "it stopped: ModuleNotFoundError"),
        (str(NO_PYTHON), "rtk", "doesn't start"),
    ],
)
def test_what_is_absent_says_so_and_stops_nobody(python, module, reason, scene, tmp_path):
    write_scene(*scene, tmp_path, tmp_path / "job")
    process = EngineProcess(python, module, "", tmp_path / "job")
    [outcome] = take_turns([process], 2)
    assert reason in outcome.absent
    assert outcome.image is None


def test_the_benchmark_runs_without_any_peer_and_reports(ct, tmp_path, monkeypatch):
    monkeypatch.setattr(drr, "_plan", lambda _: [(Beam.PARALLEL, Pose(), 48)])
    found = bench_drr(ct, Options(NO_PYTHON, (48,), repeats=1))
    assert found.passed
    entries = {entry.engine.name: entry for entry in found.scenes[0].entries}
    assert entries["ITK-RTK Joseph"].absent.endswith("then --peers PYTHON")
    assert entries["hilum, from HU"].to_hilum.mean_difference < 1e-5
    assert entries["hilum"].to_exact.correlation > 0.99
    path = write_report(found, "hilum bench drr", tmp_path, date(2026, 11, 21))
    text = path.read_text(encoding="utf-8")
    assert path.name == "2026-11-21-drr.md"
    assert text.index("passed") < text.index("### parallel, straight, 48 × 48")
    assert "- ITK-RTK Joseph: absent: " in text
    assert json.loads(path.with_suffix(".json").read_text())["found"]["scenes"][0]["side"] == 48


def entry(engine, *seconds):
    return Entry(engine, seconds, 100.0, None, None, "", {})


def test_the_report_names_the_ratio_to_the_fastest_peer():
    scene = SceneResult(
        Beam.CONE, "straight", 256, (entry(HILUM, 1.0, 2.0, 3.0), entry(PEERS[0], 6.0), entry(FLOORS[0], 0.5))
    )
    found = drr.Benchmark((), (scene,), {"cores": "2"}, 50.0, (1, 2, 3))
    text = render(found, "hilum bench drr", date(2026, 1, 2))
    assert "hilum is 3.0 × as fast as the fastest peer, takes 4.0 × one pass over the int16 volume" in text
    assert "grows by 2.0 × the int16 volume" in text
    assert "| hilum | 2 | 1–3 | 3 | 0.33 |" in text


def test_no_speed_is_reported_while_a_projector_is_wrong():
    wrong = Chords("Joseph, compiled", "cone, turned", 0.01, 0.01, 0.02, passed=False)
    scene = SceneResult(Beam.CONE, "straight", 256, (entry(HILUM, 1.0),))
    text = render(drr.Benchmark((wrong,), (scene,), {}, 50.0, (1, 2, 3)), "hilum bench drr", date(2026, 1, 2))
    assert "FAILED" in text
    assert "### cone" not in text


def test_the_gate_is_open():
    assert all(row.passed for row in measure_chords())


def test_pictures_are_compared_where_the_patient_is():
    right = np.array([[0.0, 1.0], [2.0, 3.0]])
    found = likeness(right * 1.1, right)
    assert found.correlation == pytest.approx(1)
    assert found.mean_difference == pytest.approx(0.1)
    assert found.median_difference == pytest.approx(0.1)
    assert likeness(right * 0.9, right).bias == pytest.approx(-0.1)


def test_options_that_measure_nothing_are_refused():
    for options in ({"repeats": 0}, {"sizes": ()}, {"sizes": (8,)}):
        with pytest.raises(InputError, match="at least 1 repeat"):
            replace(Options(), **options)
