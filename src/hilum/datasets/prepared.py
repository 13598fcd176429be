"""The one reader of a prepared data set: `dataset.json`, and the `nodules.json` that its cases name."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from hilum.core import Failures, HilumError, InputError, Nodule, UnreadableError
from hilum.core.radiograph import PixelMm
from hilum.datasets.class_source import CLASSES, ClassSource, class_source, lung_roles
from hilum.datasets.data_kind import XRAY_CLASSES
from hilum.datasets.drr_pairs import PairNodule
from hilum.datasets.patch_source import SINGLE_SCAN, PatchSource, patch_source
from hilum.io import read_json, read_mask
from hilum.io.nodules_file import read_nodules
from hilum.measure import LungRoles

S = TypeVar("S")

DATASET = "dataset.json"
SCHEMA = "hilum.dataset/1"
SPLITS = ("train", "validation", "test")
POINTS = "points"
"""Name of the truth that is no mask: each lesion's centre and size, in the cases' `nodules.json`."""
PRIOR = "prior"
"""Among a case's masks: an earlier one of the same patient, which is no truth."""
LUNGS = "lungs"
"""Among a case's masks: both lungs of a picture, by which places are named; no truth unless it is the only mask."""
SLICES = "slices"
"""Kind of a data set whose cases are CT slices; readers are compared by the consensus there."""
UNION, CONSENSUS = "union", "consensus"
"""Two truths of one case: what any reader has, and what those who outlined a nodule agree on (`definitions.md`)."""


@dataclass(frozen=True)
class SliceSource:
    """What a case is a slice of.

    Attributes:
        nodule: unique in the data set; "" for a slice that shows none.
        reader_count: how many readers outlined it, on any slice.
        number: of the slice.
        step_mm: from slice to slice; None when nobody knows.
        hu_ends: HU of the picture's darkest and brightest pixel, known or estimated; None when nobody says.
        point_px: (row, column) of the middle of the nodule, of all its slices; None without one, or when nobody says.
    """

    nodule: str
    reader_count: int
    number: int
    step_mm: float | None = None
    hu_ends: tuple[float, float] | None = None
    point_px: tuple[float, float] | None = None


@dataclass(frozen=True)
class CaseSource:
    """One case's files.

    Attributes:
        key: names its prediction.
        patient: whose it is.
        truth: the true mask; of the truth `POINTS` the `nodules.json` with centres and sizes.
        image: the picture; None when there is none.
        nodules: `nodules.json` with the readers' nodules; None when there is none.
        pixel_mm: row and column step of a 2D image, where it is known.
        prior: an earlier mask of the same patient; None when there is none.
        content: SHA-256 of the image, "" when unknown.
        odd: what a person who uses the case should know, one line each.
        lungs: mask of both lungs; None when nobody drew them.
        consensus: the readers' consensus, where the truth is their union; else None.
        prior_image: an earlier picture of the same patient, registered, on the image's pixels; None when there is none.
        changes: `changes.json` with what became of each lesion since; None when nobody says.
        prior_notes: what speaks against the earlier picture's registration, one sentence each.
        slice: which nodule it is a slice of; None of what is no slice.
        patch: what it is a piece of; None of what is no piece of a CT.
        film: what is known of a film by classes; None of others.
    """

    key: str
    patient: str
    truth: Path
    image: Path | None = None
    nodules: Path | None = None
    pixel_mm: PixelMm | None = None
    prior: Path | None = None
    content: str = ""
    odd: tuple[str, ...] = ()
    lungs: Path | None = None
    consensus: Path | None = None
    prior_image: Path | None = None
    changes: Path | None = None
    prior_notes: tuple[str, ...] = ()
    slice: SliceSource | None = None
    patch: PatchSource | None = None
    film: ClassSource | None = None


ALL_FOLDS = "folds"
"""Of all stored folds, each judged by a model that has not seen it."""


@dataclass(frozen=True)
class Prepared:
    """What a data set's index says.

    Attributes:
        index: its `dataset.json`.
        kind: "drr-pairs" and so on.
        splits: patients of each of `SPLITS`.
        split_hash: of the stored split; "" when there is none.
        labels: classes that it declares; empty when it doesn't say.
        records: of its cases, as they stand in the file.
        has_points: whether centres and sizes of all lesions are known, so that they are a truth of their own.
        notes: what a person should know of all of it, one line each.
        roles: of the classes of chest X-rays: which are lung, which findings.
        folds: patients of each stored fold; empty without any.
    """

    index: Path
    kind: str
    splits: Mapping[str, Sequence[str]]
    split_hash: str
    labels: Mapping[int, str]
    records: Sequence[Mapping[str, Any]] = field(repr=False)
    has_points: bool = False
    notes: tuple[str, ...] = ()
    roles: LungRoles = field(default_factory=LungRoles)
    folds: Sequence[Sequence[str]] = ()

    @property
    def parts(self) -> Mapping[str, Sequence[str]]:
        """Patients of each split, of each stored fold ("fold-1" and so on), and of all folds together ("folds")."""
        folds = {f"fold-{number}": patients for number, patients in enumerate(self.folds, 1)}
        return {**self.splits, **folds, **({ALL_FOLDS: [one for own in self.folds for one in own]} if folds else {})}

    @property
    def is_single_scan(self) -> bool:
        """Whether it says that its splits are of one and the same CT, and has no other patient."""
        return SINGLE_SCAN in self.notes and len({*self.splits["train"], *self.splits["validation"]}) == 1

    def truth_name(self, wanted: str | None = None) -> str:
        """Which of the cases' masks is the truth, or `POINTS`.

        Args:
            wanted: its name; None takes points where they are a truth, of slices "consensus", of films by classes
                "classes", else "union", or the only one.

        Raises:
            InputError: there is no such truth, or several and none is wanted.
            UnreadableError: a case has no masks.
        """
        with _complete(self.index):
            every = list(dict.fromkeys(name for record in self.records for name in record["masks"]))
        names = [name for name in every if name not in (PRIOR, LUNGS)] or every
        if self.kind == SLICES and CONSENSUS in names:
            wanted = wanted or CONSENSUS
        if self.kind == XRAY_CLASSES and CLASSES in names:
            wanted = wanted or CLASSES
        if self.has_points:
            names.insert(0, POINTS)
            wanted = wanted or POINTS
        if wanted is None and (UNION in names or len(names) == 1):
            return UNION if UNION in names else names[0]
        if wanted is None or wanted not in {*names, *every}:
            asked = f"no truth {wanted!r}" if wanted else "several truths"
            raise InputError(f"the data set has {asked}; it has {', '.join(names)}.", "Choose one with --truth.")
        return wanted

    def labels_of(self, truth: str) -> Mapping[int, str]:
        """The classes that it declares of this truth; of films by classes other masks show one structure each."""
        return {} if self.kind == XRAY_CLASSES and truth != CLASSES else self.labels

    def cases(self, truth: str) -> tuple[CaseSource, ...]:
        """All cases, with the masks of this name, or their points, as truth.

        Raises:
            UnreadableError: an entry is missing.
        """
        with _complete(self.index):
            found = tuple(_case(record, self.index.parent, self._file_of(record, truth)) for record in self.records)
        return found if truth == UNION else tuple(replace(case, consensus=None) for case in found)

    def cases_in(self, split: str) -> tuple[CaseSource, ...]:
        """The cases of a split that have a picture, with the truth that is taken unless told otherwise.

        Args:
            split: "train", "validation", "test", a fold ("fold-1"), "folds" for all of these, or "all" for every case,
                those of patients in no split too.

        Raises:
            InputError: there is no such split.
            UnreadableError: an entry is missing.
        """
        parts = self.parts
        if split not in parts and split != "all":
            raise InputError(f"there is no split {split!r}.", f"There are: {', '.join(parts)} and all.")
        wanted = set(parts[split]) if split in parts else None
        every = self.cases(self.truth_name())
        return tuple(case for case in every if case.image is not None and (wanted is None or case.patient in wanted))

    def _file_of(self, record: Mapping[str, Any], truth: str) -> str:
        return str(record["nodules"] if self.is_points(truth) else record["masks"][truth])

    def is_points(self, truth: str) -> bool:
        """Whether this truth is centres and sizes, and no mask of that name."""
        return self.has_points and truth == POINTS


@dataclass(frozen=True, eq=False)
class StoredNodule:
    """A readers' nodule of a case, as `nodules.json` has it.

    Attributes:
        pair: votes, readers, reader count, contrast to noise and visibility; of a 3D case [z, y, x].
        size_mm: equivalent diameter; NaN when unknown.
        level: of the consensus whose silhouette was measured.
    """

    pair: PairNodule
    size_mm: float
    level: float


def read_each(cases: Iterable[CaseSource], read: Callable[[CaseSource], S], failures: Failures) -> list[S]:
    """What is read of each case, in their order; those that fail are added to the failures.

    Raises:
        TooManyFailuresError: more fail than may.
    """
    found: list[S] = []
    for case in cases:
        try:
            found.append(read(case))
        except HilumError as error:
            failures.add(case.key, error)
    return found


def index_of(data: Path) -> Path:
    """Where the index of a data set is, or would be; `data` is its folder or the index itself."""
    return data if data.name == DATASET else data / DATASET


def read_prepared(data: Path) -> Prepared:
    """Read a data set's index.

    Args:
        data: its folder, or the `dataset.json` in it.

    Raises:
        InputError: there is no such file.
        UnreadableError: it is not what it says.
    """
    index = index_of(data)
    content = read_json(index)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        raise UnreadableError(f"{index} is no data set of the schema {SCHEMA}.", "Prepare it with hilum prepare.")
    with _complete(index):
        return Prepared(
            index,
            str(content["kind"]),
            {name: list(content["splits"].get(name) or []) for name in SPLITS},
            content["splits"].get("hash", ""),
            {int(label): str(name) for label, name in (content.get("labels") or {}).items()},
            content["cases"],
            bool(content.get("point_truth", False)),
            tuple(str(note) for note in content.get("notes") or ()),
            lung_roles(content),
            [[str(one) for one in own] for own in (content.get("folds") or {}).get("folds", ())],
        )


def stored_nodules(path: Path) -> tuple[StoredNodule, ...]:
    """The nodules of a `nodules.json` that have votes and readers.

    Raises:
        InputError: a file that it names can't be read.
        UnreadableError: an entry is missing.
    """
    found = read_nodules(path)
    with _complete(path):
        level = float(found.study.get("consensus", 0.5))
        pairs = zip(found.nodules, found.entries, strict=True)
        return tuple(
            _nodule(nodule, entry, path.parent, level)
            for nodule, entry in pairs
            if entry.get("votes") and nodule.reader_count
        )


@dataclass(frozen=True)
class StoredPoint:
    """A lesion of the truth `POINTS`.

    Attributes:
        centre_px: (row, column) in the image's pixels.
        size_mm: diameter.
        subtlety: 1 to 5; NaN when nobody says.
    """

    centre_px: tuple[float, float]
    size_mm: float
    subtlety: float


def stored_points(path: Path) -> tuple[StoredPoint, ...]:
    """The lesions of a `nodules.json` by centre and size; none in a file without nodules.

    Raises:
        InputError: there is no such file.
        UnreadableError: a centre or a size is missing.
    """
    found = read_nodules(path)
    with _complete(path):
        return tuple(_point(nodule, entry) for nodule, entry in zip(found.nodules, found.entries, strict=True))


def _point(nodule: Nodule, entry: Mapping[str, Any]) -> StoredPoint:
    if nodule.centre_px is None:
        raise KeyError("centre_px")
    subtlety = nodule.characteristics.get("subtlety")
    return StoredPoint(nodule.centre_px, float(entry["size_mm"]), math.nan if subtlety is None else float(subtlety))


def _nodule(nodule: Nodule, entry: Mapping[str, Any], folder: Path, level: float) -> StoredNodule:
    def number(name: str) -> float:
        return math.nan if entry.get(name) is None else float(entry[name])

    votes, readers = (read_mask(folder / entry[name]).labels for name in ("votes", "readers"))
    pair = PairNodule(nodule, votes, readers, number("contrast_to_noise"), number("visibility"))
    return StoredNodule(pair, number("equivalent_diameter_mm"), level)


def _case(record: Mapping[str, Any], folder: Path, truth: str) -> CaseSource:
    def path(name: str | None) -> Path | None:
        return folder / name if name else None

    steps = record.get("pixel_mm")
    return CaseSource(
        key=str(record["key"]),
        patient=str(record["patient"]),
        truth=folder / truth,
        image=path(record.get("image")),
        nodules=path(record.get("nodules")),
        pixel_mm=(float(steps[0]), float(steps[1])) if steps else None,
        prior=path(record["masks"].get(PRIOR)),
        content=str(record.get("sha256", "")),
        odd=tuple(record.get("odd") or ()),
        lungs=path(record["masks"].get(LUNGS)),
        consensus=path(record["masks"].get(CONSENSUS)),
        prior_image=path((record.get("prior") or {}).get("image")),
        changes=path(record.get("changes")),
        prior_notes=_registration_notes((record.get("prior") or {}).get("registration") or {}),
        slice=_slice(record["slice"]) if record.get("slice") else None,
        patch=patch_source(record["patch"]) if record.get("patch") else None,
        film=class_source(record, folder) if record.get("film") else None,
    )


def _slice(stored: Mapping[str, Any]) -> SliceSource:
    step, ends, point = (stored.get(name) for name in ("step_mm", "hu_ends", "point_px"))
    return SliceSource(
        nodule=str(stored["nodule"]),
        reader_count=int(stored["reader_count"]),
        number=int(stored["number"]),
        step_mm=None if step is None else float(step),
        hu_ends=None if ends is None else (float(ends[0]), float(ends[1])),
        point_px=None if point is None else (float(point[0]), float(point[1])),
    )


def _registration_notes(registration: Mapping[str, Any]) -> tuple[str, ...]:
    """What a registration says against itself; one that only says that it failed says so."""
    notes = tuple(str(note) for note in registration.get("notes") or ())
    return notes if notes or registration.get("converged", True) else ("its registration has not converged",)


@contextmanager
def _complete(path: Path) -> Iterator[None]:
    """An entry that is missing or of another type becomes one clear error."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise UnreadableError(f"{path} lacks {error}.", "Prepare the data set again.") from error
