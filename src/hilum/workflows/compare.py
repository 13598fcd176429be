"""Evaluations of several models side by side (`hilum compare`): `comparison.json` and `report.html`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from hilum import __version__
from hilum.core import InputError
from hilum.core.evaluation import Alarm, Evaluation
from hilum.core.figures import Figure
from hilum.evaluate.comparison import EvaluationsCompared, Versus, compare_evaluations
from hilum.evaluate.statistics import ALPHA, PERMUTATIONS, POWER
from hilum.io import read_json, write_json
from hilum.io.text_file import write_text
from hilum.report.comparison import ComparisonReport, PairRow, comparison_page
from hilum.report.page import render
from hilum.workflows.evaluate_read import CASES, EVALUATION, read_alarms, read_evaluation
from hilum.workflows.output import Run, is_done, output_folder, sha256_of

COMPARISON = "comparison.json"
SCHEMA = "hilum.comparison/1"

_HEADLINE = ("dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image")
_VERDICTS = ("dice", "lesion_sensitivity", "false_positives", "hd95_mm")


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
        raise InputError(f"a seed is a whole number from 0, got {seed}")
    models = {name: read_evaluation(folder) for name, folder in evaluations.items()}
    inputs = {
        f"{name} {file}": sha256_of(folder / file)
        for name, folder in evaluations.items()
        for file in (EVALUATION, CASES)
    }
    run = Run("compare", inputs, {"models": list(models), "seed": seed})
    if is_done(out, run) and not force:
        content = read_json(out / COMPARISON)
        return CompareRun(out, tuple(content["verdicts"]), read_alarms(content["alarms"]), was_done=True)
    found = compare_evaluations(models, seed)
    verdicts = tuple(one.verdict for one in found.versus if one.figure in _VERDICTS)
    with output_folder(out, run, force=force) as folder:
        write_json(folder / COMPARISON, record(found, verdicts, seed))
        write_text(folder / "report.html", render(comparison_page(_report(found, verdicts, run))))
    return CompareRun(out, verdicts, found.alarms, was_done=False)


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
        "n_cases": found.cases,
        "n_patients": found.patients,
        "comparisons": [_entry(versus) for versus in found.versus],
        "pooled": [
            {"figure": pooled.difference.name, "first": pooled.first, "second": pooled.second}
            | {"difference": _figure(pooled.difference)}
            for pooled in found.pooled
        ],
        "verdicts": verdicts,
        "alarms": found.alarms,
        "statistics": {
            "unit": "patient",
            "alpha": ALPHA,
            "power": POWER,
            "permutations": PERMUTATIONS,
            "correction": "Holm over the pairs of models, figure by figure",
            "seed": seed,
        },
        "hilum": __version__,
    }


def _entry(versus: Versus) -> dict[str, object]:
    paired = asdict(versus.paired)
    effect, detectable = paired.pop("cohens_d"), paired.pop("detectable")
    return {
        "figure": versus.figure,
        "first": versus.first,
        "second": versus.second,
        "higher_is_better": versus.higher_is_better,
        **paired,
        "difference": _figure(versus.paired.difference),
        "effect": effect,
        "minimal_detectable_difference": detectable,
        "is_seen": versus.is_seen,
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
        verdicts=verdicts,
        figures=[(name, _headline(model)) for name, model in found.models.items()],
        pairs=[_row(versus) for versus in found.versus],
        pooled=[((pooled.first, pooled.second), pooled.difference) for pooled in found.pooled],
        alarms=found.alarms,
        provenance=(
            ("made by", f"hilum {__version__}, hilum compare"),
            *((f"SHA-256 of {name}", value) for name, value in run.inputs.items()),
        ),
    )


def _headline(model: Evaluation) -> list[Figure]:
    return [model.figures.get(name, Figure(name, float("nan"))) for name in _HEADLINE]


def _row(versus: Versus) -> PairRow:
    paired = versus.paired
    return PairRow(
        figure=versus.figure,
        models=(versus.first, versus.second),
        difference=paired.difference,
        wilcoxon_p=paired.wilcoxon_p,
        permutation_p=paired.permutation_p,
        cohens_d=paired.cohens_d,
        share_improved=paired.share_improved,
        detectable=paired.detectable,
    )
