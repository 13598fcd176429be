"""Chest X-rays with bit masks and a table to a data set by classes (`hilum prepare cxr-masks`)."""

import csv
import hashlib
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from hilum.core import Failure, HilumError, InputError, UnreadableError
from hilum.datasets.bit_masks import BitMaskLayout, FilmRow, bit_classes, film_row, structures_of, union
from hilum.datasets.prepared import LUNGS
from hilum.datasets.splits import is_lidc_patient
from hilum.datasets.stored_folds import StoredFolds, folds_by_patient, spread
from hilum.datasets.stored_split import StoredSplit
from hilum.io.read import files_in
from hilum.workflows.class_case import AboutFilm, FilmPlanes, write_film
from hilum.workflows.class_picture import PictureRule, read_bits, read_film
from hilum.workflows.class_set import Arranged, ClassSet, PreparedClasses, Refused, make_classes
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.patch_case import safe
from hilum.workflows.patch_set import Running
from hilum.workflows.prepare import require_apart
from hilum.workflows.track import Track, silently

SOURCE = "cxr-masks"
TABLE, IMAGES, MASKS = "metadata.csv", "images", "masks"
Row: TypeAlias = Mapping[str, str | None]
"""Of the table, by column."""
_BY_FOLD = "validation is fold 1 of the stored folds by patient, training the others"
_ALL_TEST = "every film is for testing; the stored folds are there for who may learn from them"


class Purpose(StrEnum):
    """What the films are for."""

    LEARN = "learn"
    TEST = "test"


@dataclass(frozen=True)
class MaskOptions:
    """What `prepare_cxr_masks` may be told.

    Attributes:
        layout: what table and bits mean.
        purpose: learn: fold 1 is validation, the others training. test: all are for testing. None goes by the layout.
        seed: of the folds.
        pictures: how films are read.
        running: how the work is done.
    """

    layout: BitMaskLayout
    purpose: Purpose | None = None
    seed: int = 0
    pictures: PictureRule = field(default_factory=PictureRule)
    running: Running = field(default_factory=Running)


@dataclass(frozen=True)
class MaskFilm:
    """A film, its mask and its row.

    Attributes:
        key: unique, and safe as a file name.
        row: of the table.
        image: the film.
        mask: its bit field.
    """

    key: str
    row: FilmRow
    image: Path
    mask: Path


def prepare_cxr_masks(src: Path, out: Path, options: MaskOptions, track: Track = silently) -> PreparedClasses:
    """Make or continue a data set of films with bit masks.

    Args:
        src: folder with `images/`, `masks/` (of the same names) and `metadata.csv`.
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is no such folder or table, no film can be used, or a class has no pixel in training.
        UnreadableError: the table lacks a column.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more films failed than allowed; what is done is kept for the next run.
    """
    require_apart(src, out)
    films, refused = _films(src, _rows(src / TABLE, options.layout), options.layout)
    digest = _hash(src)
    is_test = options.layout.only_test if options.purpose is None else options.purpose is Purpose.TEST
    wanted: ClassSet[MaskFilm] = ClassSet(
        run=Run(f"prepare {SOURCE}", {"sources": digest}, _settings(options, is_test=is_test)),
        jobs=films,
        make=partial(mask_case, layout=options.layout, rule=options.pictures),
        arrange=partial(_arranged, seed=options.seed, is_test=is_test),
        classes=options.layout.class_names,
        about={
            "source": {"kind": "films with bit masks", "hash": digest},
            "rules": {"classes": _priority(options.layout)},
            "roles": asdict(options.layout.roles),
        },
        refused=refused,
        notes=(_priority(options.layout),),
    )
    return make_classes(wanted, out, options.running, track)


def _settings(options: MaskOptions, *, is_test: bool) -> dict[str, Any]:
    return {
        "layout": options.layout.plain(),
        "purpose": Purpose.TEST if is_test else Purpose.LEARN,
        "seed": options.seed,
        "polarity": options.pictures.polarity,
    }


def _priority(layout: BitMaskLayout) -> str:
    order = " over ".join(reversed([one.name for one in layout.classes]))
    return f"where classes overlap, one wins: {order}; each structure has a mask of its own beside"


def _rows(path: Path, layout: BitMaskLayout) -> list[tuple[int, Row]]:
    """Rows with their lines' numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            rows: list[tuple[int, Row]] = [(table.line_num, row) for row in table]
            header = table.fieldnames or []
    except OSError as error:
        raise InputError(
            f"{path} can't be read: {error.strerror}.", "Name the folder with images/, masks/ and metadata.csv."
        ) from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(f"{path} is no CSV: {error}.", "Save it as UTF-8 with commas.") from error
    columns = dict.fromkeys((layout.image, layout.patient, layout.finding, layout.view, layout.licence, layout.day))
    if missing := [name for name in columns if name and name not in header]:
        raise UnreadableError(
            f"{path} lacks the columns {', '.join(missing)}.", "Name its own in a layout file: --layout."
        )
    return rows


def _hash(src: Path) -> str:
    folders = [src / name for name in (IMAGES, MASKS) if (src / name).is_dir()]
    paths = [src / TABLE, *(path for folder in folders for path in files_in(folder))]
    lines = (f"{sha256_of(path)}  {path.relative_to(src).as_posix()}" for path in paths)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _films(src: Path, rows: Sequence[tuple[int, Row]], layout: BitMaskLayout) -> tuple[list[MaskFilm], list[Refused]]:
    """Films with a row, a picture and a mask; whatever lacks one of the three is refused."""
    images, masks = _files(src / IMAGES), _files(src / MASKS)
    found, refused = _told(rows, layout, images)
    films = []
    for row in found:
        missing = [name for name, there in ((IMAGES, images), (MASKS, masks)) if row.name not in there]
        if missing:
            wrong = InputError(f"there is no file {missing[0]}/{row.name}.", "Add it, or take the row away.")
            refused.append(_refused(row.name, wrong, row.name if row.name in images else ""))
        else:
            films.append(MaskFilm(safe(Path(row.name).stem), row, images[row.name], masks[row.name]))
    told = {_name(row, layout) for _, row in rows}
    for name in sorted(set(images) - told):
        wrong = InputError(f"{TABLE} says nothing of it.", "Add what is missing, or take it away.")
        refused.append(_refused(f"{IMAGES}/{name}", wrong, name))
    for name in sorted(set(masks) - set(images)):
        wrong = InputError("the mask has no image of its name.", "Add what is missing, or take it away.")
        refused.append(_refused(f"{MASKS}/{name}", wrong))
    return _of_one_key(films, refused), refused


def _files(folder: Path) -> dict[str, Path]:
    """Every file by its place below the folder; none where there is no such folder."""
    return {one.relative_to(folder).as_posix(): one for one in files_in(folder)} if folder.is_dir() else {}


def _name(row: Row, layout: BitMaskLayout) -> str:
    return (row.get(layout.image) or "").strip()


def _refused(name: str, error: HilumError, film: str = "") -> Refused:
    return Refused(Failure(name, error.message, error.remedy), film)


def _told(
    rows: Sequence[tuple[int, Row]], layout: BitMaskLayout, images: Container[str]
) -> tuple[list[FilmRow], list[Refused]]:
    """Rows that say something of a frontal film; a film with two rows has none that can be trusted."""
    found, refused = [], []
    for number, row in rows:
        try:
            one = film_row(row, layout)
            _require_other_than_lidc(one)
            found.append(one)
        except HilumError as error:
            name = _name(row, layout)
            refused.append(_refused(name or f"{TABLE}, line {number}", error, name if name in images else ""))
    times = Counter(_name(row, layout) for _, row in rows)
    for name in dict.fromkeys(one.name for one in found if times[one.name] > 1):
        wrong = InputError(f"{times[name]} rows of {TABLE} are about it.", "Keep the right one.")
        refused.append(_refused(name, wrong, name if name in images else ""))
    return [one for one in found if times[one.name] == 1], refused


def _require_other_than_lidc(row: FilmRow) -> None:
    if is_lidc_patient(row.patient):
        raise InputError(
            f"{row.name} is of {row.patient}, and LIDC's patients have a split of their own.", "Leave it out."
        )


def _of_one_key(films: Sequence[MaskFilm], refused: list[Refused]) -> list[MaskFilm]:
    times = Counter(film.key for film in films)
    for film in films:
        if times[film.key] > 1:
            wrong = InputError(f"another file is called {film.key}, too.", "Rename one.")
            refused.append(_refused(film.row.name, wrong, film.row.name))
    return [film for film in films if times[film.key] == 1]


def mask_case(film: MaskFilm, out: Path, layout: BitMaskLayout, rule: PictureRule) -> dict[str, object]:
    """One film's case.

    Raises:
        HilumError: the film or its mask can't be used.
    """
    image = read_film(film.image, rule)
    structures = structures_of(read_bits(film.mask, image.shape), layout)
    classes = bit_classes(structures, layout)
    if layout.lungs:
        structures |= {LUNGS: union(structures, layout.lungs)}
    step = None if layout.pixel_mm is None else layout.pixel_mm * layout.pixel_mm_at / image.shape[1]
    row = film.row
    about = AboutFilm(
        key=film.key,
        patient=row.patient,
        source=f"{IMAGES}/{row.name}",
        label=row.label,
        finding=row.finding,
        licence=row.licence,
        day=row.day,
    )
    odd = () if classes.any() else ("no class has a pixel on it",)
    return write_film(about, FilmPlanes(image, classes, structures, (step, step) if step else None, odd), out)


def _arranged(
    records: Sequence[Mapping[str, Any]], unit_of: Mapping[str, str], seed: int, *, is_test: bool
) -> Arranged:
    """Folds of units, written down by patient; patients whose films are nearly the same are one unit."""
    members: dict[str, set[str]] = {}
    shows: dict[str, set[str]] = {}
    for one in records:
        unit, film = unit_of[one["key"]], one["film"]
        members.setdefault(unit, set()).add(one["patient"])
        shows.setdefault(unit, set()).update((str(film["image_label"]), *film["class_pixels"]))
    folds = spread(folds_by_patient({unit: " ".join(sorted(words)) for unit, words in shows.items()}, seed), members)
    return Arranged({one["key"]: one["patient"] for one in records}, _split(folds, is_test=is_test), folds)


def _split(folds: StoredFolds, *, is_test: bool) -> StoredSplit:
    every = tuple(sorted(one for fold in folds.folds for one in fold))
    if is_test:
        return StoredSplit(_ALL_TEST, (), (), every)
    judged = folds.folds[0]
    return StoredSplit(_BY_FOLD, tuple(one for one in every if one not in judged), judged, seed=folds.seed)
