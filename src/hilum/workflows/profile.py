"""What a network costs: parameters, multiply-accumulates, time, memory, energy (`hilum profile`)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hilum import __version__
from hilum.core import ConfigError, InputError
from hilum.infer.device import resolved_device
from hilum.infer.energy import BYTES, Energy, modelled
from hilum.infer.exported import Precision
from hilum.infer.graph import SizeYx
from hilum.infer.probe import Probed, ProbeJob, probe
from hilum.infer.subject import Subject, subject_of
from hilum.io.machine import processor_name
from hilum.models.macs import RULE, LayerMacs, MacCount, count_macs

SCHEMA = "hilum.profile/1"
LARGEST_SIDE, LARGEST_BATCH = 8192, 1024
_QUARTILES = (25, 50, 75)
_HEAVIEST = 8


@dataclass(frozen=True)
class ProfileOptions:
    """How a network is measured.

    Attributes:
        size_yx: of the pictures.
        threads: of the processor.
        batch: pictures at a time.
        device: "auto", "cpu" or "cuda".
    """

    size_yx: SizeYx = (512, 512)
    threads: int = 1
    batch: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        require_size(self.size_yx)
        if not 1 <= self.batch <= LARGEST_BATCH:
            raise InputError(f"a batch has 1 to {LARGEST_BATCH} pictures, got {self.batch}.")
        if self.threads < 1:
            raise InputError(f"a network needs at least 1 thread, got {self.threads}.")


@dataclass(frozen=True)
class Latency:
    """How long one batch takes, after the warm-up.

    Attributes:
        median_ms: over all repeats.
        low_ms: a quarter of them was quicker.
        high_ms: a quarter was slower.
        repeats: how many.
        image_ms: the median, of one picture.
        cpu_ms: the median of the processor's own time for a batch, all threads together. On a busy machine the clock
            counts others' work, too, and this hardly; with one thread on an idle one both are the same.
    """

    median_ms: float
    low_ms: float
    high_ms: float
    repeats: int
    image_ms: float
    cpu_ms: float


@dataclass(frozen=True)
class Memory:
    """Growth over the interpreter with its libraries, in a process of its own.

    Attributes:
        loaded_mb: by the network alone.
        peak_mb: at most: network, inputs and features together; on cuda of the card's memory.
        features_mb: what convolutions and linear layers write, of one picture, by arithmetic: all of it at once, while
            a runtime gives back what nobody reads any more.
    """

    loaded_mb: float
    peak_mb: float
    features_mb: float


@dataclass(frozen=True)
class Where:
    """What it was measured on.

    Attributes:
        processor: as it calls itself.
        device: "cpu" or "cuda".
        threads: of the processor.
        runtime: what computed the network, and its version.
        load: of the machine before, over one minute; NaN where it isn't known.
        hilum: its version.
    """

    processor: str
    device: str
    threads: int
    runtime: str
    load: float
    hilum: str = __version__


@dataclass(frozen=True)
class Profile:
    """What a network costs.

    Attributes:
        schema: of the JSON.
        model: its name.
        network: by its name in the catalogue, or its class.
        origin: "from scratch", "trained" or "exported"; an exported one with its format and precision.
        size_yx: of the pictures.
        batch: pictures at a time.
        parameters: numbers that are learned.
        macs: of one picture.
        macs_per_pixel: the same, shared out.
        macs_rule: what is counted.
        heaviest: the layers that cost most, of one picture.
        latency: of a batch.
        memory: see there.
        energy: of one picture.
        where: what it was measured on.
    """

    schema: str
    model: str
    network: str
    origin: str
    size_yx: SizeYx
    batch: int
    parameters: int
    macs: int
    macs_per_pixel: float
    macs_rule: str
    heaviest: Sequence[LayerMacs]
    latency: Latency
    memory: Memory
    energy: Energy
    where: Where


def require_size(size_yx: SizeYx) -> None:
    """Check that a picture can have this size.

    Raises:
        InputError: a side is 0 or huge.
    """
    if not all(1 <= side <= LARGEST_SIDE for side in size_yx):
        height, width = size_yx
        raise InputError(f"a picture's sides have 1 to {LARGEST_SIDE} pixels, got {height}x{width}.")


def run_profile(model: str, options: ProfileOptions | None = None) -> Profile:
    """Measure a network.

    Args:
        model: a network's name in the catalogue, a shipped model, or the folder of a trained or an exported one.
        options: see there.

    Raises:
        MissingError: there is no such model, or what runs it is not installed.
        ConfigError: an exported one takes another size, or is to run on cuda.
        MeasureError: it could not be measured, as when memory runs out.
    """
    options = options or ProfileOptions()
    subject, device = subject_of(model), resolved_device(options.device)
    _require_fit(subject, options.size_yx, device)
    counted = count_macs(subject.network, options.size_yx)
    job = ProbeJob(model, options.size_yx, options.batch, options.threads, device)
    return _profile(subject, counted, job, probe(job))


def _require_fit(subject: Subject, size_yx: SizeYx, device: str) -> None:
    graph = subject.graph
    if graph is None:
        return
    if graph.size_yx not in (None, size_yx):
        height, width = graph.size_yx or size_yx
        raise ConfigError(
            f"{subject.name} was exported for pictures of {height}x{width} pixels alone.",
            f"Measure it with --size {height}x{width}, or export it for any size.",
        )
    if device != "cpu":
        raise ConfigError("an exported network is measured on the processor.", "Take --device cpu.")


def _profile(subject: Subject, counted: MacCount, job: ProbeJob, probed: Probed) -> Profile:
    graph = subject.graph
    precision: Precision = graph.precision if graph else "float32"
    origin = f"exported ({graph.format}, {graph.precision})" if graph else subject.origin
    return Profile(
        schema=SCHEMA,
        model=subject.name,
        network=type(subject.network).__name__,
        origin=origin,
        size_yx=job.size_yx,
        batch=job.batch,
        parameters=sum(one.numel() for one in subject.network.parameters()),
        macs=counted.total,
        macs_per_pixel=counted.per_pixel,
        macs_rule=RULE,
        heaviest=counted.heaviest(_HEAVIEST),
        latency=_latency(probed, job.batch),
        memory=_memory(probed, counted, BYTES[precision]),
        energy=_energy(probed, counted, precision),
        where=Where(processor_name(), job.device, job.threads, probed.runtime, probed.load),
    )


def _latency(probed: Probed, batch: int) -> Latency:
    low, median, high = (1e3 * float(one) for one in np.percentile(probed.seconds, _QUARTILES))
    return Latency(median, low, high, len(probed.seconds), median / batch, 1e3 * float(np.median(probed.cpu_seconds)))


def _memory(probed: Probed, counted: MacCount, size: int) -> Memory:
    written = sum(layer.writes for layer in counted.layers)
    return Memory(probed.loaded_bytes / 1e6, probed.peak_bytes / 1e6, written * size / 1e6)


def _energy(probed: Probed, counted: MacCount, precision: Precision) -> Energy:
    if probed.joules is not None:
        return Energy("measured", probed.joules, math.nan, math.nan, probed.counter)
    weights = sum(layer.parameters for layer in counted.layers)
    moved = sum(layer.reads + layer.writes for layer in counted.layers)
    return modelled(counted.total, weights, moved, precision)
