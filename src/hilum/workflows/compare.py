"""Evaluations of several models side by side (`hilum compare`): files for people and programs."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hilum import __version__
from hilum.core import ChangeKind, InputError
from hilum.core.changes import COULD_HAVE_CHANGED, DICE, FALSE_GONE, NOTICED, SENSITIVITY, STILL_THERE
from hilum.core.evaluation import Alarm, ChangeGroup, Evaluation, Group, ReaderYardstick
from hilum.core.figures import Figure
from hilum.evaluate.bootstrap import RESAMPLES, require_draws
from hilum.evaluate.comparison import EvaluationsCompared, compare_evaluations
from hilum.evaluate.statistics import ALPHA, PERMUTATIONS, POWER
from hilum.evaluate.versus import RESOLUTION, Versus
from hilum.io import read_json, write_json
from hilum.io.text_file import write_bytes, write_text
from hilum.report.comparison import ComparisonReport, PairRow, comparison_page, difference_pictures
from hilum.report.page import render
from hilum.workflows.changes_table import CHANGES
from hilum.workflows.comparison_table import TABLE, comparison_table
from hilum.workflows.evaluate_files import yardstick_record
from hilum.workflows.evaluate_read import CASES, EVALUATION, read_alarms, read_evaluation
from hilum.workflows.marks_table import MARKS
from hilum.workflows.output import Run, is_done, output_folder, sha256_of

COMPARISON = "comparison.json"
SCHEMA = "hilum.comparison/1"

_HEADLINE = ("dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image")
_RANKED = ("lesion_average_precision", "wafroc", "wafroc1")
"""Headline figures where marks have scores."""
_VERDICTS = (
    *("dice", "lesion_sensitivity", "false_positives", "hd95_mm"),
    *("wafroc", "wafroc1", "lesion_average_precision", "cpm"),
)
_CHANGE_VERDICTS = (
    *((DICE, STILL_THERE), (SENSITIVITY, str(ChangeKind.NEW)), (NOTICED, str(ChangeKind.GONE))),
    *((FALSE_GONE, STILL_THERE), (FALSE_GONE, COULD_HAVE_CHANGED)),
)
_MOST_IN_SUMMARY = 16
_CLASS_VERDICTS = ("dice", "hd95_mm")


@dataclass(frozen=True)
class CompareRun:
    """What a run left: its folder, verdicts for people, alarms, and whether it was there already."""

    folder: Path
    verdicts: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    was_done: bool


def run_compare(
    evaluations: Mapping[str, Path], out: Path, *, bootstraps: int = RESAMPLES, seed: int = 0, force: bool = False
) -> CompareRun:
    """Compare evaluations pair by pair; leaves `comparison.json`, `comparison.csv`, `report.html` and its pictures.

    Args:
        evaluations: output folders of `hilum evaluate` by the models' names.
        out: folder for the results.
        bootstraps: draws of patients; 0 for no intervals.
        seed: of bootstrap and permutation.
        force: replace what an earlier run of hilum left there.

    Raises:
        InputError: fewer than two, one is none, or they are of different splits, truths or cases.
        OutputError: `out` holds something else, or can't be written.
    """
    if seed < 0:
        raise InputError(f"a seed is a whole number from 0, got {seed}.")
    require_draws(bootstraps)
    models = {name: read_evaluation(folder) for name, folder in evaluations.items()}
    if of_labels := [name for name, one in models.items() if one.is_of_labels]:
        raise InputError(
            f"{of_labels[0]} judges films' labels alone, and masks or marks are compared here.",
            "Lay the tables of both reports side by side.",
        )
    inputs = {
        f"{name} {file}": sha256_of(folder / file)
        for name, folder in evaluations.items()
        for file in (EVALUATION, CASES, *(one for one in (MARKS, CHANGES) if (folder / one).is_file()))
    }
    run = Run("compare", inputs, {"models": list(models), "bootstraps": bootstraps, "seed": seed})
    if is_done(out, run) and not force:
        content = read_json(out / COMPARISON)
        return CompareRun(out, tuple(content["verdicts"]), read_alarms(content["alarms"]), was_done=True)
    found = compare_evaluations(models, seed, bootstraps)
    verdicts = tuple(one.verdict for one in (*found.versus, *found.by_change) if _is_said(one, found))
    with output_folder(out, run, force=force) as folder:
        write_json(folder / COMPARISON, record(found, verdicts, bootstraps, seed))
        write_text(folder / TABLE, comparison_table(found))
        pictures = difference_pictures([_row(versus) for versus in (*found.versus, *found.by_change)])
        for name, picture in pictures.items():
            write_bytes(folder / f"{name}.png", picture.png)
        report = replace(_report(found, verdicts, run), pictures=tuple(pictures.values()))
        write_text(folder / "report.html", render(comparison_page(report)))
    return CompareRun(out, verdicts, found.alarms, was_done=False)


def _is_said(one: Versus, found: EvaluationsCompared) -> bool:
    if _is_of_films(found):  # areas, whose parts are no lesions; an easy class would hide a hard one in a mean
        return one.figure == "dice" and bool(one.of_class) == bool(found.classes)
    if one.of_change:
        return (one.figure, one.of_change) in _CHANGE_VERDICTS
    return one.figure in (_CLASS_VERDICTS if one.of_class else _VERDICTS)


def _is_of_films(found: EvaluationsCompared) -> bool:
    return all(model.films is not None for model in found.models.values())


def record(found: EvaluationsCompared, verdicts: tuple[str, ...], bootstraps: int, seed: int) -> dict[str, object]:
    """`comparison.json` (schema hilum.comparison/1)."""
    one = next(iter(found.models.values()))
    return {
        "schema": SCHEMA,
        "data": one.data,
        "split": one.split,
        "split_hash": one.split_hash,
        "truth": one.truth,
        "models": list(found.models),
        "figures": {name: {figure.name: _figure(figure) for figure in own} for name, own in _by_itself(found)},
        "rivals": [
            {"name": name, "figures": {figure.name: _figure(figure) for figure in figures}}
            for name, figures in _rivals(found)
        ],
        "yardstick": None if (yardstick := _yardstick(found)) is None else yardstick_record(yardstick),
        "classes": found.classes,
        "n_cases": found.cases,
        "n_patients": found.patients,
        "comparisons": [_entry(versus) for versus in found.versus],
        "by_change": [_entry(one) | {"change": one.of_change, "no_worse": _margin(one)} for one in found.by_change],
        "pooled": [
            {"figure": pooled.difference.name, "class": pooled.of_class or None}
            | {"first": pooled.first, "second": pooled.second, "difference": _figure(pooled.difference)}
            for pooled in found.pooled
        ],
        "verdicts": verdicts,
        "alarms": found.alarms,
        "statistics": {
            "unit": "patient",
            "alpha": ALPHA,
            "power": POWER,
            "permutations": PERMUTATIONS,
            "resolution": RESOLUTION,
            "correction": "Holm over the pairs of models, each figure and class for itself; by kind of change over "
            "kinds and pairs, each figure for itself",
            "bootstraps": bootstraps,
            "seed": seed,
        },
        "hilum": __version__,
    }


def _entry(versus: Versus) -> dict[str, object]:
    paired = asdict(versus.paired)
    effect, detectable = paired.pop("cohens_d"), paired.pop("detectable")
    return {
        "figure": versus.figure,
        "class": versus.of_class or None,
        "first": versus.first,
        "second": versus.second,
        "higher_is_better": versus.higher_is_better,
        **paired,
        "difference": _figure(versus.paired.difference),
        "effect": effect,
        "minimal_detectable_difference": detectable,
        "is_seen": versus.is_seen,
        "is_p_at_floor": versus.is_p_at_floor,
        "predicts_nothing": versus.missed,
        "verdict": versus.verdict,
    }


def _margin(versus: Versus) -> dict[str, object] | None:
    """Which model is shown to be no worse by a stated margin; None where none was stated."""
    found = versus.no_worse
    if found is None:
        return None
    return {
        "margin": found.margin,
        "first": {"lower_bound": found.first, "is_shown": found.is_first_shown},
        "second": {"lower_bound": found.second, "is_shown": found.is_second_shown},
    }


def _figure(figure: Figure) -> dict[str, float]:
    return {"value": figure.value, "low": figure.low, "high": figure.high, "n": figure.n}


def _report(found: EvaluationsCompared, verdicts: tuple[str, ...], run: Run) -> ComparisonReport:
    one = next(iter(found.models.values()))
    lead = (
        f"{len(found.models)} models on the same {found.cases} cases of {found.patients} patients: {one.data}, split "
        f"“{one.split}”, truth “{one.truth}”."
    )
    return ComparisonReport(
        title=" against ".join(found.models),
        lead=lead,
        verdicts=_summary(found, verdicts),
        figures=_by_itself(found),
        pairs=[_row(versus) for versus in found.versus],
        by_change=[_row(versus) for versus in found.by_change],
        standings=_standings(found),
        rivals=_rivals(found),
        yardstick=_yardstick(found),
        resolution=RESOLUTION,
        pooled=[(pooled.of_class, (pooled.first, pooled.second), pooled.difference) for pooled in found.pooled],
        alarms=found.alarms,
        provenance=(
            ("made by", f"hilum {__version__}, hilum compare"),
            *((f"SHA-256 of {name}", value) for name, value in run.inputs.items()),
        ),
    )


def _standings(found: EvaluationsCompared) -> dict[str, tuple[ChangeGroup, ...]]:
    """Each model's and each rival's figures by kind of change; of rivals the first model's."""
    rivals: dict[str, tuple[ChangeGroup, ...]] = {}
    for model in found.models.values():
        rivals = {f"rival: {name}": groups for name, groups in model.rivals_by_change.items()} | rivals
    return {name: model.by_change for name, model in found.models.items() if model.by_change} | rivals


def _summary(found: EvaluationsCompared, verdicts: tuple[str, ...]) -> tuple[str, ...]:
    """All verdicts, or of many models only those on the Dice."""
    if len(verdicts) <= _MOST_IN_SUMMARY:
        return verdicts
    more = f"{len(verdicts)} sentences like these, on other figures and classes too, are in {COMPARISON}."
    if _is_of_films(found):
        return (*verdicts[:_MOST_IN_SUMMARY], more)
    return (*(one.verdict for one in found.versus if one.figure == "dice" and not one.of_class), more)


def _by_itself(found: EvaluationsCompared) -> list[tuple[str, list[Figure]]]:
    if _is_of_films(found):
        return [(name, _of_classes(model)) for name, model in found.models.items()]
    return [(name, _headline(model, found)) for name, model in found.models.items()]


def _of_classes(one: Evaluation) -> list[Figure]:
    """Mean Dice of both lungs and of each class."""
    lungs = {} if one.films is None else one.films.lungs
    named = {f"Dice of {group.name}": group.figures["dice_mean"] for group in one.by_class}
    named = named or {"Dice": one.figures["dice_mean"]}
    named |= {"Dice of both lungs": lungs["lung_dice_mean"]} if lungs else {}
    return [replace(figure, name=name) for name, figure in named.items()]


def _headline(one: Evaluation | Group, found: EvaluationsCompared) -> list[Figure]:
    ranked = [name for name in _RANKED if any(name in model.figures for model in found.models.values())]
    return [one.figures.get(name, Figure(name, float("nan"))) for name in (*_HEADLINE, *ranked)]


def _rivals(found: EvaluationsCompared) -> list[tuple[str, list[Figure]]]:
    """Each by name; of evaluations that have the same one, the first's, on the cases that were judged there."""
    if _is_of_films(found):  # they know no classes
        return []
    by_name: dict[str, Group] = {}
    for rival in (rival for model in found.models.values() for rival in model.rivals):
        by_name.setdefault(rival.name, rival)
    return [(name, _headline(rival, found)) for name, rival in by_name.items()]


def _yardstick(found: EvaluationsCompared) -> ReaderYardstick | None:
    return next((model.yardstick for model in found.models.values() if model.yardstick is not None), None)


def _row(versus: Versus) -> PairRow:
    paired = versus.paired
    return PairRow(
        figure=versus.figure,
        models=(versus.first, versus.second),
        difference=paired.difference,
        dropped=paired.dropped,
        wilcoxon_p=paired.wilcoxon_p,
        permutation_p=paired.permutation_p,
        cohens_d=paired.cohens_d,
        share_improved=paired.share_improved,
        detectable=paired.detectable,
        higher_is_better=versus.higher_is_better,
        is_p_at_floor=versus.is_p_at_floor,
        of_class=versus.of_class,
        of_change=versus.of_change,
    )
