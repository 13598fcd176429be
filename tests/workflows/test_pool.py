"""Work in several processes: its order, its threads, and its end."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hilum.core import InputError, OutputError
from hilum.workflows.pool import in_processes

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def squared(number):
    return number * number


def slow_first(number):
    time.sleep(0.5 if number == 0 else 0)
    return number


def threads(_):
    """What libraries in a worker use; numba's own pool and every BLAS and OpenMP that is loaded."""
    import numba
    import numpy as np
    import threadpoolctl

    np.ones((8, 8)) @ np.ones((8, 8))
    return numba.get_num_threads(), [one["num_threads"] for one in threadpoolctl.threadpool_info()]


def killed(_):
    os.kill(os.getpid(), signal.SIGKILL)


def wait_forever(folder):
    (Path(folder) / str(os.getpid())).touch()
    time.sleep(60)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 20])
def test_results_are_those_of_a_loop(workers, count):
    if workers == 1 or count < 20:  # one real pool is enough
        assert list(in_processes(squared, range(count), workers)) == [n * n for n in range(count)]


def test_order_is_the_items_or_that_of_their_end():
    assert list(in_processes(slow_first, range(4), 2)) == [0, 1, 2, 3]
    as_they_end = list(in_processes(slow_first, range(4), 2, ordered=False))
    assert sorted(as_they_end) == [0, 1, 2, 3]
    assert as_they_end[0] != 0


def test_a_worker_has_one_thread(monkeypatch):
    for name in THREADS:
        monkeypatch.delenv(name, raising=False)
    results = list(in_processes(threads, [0, 1], 2))
    assert len(results) == 2
    for of_numba, of_libraries in results:
        assert of_numba == 1
        assert of_libraries
        assert set(of_libraries) == {1}
    assert not any(name in os.environ for name in THREADS)


def test_a_worker_that_is_killed_says_so():
    with pytest.raises(OutputError, match="ended from outside") as error:
        list(in_processes(killed, [0, 1], 2))
    assert "fewer --workers" in error.value.remedy


def test_no_worker_is_no_work():
    with pytest.raises(InputError, match="at least one worker"):
        next(in_processes(squared, [1], 0))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs /proc to see the workers")
@pytest.mark.parametrize("ordered", [True, False])
def test_workers_end_with_a_parent_that_is_killed(tmp_path, ordered):
    code = (
        "from hilum.workflows.pool import in_processes; from tests.workflows.test_pool import wait_forever\n"
        f"if __name__ == '__main__': list(in_processes(wait_forever, [{str(tmp_path)!r}] * 2, 2, ordered={ordered}))"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, str(script)], cwd=root, env={**os.environ, "PYTHONPATH": root}) as parent:
        workers = []
        end = time.monotonic() + 20
        while len(workers) < 2 and time.monotonic() < end:
            time.sleep(0.02)
            workers = [int(path.name) for path in tmp_path.iterdir() if path.name.isdigit()]
        parent.kill()
    assert len(workers) == 2
    end = time.monotonic() + 5
    while any(map(is_running, workers)) and time.monotonic() < end:
        time.sleep(0.02)
    assert not any(map(is_running, workers))
