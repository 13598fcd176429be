"""The tables of an evaluation's page: all figures, parts apart, other truths, classes, calibration."""

import math
from collections.abc import Mapping, Sequence

from hilum.core.evaluation import BY_SLICE, BY_ZONE, Evaluation, Group
from hilum.core.figures import Figure
from hilum.report.figures import WORDS, count, group_table, in_words, with_interval
from hilum.report.page import Table
from hilum.report.yardstick import yardstick_table

FROC = "froc_"
"""Start of the names of a free-response curve's points."""
_MISSED = " A missed lesion has no surface distance, so distances are of cases with a prediction only."
_SIZE = "equivalent diameter of a connected component of the truth"


_KINDS: Mapping[str, str] = {
    "dice iou precision recall specificity npv area volume": "Overlap and size",
    "hd assd robust nsd": "Surfaces",
    "lesion false empty wafroc reader": "Lesions",
    "roc average ece ace brier": "Probabilities",
}
"""Headings by the starts of the names below them."""
_OTHERS = "Others"
_GROW = ("specificity", "npv")
"""What grows with the background around a lesion, and tells truths apart hardly at all."""
_TRUTHS: Mapping[str, str] = {
    "consensus": "Consensus: what at least half of a nodule's readers have, of nodules with three readers or more. "
    "What fewer readers outlined is no lesion there, so a prediction on it is false.",
}


def evaluation_tables(found: Evaluation) -> list[Table]:
    """Figures apart by what is known, and folded below them all figures."""
    tables = [*_truth_tables(found)]
    parts = (
        (found.by_size, f"By size: {'as stated' if found.is_of_points else _SIZE}; false positives by theirs."),
        (found.by_place, _place_words(found)),
        (
            found.by_readers,
            "By how many readers outlined the nodule: every nodule that LIDC's readers outlined, whatever the truth.",
        ),
        (
            found.by_reader,
            "By the single reader whose masks are the truth, of nodules with three readers or more. Readers are "
            "numbered within a nodule: nobody knows who is the same person elsewhere.",
        ),
        (
            found.by_stack,
            "By nodule: a nodule is the stack of its slices, and its Dice that of all its pixels together; beside it "
            "the mean over slices.",
        ),
        (found.by_visibility, "By visibility, 0 to 1: size, contrast to noise and overlap."),
        (found.by_subtlety, "By subtlety: how hard radiologists found the lesion to see."),
    )
    if found.films is None:  # parts of an area are no lesions, and have no size worth knowing
        tables += [group_table(_plain(groups), caption) for groups, caption in parts if groups]
    if found.yardstick is not None:
        tables.append(yardstick_table(found.yardstick, found.by_size))
    if found.by_class:
        tables.append(_class_table(found.by_class))
    return [*tables, *_calibration_tables(found), _every_figure(found)]


def _plain(groups: Sequence[Group]) -> list[Group]:
    """Without points of the free-response curve, which have a table of their own."""
    return [
        Group(group.name, {name: one for name, one in group.figures.items() if not name.startswith(FROC)})
        for group in groups
    ]


def is_meaningless(found: Evaluation, figure: Figure) -> bool:
    """Whether a figure is overlap and its kin against points."""
    return found.is_of_points and figure.n == 0 and math.isnan(figure.value)


def _every_figure(found: Evaluation) -> Table:
    known = {name: figure for name, figure in found.figures.items() if not is_meaningless(found, figure)}
    rows: list[list[str]] = []
    for kind in dict.fromkeys((*_KINDS.values(), *map(_kind, known))):
        of_kind = [figure for name, figure in known.items() if _kind(name) == kind]
        listed = [[in_words(one.name), with_interval(one), count(one)] for one in of_kind]
        rows += [[kind], *listed] if listed else []
    return Table(
        ("", "value (95 % interval)", "n"),
        rows,
        "n: cases (lesions for “lesions found”) that have the figure; the others are undefined, not 0."
        + ("" if found.is_of_points else _MISSED),
        folded=f"All {len(known)} figures",
    )


def _kind(name: str) -> str:
    """The heading that a figure stands under."""
    plain = name.removeprefix("foreground_")
    return next((kind for start, kind in _KINDS.items() if plain.startswith(tuple(start.split()))), _OTHERS)


def _truth_tables(found: Evaluation) -> list[Table]:
    """The main figures by every truth, one column each; none where there is one truth only."""
    if not found.by_truth:
        return []
    columns = [Group(found.truth, found.figures), *found.by_truth]
    names = [name for name in found.by_truth[0].figures if in_words(name) != name and not name.startswith(_GROW)]
    rows = [
        [in_words(name), *(f"{with_interval(one.figures[name])}, n {one.figures[name].n}" for one in columns)]
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
    if found.places == BY_SLICE:
        return f"{said} As one looks at an axial slice: rows by columns, of whichever slice the lesion is on."
    return f"{said} As one looks at the picture; nobody drew the lungs of every case."


def _class_table(groups: Sequence[Group]) -> Table:
    """Classes as columns, figures as rows."""
    names = list(groups[0].figures)
    rows = [[in_words(name), *(with_interval(group.figures[name]) for group in groups)] for name in names]
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
