"""COVID-QU-Ex to a data set of chest X-rays by classes (`hilum prepare covid-qu-ex`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

from hilum.core import InputError
from hilum.datasets.class_map import CLASS_NAMES, COVID_RULE, NON_COVID_INFECTION, ROLES, RULES, NonCovid
from hilum.datasets.class_split import SHARES, SPLITS, seeded_units
from hilum.datasets.covid_qu_ex import PICTURES, Part
from hilum.datasets.stored_split import StoredSplit
from hilum.io.read import files_in
from hilum.workflows.class_set import Arranged, ClassSet, PreparedClasses, make_classes
from hilum.workflows.covid_films import CovidFilm, CovidRule, covid_case, find_films
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.patch_set import Running
from hilum.workflows.prepare import require_apart
from hilum.workflows.track import Track, silently

SOURCE = "covid-qu-ex"
_PUBLISHED = "as published: Train, Val and Test; films of another split that are there, too, are left out"
_NOTE = (
    "whose the films are is not published: each film, or group of films that are nearly the same, counts as one "
    "patient, and two different films of one person in different splits can't be found"
)


class SplitBy(StrEnum):
    """Who says which film is for what."""

    PUBLISHED = "published"
    SEEDED = "seeded"


@dataclass(frozen=True)
class CovidOptions:
    """What `prepare_covid_qu_ex` may be told.

    Attributes:
        rule: how cases are made.
        parts: which halves are taken.
        split: whose split.
        seed: of a seeded one.
        running: how the work is done.
    """

    rule: CovidRule = field(default_factory=CovidRule)
    parts: tuple[Part, ...] = (Part.INFECTION, Part.LUNG)
    split: SplitBy = SplitBy.PUBLISHED
    seed: int = 0
    running: Running = field(default_factory=partial(Running, max_failures=200))

    def __post_init__(self) -> None:
        if not self.parts:
            raise InputError("at least one part is needed.", "Take infection, lung or both.")


def prepare_covid_qu_ex(
    src: Path, out: Path, options: CovidOptions | None = None, track: Track = silently
) -> PreparedClasses:
    """Make or continue a data set of COVID-QU-Ex.

    Args:
        src: the folder with both parts, or one of them.
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is no film in the published layout, or a declared class has no pixel in training.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more pictures failed than allowed; what is done is kept for the next run.
    """
    options = options or CovidOptions()
    require_apart(src, out)
    films, refused = find_films(src, options.parts)
    settings = _settings(options)
    digest = _hash(src)
    wanted: ClassSet[CovidFilm] = ClassSet(
        run=Run(f"prepare {SOURCE}", {"sources": digest}, settings),
        jobs=films,
        make=partial(covid_case, rule=options.rule),
        arrange=partial(_arranged, seed=options.seed if options.split is SplitBy.SEEDED else None),
        classes=CLASS_NAMES,
        about={
            "source": {"kind": "COVID-QU-Ex", "hash": digest},
            "roles": asdict(ROLES),
            "rules": {"non_covid": RULES[options.rule.non_covid], "covid": COVID_RULE},
        },
        optional=frozenset() if options.rule.non_covid is NonCovid.LUNG else frozenset({NON_COVID_INFECTION}),
        keeps_split=options.split is SplitBy.PUBLISHED,
        refused=refused,
        told=lambda film: (film.split, film.label),
        notes=(RULES[options.rule.non_covid], _NOTE),
    )
    return make_classes(wanted, out, options.running, track)


def _settings(options: CovidOptions) -> dict[str, Any]:
    return {
        "non_covid": options.rule.non_covid,
        "parts": sorted(options.parts),
        "split": options.split,
        "seed": options.seed if options.split is SplitBy.SEEDED else None,
        "polarity": options.rule.pictures.polarity,
        "grey_masks": options.rule.pictures.grey_masks,
        "licence": options.rule.licence,
    }


def _hash(src: Path) -> str:
    paths = (path for path in files_in(src) if path.suffix.lower() in PICTURES)
    lines = (f"{sha256_of(path)}  {path.relative_to(src).as_posix()}" for path in paths)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _arranged(records: Sequence[Mapping[str, Any]], unit_of: Mapping[str, str], seed: int | None) -> Arranged:
    """The published split, or a drawn one; a unit, which stands for a patient, is in one split."""
    if seed is None:
        units: dict[str, set[str]] = {split: set() for split in SPLITS}
        for one in records:
            units[one["film"]["source_split"]].add(unit_of[one["key"]])
        lists = {split: sorted(each) for split, each in units.items()}
        rule = _PUBLISHED
    else:
        shares = ", ".join(f"{share:.0%} {split}" for share, split in zip(SHARES, SPLITS, strict=True))
        rule = f"drawn by unit, each label alike: {shares}"
        lists = seeded_units(_strata(records, unit_of), seed)
    train, validation, test = (tuple(lists[split]) for split in SPLITS)
    return Arranged(unit_of, StoredSplit(rule, train, validation, test, seed))


def _strata(records: Sequence[Mapping[str, Any]], unit_of: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in sorted(records, key=lambda record: str(record["key"])):
        film = one["film"]
        found.setdefault(unit_of[one["key"]], f"{film['image_label']} {film['is_outlined']}")
    return found
