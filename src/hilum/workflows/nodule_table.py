"""Tables of nodules for `hilum guideline`: one row a nodule, several studies in one CSV."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias, TypeVar

from hilum.core import ConfigError, InputError, UnreadableError
from hilum.followup.guidelines import NoduleFacts, StudyFacts
from hilum.io.inputs import open_input

KEYS = ("study", "patient", "case", "LNDbID")
"""Columns that say whose a nodule is; the first of them that there is counts."""
IDS = ("id", "FindingID")
"""Columns that name the nodule within its study."""
LNDB = {"Nodule": "agreement", "Volume": "volume_mm3", "Text": "texture"}
"""Columns of LNDb's list of nodules, and what they are called here."""
SIZES = ("mean_diameter_mm", "long_axis_mm", "volume_mm3", "sum_mm")
_LNDB_KEY, _LNDB_LIST, _LNDB_CTS = "LNDbID", "Nodules_gt", "CTs"
_MAJORITY = 0.5
_Line: TypeAlias = tuple[int, Mapping[str, str]]
"""Its number in the file, and its values by column."""
_Facts = TypeVar("_Facts", NoduleFacts, StudyFacts)


@dataclass(frozen=True)
class TableStudy:
    """One study of a table.

    Attributes:
        key: as it stands in the table.
        nodules: its rows.
        facts: of the patient and the study.
    """

    key: str
    nodules: tuple[NoduleFacts, ...]
    facts: StudyFacts


@dataclass(frozen=True)
class _Columns:
    """What columns hold by their names, and facts that hold for all studies."""

    named: Mapping[str, str]
    common: Mapping[str, object]


@dataclass(frozen=True)
class NoduleTable:
    """What a table says.

    Attributes:
        column: whose a nodule is, by the column's name.
        studies: in the table's order, those without a nodule among them.
        notes: what was not looked at, and what was read beside it.
    """

    column: str
    studies: tuple[TableStudy, ...]
    notes: tuple[str, ...]


def read_table(path: Path, cases: Path | None = None, common: Mapping[str, object] | None = None) -> NoduleTable:
    """Studies with their nodules.

    Args:
        path: CSV with a column that says whose a nodule is (`KEYS`), and further ones named as the fields of
            `NoduleFacts` and `StudyFacts`; or LNDb's trainNodules_gt.csv as published.
        cases: CSV with the same first column that names all studies, so that those without nodules count; of LNDb the
            list beside the table (trainCTs.csv) is taken when it isn't given.
        common: facts of every study, where the table has no column of them.

    Raises:
        InputError: a file doesn't exist.
        UnreadableError: it is no CSV, a column is missing, or a value can't be; the message names the line.
    """
    header, rows = _rows(path)
    column = next((name for name in KEYS if name in header), None)
    if column is None:
        raise UnreadableError(
            f"{path} lacks a column that says whose a nodule is.", f"Call one of its columns {KEYS[0]} or {KEYS[1]}."
        )
    named = _named(path, header, column)
    listed = cases or _list_beside(path, column)
    keys = [*_keys(listed, column)] if listed else []
    by_key: dict[str, list[_Line]] = {key: [] for key in keys}
    for number, row in rows:
        by_key.setdefault(_key(path, number, row, column), []).append((number, row))
    if listed and (strange := [key for key in by_key if key not in set(keys)]):
        raise UnreadableError(
            f"{listed} doesn't list {column} {strange[0]}, which {path} has.", "Check that it is the right list."
        )
    studies = tuple(_study(path, key, lines, _Columns(named, common or {})) for key, lines in by_key.items())
    return NoduleTable(column, studies, tuple(_notes(path, header, column, named, listed)))


def _rows(path: Path) -> tuple[list[str], list[_Line]]:
    with open_input(path) as stream:
        content = stream.read()
    try:
        table = csv.DictReader(content.decode("utf-8-sig").splitlines(), restkey="")
        rows: list[_Line] = [
            (table.line_num, {name: (value or "") for name, value in row.items() if name}) for row in table
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(f"{path} is no CSV: {error}.", "Save it as UTF-8 with commas.") from error
    header = list(table.fieldnames or [])
    if not header:
        raise UnreadableError(f"{path} is empty; a table of nodules was expected.", "Check that it is the right file.")
    return header, rows


def _named(path: Path, header: Sequence[str], column: str) -> dict[str, str]:
    """Columns that are read, with the fact that each holds."""
    known = {*NoduleFacts.model_fields, *StudyFacts.model_fields} - {"id"}
    named = {name: name for name in header if name in known}
    if column == _LNDB_KEY:
        if missing := [name for name in LNDB if name not in header]:
            raise UnreadableError(
                f"{path} lacks the columns {', '.join(missing)}.", f"LNDb's list has {', '.join((column, *LNDB))}."
            )
        if "AgrLevel" not in header and "RadID" in header:
            raise UnreadableError(
                f"{path} is the list of each radiologist's own marks, in which one nodule stands several times.",
                "Take trainNodules_gt.csv, where they are joined.",
            )
        named |= LNDB
    if not set(named.values()) & set(SIZES):
        raise UnreadableError(
            f"{path} lacks a column with sizes.", f"One of {', '.join(SIZES)} is needed; it has {', '.join(header)}."
        )
    return named


def _list_beside(path: Path, column: str) -> Path | None:
    """LNDb's own list of CTs, where it lies beside its list of nodules."""
    if column != _LNDB_KEY or _LNDB_LIST not in path.name:
        return None
    beside = path.with_name(path.name.replace(_LNDB_LIST, _LNDB_CTS))
    return beside if beside.is_file() else None


def _keys(path: Path, column: str) -> list[str]:
    header, rows = _rows(path)
    if column not in header:
        raise UnreadableError(f"{path} lacks the column {column}.", f"It has {', '.join(header)}.")
    return list(dict.fromkeys(_key(path, number, row, column) for number, row in rows))


def _key(path: Path, number: int, row: Mapping[str, str], column: str) -> str:
    key = row.get(column, "").strip()
    if not key:
        raise UnreadableError(f"{path}, line {number}: {column} is empty.", "Say whose the nodule is.")
    return key


def _study(path: Path, key: str, lines: Sequence[_Line], columns: _Columns) -> TableStudy:
    told: dict[str, str] = {}
    nodules = []
    for place, (number, row) in enumerate(lines, start=1):
        where = f"{path}, line {number}"
        values = {fact: row[name].strip() for name, fact in columns.named.items() if row[name].strip()}
        of_study = {fact: value for fact, value in values.items() if fact in StudyFacts.model_fields}
        if differing := [fact for fact, value in of_study.items() if told.get(fact, value) != value]:
            raise UnreadableError(f"{where}: {differing[0]} differs within {key}.", "A study has one value of it.")
        told |= of_study
        name = next((row[one].strip() for one in IDS if row.get(one, "").strip()), str(place))
        nodules.append(_nodule(where, {k: v for k, v in values.items() if k not in of_study} | {"id": name}))
    return TableStudy(key, tuple(nodules), _checked(f"{path}, {key}", StudyFacts, {**columns.common, **told}))


def _nodule(where: str, values: Mapping[str, str]) -> NoduleFacts:
    said = _checked(where, NoduleFacts, {"agreement": values.get("agreement")}).agreement
    if said is not None and said < _MAJORITY:  # LNDb rates nothing of what most call no nodule
        values = {name: value for name, value in values.items() if name in ("agreement", "id")}
    return _checked(where, NoduleFacts, values)


def _checked(where: str, kind: type[_Facts], values: Mapping[str, object]) -> _Facts:
    try:
        return kind.of(values, where)
    except ConfigError as error:
        raise UnreadableError(error.message, error.remedy) from error


def _notes(path: Path, header: Sequence[str], column: str, named: Mapping[str, str], listed: Path | None) -> list[str]:
    notes = [f"{listed} names all studies, those without nodules among them"] if listed else []
    if not listed:
        notes.append(f"a study without nodules can't stand in {path}; --cases names all")
    if unread := [name for name in header if name not in {column, *IDS, *named}]:
        notes.append(f"columns that were not looked at: {', '.join(unread)}")
    return notes


def require_studies(table: NoduleTable, path: Path) -> None:
    """Check that there is anything to judge.

    Raises:
        InputError: the table names no study.
    """
    if not table.studies:
        raise InputError(f"{path} has no rows.", "A table of nodules was expected.")
