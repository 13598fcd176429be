"""Several evaluations compared, as a page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hilum.core.changes import DIAMETER_SIZE, DICE, FALSE_GONE, NOTICED, STILL_THERE, ChangeKind
from hilum.core.evaluation import Alarm, Group, ReaderYardstick
from hilum.core.figures import Figure
from hilum.metrics.froc import RATES
from hilum.report.changes import standings
from hilum.report.differences import Strip, differences_picture
from hilum.report.evaluation import alarm_sections
from hilum.report.figures import WORDS, signed_with_interval, with_interval
from hilum.report.froc import fraction
from hilum.report.page import Page, Picture, Section, Table
from hilum.report.yardstick import yardstick_words

CASE_WORDS: Mapping[str, tuple[str, str]] = {
    "dice": ("Dice", ""),
    "iou": ("IoU", ""),
    "precision": ("precision (PPV)", ""),
    "recall": ("recall (sensitivity)", ""),
    "hd_mm": ("Hausdorff distance", " mm"),
    "robust_distance_mm": ("robust surface distance", " mm"),
    "lesion_sensitivity": ("share of lesions found", ""),
    "false_positives": ("false positives per image", ""),
    "false_positive_on_empty": ("false alarms without a lesion", ""),
    "hd95_mm": ("95 % Hausdorff distance", " mm"),
    "assd_mm": ("average surface distance", " mm"),
    "nsd_2mm": ("surface Dice at 2 mm", ""),
    "roc_auc": ("ROC AUC of pixels", ""),
    "average_precision": ("average precision of pixels", ""),
    "ece": ("ECE near lesions", ""),
    "ace": ("ACE near lesions", ""),
    "brier": ("Brier score near lesions", ""),
    "absolute_area_error_mm2": ("size of the area error", " mm²"),
    "absolute_volume_error_mm3": ("size of the volume error", " mm³"),
    "absolute_volume_error_percent": ("size of the area or volume error", " %"),
    "image_sensitivity": ("images in which it was seen", ""),
    DICE: ("Dice of a lesion", ""),
    DIAMETER_SIZE: ("absolute diameter error", " mm"),
    NOTICED: ("gone lesions that are called gone", ""),
    FALSE_GONE: ("lesions still there that are called gone", ""),
    "wafroc": ("wAFROC area", ""),
    "wafroc1": ("wAFROC1 area", ""),
    "lesion_average_precision": ("average precision over lesions", ""),
    "cpm": ("mean sensitivity at the seven rates of false marks", ""),
    **{f"froc_{rate:g}": (f"lesions found at {fraction(rate)} false marks an image", "") for rate in RATES},
}
"""Words and unit of a case's figure."""

CHECKED = (
    "cases that not every model has; other true masks, by their hash and sizes; models that predict nothing on "
    "different numbers of cases; and all that was looked for when each model was evaluated"
)

_NOT_DRAWN = {"false_positives", *(f"froc_{rate:g}" for rate in RATES)}
"""A number, and what the mean over the rates stands for."""

_SAID = ((NOTICED, str(ChangeKind.GONE)), (FALSE_GONE, STILL_THERE))
"""Figures whose words say of which lesions they are."""
_ALPHA = 0.05

_RULE = (
    "Differences are second minus first on the cases where both are defined; “left out” counts the other cases: "
    "without a lesion there is no Dice, and where a model predicts nothing there is no distance and no precision. p: "
    "two-sided, over patients, Holm-corrected over the pairs of models, each figure (and class) for itself. d: Cohen's "
    "d of the patients' differences. Better: cases in which the second is strictly better. Detectable: the "
    "smallest true difference that a paired test with these patients would see four times in five; “no "
    "difference” means none above. Free-response figures are of all marks together: drawn and exchanged by patient, "
    "without a value for a single case, so without Wilcoxon's test, d and better. Pooled ROC AUC, average precision of "
    "pixels and calibration are not compared; their means of cases are."
)

_CHANGE_RULE = (
    "The same lesions in both models, by what became of them since the earlier picture; patients are drawn, and change "
    "sign, as a whole. n counts lesions. p: two-sided, over patients, Holm-corrected over the kinds and the pairs of "
    "models, each figure for itself. A diameter's error is of lesions that both models meet; the others are left out."
)


def case_words(figure: str, of_class: str = "", of_change: str = "") -> tuple[str, str]:
    """A case's figure, or that of lesions of one kind of change, for people, and its unit."""
    words, unit = CASE_WORDS.get(figure, (figure, ""))
    if of_change and (figure, of_change) not in _SAID:
        words = f"{words} ({of_change})"
    return (f"{words} of {of_class}" if of_class else words), unit


def in_words(figure: str, of_class: str = "", of_change: str = "") -> str:
    """The same with its unit."""
    words, unit = case_words(figure, of_class, of_change)
    return f"{words},{unit}" if unit else words


def signed_number(value: float) -> str:
    """+0.123, with a proper minus."""
    return f"{value:+.3f}".replace("-", "−")


def p_words(value: float, *, is_floor: bool = False) -> str:
    """As in "p 0.250"; "p ≤ 0.0003", rounded up, where only the number of draws keeps it from being smaller."""
    return f"p {_p(value, is_floor=is_floor)}"


@dataclass(frozen=True)
class PairRow:
    """One figure and pair of models as the page shows it.

    Attributes:
        figure: name of the figure.
        models: first and second; differences are second minus first.
        difference: mean over cases, with its interval.
        dropped: cases where one model's figure, or both, is undefined.
        wilcoxon_p: after Holm.
        permutation_p: after Holm.
        cohens_d: effect size over patients.
        share_improved: cases in which the second is better.
        detectable: smallest true difference that would be seen four times in five.
        higher_is_better: which way is good.
        is_p_at_floor: whether only the number of draws keeps the permutation test's p from being smaller.
        of_class: the class; "" for all together, or when there is one.
        of_change: the kind of change of the lesions that it is of; "" of a mean over cases.
    """

    figure: str
    models: tuple[str, str]
    difference: Figure
    dropped: int
    wilcoxon_p: float
    permutation_p: float
    cohens_d: float
    share_improved: float
    detectable: float
    higher_is_better: bool = True
    is_p_at_floor: bool = False
    of_class: str = ""
    of_change: str = ""

    @property
    def is_seen(self) -> bool:
        """Whether the permutation test sees a difference after Holm's correction."""
        return self.permutation_p < _ALPHA


@dataclass(frozen=True)
class ComparisonReport:
    """What the page shows.

    Attributes:
        title: the heading.
        lead: what was compared on what.
        verdicts: what matters most, a sentence or two for each figure and pair.
        figures: of each model, by name of model: the headline figures.
        rivals: the same of trivial predictions.
        yardstick: how well readers agree; None where nobody knows.
        pairs: everything compared.
        by_change: the same of lesions by kind of change since an earlier picture.
        standings: figures by kind of change of each model and rival.
        pictures: of the differences, from `difference_pictures`.
        resolution: what the permutation test can tell at most.
        pooled: class ("" for all together), models and difference of pooled figures.
        alarms: what makes the comparison doubtful.
        provenance: name and value of what made it.
    """

    title: str
    lead: str
    verdicts: Sequence[str]
    figures: Sequence[tuple[str, Sequence[Figure]]]
    pairs: Sequence[PairRow]
    resolution: str
    pooled: Sequence[tuple[str, tuple[str, str], Figure]]
    by_change: Sequence[PairRow] = ()
    standings: Mapping[str, Sequence[Group]] = field(default_factory=dict)
    pictures: Sequence[Picture] = ()
    rivals: Sequence[tuple[str, Sequence[Figure]]] = ()
    yardstick: ReaderYardstick | None = None
    alarms: Sequence[Alarm] = ()
    provenance: Sequence[tuple[str, str]] = field(default_factory=tuple)


def comparison_page(report: ComparisonReport) -> Page:
    """The page."""
    names = [WORDS.get(figure.name, figure.name) for figure in report.figures[0][1]]
    models = Table(
        ("", *names),
        [
            [name, *(with_interval(figure) for figure in figures)]
            for name, figures in (*report.figures, *((f"rival: {name}", figures) for name, figures in report.rivals))
        ],
        "Each model by itself, and the trivial rivals, as they were evaluated. Overlapping intervals say nothing about "
        "the difference: cases are paired below.",
    )
    pooled = Table(
        ("figure", "models", "difference (95 % interval)"),
        [
            [_pooled_words(figure.name, of), _versus(pair), signed_with_interval(figure)]
            for of, pair, figure in report.pooled
        ],
        "All pixels together: an interval by bootstrap over patients, and no test.",
    )
    yardstick = () if report.yardstick is None else (yardstick_words(report.yardstick),)
    sections = [
        Section("Summary", (*report.verdicts, *yardstick), tables=[models]),
        *alarm_sections(report.alarms, CHECKED),
        Section(
            "Case by case",
            (_RULE, report.resolution),
            pictures=report.pictures,
            tables=[*_pair_tables(report.pairs), pooled],
        ),
        *([_changes(report)] if report.by_change else []),
    ]
    return Page(report.title, report.lead, sections, report.provenance)


def _changes(report: ComparisonReport) -> Section:
    """What models make of lesions of each kind, lesion by lesion."""
    both = standings(report.standings, "Each model by itself, and the trivial rivals, as they were evaluated.")
    return Section("By kind of change", (_CHANGE_RULE,), tables=[both, *_pair_tables(report.by_change)])


def _pair_tables(pairs: Sequence[PairRow]) -> list[Table]:
    """One for each pair of models: all classes together, then each class."""
    parts = dict.fromkeys((one.of_class, one.models) for one in pairs)
    return [_pair_table([one for one in pairs if (one.of_class, one.models) == part], *part) for part in parts]


def _pair_table(pairs: Sequence[PairRow], of_class: str, models: tuple[str, str]) -> Table:
    rows = [
        [
            in_words(one.figure, of_change=one.of_change),
            signed_with_interval(one.difference),
            f"{one.difference.n} ({one.dropped})",
            _p(one.permutation_p, is_floor=one.is_p_at_floor),
            _p(one.wilcoxon_p),
            _number(one.cohens_d),
            "–" if math.isnan(one.share_improved) else f"{one.share_improved:.0%}",
            _number(one.detectable, 3),
        ]
        for one in pairs
    ]
    heads = ("difference (95 % interval)", "n (left out)", "p perm.", "p Wilc.", "d", "better", "detectable")
    caption = f"Class {of_class}: {_versus(models)}" if of_class else _versus(models)
    return Table(("figure", *heads), rows, caption)


def _pooled_words(name: str, of_class: str) -> str:
    any_class = name.removeprefix("foreground_")
    words = WORDS.get(any_class, any_class)
    if of_class:
        return f"{of_class}: {words}"
    return words if any_class == name else f"any class: {words}"


def _versus(models: tuple[str, str]) -> str:
    return f"{models[1]} − {models[0]}"


def _p(value: float, *, is_floor: bool = False) -> str:
    if math.isnan(value):
        return "–"
    if is_floor:
        return f"≤ {math.ceil(value * 10_000 * (1 - 1e-9)) / 10_000:.4f}"
    if value < 0.0001:
        return f"{value:.0e}".replace("e-0", "e-").replace("-", "−")
    return f"{value:.4f}" if value < 0.1 else f"{value:.3f}"


def _number(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def difference_pictures(pairs: Sequence[PairRow]) -> dict[str, Picture]:
    """By name: shares (Dice and the like), then millimetres, which have another scale; of classes the Dice only."""
    known = [one for one in pairs if not math.isnan(one.difference.value) and one.figure not in _NOT_DRAWN]
    known = [one for one in known if not one.of_class or one.figure == "dice"]
    shares = [_strip(one) for one in known if not case_words(one.figure)[1]]
    lengths = [_strip(one) for one in known if case_words(one.figure)[1] == " mm"]
    both = (("differences", shares, "difference"), ("differences_mm", lengths, "difference, mm"))
    return {name: differences_picture(strips, axis) for name, strips, axis in both if strips}


def _strip(one: PairRow) -> Strip:
    value = one.difference.value
    better = "" if not one.is_seen else one.models[(value > 0) == one.higher_is_better]
    return Strip(case_words(one.figure, one.of_class, one.of_change)[0], one.models, one.difference, better)
