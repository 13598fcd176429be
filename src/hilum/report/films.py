"""Chest X-rays by classes on an evaluation's page: what is mixed up, lungs, areas, presence, labels."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from hilum.core.evaluation import Evaluation, Group
from hilum.core.figures import Figure
from hilum.core.films import FilmFigures
from hilum.report.drawing import encoded, light_figure
from hilum.report.figures import count, with_interval
from hilum.report.page import Picture, Section, Table

_WORDS = {
    "lung_dice_mean": "Dice of both lungs, mean of films",
    "lung_dice_pooled": "Dice of both lungs, all pixels together",
    "lung_iou_mean": "IoU of both lungs, mean of films",
    "lung_iou_pooled": "IoU of both lungs, all pixels together",
    "label_accuracy": "labels that are right, of those given",
    "label_unsure": "films without an answer",
    "label_ece": "calibration error of the likeliest label (ECE), all films",
    "image_sensitivity": "sensitivity",
    "image_specificity": "specificity",
    "image_auc": "ROC AUC",
}


def film_section(films: FilmFigures) -> Section:
    """The section."""
    said = (
        "A class is judged on the films that have it; where none has it, it is undefined. Both lungs are judged apart "
        "from what they show, so that an easy lung doesn't flatter a hard finding. The involved share is that of "
        "findings in a lung; its error is in percentage points, its bias predicted minus true. Sides are the patient's."
    )
    pictures = [Picture(matrix_picture(films.pixels, films.classes, films.classes), _PIXELS)]
    if films.label_counts:
        pictures.append(label_picture(films))
    tables = [_presence(films), *_figures(films.lungs, "Both lungs."), *_figures(films.involved, "Involved share.")]
    return Section("Classes on films", (said,), pictures, [*tables, *label_tables(films)])


def film_lines(found: Evaluation) -> list[str]:
    """The figures of films by classes as lines of a terminal: lungs, each class, the involved share, labels.

    Args:
        found: with films.

    Raises:
        ValueError: it has none.
    """
    films = found.films
    if films is None:
        raise ValueError("an evaluation of something else than films by classes")
    rows = [("lungs, Dice", films.lungs.get("lung_dice_mean"))]
    for group in _classes(found, films):
        present = films.present.get(group.name, {})
        rows.append((f"{group.name}, Dice", group.figures["dice_mean"]))
        if present and present["image_specificity"].n:  # else every film has it
            rows += [(f"{group.name} on a film, {_WORDS[name]}", present[name]) for name in _ON_FILM]
    rows.append(("involved, points off", films.involved.get("both_error_percent")))
    rows += [(_WORDS[name], films.label_figures.get(name)) for name in ("label_accuracy", "label_unsure")]
    return [f"{words:{_WIDTH}} {with_interval(figure)}, n {figure.n}" for words, figure in rows if figure is not None]


def film_words(films: FilmFigures) -> str:
    """What to read first: lungs apart, and no mean over classes."""
    lungs = films.lungs.get("lung_dice_mean")
    said = "" if lungs is None else f"Both lungs, whatever they show: mean Dice {with_interval(lungs)}. "
    return said + "Each class is judged by itself; no mean over classes is given, since an easy class hides a hard one."


def class_summary(found: Evaluation, films: FilmFigures) -> Table:
    """Each class: overlap on the films that have it, and whether it is on a film.

    Args:
        found: with the figures of classes.
        films: its figures of films.
    """
    rows = []
    for group in _classes(found, films):
        dice, present = group.figures["dice_mean"], films.present.get(group.name, {})
        overlap = [with_interval(group.figures[name]) for name in ("dice_mean", "iou_mean")]
        on_film = [with_interval(present[name]) if name in present else "–" for name in _ON_FILM]
        rows.append([group.name, *overlap, count(dice), *on_film])
    on_film_heads = [f"on a film: {_WORDS[name]}" for name in _ON_FILM]
    heads = ("", "Dice, mean", "IoU, mean", "films that have it", *on_film_heads)
    return Table(heads, rows, "Dice and IoU of the films that have the class. Intervals: bootstrap over patients.")


def _classes(found: Evaluation, films: FilmFigures) -> Sequence[Group]:
    """A single class has no groups: the figures are its own."""
    return found.by_class or [Group(films.classes[-1], found.figures)]


def label_picture(films: FilmFigures) -> Picture:
    """The confusion of labels, those without an answer in a column of their own."""
    return Picture(matrix_picture(films.label_counts, films.labels, (*films.labels, "unsure")), _LABELS)


def label_tables(films: FilmFigures) -> list[Table]:
    """Figures of labels; none where there are none."""
    return _figures(films.label_figures, "Films' labels.")


_ON_FILM = ("image_sensitivity", "image_specificity")
_WIDTH = 42
_PIXELS = "Pixels by true class (rows) and predicted class (columns); shares of each row, and all films' pixels."
_LABELS = "Films by true label (rows) and answer (columns)."


def matrix_picture(counts: Sequence[Sequence[int]], rows: Sequence[str], columns: Sequence[str]) -> bytes:
    """PNG: a confusion matrix, shaded by the share of each row, with shares and counts written in.

    Args:
        counts: [rows][columns].
        rows: names of the truth.
        columns: names of the answers.
    """
    table = np.array(counts, dtype=np.float64)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    figure = light_figure(2.2 + 1.2 * len(columns), 1.4 + 0.8 * len(rows))
    place = figure.subplots()
    place.imshow(shares, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    place.set_xticks(range(len(columns)), columns, fontsize=8)
    place.set_yticks(range(len(rows)), rows, fontsize=8)
    place.set_xlabel("predicted", fontsize=8)
    place.set_ylabel("true", fontsize=8)
    for row, column in np.ndindex(table.shape):
        words = f"{shares[row, column]:.1%}\n{table[row, column]:,.0f}"
        colour = "white" if shares[row, column] > 0.5 else "black"
        place.text(column, row, words, ha="center", va="center", fontsize=8, color=colour)
    return encoded(figure)


def _presence(films: FilmFigures) -> Table:
    names = list(dict.fromkeys(name for one in films.present.values() for name in one))
    rows = [
        [of, *(_value(figures.get(name)) for name in names), _films_of(figures)]
        for of, figures in films.present.items()
    ]
    heads = ("class", *(_WORDS.get(name, name) for name in names), "films that have it")
    return Table(heads, rows, "Whether a class is on a film at all; its score is its highest probability there.")


def _films_of(figures: Mapping[str, Figure]) -> str:
    return str(figures["image_sensitivity"].n)


def _value(figure: Figure | None) -> str:
    return "–" if figure is None or math.isnan(figure.value) else with_interval(figure)


def _figures(figures: Mapping[str, Figure], caption: str) -> list[Table]:
    rows = [[_said(name), with_interval(figure), count(figure)] for name, figure in figures.items()]
    return [Table(("", "value (95 % interval)", "n"), rows, caption)] if rows else []


def _said(name: str) -> str:
    return _WORDS.get(name, name.removeprefix("label_").replace("_", " "))
