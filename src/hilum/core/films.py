"""What is known of films by classes beyond the overlap of each class: which are mixed up, lungs, areas, labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilum.core.figures import Figure
from hilum.core.mask import Mask

UNKNOWN_LABEL = -1
"""Number of a film's label when nobody says what it is."""


@dataclass(frozen=True)
class FilmFigures:
    """Of all films of an evaluation.

    Attributes:
        classes: names, background first.
        pixels: [truth][predicted] pixels of all films.
        lungs: Dice and IoU of both lungs, whatever they show, apart from everything else.
        involved: error of the share of each lung that is involved, in percentage points.
        present: by class, whether it is on the film: sensitivity, specificity and ROC AUC.
        labels: names, in the order of `label_counts`.
        label_counts: [truth][predicted] films, the last column those without an answer.
        label_figures: of the films' labels.
    """

    classes: Sequence[str]
    pixels: Sequence[Sequence[int]]
    lungs: Mapping[str, Figure] = field(default_factory=dict)
    involved: Mapping[str, Figure] = field(default_factory=dict)
    present: Mapping[str, Mapping[str, Figure]] = field(default_factory=dict)
    labels: Sequence[str] = ()
    label_counts: Sequence[Sequence[int]] = ()
    label_figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class ClassPrediction:
    """What a model says of a film.

    Attributes:
        key: of the study.
        mask: each pixel's class on the film's own pixels; None for a model of labels alone.
        probability: [C, y, x] of each class on these pixels, background first; None likewise.
        involved_percent: of the right lung, the left one and both; empty where nothing says which classes are findings.
        labels: probability of each label; empty for a model that gives none.
        label: the likeliest; "" where there is none, or the classifier is unsure.
        is_unsure: whether it is.
        notes: what a person who uses it should know, one line each.
    """

    key: str
    mask: Mask | None
    probability: NDArray[np.float32] | None
    involved_percent: Mapping[str, float] = field(default_factory=dict)
    labels: Mapping[str, float] = field(default_factory=dict)
    label: str = ""
    is_unsure: bool = False
    notes: tuple[str, ...] = ()
