"""`hilum guideline`."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import UsageError, checked_options

if TYPE_CHECKING:
    from hilum.workflows.guideline import GuidelineInput

Positive = Annotated[float | None, Parameter(validator=Number(gt=0))]
Flag = Annotated[bool | None, Parameter(negative="")]


@Parameter(name="*", group="One nodule")
@dataclass(frozen=True)
class OneNodule:
    """A nodule that is typed."""

    size_mm: Positive = None
    "Mean of long and short axis, not rounded: each rule set rounds by its own rule."
    long_mm: Positive = None
    "Longest diameter, which BTS and RECIST compare."
    volume_mm3: Positive = None
    "Volume."
    texture: Literal["solid", "part-solid", "ground-glass"] | None = None
    "Texture."
    solid_mm: Positive = None
    "Mean diameter of the solid part."
    solid_volume_mm3: Positive = None
    "Volume of the solid part."
    history: Literal["baseline", "new", "stable", "smaller", "growing", "slowly-growing"] | None = None
    "What became of it since the earlier study; from the earlier sizes when not given."
    solid_history: Literal["stable", "new", "growing"] | None = None
    "The same of the solid part."
    prior_size_mm: Positive = None
    "Mean diameter in the earlier study."
    prior_volume_mm3: Positive = None
    "Volume in the earlier study."
    prior_solid_mm: Positive = None
    "Mean diameter of the solid part in the earlier study."
    prior_category: Literal["1", "2", "3", "4A", "4B", "4X"] | None = None
    "Lung-RADS category in the earlier study."
    form: (
        Literal[
            "nodule",
            "benign",
            "perifissural",
            "juxtapleural",
            "airway-subsegmental",
            "airway-segmental",
            "cyst-thick-walled",
            "cyst-multilocular",
        ]
        | None
    ) = None
    "What it is, when it is no ordinary nodule; benign is a pattern of calcification or fat."
    cyst_change: Literal["none", "cystic-part-growing", "became-multilocular", "wall-growing"] | None = None
    "What became of a cyst."
    suspicious: Flag = None
    "It has features that raise suspicion, such as spiculation."
    proven_benign: Flag = None
    "It was worked up and found benign."


@Parameter(name="*", group="Patient and study")
@dataclass(frozen=True)
class OfStudy:
    """What is known of the patient and the study."""

    date: str | None = None
    "Of this study, YYYY-MM-DD; due dates are counted from it."
    prior_date: str | None = None
    "Of the earlier study that sizes are compared with."
    first_date: str | None = None
    "Of the first study with the nodule."
    interval_days: Positive = None
    "Days since the earlier study, when dates aren't given."
    months_since_first: Annotated[float | None, Parameter(validator=Number(gte=0))] = None
    "Months since the first study with the nodule, when dates aren't given."
    risk: Literal["low", "high"] | None = None
    "The patient's risk of lung cancer."
    age_years: Positive = None
    "The patient's age."
    known_cancer: Annotated[bool | None, Parameter(negative="--no-known-cancer")] = None
    "The patient has or had a cancer."
    immunosuppressed: Annotated[bool | None, Parameter(negative="--no-immunosuppressed")] = None
    "The patient is immunosuppressed."
    screening: Annotated[bool | None, Parameter(negative="--no-screening")] = None
    "The study belongs to a screening programme."
    multiple: Annotated[bool | None, Parameter(negative="--single")] = None
    "There are several nodules of this kind; they are counted when not given."
    volumetry: Annotated[bool, Parameter(negative="")] = False
    "Volumes are of the same volumetry at each date: they decide, not the diameters."
    modality: Literal["ct", "xray"] | None = None
    "What lesions were measured on."
    slice_mm: Positive = None
    "Slice thickness."
    prior_exam_pending: Flag = None
    "An earlier examination is being located."
    lungs_not_evaluable: Flag = None
    "Part of the lungs can't be evaluated."
    infection_suspected: Flag = None
    "Findings suggest an infection or inflammation."
    other_finding: Flag = None
    "A further finding that matters, unrelated to lung cancer: modifier S."
    sum_mm: Annotated[float | None, Parameter(validator=Number(gte=0))] = None
    "Sum of the target lesions' diameters now."
    baseline_sum_mm: Positive = None
    "The same at baseline."
    nadir_sum_mm: Annotated[float | None, Parameter(validator=Number(gte=0))] = None
    "The smallest sum so far."
    new_lesion: Flag = None
    "There is a new lesion."


_CALLED = {
    "size_mm": "mean_diameter_mm",
    "long_mm": "long_axis_mm",
    "solid_mm": "solid_mean_diameter_mm",
    "prior_size_mm": "prior_mean_diameter_mm",
    "prior_solid_mm": "prior_solid_mean_diameter_mm",
    "suspicious": "suspicious_features",
}


def guideline(
    ruleset: str | None = None,
    /,
    *,
    nodules: Path | None = None,
    table: Path | None = None,
    cases: Path | None = None,
    one: OneNodule | None = None,
    study: OfStudy | None = None,
    compare: Annotated[bool, Parameter(negative="")] = False,
    list_: Annotated[bool, Parameter(name="--list", negative="")] = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Say what a guideline recommends for nodules, by which row, and what would change the answer.

    Rules are data with citation and version; the engine only looks them up. What nobody gave is left open or said to
    be assumed. Rows that aren't confirmed are off: they withhold the answer. Decision support for research, not a
    medical device.

    ```
    hilum guideline --list
    hilum guideline fleischner-2017 --size-mm 6.8 --texture solid --risk low --date 2026-03-01
    hilum guideline lung-rads-2022 --nodules nodules.json --json
    hilum guideline lung-rads-2022 --size-mm 9 --prior-size-mm 7.2 --interval-days 180 --texture solid
    hilum guideline --compare --size-mm 7 --long-mm 8 --volume-mm3 180 --texture solid
    hilum guideline lndb-fleischner --table trainNodules_gt.csv --json
    ```

    Parameters
    ----------
    ruleset
        Its name; hilum guideline --list shows all.
    nodules
        A nodules.json: all nodules of one study.
    table
        CSV, a row a nodule, columns named as in the reference, or LNDb's list: one answer a study. What is said of the
        patient and the study beside it holds for all that have no such column.
    cases
        CSV that names all studies of the table, so that those without nodules count; of LNDb the list beside it.
    compare
        Ask all rule sets on follow-up, side by side.
    list_
        Show all rule sets and what is off; with a name, every row of it.
    json
        Print JSON for programs.
    """
    if list_:
        return _list(ruleset, json=json)
    if table is not None:
        _alone("--table", nodules=nodules, one=one, compare=compare or None)
        return _table(_require(ruleset), table, (cases, study), json=json)
    if cases is not None:
        raise UsageError("--cases belongs to --table.", "It names all studies of a table.")
    if nodules is not None:
        _alone("--nodules", one=one)
    name = "" if compare else _require(ruleset)
    given = _given(nodules, one or OneNodule(), study or OfStudy())
    return _compare(given, json=json) if compare else _advise(name, given, json=json)


def _given(path: Path | None, one: OneNodule, study: OfStudy) -> "GuidelineInput":
    from hilum.followup.guidelines import NoduleFacts, StudyFacts
    from hilum.workflows.guideline import GuidelineInput, nodules_from, require_input

    of_study, of_nodule = _facts(study), _facts(one)
    if path is not None:
        return nodules_from(path, of_study)
    with checked_options():
        nodules = (NoduleFacts.of(of_nodule, "the nodule"),) if of_nodule else ()
        given = GuidelineInput(nodules, StudyFacts.of(of_study, "the study"))
        require_input(given)
    return given


def _facts(typed: OneNodule | OfStudy) -> dict[str, Any]:
    values = {field.name: getattr(typed, field.name) for field in fields(typed)}
    return {_CALLED.get(name, name): value for name, value in values.items() if value is not None}


def _alone(flag: str, **others: object) -> None:
    if any(other is not None for other in others.values()):
        raise UsageError(f"{flag} says all there is of the nodules.", "Leave out the facts of one nodule beside it.")


def _require(name: str | None) -> str:
    from hilum.workflows.guideline import require_ruleset

    with checked_options():
        return require_ruleset(name)


def _advise(name: str, given: "GuidelineInput", *, json: bool) -> int:
    from hilum.workflows.guideline import record, run_guideline
    from hilum.workflows.guideline_text import advice_lines

    advice = run_guideline(name, given)
    return _show(record(given, advice), advice_lines(advice), json=json)


def _compare(given: "GuidelineInput", *, json: bool) -> int:
    from hilum.workflows.guideline import compare_rulesets, compared_record
    from hilum.workflows.guideline_text import compared_lines

    compared = compare_rulesets(given)
    return _show(compared_record(given, compared), compared_lines(compared), json=json)


def _table(name: str, path: Path, more: tuple[Path | None, OfStudy | None], *, json: bool) -> int:
    from hilum.followup.guidelines import StudyFacts
    from hilum.workflows.guideline import run_table
    from hilum.workflows.guideline_text import table_lines

    cases, study = more
    with checked_options():
        common = _facts(study or OfStudy())
        StudyFacts.of(common, "the study")
    found = run_table(name, path, cases, common)
    for note in found.notes:
        print(f"hilum: note: {note}.", file=sys.stderr)
    return _show(found.record(), table_lines(found), json=json)


def _list(name: str | None, *, json: bool) -> int:
    from hilum.followup.guidelines import ruleset
    from hilum.workflows.guideline import rulesets_record
    from hilum.workflows.guideline_text import list_lines, ruleset_lines

    if name is None:
        return _show(rulesets_record(), list_lines(), json=json)
    known = _require(name)
    return _show(rulesets_record((known,)), ruleset_lines(ruleset(known)), json=json)


def _show(content: object, lines: Iterable[str], *, json: bool) -> int:
    if json:
        from hilum.io.json_file import to_json

        print(to_json(content))
    else:
        for line in lines:
            print(line)
    return 0
