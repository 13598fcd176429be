"""What a model of films by classes comes to: what it says of validation, its temperatures, gate and limits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hilum.core.figures import Figure
from hilum.core.films import FilmFigures
from hilum.core.geometry import Floats
from hilum.core.mask import Labels
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import LABELS
from hilum.evaluate.gate import Gate, choose_gate, decided
from hilum.evaluate.presence import Limit, believed, choose_limit
from hilum.measure import LungRoles, percent_of_lungs
from hilum.metrics.softmax import fit_softmax_temperature, tempered_softmax
from hilum.models.network import Network
from hilum.models.output import Classes
from hilum.train.class_judging import Said
from hilum.train.data import judged_batches, without_padding
from hilum.train.module import answered

_FITTED_ON = 200_000
"""Pixels, drawn evenly: more change a temperature in the third digit."""


@dataclass(frozen=True, eq=False)
class ClassFacts:
    """What a model's configuration and card say of its classes.

    Attributes:
        names: of the classes by number.
        roles: which are lung, and which findings.
        temperature: that calibrates classes of pixels; NaN where nothing was there to fit it on.
        label_temperature: that calibrates labels; NaN likewise.
        gate: chosen on validation; None for a network without one.
        limits: from how much of it each finding is believed; chosen on validation.
        films: figures on validation; None while the run goes on.
        unknown_films: of validation, whose pixels are in no figure, since the class of some of them is unknown.
    """

    names: Mapping[int, str]
    roles: LungRoles = field(default_factory=LungRoles)
    temperature: float = math.nan
    label_temperature: float = math.nan
    gate: Gate | None = None
    limits: Mapping[int, Limit] = field(default_factory=dict)
    films: FilmFigures | None = None
    unknown_films: int = 0

    @property
    def figures(self) -> Mapping[str, Figure]:
        """Of labels; nothing while the run goes on."""
        return {} if self.films is None else self.films.label_figures

    def record(self) -> dict[str, Any]:
        """As `config.json` has it."""
        return {
            "names": dict(self.names),
            "lungs": self.roles.lungs,
            "findings": self.roles.findings,
            "label_of": dict(self.roles.label_of),
            "labels": [str(one) for one in LABELS],
            "temperature": self.temperature,
            "label_temperature": self.label_temperature,
            "gate": None if self.gate is None else asdict(self.gate),
            "limits": {number: asdict(limit) for number, limit in self.limits.items()},
        }


@dataclass(frozen=True, eq=False)
class Calibrated:
    """What a network says of films, calibrated, and how.

    Attributes:
        said: calibrated by the temperatures, and decided by the gate.
        facts: names, roles, temperatures, gate and limits.
    """

    said: Said
    facts: ClassFacts = field(default_factory=lambda: ClassFacts({}))

    def marked(self, place: int, film: ClassSample) -> Labels:
        """The class [y, x] of each pixel of a film, as prediction marks it; background where nobody knows what it is.

        Args:
            place: of the film among those the network was asked about.
            film: the same.
        """
        classes, _ = believed(self.said.classes[place], self.facts.limits, self.facts.roles)
        return np.where(film.weight > 0, classes, 0).astype(np.uint8)


def said_of(network: Network, films: Sequence[ClassSample], device: str) -> Said:
    """What a network says of each film, one at a time, as prediction does.

    Args:
        network: with the weights to judge.
        films: whole.
        device: "cpu" or "cuda".
    """
    network = network.to(device).eval()
    maps, labels = [], []
    with torch.inference_mode():
        for batch in judged_batches(films, 1):
            output = answered(network, batch.image.to(device), None)
            if not isinstance(output, Classes):
                raise TypeError(f"{type(network).__name__} gives no classes")
            if output.logits is not None:
                maps += [one.numpy() for one in without_padding(batch, output.probability().cpu()).values()]
            if (rows := output.label_probability()) is not None:
                labels.append(rows[0].cpu().numpy().astype(np.float64))
    return Said(maps, np.stack(labels) if labels else None)


def calibrated(said: Said, films: Sequence[ClassSample], facts: ClassFacts, *, gates: bool) -> Calibrated:
    """Temperatures, gate and limits of validation films, and what the network says of them then, as prediction does.

    Args:
        said: of each.
        films: of validation.
        facts: names and roles.
        gates: whether the network has a gate.
    """
    pixels = _pixel_temperature(said, films)
    label_t, labels, gate = math.nan, said.labels, None
    if said.labels is not None:
        truth = np.array([film.label_number for film in films])
        known = truth >= 0
        label_t = fit_softmax_temperature(said.labels[known], truth[known]) if known.any() else math.nan
        labels = _tempered(said.labels, label_t)
        gate = choose_gate(labels, truth) if gates else None
    maps = [_tempered(one, pixels, axis=0) for one in said.classes]
    if gate is not None and labels is not None:
        maps = [decided(one, row, gate, facts.roles)[0] for one, row in zip(maps, labels, strict=True)]
    limits = _limits(maps, films, facts.roles) if maps else {}
    return Calibrated(Said(maps, labels), ClassFacts(facts.names, facts.roles, pixels, label_t, gate, limits))


def _limits(maps: Sequence[Floats], films: Sequence[ClassSample], roles: LungRoles) -> dict[int, Limit]:
    """Of each finding, on the films whose pixels are all known."""
    known = [
        (one.argmax(axis=0).astype(np.uint8), film) for one, film in zip(maps, films, strict=True) if film.is_known
    ]
    return {
        number: choose_limit(
            np.nan_to_num([percent_of_lungs(classes, number, roles) for classes, _ in known]),
            np.array([film.has_class(number) for _, film in known], dtype=bool),
        )
        for number in roles.findings
    }


def _tempered(probability: NDArray[Any], temperature: float, axis: int = -1) -> NDArray[Any]:
    return probability if math.isnan(temperature) else tempered_softmax(probability, temperature, axis)


def _pixel_temperature(said: Said, films: Sequence[ClassSample]) -> float:
    if not said.classes:
        return math.nan
    total = sum(int((film.weight > 0).sum()) for film in films)
    step = max(1, total // _FITTED_ON)
    maps, truths = [], []
    for one, film in zip(said.classes, films, strict=True):
        known = film.weight > 0
        maps.append(one[:, known].T[::step])
        truths.append(film.labels[known][::step])
    return fit_softmax_temperature(np.concatenate(maps), np.concatenate(truths).astype(np.intp))
