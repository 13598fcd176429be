"""Several evaluations compared, as a page."""

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from hilum.core.evaluation import Alarm
from hilum.core.figures import Figure
from hilum.report.evaluation import WORDS, alarm_sections, with_interval
from hilum.report.page import Page, Picture, Section, Table

CASE_WORDS: Mapping[str, tuple[str, str]] = {
    "dice": ("Dice", ""),
    "iou": ("IoU", ""),
    "precision": ("precision (PPV)", ""),
    "recall": ("recall (sensitivity)", ""),
    "lesion_sensitivity": ("share of lesions found", ""),
    "false_positives": ("false positives per image", ""),
    "false_positive_on_empty": ("images without lesion that get a false alarm", ""),
    "hd95_mm": ("95 % Hausdorff distance", " mm"),
    "assd_mm": ("average surface distance", " mm"),
    "nsd_2mm": ("surface Dice at 2 mm", ""),
    "roc_auc": ("ROC AUC of pixels", ""),
    "average_precision": ("average precision of pixels", ""),
    "ece": ("calibration error near lesions (ECE)", ""),
}
"""Words and unit of a case's figure."""

CHECKED = (
    "cases that not every model has; true masks of other sizes; and all that was looked for when each model was "
    "evaluated"
)


def in_words(figure: str) -> str:
    """A case's figure for people, with its unit."""
    words, unit = CASE_WORDS.get(figure, (figure, ""))
    return f"{words},{unit}" if unit else words


@dataclass(frozen=True)
class PairRow:
    """One figure and pair of models as the page shows it.

    Attributes:
        figure: name of the figure.
        models: first and second; differences are second minus first.
        difference: mean over cases, with its interval.
        wilcoxon_p: after Holm.
        permutation_p: after Holm.
        cohens_d: effect size over patients.
        share_improved: cases in which the second is better.
        detectable: smallest true difference that would be seen four times in five.
    """

    figure: str
    models: tuple[str, str]
    difference: Figure
    wilcoxon_p: float
    permutation_p: float
    cohens_d: float
    share_improved: float
    detectable: float


@dataclass(frozen=True)
class ComparisonReport:
    """What the page shows.

    Attributes:
        title: the heading.
        lead: what was compared on what.
        verdicts: one sentence for each figure and pair that matters most.
        figures: of each model, by name of model: the headline figures.
        pairs: everything compared case by case.
        pooled: models and difference of pooled figures.
        alarms: what makes the comparison doubtful.
        provenance: name and value of what made it.
    """

    title: str
    lead: str
    verdicts: Sequence[str]
    figures: Sequence[tuple[str, Sequence[Figure]]]
    pairs: Sequence[PairRow]
    pooled: Sequence[tuple[tuple[str, str], Figure]]
    alarms: Sequence[Alarm] = ()
    provenance: Sequence[tuple[str, str]] = field(default_factory=tuple)


def comparison_page(report: ComparisonReport) -> Page:
    """The page."""
    names = [WORDS.get(figure.name, figure.name) for figure in report.figures[0][1]]
    models = Table(
        ("", *names),
        [[model, *(with_interval(figure) for figure in figures)] for model, figures in report.figures],
        "Each model by itself. Overlapping intervals say nothing about the difference: cases are paired below.",
    )
    pooled = Table(
        ("figure", "models", "difference (95 % interval)"),
        [[WORDS.get(figure.name, figure.name), _versus(pair), _signed(figure)] for pair, figure in report.pooled],
        "All pixels together: an interval by bootstrap over patients, and no test.",
    )
    sections = [
        Section("Summary", report.verdicts, tables=[models]),
        *alarm_sections(report.alarms, CHECKED),
        Section(
            "Case by case", (_RULE,), pictures=[_picture(report.pairs)], tables=[_pair_table(report.pairs), pooled]
        ),
    ]
    return Page(report.title, report.lead, sections, report.provenance)


_RULE = (
    "Differences are second minus first on the cases where both are defined. p: two-sided, over patients, "
    "Holm-corrected over the pairs of models. d: Cohen's d of the patients' differences. Detectable: the smallest true "
    "difference that a paired test with these patients would see four times in five; “no difference” means none above."
)


def _pair_table(pairs: Sequence[PairRow]) -> Table:
    is_one = len({one.models for one in pairs}) == 1
    rows = [
        [
            in_words(one.figure),
            *(() if is_one else (_versus(one.models),)),
            _signed(one.difference),
            str(one.difference.n),
            _p(one.permutation_p),
            _p(one.wilcoxon_p),
            _number(one.cohens_d),
            "–" if math.isnan(one.share_improved) else f"{one.share_improved:.0%}",
            _number(one.detectable, 3),
        ]
        for one in pairs
    ]
    heads = ("difference (95 % interval)", "n", "p perm.", "p Wilc.", "d", "improved", "detectable")
    caption = _versus(pairs[0].models) if is_one else ""
    return Table(("figure", *(() if is_one else ("models",)), *heads), rows, caption)


def _versus(models: tuple[str, str]) -> str:
    return f"{models[1]} − {models[0]}"


def _signed(figure: Figure) -> str:
    if math.isnan(figure.value):
        return "–"
    digits = 3 if abs(figure.value) < 10 else 1
    between = "" if math.isnan(figure.low) else f" ({figure.low:+.{digits}f} to {figure.high:+.{digits}f})"
    return f"{figure.value:+.{digits}f}{between}".replace("-", "−")


def _p(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _number(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}".replace("-", "−")


def _picture(pairs: Sequence[PairRow]) -> Picture:
    """Differences of shares (Dice and the like) with their intervals; distances have another scale and stay out."""
    from matplotlib.figure import Figure as Drawing

    shown = [one for one in pairs if not math.isnan(one.difference.value) and "mm" not in one.figure.split("_")[-1:]]
    shown = [one for one in shown if one.figure != "false_positives"][::-1]
    drawing = Drawing(figsize=(9, 1.0 + 0.34 * max(len(shown), 1)), layout="constrained")
    place = drawing.subplots()
    for y, one in enumerate(shown):
        seen = one.permutation_p < 0.05
        colour = "#1f6feb" if seen else "#8b949e"
        place.plot((one.difference.low, one.difference.high), (y, y), color=colour, linewidth=2)
        place.plot(one.difference.value, y, "o", color=colour)
    place.axvline(0, color="#d1242f", linewidth=1)
    place.set_yticks(range(len(shown)), [f"{in_words(one.figure)}: {_versus(one.models)}" for one in shown])
    place.set_xlabel("difference, 95 % interval; blue: p < .05 after Holm")
    place.grid(axis="x", color="#e3e6ea")
    buffer = io.BytesIO()
    drawing.savefig(buffer, format="png", dpi=100, metadata={"Software": None})
    return Picture(buffer.getvalue(), "Differences with 95 % intervals; left of the line the first model is higher.")
