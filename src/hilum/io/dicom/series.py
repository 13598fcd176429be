"""Which series a file or a folder holds, and which of them is meant."""

import os
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TypeAlias

import numpy as np

from hilum.core import AmbiguousError, UnreadableError, UnsupportedError
from hilum.io.dicom.files import files_under, is_dicom
from hilum.io.dicom.instances import Instance, Kind, Slice, read_instance
from hilum.io.words import listed

_SAME_DIRECTION = 1e-3
_SAME_PLACE_MM = 1e-3
_UNNAMED = {Kind.SLICES: "image of no stated modality", Kind.OTHER: "object of no stated modality"}
_SHARED = ("SeriesInstanceUID", "PatientID", "PatientName", "FrameOfReferenceUID")


@dataclass(frozen=True, eq=False)
class Series:
    """Slices that may make one volume.

    Attributes:
        uid: Series Instance UID.
        key: what chooses it: the UID, or "UID#2" where one UID holds several volumes.
        patient: Patient ID; the name where there is no ID.
        modality: "CT", "MR", ….
        description: Series Description.
        kernel: Convolution Kernel.
        date: of the series, else of the study; None when the file doesn't say.
        frame_uid: Frame of Reference UID; None when the file doesn't say.
        is_localizer: a scout view, which is no volume.
        slices: sorted along the normal (row × column).
        instances: the files.
        odd: what a person should know that the files say; `describe_dicom` adds what the geometry says.
    """

    uid: str
    key: str
    patient: str
    modality: str
    description: str
    kernel: str
    date: date | None
    frame_uid: str | None
    is_localizer: bool
    slices: tuple[Slice, ...]
    instances: tuple[Instance, ...]
    odd: tuple[str, ...] = ()

    @property
    def files(self) -> tuple[Path, ...]:
        """The files, sorted by name."""
        return tuple(sorted(instance.path for instance in self.instances))

    @property
    def place(self) -> Path:
        """The one file, or the innermost folder that holds all files."""
        files = self.files
        return files[0] if len(files) == 1 else Path(os.path.commonpath([file.parent for file in files]))

    @property
    def rows(self) -> int:
        """Pixels along a column."""
        return self.slices[0].pixels.shape_yx[0]

    @property
    def columns(self) -> int:
        """Pixels along a row."""
        return self.slices[0].pixels.shape_yx[1]

    @property
    def z_range_mm(self) -> tuple[float, float]:
        """Lowest and highest LPS z of the slices' first pixels."""
        z = [plane.position_lps_mm[2] for plane in self.slices]
        return min(z), max(z)

    def short_key(self, ending: int = 4) -> str:
        """The key with its middle left out; `--series` takes this too."""
        return self.key if len(self.key) <= ending + 6 else f"{self.key[:5]}…{self.key[-ending:]}"

    def is_named(self, name: str) -> bool:
        """Whether a choice means this series: the whole key, its ending, or "beginning…ending"."""
        head, dots, tail = name.replace("...", "…").partition("…")
        if dots:
            return self.key.startswith(head) and self.key.endswith(tail)
        return bool(name) and (self.key.endswith(name) or self.uid == name)


Broken: TypeAlias = list[tuple[Path, UnreadableError]]


def scan(path: Path) -> tuple[list[Instance], Broken]:
    """Every DICOM file at a path (recursively), and what is DICOM by its first bytes but can't be read.

    Files in a folder that aren't DICOM are passed over; a single file must be DICOM.

    Raises:
        UnreadableError: there is nothing at the path, or a single file isn't DICOM.
    """
    instances: list[Instance] = []
    broken: Broken = []
    for file in files_under(path):
        if file == path or is_dicom(file):
            try:
                instances.append(read_instance(file))
            except UnreadableError as error:
                if file == path:
                    raise
                broken.append((file, error))
    return instances, broken


def find_series(path: Path) -> list[Series]:
    """The series of cross-sectional images (CT, MR, PET) in a file or, recursively, in a folder.

    Slices belong together when they share Series Instance UID, patient, modality, frame of reference, image size,
    pixel spacing and orientation, and are all scout views or all none. Where such a series has several slices at one
    place, it is split by acquisition, kernel and time point if that leaves one at each place.

    Raises:
        UnreadableError: there is nothing at the path, or a DICOM file is damaged.
    """
    instances, broken = scan(path)
    _require_sound(instances, broken)
    for instance in instances:
        if isinstance(instance.flaw, UnreadableError):
            raise instance.flaw
    return group(instances)


def _require_sound(instances: list[Instance], broken: Broken) -> None:
    """Refuse files that can't be told: any of them could be a slice that would be missing without a word."""
    for _, error in broken:
        raise error
    for instance in instances:
        if not instance.has_known_class and not (instance.modality and instance.facts["SeriesInstanceUID"]):
            raise UnreadableError(
                f"{instance.path} is DICOM that doesn't say what it is or of which series: perhaps a truncated slice.",
                "Move it away, or get a complete copy.",
            )


def group(instances: Iterable[Instance]) -> list[Series]:
    """The series that files make up; files without slices are left out."""
    volumes: list[list[tuple[Instance, Slice]]] = []
    for instance in instances:
        for plane in instance.slices:
            for volume in reversed(volumes):
                if _fit(volume[0], (instance, plane)):
                    volume.append((instance, plane))
                    break
            else:
                volumes.append([(instance, plane)])
    parts = [part for volume in volumes for part in _split(volume)]
    counts = Counter(part[0][0].facts["SeriesInstanceUID"] for part in parts)
    numbers: Counter[str] = Counter()
    found = []
    for part in parts:
        uid = part[0][0].facts["SeriesInstanceUID"]
        numbers[uid] += 1
        found.append(_series(part, f"{uid}#{numbers[uid]}" if counts[uid] > 1 else uid))
    return found


def _fit(one: tuple[Instance, Slice], other: tuple[Instance, Slice]) -> bool:
    (first, plane), (second, candidate) = one, other
    return (
        all(first.facts[name] == second.facts[name] for name in _SHARED)
        and first.modality == second.modality
        and first.is_localizer == second.is_localizer
        and plane.pixels.shape_yx == candidate.pixels.shape_yx
        and _close(plane.pixel_mm, candidate.pixel_mm, 1e-4 * plane.pixel_mm[0])
        and all(map(_close, plane.orientation, candidate.orientation, (_SAME_DIRECTION, _SAME_DIRECTION)))
    )


def _close(a: Sequence[float], b: Sequence[float], within: float) -> bool:
    return all(abs(x - y) <= within for x, y in zip(a, b, strict=True))


def _split(volume: list[tuple[Instance, Slice]]) -> list[list[tuple[Instance, Slice]]]:
    """By acquisition, kernel or time point, where slices coincide and the parts then don't."""
    if not _coincide([plane for _, plane in volume]):
        return [volume]
    for numbers in ((0,), (1,), (2,), (0, 1, 2)):
        parts: dict[tuple[str, ...], list[tuple[Instance, Slice]]] = {}
        for instance, plane in volume:
            parts.setdefault(tuple(plane.acquisition[n] for n in numbers), []).append((instance, plane))
        if len(parts) > 1 and not any(_coincide([plane for _, plane in part]) for part in parts.values()):
            return list(parts.values())
    return [volume]


def _coincide(slices: list[Slice]) -> bool:
    """Whether two slices lie at one place."""
    along = np.sort(along_normal_mm(slices))
    return bool((np.diff(along) < _SAME_PLACE_MM).any())


def along_normal_mm(slices: Sequence[Slice]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Where slices lie along the first one's normal, row × column (PS3.3 C.7.6.2.1.1), in mm."""
    normal = np.cross(*slices[0].orientation)
    return np.asarray([plane.position_lps_mm for plane in slices] @ normal)


def _series(part: list[tuple[Instance, Slice]], key: str) -> Series:
    order = np.argsort(along_normal_mm([plane for _, plane in part]), kind="stable")
    instances = tuple({id(instance): instance for instance, _ in part}.values())
    first = instances[0]
    facts = first.facts
    return Series(
        uid=facts["SeriesInstanceUID"],
        key=key,
        patient=facts["PatientID"] or facts["PatientName"],
        modality=first.modality,
        description=facts["SeriesDescription"],
        kernel=facts["ConvolutionKernel"],
        date=date_of(facts),
        frame_uid=facts["FrameOfReferenceUID"] or None,
        is_localizer=first.is_localizer,
        slices=tuple(part[n][1] for n in order),
        instances=instances,
        odd=tuple(dict.fromkeys(line for instance in instances for line in instance.odd)),
    )


def date_of(facts: dict[str, str]) -> date | None:
    """The day of the acquisition, else the series, else the study; None when none is a date (DA, PS3.5 6.2)."""
    for keyword in ("AcquisitionDate", "SeriesDate", "StudyDate"):
        match = re.fullmatch(r"(\d{4})\.?(\d\d)\.?(\d\d)", facts[keyword])
        if match:
            try:
                return date(*map(int, match.groups()))
            except ValueError:
                continue
    return None


def choose_ct(path: Path, name: str | None) -> Series:
    """The one CT series that is meant.

    Args:
        path: a file or a folder.
        name: a series' key, its unique ending, or "beginning…ending"; None for the only one.

    Raises:
        AmbiguousError: several come into question, or they belong to several patients.
        UnsupportedError: there is no CT volume, or none of that name.
        UnreadableError: a file is damaged that is, or might be, a slice of it; with a name, damaged slices of other
            series are passed over.
    """
    instances, broken = scan(path)
    _require_sound(instances, broken)
    for instance in instances if name is None else ():
        if isinstance(instance.flaw, UnreadableError) and instance.modality == "CT":
            raise instance.flaw
    found = [one for one in group(instances) if one.modality == "CT" and not one.is_localizer]
    if not found:
        raise _no_ct(path, instances)
    named = [one for one in found if name is None or one.is_named(name)]
    if len(named) == 1:
        _require_whole(named[0], instances)
        return named[0]
    if not named:
        raise UnsupportedError(f"{path} holds no CT series {name!r}.", _choices(found, path))
    patients = sorted({one.patient for one in named})
    if len(patients) > 1:
        raise AmbiguousError(
            f"{path} holds CTs of {_count(len(patients))} patients ({listed(patients)}).", _choices(named, path)
        )
    raise AmbiguousError(f"{path} holds {_count(len(named))} CT series ({_differences(named)}).", _choices(named, path))


def _require_whole(series: Series, instances: list[Instance]) -> None:
    """Refuse a series of which one file can't be placed, or is of a class that nobody knows."""
    for instance in instances:
        uid = instance.facts["SeriesInstanceUID"]
        if instance.flaw and uid in (series.uid, "") and not instance.is_localizer:
            raise instance.flaw
        if uid == series.uid and not instance.slices and not instance.has_known_class:
            raise UnreadableError(
                f"{instance.path} belongs to the series and is of an unknown class, {instance.sop_class or 'none'}.",
                "If it is no slice, move it away; if it is, get a sound copy.",
            )


def _no_ct(path: Path, instances: list[Instance]) -> UnsupportedError | UnreadableError:
    for instance in instances:
        if instance.flaw and instance.modality == "CT":
            return instance.flaw
    if not instances:
        return UnsupportedError(f"{path} holds no DICOM file.", "Give a CT.")
    if any(i.is_localizer and i.kind is Kind.SLICES for i in instances):
        return UnsupportedError(
            f"{path} holds a scout view (localizer) only, and that is no volume.", "Give a CT series."
        )
    if all(i.kind is Kind.DIRECTORY for i in instances):
        return UnsupportedError(
            f"{path} is a list of files (DICOMDIR), not an image.", "Give the folder that it lists."
        )
    kinds = Counter(i.modality or _UNNAMED.get(i.kind, f"{i.kind}") for i in instances)
    held = listed(f"{count} × {kind}" for kind, count in kinds.most_common())
    return UnsupportedError(f"{path} holds no CT series, but {held}.", _instead(instances))


def _instead(instances: list[Instance]) -> str:
    for instance in instances:
        if instance.kind in (Kind.STRUCTURES, Kind.SEGMENTATION):
            like = " --like CT" if instance.kind is Kind.STRUCTURES else ""
            return f"Give a CT series, or for a mask name the file: hilum convert {instance.path} mask.nii.gz{like}"
    return "Give a CT series."


def _choices(found: list[Series], path: Path) -> str:
    keys = next(
        (keys for ending in (4, 8, 16) if len(set(keys := [one.short_key(ending) for one in found])) == len(found)),
        [one.key for one in found],
    )
    shown = [f"--series {key}" for key in keys[:8]]
    listed = " or ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)
    more = " …" if len(found) > 8 else ""
    return f"Choose {'one' if len(found) > 1 else 'it'}: {listed}{more} (hilum info {path} shows them)"


def _differences(found: list[Series]) -> str:
    counts = [len(one.slices) for one in found]
    sizes = f"{len(found)} × {counts[0]} slices" if len(set(counts)) == 1 else f"{_and(map(str, counts))} slices"
    for name, values in (("kernels", [one.kernel for one in found]), ("described", [one.description for one in found])):
        if len(set(values)) > 1:
            return f"{sizes}, {name} {_and(value or 'unnamed' for value in values)}"
    return sizes


def _and(words: Iterable[str]) -> str:
    *rest, last = words
    return f"{', '.join(rest)} and {last}" if rest else last


def _count(number: int) -> str:
    return {2: "two", 3: "three", 4: "four", 5: "five"}.get(number, str(number))
