"""What predictions are judged against: a data set's split, or a plain folder of true masks."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hilum.core import InputError, UnreadableError
from hilum.core.radiograph import PixelMm
from hilum.datasets.prepared import CaseSource, StoredNodule, index_of, read_prepared, stored_nodules
from hilum.datasets.splits import is_lidc_patient
from hilum.evaluate.case_lesions import TrueNodule
from hilum.io.read import files_in
from hilum.io.volumes import WRITABLE
from hilum.workflows.output import sha256_of

ALL = "all"
MASK_SUFFIXES = (*WRITABLE, ".png", ".tif", ".tiff")


@dataclass(frozen=True)
class TruthSource:
    """The cases that are reported, and what is known around them.

    Attributes:
        data: name, without its place on this machine.
        split: which part.
        split_hash: of the stored split; "" when there is none.
        truth: its name.
        cases: those that are reported.
        training: those that a trivial rival may learn from; none of them is reported.
        others: all cases that are not reported.
        patients_of: patients by split.
        labels: classes that the data set declares; empty when it doesn't say.
        knows_patients: whether somebody said whose the cases are.
        is_lidc: whether all patients are LIDC's, whose readers are the human yardstick.
        hash: SHA-256 of what the truth is read from.
        is_points: whether of each lesion only centre and size are known, and no mask.
    """

    data: str
    split: str
    split_hash: str
    truth: str
    cases: tuple[CaseSource, ...]
    training: tuple[CaseSource, ...] = ()
    others: tuple[CaseSource, ...] = ()
    patients_of: Mapping[str, Sequence[str]] = field(default_factory=dict)
    labels: Mapping[int, str] = field(default_factory=dict)
    knows_patients: bool = True
    is_lidc: bool = False
    hash: str = ""
    is_points: bool = False


@dataclass(frozen=True)
class TruthWanted:
    """Which truth is asked for.

    Attributes:
        data: a data set's folder (or its `dataset.json`), or a folder of masks.
        split: "train", "validation", "test" or "all"; None only where there are no splits.
        truth: name of the masks, or "points"; None takes points where they are a truth, "union", or the only masks.
        patients: CSV with the columns key and patient, for a folder of masks.
        pixel_mm: row and column step, for a folder of 2D masks.
    """

    data: Path
    split: str | None = None
    truth: str | None = None
    patients: Path | None = None
    pixel_mm: PixelMm | None = None


def truth_source(wanted: TruthWanted) -> TruthSource:
    """Find the truth.

    Raises:
        InputError: there is none, no such split or truth, or an option that doesn't fit.
        UnreadableError: `dataset.json` is not what it says.
    """
    index = index_of(wanted.data)
    if index.is_file():
        if wanted.patients or wanted.pixel_mm:
            raise InputError("a data set knows its patients and pixel sizes.", "Leave --patients and --pixel-mm out.")
        return _of_dataset(index, wanted)
    if not wanted.data.is_dir():
        raise InputError(f"{wanted.data} is neither a data set nor a folder of true masks.", "Name its folder.")
    return _of_folder(wanted)


def _of_dataset(index: Path, wanted: TruthWanted) -> TruthSource:
    data = read_prepared(index)
    split = _split(data.splits, wanted.split)
    truth = data.truth_name(wanted.truth)
    every = data.cases(truth)
    reported = [one for one in every if split == ALL or one.patient in set(data.splits[split])]
    learnable = set(data.splits["train"]) - {one.patient for one in reported}
    if not reported:
        raise InputError(f"the split {split!r} has no case.", "Choose another with --split.")
    return TruthSource(
        data=f"{data.kind} {data.split_hash[:8]}".strip(),
        split=split,
        split_hash=data.split_hash,
        truth=truth,
        cases=tuple(reported),
        training=tuple(one for one in every if one.patient in learnable),
        others=tuple(one for one in every if one not in reported),
        patients_of=data.splits,
        labels=data.labels,
        is_lidc=all(is_lidc_patient(one.patient) for one in reported),
        hash=sha256_of(index),
        is_points=data.is_points(truth),
    )


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
    patients = _patients(wanted.patients, named)
    return TruthSource(
        data=wanted.data.resolve().name,
        split=ALL,
        split_hash="",
        truth=wanted.truth or "mask",
        cases=tuple(
            CaseSource(key, patients.get(key, key), path, pixel_mm=wanted.pixel_mm) for key, path in named.items()
        ),
        knows_patients=wanted.patients is not None,
        is_lidc=all(is_lidc_patient(patients.get(key, key)) for key in named),
        hash=folder_hash(wanted.data),
    )


def content_of(case: CaseSource) -> str:
    """SHA-256 of a case's image: of the file itself, and what the index says where there is no such file."""
    return sha256_of(case.image) if case.image is not None and case.image.is_file() else case.content


def key_of(path: Path) -> str:
    """The case that a mask's name stands for; "" when it is no mask's name."""
    name = path.name
    suffix = next((one for one in MASK_SUFFIXES if name.lower().endswith(one)), None)
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
