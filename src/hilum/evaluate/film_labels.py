"""Labels of films as a whole: what is answered, how often it is right, and whether it is as sure as it is right."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from hilum.core.figures import Figure
from hilum.core.films import UNKNOWN_LABEL, FilmFigures
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.area import auc_figure
from hilum.evaluate.bootstrap import Resamples, mean_figures, pooled_figure
from hilum.metrics.calibration import calibration_error_of_sums, equal_width_edges, reliability


@dataclass(frozen=True, eq=False)
class FilmSaid:
    """What a prediction says of a film as a whole.

    Attributes:
        scores: by class's number, how sure it is that the class is there; empty where it doesn't say.
        labels: [L] probability of each label; None where it doesn't say.
        is_unsure: whether it gives no label.
    """

    scores: Mapping[int, float] = field(default_factory=dict)
    labels: Floats | None = None
    is_unsure: bool = False

    @property
    def answer(self) -> int:
        """The label that is given, by number; `UNKNOWN_LABEL` for none."""
        return UNKNOWN_LABEL if self.labels is None or self.is_unsure else int(self.labels.argmax())


@dataclass(frozen=True, eq=False)
class FilmLabel:
    """A film's true label by number, `UNKNOWN_LABEL` when nobody says, and what is said of the film."""

    truth: int
    said: FilmSaid


def with_labels(found: FilmFigures, films: Sequence[FilmLabel], labels: Sequence[str], draw: Resamples) -> FilmFigures:
    """With the confusion of labels, and figures of those films whose label is known and said.

    Sensitivity and specificity are of the answers given, areas and the calibration error of all films, unsure ones too.

    Args:
        found: what else is known of the films.
        films: with their labels.
        labels: their names by number.
        draw: of the films' patients.
    """
    judged = np.array([one.truth != UNKNOWN_LABEL and one.said.labels is not None for one in films])
    if not judged.any():
        return found
    chosen, drawn = [one for one, is_in in zip(films, judged, strict=True) if is_in], draw.of(judged)
    truth = np.array([one.truth for one in chosen])
    answer = np.array([one.said.answer for one in chosen])
    unsure = answer == UNKNOWN_LABEL
    counts = np.zeros((len(labels), len(labels) + 1), dtype=int)
    np.add.at(counts, (truth, np.where(unsure, len(labels), answer)), 1)
    right = (answer == truth).astype(np.float64)
    shares = {"label_accuracy": np.where(unsure, math.nan, right), "label_unsure": unsure.astype(np.float64)}
    for number, name in enumerate(labels):
        is_it = truth == number
        shares[f"label_sensitivity_{name}"] = np.where(is_it & ~unsure, right, math.nan)
        shares[f"label_specificity_{name}"] = np.where(is_it | unsure, math.nan, answer != number)
    figures = mean_figures(shares, drawn, are_shares=True)
    probability = np.stack([one.said.labels for one in chosen if one.said.labels is not None])
    for number, name in enumerate(labels):
        figures[f"label_auc_{name}"] = auc_figure(f"label_auc_{name}", probability[:, number], truth == number, drawn)
    figures["label_ece"] = _calibration_error(probability, probability.argmax(axis=1) == truth, drawn)
    return replace(found, labels=tuple(labels), label_counts=counts.tolist(), label_figures=figures)


def _calibration_error(probability: Floats, is_right: Selection, draw: Resamples) -> Figure:
    """Of the likeliest label (Guo 2017, equation 3): of few films it is too high, since each bin has its own chance."""
    edges = equal_width_edges()
    bins = [
        reliability(row.max(keepdims=True), np.array([right]), edges)
        for row, right in zip(np.minimum(probability, 1), is_right, strict=True)
    ]
    sums = np.stack([np.concatenate([one.count, one.probability_sum, one.positives]) for one in bins])
    return pooled_figure(
        "label_ece", sums, lambda s: calibration_error_of_sums(*np.split(s, 3, axis=-1)), draw, is_share=True
    )
