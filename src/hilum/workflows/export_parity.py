"""A graph beside its network: on which pictures, how far apart, and what 8 bits cost in Dice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hilum.core.mask import Selection
from hilum.infer.exported import RUNTIMES, Batch, Format, Graph, Precision, Runner, open_graph
from hilum.infer.extras import version_of
from hilum.infer.graph import TRACED, SizeYx
from hilum.infer.int8 import Inputs
from hilum.infer.parity import Check, compared, evenly, fitted, worst
from hilum.infer.subject import Subject
from hilum.metrics.overlap import Counts, confusion
from hilum.train.config import TrainConfig
from hilum.train.judging import figures_at
from hilum.workflows.track import Track
from hilum.workflows.train_data import read_data

SCHEMA = "hilum.parity/1"
CALIBRATION = 48
"""Training pictures that set the scales of int8; more change them little, and cost time."""
SIZES = ((1, (97, 131)), (3, TRACED), (2, (33, 17)), (1, (1, 1)))
"""Batches and sizes that are tried: none but one was traced, two no network's stride divides."""
_GATES: Mapping[Precision, str] = {
    "float32": "every batch's largest difference is at most what is taken",
    "int8": "the same graph in float32 is the network; the loss of Dice is at most what is allowed",
}
_SEED = 0
_RANDOM = 3
_SIDE = 256


class Sample(Protocol):
    """What is read of a training sample."""

    @property
    def image(self) -> NDArray[np.float32]:
        """[y, x], 0 to 1."""

    @property
    def truth(self) -> Selection:
        """[y, x]."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """What a graph is tried on.

    Attributes:
        words: what they are.
        shown: planes [1 + channels, y, x] for parity.
        training: samples that set the scales of int8; empty without a data set.
        validation: samples that say what it costs.
        channels: of second images.
        threshold: of the model; NaN without one.
    """

    words: str
    shown: Sequence[NDArray[np.float32]]
    training: Sequence[Sample] = ()
    validation: Sequence[Sample] = ()
    channels: int = 0
    threshold: float = np.nan

    def calibration(self, size_yx: SizeYx | None) -> list[Inputs]:
        """Training pictures, whole or cut to a size."""
        chosen = [planes_of(self.training[place], self.channels) for place in evenly(CALIBRATION, self.training)]
        return [inputs_of([one if size_yx is None else fitted(one, size_yx)]) for one in chosen]


def pictures_for(subject: Subject, data: Path | None) -> Pictures:
    """Pictures of the data set that a model was trained on, or random numbers.

    Raises:
        HilumError: as `read_data`.
    """
    if data is None:
        draw = np.random.default_rng(_SEED)
        shape = (1 + subject.channels, _SIDE, _SIDE)
        shown = [draw.random(shape, dtype=np.float32) for _ in range(_RANDOM)]
        return Pictures(f"random numbers from 0 to 1 (seed {_SEED})", shown, channels=subject.channels)
    config = TrainConfig.of(subject.config["config"], subject.name)
    read = read_data(data, config)
    shown = [planes_of(read.validation[place], subject.channels) for place in evenly(_RANDOM, read.validation)]
    threshold = float(subject.config["threshold"]["value"])
    words = f"validation pictures of {read.facts.name}"
    return Pictures(words, shown, read.training, read.validation, subject.channels, threshold)


def planes_of(sample: Sample, channels: int) -> NDArray[np.float32]:
    """[1 + channels, y, x]: a sample's picture, and what stands beside it."""
    beside = [getattr(sample, name) for name in ("prior", "prior_lesions")[:channels]]
    return np.stack([np.asarray(one, dtype=np.float32) for one in (sample.image, *beside)])


def inputs_of(planes: Sequence[NDArray[np.float32]]) -> Inputs:
    """A batch of planes [C, y, x] of one size, as a graph takes it."""
    both: Batch = np.stack(planes)
    return np.ascontiguousarray(both[:, :1]), np.ascontiguousarray(both[:, 1:]) if both.shape[1] > 1 else None


@dataclass(frozen=True)
class DiceCost:
    """What 8 bits cost on validation, at the model's own threshold.

    Attributes:
        cases: validation pictures.
        threshold: from which probability a pixel is in.
        mean: Dice over pictures with lesions, of the graph in float32 and in int8.
        pooled: of all pixels together, of both.
        loss: the larger of both losses.
        calibration: training pictures that set the scales.
    """

    cases: int
    threshold: float
    mean: tuple[float, float]
    pooled: tuple[float, float]
    loss: float
    calibration: int


@dataclass(frozen=True)
class Parity:
    """How far a graph is from its network: `parity.json`.

    Attributes:
        schema: of the JSON.
        format: of the graph.
        precision: of the graph.
        runtime: what ran it.
        reference: what it is held against.
        inputs: what both saw.
        gate: what it had to pass.
        max_difference: largest absolute difference of probabilities.
        mean_difference: over all pixels of all batches, each batch alike.
        checks: each batch.
        dice: what int8 costs; None in float32.
    """

    schema: str
    format: Format
    precision: Precision
    runtime: str
    reference: str
    inputs: str
    gate: str
    max_difference: float
    mean_difference: float
    checks: Sequence[Check]
    dice: DiceCost | None = None

    @classmethod
    def of(cls, graph: Graph, pictures: Pictures, found: Sequence[Check], cost: DiceCost | None = None) -> "Parity":
        """What was found, with what it was found on."""
        runtime = RUNTIMES[graph.format]
        return cls(
            schema=SCHEMA,
            format=graph.format,
            precision=graph.precision,
            runtime=f"{runtime} {version_of(runtime)}",
            reference=f"torch {version_of('torch')}, float32",
            inputs=pictures.words,
            gate=_GATES[graph.precision],
            max_difference=worst(found),
            mean_difference=float(np.mean([check.mean_difference for check in found])),
            checks=found,
            dice=cost,
        )


def checks(subject: Subject, graph: Runner, pictures: Pictures, size_yx: SizeYx | None) -> list[Check]:
    """A graph beside its network: at the pictures' own size and at `SIZES`, or at its one size."""
    tried = [(1, size_yx), (2, size_yx)] if size_yx else [(1, _size(pictures.shown[0])), *SIZES]
    found = []
    for batch, size in tried:
        planes = [fitted(pictures.shown[number % len(pictures.shown)], size) for number in range(batch)]
        found.append(compared(subject.network, graph, *inputs_of(planes)))
    return found


def _size(planes: NDArray[np.float32]) -> SizeYx:
    return planes.shape[-2], planes.shape[-1]


def dice_cost(subject: Subject, exact: Graph, rounded: Graph, pictures: Pictures, track: Track) -> DiceCost:
    """Dice of both graphs on all validation pictures."""
    graphs, counts = (open_graph(exact), open_graph(rounded)), list[tuple[Counts, Counts]]()
    for sample in track(pictures.validation, f"{subject.name} in int8"):
        planes, truth = planes_of(sample, pictures.channels), sample.truth
        if exact.size_yx is not None:
            planes, truth = fitted(planes, exact.size_yx), fitted(truth.astype(np.float32), exact.size_yx) > 0
        image, prior = inputs_of([planes])
        first, second = (confusion(graph(image, prior)[0, 0] >= pictures.threshold, truth) for graph in graphs)
        counts.append((first, second))
    figures = [figures_at([pair[which] for pair in counts]) for which in range(2)]
    mean, pooled = ((figures[0][name], figures[1][name]) for name in ("dice_mean", "dice_pooled"))
    loss = max(mean[0] - mean[1], pooled[0] - pooled[1])
    used = len(evenly(CALIBRATION, pictures.training))
    return DiceCost(len(counts), pictures.threshold, mean, pooled, loss, used)
