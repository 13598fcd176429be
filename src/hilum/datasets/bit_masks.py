"""Chest X-rays whose masks are bit fields, described by a table: which bit is which structure, which classes they make.

Known by name: `cxr-infection` (the masks of the COVID-19 chest X-ray annotations, CC BY 4.0) and `jsrt` (van Ginneken
2006, SCR). Any other folder of that layout is described by a YAML or JSON file with the fields of `BitMaskLayout`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator

from hilum.config import Frozen, FrozenConfig, read_config
from hilum.core import InputError, UnsupportedError
from hilum.core.mask import Labels, Selection
from hilum.datasets.class_map import ClassMap, stacked
from hilum.datasets.class_source import ImageLabel
from hilum.measure import LungRoles

UNKNOWN_LICENCE = "unknown"
_FRONTAL = frozenset({"", "pa", "ap", "ap supine", "ap erect", "frontal", "posteroanterior", "anteroposterior"})
_MOST_SHARED = 0.01
"""Share of the smaller of two structures that can't overlap, up to which they may by a line's width."""


class MaskClass(FrozenConfig):
    """A class for networks that give one class a pixel."""

    label: ImageLabel | None = None
    """Of a finding that films of one label alone can have, that label; null for any."""

    name: Annotated[str, Field(min_length=1)]
    """For figures and legends."""
    bits: Annotated[tuple[str, ...], Field(min_length=1)]
    """Structures that make it."""


class BitMaskLayout(FrozenConfig):
    """What a folder's table and masks mean."""

    bits: Annotated[Mapping[str, int], *Frozen]
    """Each structure's bit by its name: left_lung: 1."""
    classes: Annotated[tuple[MaskClass, ...], Field(min_length=1)]
    """Classes 1, 2, … in this order; where they overlap, the later one wins."""
    lungs: tuple[str, ...] = ()
    """Structures that make both lungs; a mask of that name is stored beside."""
    findings: tuple[str, ...] = ()
    """Classes that are involved lung, by name: of them the share of each lung is measured."""
    apart: tuple[tuple[str, str], ...] = ()
    """Pairs of structures that can't overlap. A mask where they do has grey edges, or is none."""
    image: str = "image"
    """Column with the picture's file name."""
    patient: str = "patient"
    """Column with the patient."""
    finding: str = "finding"
    """Column with what the film shows."""
    labels: Annotated[Mapping[str, ImageLabel], *Frozen] = {}
    """Image label by the beginning of the finding; "" for whatever begins otherwise."""
    view: str = ""
    """Column with the view; "" when there is none, and no lateral is told."""
    licence: str = ""
    """Column with each image's licence; "" when there is none."""
    licence_of_all: str = UNKNOWN_LICENCE
    """Licence where the column says nothing."""
    day: str = ""
    """Column with days since the patient's first film; "" when there is none."""
    pixel_mm: Annotated[float, Field(gt=0)] | None = None
    """Side of a pixel of pictures of `pixel_mm_at` columns; None when nobody knows."""
    pixel_mm_at: Annotated[int, Field(gt=0)] = 1
    """Columns of a picture whose pixels have that side."""
    only_test: bool = False
    """Whether all films are for testing unless told otherwise."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        wrong = [name for name, bit in self.bits.items() if bit < 1 or bit & (bit - 1)]
        if wrong:
            raise ValueError(f"bits: a bit is 1, 2, 4, 8 and so on; {wrong[0]} is {self.bits[wrong[0]]}")
        if len(set(self.bits.values())) < len(self.bits):
            raise ValueError("bits: two structures have the same bit")
        named = {*self.lungs, *(one for pair in self.apart for one in pair), *(x for c in self.classes for x in c.bits)}
        if unknown := sorted(named - set(self.bits)):
            raise ValueError(f"bits: {unknown[0]} has none; there are {', '.join(self.bits)}")
        if strange := sorted({*self.findings} - {one.name for one in self.classes}):
            raise ValueError(f"findings: {strange[0]} is no class")
        if bound := [one.name for one in self.classes if one.label is not None and one.name not in self.findings]:
            raise ValueError(f"classes: {bound[0]} has a label, and is no finding")
        return self

    @property
    def roles(self) -> LungRoles:
        """Lung are findings, and the classes that lungs alone make."""
        names = self.class_names
        findings = tuple(number for number, name in names.items() if name in self.findings)
        bare = (number for number, one in enumerate(self.classes, 1) if set(one.bits) <= set(self.lungs))
        label_of = {number: str(one.label) for number, one in enumerate(self.classes, 1) if one.label is not None}
        return LungRoles(tuple(sorted({*bare, *findings})), findings, label_of)

    @property
    def class_names(self) -> dict[int, str]:
        """By number, from 1."""
        return {number: one.name for number, one in enumerate(self.classes, 1)}


_BOTH = ("left_lung", "right_lung")

LAYOUTS: Mapping[str, BitMaskLayout] = {
    "cxr-infection": BitMaskLayout(
        bits={
            "left_lung": 1,
            "right_lung": 2,
            "cardiomediastinum": 4,
            "airways": 8,
            "ground_glass": 16,
            "consolidation": 32,
            "effusion": 64,
            "pneumothorax": 128,
        },
        classes=(
            MaskClass(name="clear lung", bits=_BOTH),
            MaskClass(name="ground glass", bits=("ground_glass",)),
            MaskClass(name="consolidation", bits=("consolidation",)),
        ),
        lungs=_BOTH,
        findings=("ground glass", "consolidation"),
        apart=(_BOTH,),
        patient="patientid",
        labels={"COVID-19": ImageLabel.COVID, "No Finding": ImageLabel.HEALTHY, "": ImageLabel.NON_COVID},
        view="view",
        licence="license",
        day="offset",
    ),
    "jsrt": BitMaskLayout(
        bits={"left_lung": 1, "right_lung": 2, "heart": 4, "left_clavicle": 8, "right_clavicle": 16},
        classes=(
            MaskClass(name="lung", bits=_BOTH),
            MaskClass(name="heart", bits=("heart",)),
            MaskClass(name="clavicle", bits=("left_clavicle", "right_clavicle")),
        ),
        lungs=_BOTH,
        apart=(_BOTH,),
        image="id",
        patient="id",
        finding="state",
        labels={"non-nodule": ImageLabel.HEALTHY},
        licence_of_all="JSRT: research use",
        pixel_mm=0.175,
        pixel_mm_at=2048,
        only_test=True,
    ),
}


def read_layout(name: str) -> BitMaskLayout:
    """A layout by its name, or of a YAML or JSON file.

    Raises:
        InputError: there is no such layout or file.
        ConfigError: the file has an unknown field, or a value that can't be.
    """
    if name in LAYOUTS:
        return LAYOUTS[name]
    if not Path(name).is_file():
        raise InputError(
            f"there is no layout {name!r}, nor a file of that name.",
            f"There are {', '.join(LAYOUTS)}; for others write a YAML with bits and classes.",
        )
    return BitMaskLayout.of(read_config(Path(name)), name)


@dataclass(frozen=True)
class FilmRow:
    """One row of the table.

    Attributes:
        name: of the picture's file, and of its mask's.
        patient: whose it is.
        finding: in the source's words.
        label: of the image; None when the finding tells none.
        licence: of the image.
        day: since the patient's first film; NaN when nobody says.
    """

    name: str
    patient: str
    finding: str
    label: ImageLabel | None
    licence: str
    day: float


def film_row(row: Mapping[str, str | None], layout: BitMaskLayout) -> FilmRow:
    """A row of the table.

    Raises:
        InputError: it names no file or no patient, or the day is no number.
        UnsupportedError: a lateral view, or any that isn't frontal.
    """
    said = {name: (value or "").strip() for name, value in row.items() if isinstance(name, str)}
    if len(said) < len(row):  # the csv module keeps what has no column under None
        raise InputError(f"the row of {said[layout.image]!r} has more values than columns.", "Quote commas in values.")
    name, view = said[layout.image], said.get(layout.view, "")
    if not name or PurePath(name).name != name or name.startswith("."):
        raise InputError(f"{name!r} is no file's name.", f"The column {layout.image} names the picture.")
    patient = PurePath(name).stem if layout.patient == layout.image else said[layout.patient]
    if not patient:
        raise InputError(f"nobody says whose {name} is.", f"Fill the column {layout.patient}.")
    if view.lower() not in _FRONTAL:
        raise UnsupportedError(f"{name} is a view {view!r}; frontal ones (PA, AP) were expected.", "Leave it out.")
    licence = said.get(layout.licence, "") or layout.licence_of_all
    finding = said.get(layout.finding, "")
    return FilmRow(name, patient, finding, _label(finding, layout), licence, _day(name, said.get(layout.day, "")))


def _label(finding: str, layout: BitMaskLayout) -> ImageLabel | None:
    """That of the longest beginning that fits; nothing of a film without a finding."""
    fitting = [start for start in layout.labels if finding.startswith(start)]
    return ImageLabel(layout.labels[max(fitting, key=len)]) if finding and fitting else None


def _day(name: str, text: str) -> float:
    if not text:
        return math.nan
    try:
        day = float(text)
    except ValueError:
        day = math.inf
    if not math.isfinite(day):
        raise InputError(f"{name}: the day is {text!r}, and a number was expected.", "Correct the row.")
    return day


def structures_of(bits: Labels, layout: BitMaskLayout) -> dict[str, Selection]:
    """Each structure's mask [y, x] of a bit field; structures may overlap.

    Raises:
        UnsupportedError: a pixel has a bit that nobody named, or structures overlap that can't: no such bit field, or
            one with grey edges.
    """
    wide, every = bits.astype(np.uint32), sum(layout.bits.values())
    if strange := int(np.bitwise_or.reduce(wide, axis=None) & ~np.uint32(every)):
        raise UnsupportedError(
            f"the mask holds the bits {strange}, which nobody named.", "Name them in the layout, or mend grey edges."
        )
    found = {name: (wide & np.uint32(bit)) > 0 for name, bit in layout.bits.items()}
    for one, other in layout.apart:
        smaller = min(int(found[one].sum()), int(found[other].sum()))
        shared = int((found[one] & found[other]).sum())
        if shared > _MOST_SHARED * smaller:
            raise UnsupportedError(
                f"{one} and {other} overlap on {shared} pixels: the mask has grey edges, or is no bit field.",
                "Save it as PNG without resampling.",
            )
    return found


def bit_classes(structures: Mapping[str, Selection], layout: BitMaskLayout) -> ClassMap:
    """One class for each pixel [y, x]; of classes that overlap, the later one."""
    return stacked(union(structures, one.bits) for one in layout.classes)


def union(structures: Mapping[str, Selection], names: tuple[str, ...]) -> Selection:
    """Where any of the structures is."""
    found = structures[names[0]].copy()
    for name in names[1:]:
        found |= structures[name]
    return found
