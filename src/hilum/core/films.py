"""What is known of films by classes beyond the overlap of each class: which are mixed up, lungs, areas, labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hilum.core.figures import Figure


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
