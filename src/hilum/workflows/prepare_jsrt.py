"""JSRT's films to a data set with point truth (`hilum prepare jsrt`)."""

import csv
import hashlib
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core import Failure, Failures, GeometryError, HilumError, InputError, UnreadableError
from hilum.datasets.jsrt import COLUMNS, Film, film_of, jsrt_split, organs_of, pixel_mm_of
from hilum.datasets.prepared import DATASET, SCHEMA
from hilum.io import read_json, read_mask, read_radiograph, write_json, write_png
from hilum.io.nodules_file import SCHEMA as NODULES_SCHEMA
from hilum.io.nodules_file import record
from hilum.io.read import files_in
from hilum.workflows.output import Run, is_done, output_folder, sha256_of
from hilum.workflows.prepare import FAILED, Prepared, require_apart
from hilum.workflows.track import Track, silently

KIND = "jsrt"
TABLE, IMAGES, MASKS = "metadata.csv", "images", "masks"


@dataclass(frozen=True)
class JsrtOptions:
    """What `prepare_jsrt` may be told.

    Attributes:
        max_failures: films that may fail; one more stops the run.
        force: replace what another run left in the folder.
        halves: half of the films for testing, half to adapt to; else all for testing.
    """

    max_failures: int = 20
    force: bool = False
    halves: bool = False

    def __post_init__(self) -> None:
        if self.max_failures < 0:
            raise InputError(f"0 or more failures are allowed, got {self.max_failures}.")


def prepare_jsrt(src: Path, out: Path, options: JsrtOptions | None = None, track: Track = silently) -> Prepared:
    """Make a data set of JSRT's films: pictures, organ masks, and each nodule's centre, size and subtlety.

    Args:
        src: folder with `images/`, `metadata.csv` and, if there are any, `masks/`.
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is no such folder or table.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more films failed than allowed; nothing is left then.
    """
    options = options or JsrtOptions()
    require_apart(src, out)
    rows = _rows(src / TABLE)
    run = Run(f"prepare {KIND}", {"sources": _hash(src)}, {"halves": True} if options.halves else {})
    if is_done(out, run) and not options.force:
        return _as_left(out)
    failures = Failures(options.max_failures)
    with output_folder(out, run, force=options.force) as folder:
        films = _films(rows, failures)
        _require_rows(src, rows, failures)
        cases = _cases(films, src, folder, failures, track)
        failed = tuple(sorted(failures, key=lambda one: one.input))
        write_json(folder / FAILED, failed)
        write_json(folder / DATASET, _index(cases, run, failed))
    return Prepared(out, len(cases), failed, (), was_done=False)


def _as_left(out: Path) -> Prepared:
    index = read_json(out / DATASET)
    return Prepared(out, len(index["cases"]), tuple(Failure(**one) for one in index["failures"]), (), was_done=True)


def _rows(path: Path) -> list[dict[str, str | None]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            table = csv.DictReader(stream)
            rows, header = list(table), table.fieldnames or []
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.", "Name the folder with JSRT's films.") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise UnreadableError(f"{path} is no CSV: {error}.", "Save it as UTF-8 with commas.") from error
    if missing := [name for name in COLUMNS if name not in header]:
        raise UnreadableError(f"{path} lacks the columns {', '.join(missing)}.", f"It has {', '.join(COLUMNS)}.")
    return rows


def _hash(src: Path) -> str:
    folders = [src / name for name in (IMAGES, MASKS) if (src / name).is_dir()]
    wanted = [src / TABLE, *(path for folder in folders for path in files_in(folder))]
    lines = (f"{sha256_of(path)}  {path.relative_to(src).as_posix()}" for path in wanted)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _films(rows: Sequence[Mapping[str, str | None]], failures: Failures) -> list[Film]:
    """The rows that say something of a film; a film with two rows has none that can be trusted."""
    found = []
    for number, row in enumerate(rows, 2):  # the header is line 1
        try:
            found.append(film_of(row))
        except HilumError as error:
            failures.add(f"{TABLE}, line {number}", error)
    times = Counter(film.key for film in found)
    for key, number in times.items():
        if number > 1:
            failures.add(key, InputError(f"{number} rows of {TABLE} are about it.", "Keep the right one."))
    return [film for film in found if times[film.key] == 1]


def _require_rows(src: Path, rows: Sequence[Mapping[str, str | None]], failures: Failures) -> None:
    """Pictures of which nobody says whether they have a nodule."""
    named = {(row["id"] or "").strip() for row in rows}
    for path in files_in(src / IMAGES) if (src / IMAGES).is_dir() else ():
        if path.name not in named:
            name = path.relative_to(src).as_posix()
            failures.add(name, InputError(f"{TABLE} says nothing of it.", "Add its row, or take the picture away."))


def _cases(films: Sequence[Film], src: Path, folder: Path, failures: Failures, track: Track) -> list[dict[str, Any]]:
    cases = []
    for film in track(sorted(films, key=lambda one: one.key), "JSRT"):
        try:
            cases.append(_case(film, src, folder))
        except HilumError as error:
            failures.add(film.key, error)
    if not cases:
        raise InputError(f"{src} holds no film that could be read.", "Name the folder with images/ and metadata.csv.")
    return cases


def _case(film: Film, src: Path, folder: Path) -> dict[str, Any]:
    """One film's files; written only when all of it could be read."""
    image = src / IMAGES / film.name
    rows, columns = read_radiograph(image).array.shape
    if rows != columns:
        raise GeometryError(f"{film.name} has {rows} × {columns} pixels; JSRT's films are square.", "Convert it again.")
    organs = _organs(src, film, rows)
    pictured = folder / IMAGES / film.name
    pictured.parent.mkdir(exist_ok=True)
    shutil.copyfile(image, pictured)
    masks = {name: f"{MASKS}/{name}/{film.key}.png" for name in organs}
    for name, mask in organs.items():
        write_png(mask, folder / masks[name])
    nodules = f"truth/{film.key}/nodules.json"
    write_json(folder / nodules, _nodules(film, rows))
    return {
        "key": film.key,
        "patient": film.key,
        "image": f"{IMAGES}/{film.name}",
        "masks": masks,
        "nodules": nodules,
        "pixel_mm": [pixel_mm_of(rows)] * 2,
        "sha256": sha256_of(pictured),
    }


def _organs(src: Path, film: Film, side: int) -> dict[str, Any]:
    """Organ masks; none where the folder has no masks at all."""
    if not (src / MASKS).is_dir():
        return {}
    bits = read_mask(src / MASKS / film.name).labels
    if bits.shape != (side, side):
        raise GeometryError(
            f"the mask of {film.name} has {bits.shape[0]} × {bits.shape[-1]} pixels, the picture {side} × {side}.",
            "Both show the whole film; resample the mask.",
        )
    return organs_of(bits)


def _nodules(film: Film, side: int) -> dict[str, Any]:
    """`nodules.json`; `size_mm` is the size that JSRT states."""
    study = {"key": film.key, "patient": film.key, "state": film.state, **film.about}
    nodules = [] if film.nodule is None else [record(film.nodule.on(side)) | {"size_mm": film.nodule.size_mm}]
    return {"schema": NODULES_SCHEMA, "study": study, "nodules": nodules}


def _index(cases: Sequence[Mapping[str, Any]], run: Run, failed: Sequence[Failure]) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": KIND,
        "source": {"kind": "films", "hash": run.inputs["sources"]},
        "options": run.options,
        "point_truth": True,
        "cases": cases,
        "splits": jsrt_split((case["patient"] for case in cases), halves="halves" in run.options).record(),
        "failures": failed,
    }
