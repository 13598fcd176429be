"""Evaluations of several models side by side (`hilum compare`): `comparison.json` and `report.html`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hilum import __version__
from hilum.core import InputError
from hilum.core.evaluation import Alarm, Evaluation
from hilum.core.figures import Figure
from hilum.evaluate.comparison import EvaluationsCompared, compare_evaluations
from hilum.evaluate.statistics import ALPHA, PERMUTATIONS, POWER
from hilum.evaluate.versus import RESOLUTION, Versus
from hilum.io import read_json, write_json
from hilum.io.text_file import write_text
from hilum.report.comparison import ComparisonReport, PairRow, comparison_page
from hilum.report.page import render
from hilum.workflows.evaluate_read import CASES, EVALUATION, read_alarms, read_evaluation
from hilum.workflows.marks_table import MARKS
from hilum.workflows.output import Run, is_done, output_folder, sha256_of

COMPARISON = "comparison.json"
SCHEMA = "hilum.comparison/1"

_HEADLINE = ("dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image")
_VERDICTS = (
    *("dice", "lesion_sensitivity", "false_positives", "hd95_mm"),
    *("wafroc", "wafroc1", "lesion_average_precision", "cpm"),
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


def run_compare(evaluations: Mapping[str, Path], out: Path, *, seed: int = 0, force: bool = False) -> CompareRun:
    """Compare evaluations pair by pair.

    Args:
        evaluations: output folders of `hilum evaluate` by the models' names.
        out: folder for the results.
        seed: of bootstrap and permutation.
        force: replace what an earlier run of hilum left there.

    Raises:
        InputError: fewer than two, one is none, or they are of different splits, truths or cases.
        OutputError: `out` holds something else, or can't be written.
    """
    if seed < 0:
        raise InputError(f"a seed is a whole number from 0, got {seed}.")
    models = {name: read_evaluation(folder) for name, folder in evaluations.items()}
    inputs = {
        f"{name} {file}": sha256_of(folder / file)
        for name, folder in evaluations.items()
        for file in (EVALUATION, CASES, *([MARKS] if (folder / MARKS).is_file() else []))
    }
    run = Run("compare", inputs, {"models": list(models), "seed": seed})
    if is_done(out, run) and not force:
        content = read_json(out / COMPARISON)
        return CompareRun(out, tuple(content["verdicts"]), read_alarms(content["alarms"]), was_done=True)
    found = compare_evaluations(models, seed)
    verdicts = tuple(one.verdict for one in found.versus if _is_said(one))
    with output_folder(out, run, force=force) as folder:
        write_json(folder / COMPARISON, record(found, verdicts, seed))
        write_text(folder / "report.html", render(comparison_page(_report(found, verdicts, run))))
    return CompareRun(out, verdicts, found.alarms, was_done=False)


def _is_said(one: Versus) -> bool:
    return one.figure in (_CLASS_VERDICTS if one.of_class else _VERDICTS)


def record(found: EvaluationsCompared, verdicts: tuple[str, ...], seed: int) -> dict[str, object]:
    """`comparison.json` (schema hilum.comparison/1)."""
    one = next(iter(found.models.values()))
    return {
        "schema": SCHEMA,
        "data": one.data,
        "split": one.split,
        "split_hash": one.split_hash,
        "truth": one.truth,
        "models": list(found.models),
        "classes": found.classes,
        "n_cases": found.cases,
        "n_patients": found.patients,
        "comparisons": [_entry(versus) for versus in found.versus],
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
            "correction": "Holm over the pairs of models, each figure and class for itself",
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
        figures=[(name, _headline(model)) for name, model in found.models.items()],
        pairs=[_row(versus) for versus in found.versus],
        resolution=RESOLUTION,
        pooled=[(pooled.of_class, (pooled.first, pooled.second), pooled.difference) for pooled in found.pooled],
        alarms=found.alarms,
        provenance=(
            ("made by", f"hilum {__version__}, hilum compare"),
            *((f"SHA-256 of {name}", value) for name, value in run.inputs.items()),
        ),
    )


def _summary(found: EvaluationsCompared, verdicts: tuple[str, ...]) -> tuple[str, ...]:
    """All verdicts, or of many models only those on the Dice."""
    if len(verdicts) <= _MOST_IN_SUMMARY:
        return verdicts
    more = f"{len(verdicts)} sentences like these, on other figures and classes too, are in {COMPARISON}."
    return (*(one.verdict for one in found.versus if one.figure == "dice" and not one.of_class), more)


def _headline(model: Evaluation) -> list[Figure]:
    return [model.figures.get(name, Figure(name, float("nan"))) for name in _HEADLINE]


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
    )
