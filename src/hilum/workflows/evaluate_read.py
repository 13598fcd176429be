"""An evaluation's files, read again: for thresholds and comparisons."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hilum.core import InputError, UnreadableError
from hilum.core.evaluation import (
    Alarm,
    CaseRow,
    ChangeGroup,
    Evaluation,
    Group,
    ReaderYardstick,
    Temperature,
    Threshold,
)
from hilum.core.figures import Figure
from hilum.core.films import FilmFigures
from hilum.io import read_json
from hilum.workflows.changes_table import read_changes_table
from hilum.workflows.marks_table import read_marks_table

EVALUATION, CASES = "evaluation.json", "cases.csv"
SCHEMA = "hilum.evaluation/1"


def read_rows(folder: Path) -> tuple[CaseRow, ...]:
    """`cases.csv`.

    Raises:
        InputError: it isn't there.
        UnreadableError: it is not what `hilum evaluate` writes.
    """
    path = folder / CASES
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            rows = list(csv.DictReader(stream))
        return tuple(
            CaseRow(row.pop("key"), row.pop("patient"), {name: float(value) for name, value in row.items()})
            for row in rows
        )
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.", "Evaluate again.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableError(f"{path} is not a table of cases.", "Evaluate again.") from error


def read_evaluation(folder: Path) -> Evaluation:
    """An evaluation as far as comparisons need it: what it is, its figures, cases and alarms.

    Raises:
        InputError: there is none in the folder.
        UnreadableError: its files are not what `hilum evaluate` writes.
    """
    if not (folder / EVALUATION).is_file():
        raise InputError(f"{folder} holds no {EVALUATION}.", "Run hilum evaluate first, and name its output folder.")
    content = read_json(folder / EVALUATION)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise UnreadableError(f"{folder / EVALUATION} is no {SCHEMA}.", "Evaluate again.")
    try:
        found = _evaluation(content, read_rows(folder))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"{folder / EVALUATION} lacks {error}.", "Evaluate again.") from error
    return replace(found, marks=read_marks_table(folder), changed=read_changes_table(folder))


def _evaluation(content: dict[str, Any], rows: tuple[CaseRow, ...]) -> Evaluation:
    threshold = content["threshold"]
    figures = _read_figures(content["figures"])
    return Evaluation(
        data=content["data"],
        split=content["split"],
        split_hash=content["split_hash"],
        truth=content["truth"],
        threshold=Threshold(_number(threshold["value"]), threshold["chosen_on"]),
        figures=figures,
        rivals=_read_groups(content.get("rivals", ())),
        by_class=_read_groups(content.get("by_class", ())),
        films=_read_films(content.get("films")),
        by_change=_read_changes(content.get("by_change", ())),
        over_prior=_read_groups(content.get("over_copied_prior", ())),
        rivals_by_change=_read_change_rivals(content.get("by_change", ())),
        yardstick=_read_yardstick(content.get("yardstick")),
        cases=rows,
        truth_hash=str(content.get("truth_hash", "")),
        match=str(content.get("match", "")),
        n_failed=int(content.get("n_failed", 0)),
        alarms=read_alarms(content["alarms"]),
        temperature=read_temperature(content.get("temperature")),
        fitted=read_temperature(content.get("fitted_temperature")),
    )


def _read_figures(stored: Mapping[str, Any]) -> dict[str, Figure]:
    return {name: _read_figure(name, one) for name, one in stored.items()}


def _read_figure(name: str, stored: Mapping[str, Any]) -> Figure:
    return Figure(name, _number(stored["value"]), _number(stored["low"]), _number(stored["high"]), int(stored["n"]))


def _read_groups(stored: Iterable[Mapping[str, Any]]) -> tuple[Group, ...]:
    return tuple(Group(one["name"], _read_figures(one["figures"])) for one in stored)


def _read_films(stored: Mapping[str, Any] | None) -> FilmFigures | None:
    if stored is None:
        return None
    return FilmFigures(
        classes=tuple(stored["classes"]),
        pixels=stored["pixels"],
        lungs=_read_figures(stored["lungs"]),
        involved=_read_figures(stored["involved"]),
        present={name: _read_figures(one) for name, one in stored["present"].items()},
        labels=tuple(stored["labels"]),
        label_counts=stored["label_counts"],
        label_figures=_read_figures(stored["label_figures"]),
    )


def _read_changes(stored: Iterable[Mapping[str, Any]]) -> tuple[ChangeGroup, ...]:
    return tuple(
        ChangeGroup(
            one["name"],
            _read_figures(one["figures"]),
            {by: _read_groups(one.get(f"by_{by}", ())) for by in ("size", "visibility", "origin", "chance")},
        )
        for one in stored
    )


def _read_change_rivals(stored: Sequence[Mapping[str, Any]]) -> dict[str, tuple[ChangeGroup, ...]]:
    """Each rival's kinds; in the file each kind has its rivals."""
    found: dict[str, list[ChangeGroup]] = {}
    for of_kind in stored:
        for rival in of_kind.get("rivals", ()):
            group = ChangeGroup(of_kind["name"], _read_figures(rival["figures"]))
            found.setdefault(rival["name"], []).append(group)
    return {name: tuple(groups) for name, groups in found.items()}


def _read_yardstick(stored: Mapping[str, Any] | None) -> ReaderYardstick | None:
    if stored is None:
        return None
    return ReaderYardstick(
        stored["compared"],
        stored["against"],
        stored["group"],
        int(stored["patients"]),
        _read_figure("dice", stored["dice"]),
        tuple(Group(one["name"], _read_figures({"dice": one["dice"]})) for one in stored.get("by_size", ())),
    )


def read_temperature(stored: Mapping[str, Any] | None) -> Temperature | None:
    """A temperature as it stands in JSON."""
    return None if stored is None else Temperature(**stored)


def read_alarms(listed: Iterable[dict[str, Any]]) -> tuple[Alarm, ...]:
    """Alarms as they stand in JSON."""
    return tuple(Alarm(one["name"], one["says"], tuple(one["evidence"]), one["is_note"]) for one in listed)


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)
