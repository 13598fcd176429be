"""Films by classes, judged beyond each class's overlap: what is mixed up, lungs apart, areas, and films as a whole.

What a film doesn't have is undefined there (NaN) and counted nowhere; n says how many films a figure is of.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core.figures import Figure
from hilum.core.films import UNKNOWN_LABEL, FilmFigures
from hilum.core.geometry import Floats
from hilum.core.mask import Labels
from hilum.evaluate.area import auc_figure
from hilum.evaluate.bootstrap import Resamples, mean_figures, pooled_figure
from hilum.evaluate.film_labels import FilmLabel, FilmSaid, with_labels
from hilum.measure import LungRoles, involved_percent, lung_middle
from hilum.metrics.overlap import Ratio, confusion

SIDES = ("right", "left", "both")
BACKGROUND = "background"


@dataclass(frozen=True, eq=False)
class FilmResult:
    """One judged film.

    Attributes:
        pixels: [truth, predicted] pixels by class, background first.
        lungs: pixels of both lungs: tp, fp, fn, tn; zeros where nobody says which classes are lung.
        involved: percent of each of `SIDES`, truth and prediction; NaN of a lung that isn't there.
        label: the film's, by number; `UNKNOWN_LABEL` when nobody says.
        said: of the film as a whole.
    """

    pixels: NDArray[np.int64]
    lungs: Floats
    involved: Mapping[str, tuple[float, float]]
    label: int
    said: FilmSaid


def judge_film(
    pred: Labels,
    truth: Labels,
    numbers: Sequence[int],
    roles: LungRoles,
    label: int = UNKNOWN_LABEL,
    said: FilmSaid | None = None,
) -> FilmResult:
    """One film.

    Args:
        pred: [y, x] one class a pixel.
        truth: the same shape.
        numbers: of the declared classes.
        roles: which are lung.
        label: of the film, by number; `UNKNOWN_LABEL` when nobody says.
        said: of the film as a whole.
    """
    every = (0, *numbers)
    lookup = np.zeros(max(every) + 1, dtype=np.intp)
    lookup[list(every)] = range(len(every))
    pairs = lookup[truth].astype(np.intp) * len(every) + lookup[pred]
    pixels = np.bincount(pairs.ravel(), minlength=len(every) ** 2).reshape(len(every), len(every))
    lungs = np.zeros(4)
    involved = dict.fromkeys(SIDES, (math.nan, math.nan))
    if roles.lungs:
        lungs = confusion(roles.field(pred), roles.field(truth)).array().astype(np.float64)
    if roles.findings:
        middle = lung_middle(roles.field(truth))  # of both: else a side's error would be that of two regions
        real, found = (involved_percent(one, roles, middle) for one in (truth, pred))
        involved = {side: (real[side], found[side]) for side in SIDES}
    return FilmResult(pixels.astype(np.int64), lungs, involved, label, said or FilmSaid())


def film_figures(
    films: Sequence[FilmResult], names: Mapping[int, str], labels: Sequence[str], draw: Resamples
) -> FilmFigures:
    """All films together.

    Args:
        films: judged, at least one.
        names: of the declared classes by number.
        labels: names of films' labels, by number.
        draw: of the films' patients.
    """
    found = FilmFigures(
        classes=(BACKGROUND, *names.values()),
        pixels=np.sum([one.pixels for one in films], axis=0).tolist(),
        lungs=_lungs(films, draw),
        involved=_involved(films, draw),
        present={name: _present(films, place, number, draw) for place, (number, name) in enumerate(names.items(), 1)},
    )
    return with_labels(found, [FilmLabel(one.label, one.said) for one in films], labels, draw)


def _lungs(films: Sequence[FilmResult], draw: Resamples) -> dict[str, Figure]:
    counts = np.stack([one.lungs for one in films])
    if not counts.any():
        return {}
    found: dict[str, Figure] = {}
    for name, ratio in (("dice", Ratio.DICE), ("iou", Ratio.IOU)):
        each = np.where(counts[:, 0] + counts[:, 2] > 0, ratio.of_sums(counts), math.nan)
        found |= mean_figures({f"lung_{name}_mean": each}, draw, are_shares=True)
        found[f"lung_{name}_pooled"] = pooled_figure(f"lung_{name}_pooled", counts, ratio.of_sums, draw, is_share=True)
    return found


def _involved(films: Sequence[FilmResult], draw: Resamples) -> dict[str, Figure]:
    """Mean absolute error and mean signed error of each side, percentage points, where both have that lung."""
    found: dict[str, Figure] = {}
    for side in SIDES:
        pairs = np.array([one.involved[side] for one in films])
        errors = pairs[:, 1] - pairs[:, 0]
        if not np.isnan(errors).all():
            names = {f"{side}_error_percent": np.abs(errors), f"{side}_bias_percent": errors}
            found |= mean_figures(names, draw)
    return found


def _present(films: Sequence[FilmResult], place: int, number: int, draw: Resamples) -> dict[str, Figure]:
    """Whether the class is on the film: by any pixel of it, and by how sure the prediction is."""
    has = np.array([one.pixels[place].sum() > 0 for one in films])
    said = np.array([one.pixels[:, place].sum() > 0 for one in films], dtype=np.float64)
    shares = {
        "image_sensitivity": np.where(has, said, math.nan),
        "image_specificity": np.where(has, math.nan, 1 - said),
    }
    found = mean_figures(shares, draw, are_shares=True)
    scores = np.array([one.said.scores.get(number, math.nan) for one in films])
    scored = ~np.isnan(scores)
    if scored.any():
        found["image_auc"] = auc_figure("image_auc", scores[scored], has[scored], draw.of(scored))
    return found
