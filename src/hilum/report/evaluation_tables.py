"""The tables of an evaluation's page: all figures, parts apart, other truths, classes, calibration."""

import math
from collections.abc import Mapping, Sequence

from hilum.core.evaluation import BY_ZONE, Evaluation, Group
from hilum.core.figures import Figure
from hilum.report.figures import WORDS, count, group_table, in_words, with_interval
from hilum.report.page import Table

_MISSED = " A missed lesion has no surface distance, so distances are of cases with a prediction only."
_SIZE = "equivalent diameter of a connected component of the truth"


_GROW = ("specificity", "npv")
"""What grows with the background around a lesion, and tells truths apart hardly at all."""
_TRUTHS: Mapping[str, str] = {
    "consensus": "Consensus: what at least half of a nodule's readers have, of nodules with three readers or more. "
    "What fewer readers outlined is no lesion there, so a prediction on it is false.",
}


def evaluation_tables(found: Evaluation) -> list[Table]:
    """All figures first, then the same apart by what is known."""
    tables = [_every_figure(found), *_truth_tables(found)]
    parts = (
        (found.by_size, f"By size: {'as stated' if found.is_of_points else _SIZE}; false positives by theirs."),
        (found.by_place, _place_words(found)),
        (
            found.by_readers,
            "By how many readers outlined the nodule: every nodule that LIDC's readers outlined, whatever the truth.",
        ),
        (found.by_visibility, "By visibility, 0 to 1: size, contrast to noise and overlap."),
        (found.by_subtlety, "By subtlety: how hard radiologists found the lesion to see."),
    )
    tables += [group_table(groups, caption) for groups, caption in parts if groups]
    if found.by_class:
        tables.append(_class_table(found.by_class))
    return tables + _calibration_tables(found)


def is_meaningless(found: Evaluation, figure: Figure) -> bool:
    """Whether a figure is overlap and its kin against points."""
    return found.is_of_points and figure.n == 0 and math.isnan(figure.value)


def _every_figure(found: Evaluation) -> Table:
    known = {name: figure for name, figure in found.figures.items() if not is_meaningless(found, figure)}
    return Table(
        ("", "value (95 % interval)", "n"),
        [[in_words(name), with_interval(figure), count(figure)] for name, figure in known.items()],
        "All figures. n: cases (lesions for “lesions found”) that have the figure; the others are undefined, not 0."
        + ("" if found.is_of_points else _MISSED),
    )


def _truth_tables(found: Evaluation) -> list[Table]:
    """The main figures by every truth, one column each; none where there is one truth only."""
    if not found.by_truth:
        return []
    columns = [Group(found.truth, found.figures), *found.by_truth]
    names = [name for name in found.by_truth[0].figures if name in WORDS and not name.startswith(_GROW)]
    rows = [
        [WORDS[name], *(f"{with_interval(one.figures[name])}, n {one.figures[name].n}" for one in columns)]
        for name in names
    ]
    about = " ".join(_TRUTHS[one.name] for one in found.by_truth if one.name in _TRUTHS)
    caption = f"The same masks, at the same threshold, by other truths. {about}"
    return [Table(("", *(one.name for one in columns)), rows, caption)]


def _place_words(found: Evaluation) -> str:
    """How places are named."""
    said = f"By place, {found.places}: lesions by their centre, false positives by theirs."
    if found.places == BY_ZONE:
        return f"{said} Sides are the patient's, zones thirds of each lung's height."
    return f"{said} As one looks at the picture; nobody drew the lungs of every case."


def _class_table(groups: Sequence[Group]) -> Table:
    """Classes as columns, figures as rows."""
    names = list(groups[0].figures)
    rows = [[WORDS.get(name, name), *(with_interval(group.figures[name]) for group in groups)] for name in names]
    images = ["images that have it", *(count(group.figures[names[0]]) for group in groups)]
    caption = "By class, each against all others. A class that no image has is undefined, not 1 and not 0."
    return Table(("", *(group.name for group in groups)), [images, *rows], caption)


_BELIEFS = ("ece", "ece_mean", "ace_mean", "brier", "brier_mean")


def _calibration_tables(found: Evaluation) -> list[Table]:
    """Probabilities as stored and at the temperature; or the temperature that was fitted here, for others."""
    if found.temperature is not None:
        rows = [
            [WORDS[name], with_interval(found.figures[_before(name)]), with_interval(found.figures[name])]
            for name in _BELIEFS
            if name in found.figures and _before(name) in found.figures
        ]
        caption = (
            f"Calibration near lesions, at the temperature {found.temperature.value:.3g} (fitted on "
            f"{found.temperature.fitted_on}, {found.temperature.pixels} pixels). It moves no mask and no ranking."
        )
        return [Table(("", "as stored", "at the temperature"), rows, caption)]
    if found.fitted is None:
        return []
    one = found.fitted
    row = [f"{one.value:.3g}", str(one.pixels), f"{one.loss_before:.4f}", f"{one.loss_after:.4f}"]
    caption = "The temperature that these cases would like; other evaluations take it with --temperature-from this one."
    heads = ("temperature", "pixels", "mean negative log-likelihood as stored", "at the temperature")
    return [Table(heads, [row], caption)]


def _before(name: str) -> str:
    first, _, rest = name.partition("_")
    return f"{first}_before{'_' if rest else ''}{rest}"
