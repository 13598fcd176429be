"""What an epoch says of validation films by classes is worth: Dice of each class on the films that have it, labels."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hilum.core.geometry import Floats
from hilum.core.mask import Labels
from hilum.datasets.class_sample import ClassSample
from hilum.metrics.overlap import Counts, class_counts, dice, pooled
from hilum.metrics.probability import count_scores, roc_auc
from hilum.train.judging import Judging
from hilum.train.module import Learner


@dataclass(frozen=True, eq=False)
class Said:
    """What a network says of films.

    Attributes:
        classes: [C, y, x] probabilities of each film, background first; empty for a network that gives none.
        labels: [films, L] probabilities; None for a network that gives none.
    """

    classes: Sequence[Floats] = field(default_factory=tuple)
    labels: Floats | None = None


def judge_classes(said: Said, films: Sequence[ClassSample], names: Mapping[int, str]) -> dict[str, float]:
    """All figures of validation.

    Args:
        said: of each film.
        films: the same.
        names: of the declared classes by number.

    Returns:
        Each class's mean Dice over the films that have it, "dice_" and its name, NaN for a class that none has; their
        mean, and that of pooled Dice, over the classes that are there; of labels, accuracy and mean area under the
        curves.
    """
    found: dict[str, float] = {}
    if said.classes:
        counts = [_counts(one, film, names) for one, film in zip(said.classes, films, strict=True)]
        each = {name: _dice(counts, number) for number, name in names.items()}
        found |= {"dice_mean": known_mean([mean for mean, _ in each.values()])}
        found |= {"dice_pooled": known_mean([together for _, together in each.values()])}
        found |= {f"dice_{name}": mean for name, (mean, _) in each.items()}
    if said.labels is not None:
        found |= _label_figures(said.labels, np.array([film.label_number for film in films]))
    return found


def known_mean(values: Sequence[float]) -> float:
    """Mean of those that are defined; NaN of none."""
    known = [value for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def marked(probability: Floats, film: ClassSample) -> Labels:
    """The likeliest class [y, x] of each pixel; background where nobody knows what it is, as in the truth."""
    return np.where(film.weight > 0, probability.argmax(axis=0), 0).astype(np.uint8)


def _counts(probability: Floats, film: ClassSample, names: Mapping[int, str]) -> dict[int, Counts]:
    return class_counts(marked(probability, film), film.labels, list(names))


def _dice(counts: Sequence[Mapping[int, Counts]], number: int) -> tuple[float, float]:
    """Mean over the films that have the class, and of all films' pixels together where any has it."""
    own = [one[number] for one in counts]
    of_those = [dice(one) for one in own if one.tp + one.fn]
    return known_mean(of_those), dice(pooled(own)) if of_those else math.nan


def _label_figures(probability: Floats, truth: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> dict[str, float]:
    known = truth >= 0
    if not known.any():
        return {"label_accuracy": math.nan, "label_auc": math.nan}
    own, real = probability[known], truth[known]
    areas = [roc_auc(count_scores(own[:, number], real == number)) for number in range(own.shape[1])]
    return {"label_accuracy": float((own.argmax(axis=1) == real).mean()), "label_auc": known_mean(areas)}


class ClassJudging(Judging):
    """After each validation: the learner's figures.

    Args:
        films: that are judged.
        names: of the declared classes by number.
    """

    def __init__(self, films: Sequence[ClassSample], names: Mapping[int, str]) -> None:
        super().__init__(lambda _: {})
        self._films, self._names = films, names

    def _found(self, learner: Learner) -> Mapping[str, float]:
        return judge_classes(said_by(learner), self._films, self._names)


def said_by(learner: Learner) -> Said:
    """What validation has left."""
    maps, labels = learner.probabilities, learner.labels
    rows = np.stack([labels[case].numpy() for case in range(len(labels))]).astype(np.float64) if labels else None
    return Said([maps[case].numpy() for case in range(len(maps))], rows)
