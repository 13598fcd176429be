"""What predictions are judged against: a data set's split, or a plain folder of true masks."""

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hilum.core import InputError, UnreadableError
from hilum.core.radiograph import PixelMm
from hilum.datasets.class_source import CLASSES
from hilum.datasets.drr_pairs import CONSENSUS_READERS
from hilum.datasets.prepared import (
    ALL_FOLDS,
    CaseSource,
    Prepared,
    StoredNodule,
    index_of,
    read_prepared,
    stored_nodules,
)
from hilum.datasets.splits import is_lidc_patient, leading_lidc_patient
from hilum.evaluate.case_lesions import TrueNodule
from hilum.evaluate.yardstick import View
from hilum.io.read import files_in
from hilum.io.volumes import WRITABLE
from hilum.measure import LungRoles
from hilum.workflows.output import sha256_of

YARDSTICKS: Mapping[str, View] = {"drr-pairs": View.SILHOUETTE, "slices": View.SLICE, "cubes": View.VOLUME}
"""What of a nodule a data set's masks show, by its kind: what a reader is compared by beside them."""

ALL = "all"
MASK_SUFFIXES = (*WRITABLE, ".png", ".tif", ".tiff")
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".dcm")
"""Of images, beside those of masks."""


@dataclass(frozen=True)
class TruthSource:
    """The cases that are reported, and what is known around them.

    Attributes:
        data: name, without its place on this machine.
        split: which part.
        split_hash: of the stored split; "" when there is none.
        truth: its name, and of pieces of CTs what it is made of.
        cases: those that are reported.
        training: those that a trivial rival may learn from; none of them is reported.
        others: all cases that are not reported.
        unknown: those of them that would be reported if the class of each of their pixels were known.
        patients_of: patients by split.
        labels: classes that the data set declares; empty when it doesn't say.
        knows_patients: whether somebody said whose the cases are, or their keys do.
        are_patients_from_keys: whether patients are those that keys begin with, since nobody said.
        yardstick: what of a nodule LIDC's readers are compared by; None where they are no yardstick.
        hash: SHA-256 of what the truth is read from.
        is_points: whether of each lesion only centre and size are known, and no mask.
        least_readers: of the nodules whose slices are reported; 0 where cases are no slices.
        roles: of the classes of chest X-rays: which are lung, which findings.
        is_by_class: whether these are chest X-rays by classes.
        parts: patients of each split and each stored fold.
    """

    data: str
    split: str
    split_hash: str
    truth: str
    cases: tuple[CaseSource, ...]
    training: tuple[CaseSource, ...] = ()
    others: tuple[CaseSource, ...] = ()
    unknown: tuple[CaseSource, ...] = ()
    patients_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)
    knows_patients: bool = True
    are_patients_from_keys: bool = False
    yardstick: View | None = None
    hash: str = ""
    is_points: bool = False
    least_readers: int = 0
    roles: LungRoles = field(default_factory=LungRoles)
    is_by_class: bool = False
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class TruthWanted:
    """Which truth is asked for.

    Attributes:
        data: a data set's folder (or its `dataset.json`), or a folder of masks.
        split: "train", "validation", "test" or "all"; None only where there are no splits.
        truth: name of the masks, or "points"; None takes points where they are a truth, "union", or the only masks.
        patients: CSV with the columns key and patient, for a folder of masks.
        pixel_mm: row and column step, for a folder of 2D masks.
        images: folder of the images of a folder of masks, named by the same keys.
        yardstick: what of a nodule readers are compared by; None goes by the data set's kind, and a folder has none.
        least_readers: slices of nodules with fewer are left out; None for `CONSENSUS_READERS`, as yardsticks count.
    """

    data: Path
    split: str | None = None
    truth: str | None = None
    patients: Path | None = None
    pixel_mm: PixelMm | None = None
    images: Path | None = None
    yardstick: View | None = None
    least_readers: int | None = None

    def __post_init__(self) -> None:
        if self.pixel_mm is not None and not all(0 < side < math.inf for side in self.pixel_mm):
            raise InputError(
                f"a pixel's side is a positive number of mm, got {min(self.pixel_mm):g}.",
                "Leave --pixel-mm out where nobody knows it; then there are no millimetres.",
            )


def truth_source(wanted: TruthWanted) -> TruthSource:
    """Find the truth.

    Raises:
        InputError: there is none, no such split or truth, or an option that doesn't fit.
        UnreadableError: `dataset.json` is not what it says.
    """
    index = index_of(wanted.data)
    if index.is_file():
        if wanted.patients or wanted.pixel_mm or wanted.images:
            raise InputError(
                "a data set knows its patients, pixel sizes and images.",
                "Leave --patients, --pixel-mm and --images out.",
            )
        return _of_dataset(index, wanted)
    if not wanted.data.is_dir():
        raise InputError(f"{wanted.data} is neither a data set nor a folder of true masks.", "Name its folder.")
    return _of_folder(wanted)


def _of_dataset(index: Path, wanted: TruthWanted) -> TruthSource:
    data = read_prepared(index)
    parts = data.parts
    split = _split(parts, wanted.split)
    truth = data.truth_name(wanted.truth)
    every = data.cases(truth)
    least = CONSENSUS_READERS if wanted.least_readers is None else wanted.least_readers
    in_split = [one for one in every if split == ALL or one.patient in set(parts[split])]
    judged = [one for one in in_split if truth != CLASSES or _is_known(one)]
    reported = [one for one in judged if _counts(one, least)]
    splits = _splits_of(data, split)
    learnable = set(splits.get("train", ())) - {one.patient for one in reported}
    if not reported:
        rest = f" but {len(judged)} of nodules with fewer than {least} readers" if judged else ""
        rest = rest or _unknown_in_words(len(in_split))
        raise InputError(f"the split {split!r} has no case{rest}.", "Choose another with --split.")
    return TruthSource(
        data=f"{data.kind} {data.split_hash[:8]}".strip(),
        split=split,
        split_hash=data.split_hash,
        truth=_in_words(truth, reported) + _unknown_in_words(len(in_split) - len(judged)),
        cases=tuple(reported),
        training=tuple(one for one in every if one.patient in learnable),
        others=tuple(one for one in every if one not in reported),
        unknown=tuple(one for one in in_split if truth == CLASSES and not _is_known(one)),
        patients_of=splits,
        labels=data.labels_of(truth),
        yardstick=_yardstick(wanted.yardstick or YARDSTICKS.get(data.kind), [one.patient for one in reported], wanted),
        hash=sha256_of(index),
        is_points=data.is_points(truth),
        least_readers=least if any(one.slice is not None for one in reported) else 0,
        roles=data.roles if truth == CLASSES else LungRoles(),
        is_by_class=truth == CLASSES and any(one.film is not None for one in reported),
        parts=parts,
    )


def _splits_of(data: Prepared, split: str) -> Mapping[str, Sequence[str]]:
    """Who is learnt from beside what is reported: of a fold all others; of all folds nobody, as each has its model."""
    if split == ALL_FOLDS:
        return {split: data.parts[split]}
    if split not in data.splits and split != ALL:
        own = set(data.parts[split])
        return {"train": [one for one in data.parts[ALL_FOLDS] if one not in own], split: sorted(own)}
    return data.splits


def _in_words(truth: str, reported: Sequence[CaseSource]) -> str:
    """A truth's name and, of pieces of CTs, what the masks are made of: a ball of a diameter is no outline."""
    made_of = dict.fromkeys(one.patch.truth for one in reported if one.patch is not None)
    return f"{truth}: {'; '.join(made_of)}" if made_of else truth


def _is_known(case: CaseSource) -> bool:
    """Whether the class of every pixel is known; of a film where it isn't, no overlap can be judged."""
    return case.film is None or not case.film.unknown_pixels


def _unknown_in_words(films: int) -> str:
    return f" ({films} films left out: the class of some of their pixels is unknown)" if films else ""


def _counts(case: CaseSource, least: int) -> bool:
    """Whether a case is reported: it is no slice of a nodule that too few readers outlined."""
    return case.slice is None or not case.slice.nodule or case.slice.reader_count >= least


def _split(splits: Mapping[str, Sequence[str]], wanted: str | None) -> str:
    """Which part is reported; nobody reports training cases because he forgot to choose.

    Raises:
        InputError: there is no such split, or none was chosen of several.
    """
    there = [name for name, patients in splits.items() if patients]
    if wanted is None and there:
        listed = ", ".join([*there, ALL])
        raise InputError(f"the data set has splits ({listed}), and none was chosen.", "Choose one with --split.")
    if wanted is not None and wanted != ALL and wanted not in there:
        listed = ", ".join([*there, ALL])
        raise InputError(f"the data set has no split {wanted!r}; it has {listed}.", "Choose one with --split.")
    return wanted or ALL


def _of_folder(wanted: TruthWanted) -> TruthSource:
    """A folder of masks named by key: one split, "all"."""
    if wanted.split not in (None, ALL):
        raise InputError(f"{wanted.data} is a plain folder: it has no split {wanted.split!r}.", "Take --split all.")
    named = {key_of(path): path for path in sorted(wanted.data.iterdir()) if key_of(path)}
    if not named:
        raise InputError(f"{wanted.data} holds no masks ({', '.join(MASK_SUFFIXES)}).", "Name the folder with truth.")
    patients, images = _patients(wanted.patients, named), _images(wanted.images, named)
    begun = {key: leading_lidc_patient(key) for key in named} if wanted.patients is None else {}
    by_keys = {key: patient for key, patient in begun.items() if patient is not None}
    are_from_keys = len(by_keys) == len(named)  # of some keys only, they would be no patients of LIDC
    patients = by_keys if are_from_keys else patients
    return TruthSource(
        data=wanted.data.resolve().name,
        split=ALL,
        split_hash="",
        truth=wanted.truth or "mask",
        cases=tuple(
            CaseSource(key, patients.get(key, key), path, images.get(key), pixel_mm=wanted.pixel_mm)
            for key, path in named.items()
        ),
        knows_patients=wanted.patients is not None or are_from_keys,
        are_patients_from_keys=are_from_keys,
        yardstick=_yardstick(wanted.yardstick, [patients.get(key, key) for key in named], wanted),
        hash=folder_hash(wanted.data) + ("" if wanted.images is None else f" images {folder_hash(wanted.images)}"),
    )


def _images(folder: Path | None, named: Mapping[str, Path]) -> dict[str, Path]:
    """The image of each mask.

    Raises:
        InputError: there is no such folder, a mask has no image there, or two.
    """
    if folder is None:
        return {}
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder of images.", "Name the folder with one image for each true mask.")
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        key = key_of(path, (*MASK_SUFFIXES, *IMAGE_SUFFIXES))
        if key in found:
            raise InputError(f"{folder} holds two images of {key}.", "Leave one of them.")
        found |= {key: path} if key in named else {}
    if missing := sorted(named.keys() - found.keys()):
        listed = ", ".join(missing[:3])
        raise InputError(f"{folder} holds no image of {listed}.", "Name images by the keys of the true masks.")
    return found


def _yardstick(view: View | None, patients: Sequence[str], wanted: TruthWanted) -> View | None:
    """The view that the data set's kind, or the user, names; none where not all patients are LIDC's.

    Raises:
        InputError: the user asked for it, and not all patients are LIDC's.
    """
    foreign = [patient for patient in patients if not is_lidc_patient(patient)]
    if foreign and wanted.yardstick is not None:
        raise InputError(
            f"the human yardstick is of LIDC's readers, and {foreign[0]!r} is no patient of LIDC (LIDC-IDRI-0003).",
            "Leave --yardstick out, or name the patients with --patients.",
        )
    return None if foreign else view


def content_of(case: CaseSource) -> str:
    """SHA-256 of a case's image: of the file itself, and what the index says where there is no such file."""
    return sha256_of(case.image) if case.image is not None and case.image.is_file() else case.content


def key_of(path: Path, suffixes: Sequence[str] = MASK_SUFFIXES) -> str:
    """The case that a mask's (or image's) name stands for; "" when it is none's."""
    name = path.name
    suffix = next((one for one in suffixes if name.lower().endswith(one)), None)
    return "" if suffix is None or name.startswith(".") or not path.is_file() else name[: -len(suffix)]


def _patients(path: Path | None, named: Mapping[str, Path]) -> dict[str, str]:
    if path is None:
        return {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        found = {row["key"]: row["patient"] for row in rows}
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.", "Give a CSV with key,patient.") from error
    except (KeyError, UnicodeDecodeError) as error:
        raise UnreadableError(f"{path} is no CSV with the columns key and patient.", "Write it anew.") from error
    if missing := sorted(named.keys() - found.keys()):
        raise InputError(f"{path} doesn't name the patient of {', '.join(missing[:3])}.", "Add the missing rows.")
    return found


def folder_hash(folder: Path) -> str:
    """One hash over names and contents of all files of a folder."""
    import hashlib

    lines = [f"{sha256_of(path)}  {path.relative_to(folder).as_posix()}" for path in files_in(folder)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def true_nodules(case: CaseSource, shape: tuple[int, ...]) -> tuple[TrueNodule, ...]:
    """The readers' nodules of a case: silhouettes of their consensus, in 3D the consensus; other grids are left out.

    Raises:
        InputError: a file that `nodules.json` names can't be read.
    """
    if case.nodules is None:
        return ()
    return tuple(_true(one) for one in stored_nodules(case.nodules) if one.pair.votes.shape == shape)


def _true(stored: StoredNodule) -> TrueNodule:
    nodule = stored.pair
    readers = tuple(nodule.of_reader(number) for number in range(nodule.reader_count))
    silhouette = nodule.silhouette(stored.level)
    return TrueNodule(nodule.nodule.id, silhouette, nodule.reader_count, stored.size_mm, nodule.visibility, readers)
