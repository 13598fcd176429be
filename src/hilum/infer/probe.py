"""Time, memory and energy of a network, measured in a process of its own, so that nothing else of ours is in them."""

import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from typing import Any

import numpy as np

from hilum.core import HilumError, MeasureError
from hilum.infer.energy import counter_for
from hilum.infer.exported import RUNTIMES, Batch, open_graph
from hilum.infer.extras import installed, version_of
from hilum.infer.graph import SizeYx
from hilum.infer.memory import peak_bytes, reset_peak, resident_bytes
from hilum.infer.subject import Subject, subject_of
from hilum.io.json_file import plain

WARM_UP = 3
REPEATS = (10, 100)
"""At least, and at most."""
SECONDS = 4.0
"""How long it is repeated beyond the least."""
_LAUNCH = "from hilum.infer.probe import answer; answer()"


@dataclass(frozen=True)
class ProbeJob:
    """What is measured.

    Attributes:
        model: as `subject_of` takes it.
        size_yx: of the pictures.
        batch: pictures at a time.
        threads: of the processor.
        device: "cpu" or "cuda".
    """

    model: str
    size_yx: SizeYx
    batch: int = 1
    threads: int = 1
    device: str = "cpu"


@dataclass(frozen=True)
class Probed:
    """What was measured.

    Attributes:
        seconds: of each repeat, after the warm-up; of the whole batch.
        cpu_seconds: of the processor in each repeat, all threads together.
        load: of the machine before, as the system counts it (1 minute); NaN where it doesn't.
        loaded_bytes: growth of memory by the network alone.
        peak_bytes: growth of memory at most, network, inputs and features together; on cuda of the card's.
        joules: of one picture; None without a counter.
        counter: which one.
        runtime: what computed it, and its version.
    """

    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    load: float
    loaded_bytes: int
    peak_bytes: int
    joules: float | None
    counter: str
    runtime: str


def probe(job: ProbeJob) -> Probed:
    """Measure in a fresh process, which begins with so many threads.

    Raises:
        HilumError: what went wrong there, such as a package that is missing.
        MeasureError: the process was ended, as the system does when memory runs out.
    """
    pinned = {name: str(job.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    done = subprocess.run(  # noqa: S603 our own interpreter and code
        [sys.executable, "-W", "ignore", "-c", _LAUNCH],
        input=json.dumps(asdict(job)),
        capture_output=True,
        text=True,
        env={**os.environ, **pinned},
        check=False,
    )
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise _ended(job, done)
    found = json.loads(lines[-1])
    if "error" in found:
        raise MeasureError(found["error"], found["remedy"])
    load = math.nan if found["load"] is None else found["load"]
    every = {name: tuple(found[name]) for name in ("seconds", "cpu_seconds")}
    return Probed(**{**found, **every, "load": load})


def _ended(job: ProbeJob, done: "subprocess.CompletedProcess[str]") -> MeasureError:
    said = (done.stderr.strip().splitlines() or ["without a word"])[-1]
    why = "it was ended from outside, as when memory runs out" if done.returncode < 0 else said
    height, width = job.size_yx
    return MeasureError(
        f"{job.model} can't be measured on {job.batch} × {height}×{width} pixels: {why}.",
        "Take a smaller --size or --batch.",
    )


def answer() -> None:
    """In the process of its own: read a job from stdin, measure, print what was found."""
    fields = json.loads(sys.stdin.read())
    job = ProbeJob(**{**fields, "size_yx": tuple(fields["size_yx"])})
    found: dict[str, Any]
    try:
        found = asdict(measured(job))
    except HilumError as error:
        found = {"error": error.message, "remedy": error.remedy}
    print(json.dumps(plain(found)))  # noqa: T201 the answer


def measured(job: ProbeJob) -> Probed:
    """Measure in this process.

    Inputs are random numbers from 0 to 1: what a network costs doesn't depend on what it sees.
    """
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else math.nan
    _load_libraries(job)
    idle = resident_bytes()
    reset_peak()
    subject = subject_of(job.model)
    draw = np.random.default_rng(0)
    image = draw.random((job.batch, 1, *job.size_yx), dtype=np.float32)
    prior = draw.random((job.batch, subject.channels, *job.size_yx), dtype=np.float32) if subject.channels else None
    run, runtime = _runner(subject, job, image, prior)
    loaded = resident_bytes()
    for _ in range(WARM_UP):
        run()
    counter = counter_for(job.device)
    before = counter.joules() if counter else 0.0
    seconds, cpu_seconds = timed(run)
    joules = (counter.joules() - before) / (len(seconds) * job.batch) if counter else None
    peak = _peak_on_card() if job.device == "cuda" else peak_bytes() - idle
    return Probed(seconds, cpu_seconds, load, loaded - idle, peak, joules, counter.how if counter else "", runtime)


def timed(run: Callable[[], object]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Seconds on the clock and of the processor, of each repeat: the least number of them, more while it is quick."""
    found: list[tuple[float, float]] = []
    begin = time.perf_counter()
    while len(found) < REPEATS[0] or (time.perf_counter() - begin < SECONDS and len(found) < REPEATS[1]):
        start = time.perf_counter(), time.process_time()
        run()
        found.append((time.perf_counter() - start[0], time.process_time() - start[1]))
    clock, processor = zip(*found, strict=True)
    return clock, processor


def _load_libraries(job: ProbeJob) -> None:
    """Load what is there before any network: it is not the network's memory."""
    import torch

    torch.set_num_threads(job.threads)
    torch.nn.functional.conv2d(torch.zeros(1, 1, 8, 8), torch.zeros(1, 1, 3, 3))
    for name in filter(installed, RUNTIMES.values()):
        import_module(name)


def _runner(subject: Subject, job: ProbeJob, image: Batch, prior: Batch | None) -> tuple[Callable[[], object], str]:
    if subject.graph is None:
        return _in_torch(subject, job, image, prior)
    graph = open_graph(subject.graph, job.threads)
    name = RUNTIMES[subject.graph.format]
    return (lambda: graph(image, prior)), f"{name} {version_of(name)}"


def _in_torch(subject: Subject, job: ProbeJob, image: Batch, prior: Batch | None) -> tuple[Callable[[], object], str]:
    """The network as `hilum predict` uses it: inference mode, channels last."""
    import torch

    network = subject.network.to(job.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    last: dict[str, Any] = {"device": job.device, "memory_format": torch.channels_last}
    inputs = [None if one is None else torch.from_numpy(one).to(**last) for one in (image, prior)]
    is_cuda = job.device == "cuda"

    def run() -> None:
        with torch.inference_mode():
            answer = network(*inputs)
            if answer.logits is not None:  # a classifier of films gives none
                answer.logits.sigmoid()
        if is_cuda:
            torch.cuda.synchronize()

    return run, f"torch {torch.__version__}"


def _peak_on_card() -> int:
    import torch

    return int(torch.cuda.max_memory_allocated())
