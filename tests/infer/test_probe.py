"""Measuring: memory that is really taken, time that is really spent, and a process that fails."""

import mmap
import subprocess
import time

import numpy as np
import pytest

from hilum.core import MeasureError
from hilum.infer import memory, probe
from hilum.infer.memory import peak_bytes, reset_peak, resident_bytes
from hilum.infer.probe import ProbeJob, measured, timed

pytestmark = pytest.mark.usefixtures("one_thread")
MIB = 2**20


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(probe, "REPEATS", (3, 3))


def test_memory_that_was_taken_is_in_the_peak_only(monkeypatch):
    if not memory._STATUS.exists() or not memory._CLEAR.exists():
        pytest.skip("this system doesn't say how much memory was held at most")
    _take_and_return(64 * MIB)
    reset_peak()
    idle = resident_bytes()
    assert peak_bytes() - idle < 8 * MIB
    _take_and_return(64 * MIB)
    assert peak_bytes() - idle > 56 * MIB
    assert resident_bytes() - idle < 32 * MIB


def _take_and_return(size: int) -> None:
    """Pages of the system's own: the process's heap may have as much to spare, and then nothing would be taken."""
    with mmap.mmap(-1, size) as pages:
        pages.write(b"1" * size)


def test_without_proc_there_is_the_most_ever(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "none")
    assert resident_bytes() == peak_bytes() > 10 * MIB


def test_each_repeat_is_timed(quick):
    seconds, of_processor = timed(lambda: time.sleep(0.02))
    assert len(seconds) == len(of_processor) == 3
    assert min(seconds) >= 0.02
    assert max(of_processor) < 0.02  # it slept


def test_what_is_quick_is_repeated_more_but_not_for_ever(monkeypatch):
    monkeypatch.setattr(probe, "REPEATS", (2, 7))
    assert len(timed(lambda: None)[0]) == 7
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    assert len(timed(lambda: None)[0]) == 2


def test_a_larger_batch_takes_longer(quick):
    one, many = (measured(ProbeJob("res_unet", (128, 128), batch)) for batch in (1, 12))
    assert np.median(many.cpu_seconds) > 2 * np.median(one.cpu_seconds)
    assert many.load >= 0 or np.isnan(many.load)
    assert one.runtime.startswith("torch ")


@pytest.mark.parametrize(
    ("code", "stderr", "words"),
    [(-9, "", "memory runs out"), (1, "Traceback\nMemoryError: no", "MemoryError: no"), (0, "", "without a word")],
)
def test_a_process_that_ends_says_why(monkeypatch, code, stderr, words):
    done = subprocess.CompletedProcess([], code, "", stderr)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: done)
    with pytest.raises(MeasureError, match=words) as caught:
        probe.probe(ProbeJob("unet", (64, 32)))
    assert "64×32" in caught.value.message
    assert "--size" in caught.value.remedy
