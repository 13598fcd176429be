"""When a film's label decides what is marked on it, and when it gives none: two limits, chosen on validation.

A label decides two things. On a film that is surely healthy there is no finding. On a film whose label is sure,
findings that only films of another label can have become those of its own: the network's pixels say where a finding is,
the label says which, as COVID-19 and other infections look alike in a few pixels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats
from hilum.datasets.class_source import LABELS
from hilum.measure import LungRoles

HEALTHY = 0
"""Number of the label that shuts the gate."""
MOST_SHUT_OUT = 0.05
"""Share of the films with a finding which a gate may shut out on validation."""
WANTED_ACCURACY = 0.9
"""Of the answers that are given on validation."""
FEWEST_ANSWERS = 0.5
"""Share of validation films that get one, even where that accuracy isn't reached."""
LEAST_HEALTHY = 0.5
"""Probability of "healthy" below which no film is taken for healthy, however well validation films are told apart."""
FEWEST_HEALTHY = 5
"""Healthy validation films, below which nothing says where healthy begins, and the gate stays open."""

SHUT_OUT = "the classifier is sure that the film is healthy, so no finding is marked"


@dataclass(frozen=True)
class Gate:
    """Both limits.

    Attributes:
        healthy_from: probability of "healthy" from which nothing is marked; above 1 for never.
        sure_from: highest probability of any label from which it is given; below, the answer is left open.
        shut_out: share of validation films with a finding that `healthy_from` shuts out.
        kept_out: share of healthy validation films that it shuts.
        accuracy: of the answers given on validation.
        answered: share of validation films that get one.
    """

    healthy_from: float
    sure_from: float
    shut_out: float = math.nan
    kept_out: float = math.nan
    accuracy: float = math.nan
    answered: float = math.nan

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """As it stands in a model's configuration."""
        return cls(**{name: math.nan if value is None else float(value) for name, value in record.items()})

    def is_shut(self, labels: Floats) -> bool:
        """Whether nothing is to be marked on a film of these probabilities [L]: it is healthy, and gets that label."""
        return bool(labels[HEALTHY] >= self.healthy_from) and not self.is_unsure(labels)

    def is_unsure(self, labels: Floats) -> bool:
        """Whether it gets no label."""
        return bool(labels.max() < self.sure_from)


def decided(
    planes: NDArray[np.floating], labels: Floats, gate: Gate, roles: LungRoles
) -> tuple[NDArray[np.float32], str]:
    """What a film's label leaves of its pixels' classes, and what a person should know of it; "" for nothing.

    Args:
        planes: [C, y, x] probability of each class, background first.
        labels: [L] that of each label.
        gate: from when a label decides.
        roles: which classes are findings, and which of these go with one label alone.
    """
    kept = np.array(planes, dtype=np.float32)
    if gate.is_shut(labels):
        return _without(kept, roles.findings), SHUT_OUT
    answer = str(LABELS[int(labels.argmax())])
    others = [number for number, label in roles.label_of.items() if label != answer]
    if gate.is_unsure(labels) or answer == str(LABELS[HEALTHY]) or not others:
        return kept, ""
    own = [number for number, label in roles.label_of.items() if label == answer]
    words = f"the film is surely {answer}, so findings of other films' kind are"
    if not own:
        return _without(kept, others), f"{words} not marked; no class is known for its own"
    return _handed_over(kept, others, own), f"{words} marked as its own"


def _without(planes: NDArray[np.float32], findings: Sequence[int]) -> NDArray[np.float32]:
    """Probabilities with those of findings taken away, the others in proportion."""
    planes[list(findings)] = 0
    total = planes.sum(axis=0)
    planes[0] = np.where(total > 0, planes[0], 1)
    return np.asarray(planes / np.where(total > 0, total, 1), dtype=np.float32)


def _handed_over(planes: NDArray[np.float32], others: Sequence[int], own: Sequence[int]) -> NDArray[np.float32]:
    """Probabilities of the other findings given to a film's own ones, among several of these in proportion."""
    lost, there = planes[list(others)].sum(axis=0), planes[list(own)].sum(axis=0)
    shares = np.where(there > 0, planes[list(own)] / np.where(there > 0, there, 1), 1 / len(own))
    planes[list(own)] += (shares * lost).astype(np.float32)
    planes[list(others)] = 0
    return planes


def choose_gate(labels: Floats, truth: NDArray[np.integer]) -> Gate:
    """The limits on validation films.

    Healthy begins where at most `MOST_SHUT_OUT` of the films with a finding are shut out, and not below
    `LEAST_HEALTHY`; with fewer healthy films than `FEWEST_HEALTHY` the gate stays open. Sure begins at the lowest
    probability from which `WANTED_ACCURACY` is reached, or, where it never is, at that of the best accuracy with
    `FEWEST_ANSWERS`.

    Args:
        labels: [films, L] calibrated probabilities.
        truth: [films] the true label; -1 where nobody says.
    """
    known = truth >= 0
    labels, truth = labels[known], truth[known]
    healthy = truth == HEALTHY
    healthy_from = 2.0
    if healthy.sum() >= FEWEST_HEALTHY and (~healthy).any():
        scores = np.sort(labels[~healthy, HEALTHY])[::-1]
        healthy_from = max(LEAST_HEALTHY, float(np.nextafter(scores[int(MOST_SHUT_OUT * len(scores))], 2)))
    sure_from, accuracy, answered = _sure(labels, truth)
    shut = np.array([Gate(healthy_from, sure_from).is_shut(row) for row in labels], dtype=bool)
    return Gate(healthy_from, sure_from, _share(shut[~healthy]), _share(shut[healthy]), accuracy, answered)


def _sure(labels: Floats, truth: NDArray[np.integer]) -> tuple[float, float, float]:
    """The limit, the accuracy above it, and the share of films above it."""
    if not len(truth):
        return 0.0, math.nan, math.nan
    highest, right = labels.max(axis=1), labels.argmax(axis=1) == truth
    found = [
        (float(level), float(right[highest >= level].mean()), float((highest >= level).mean())) for level in highest
    ]
    found.append((0.0, float(right.mean()), 1.0))
    enough = [one for one in found if one[1] >= WANTED_ACCURACY and one[2] >= FEWEST_ANSWERS]
    if enough:
        return min(enough)
    return max((one for one in found if one[2] >= FEWEST_ANSWERS), key=lambda one: (one[1], one[2]))


def _share(chosen: NDArray[np.bool_]) -> float:
    return float(chosen.mean()) if len(chosen) else math.nan
