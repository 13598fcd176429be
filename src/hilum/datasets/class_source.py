"""What a case of a data set of chest X-rays by classes (kind `xray-classes`) is, as its index says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from hilum.core.films import UNKNOWN_LABEL
from hilum.measure import LungRoles

CLASSES = "classes"
"""Name of the mask with one class for each pixel."""
UNKNOWN = 255
"""Of such a mask: a pixel whose class nobody knows. It is no class, and counts in no loss and in no figure."""


class ImageLabel(StrEnum):
    """What an image as a whole is said to show."""

    HEALTHY = "healthy"
    COVID = "covid"
    NON_COVID = "non-covid"


LABELS = tuple(ImageLabel)
"""In the order in which networks give them."""


def label_number(label: ImageLabel | None) -> int:
    """A film's label by its place in `LABELS`; `UNKNOWN_LABEL` when nobody says."""
    return UNKNOWN_LABEL if label is None else LABELS.index(label)


@dataclass(frozen=True)
class ClassSource:
    """What is known of a film, beside its pictures.

    Attributes:
        image_label: None when nobody says.
        masks: files of single structures by their names; they may overlap.
        unknown_pixels: of the class mask, how many are `UNKNOWN`.
        finding: in the source's words; "" when it has none.
        licence: of the image; "unknown" when nobody says.
        day: of the film since the patient's first; NaN when nobody says.
    """

    image_label: ImageLabel | None
    masks: Mapping[str, Path]
    unknown_pixels: int
    finding: str
    licence: str
    day: float


def lung_roles(index: Mapping[str, Any]) -> LungRoles:
    """Which classes of a data set are lung, and which findings; none where its index doesn't say.

    Raises:
        KeyError, TypeError, ValueError: an entry is of another type.
    """
    said, there = index.get("roles") or {}, {int(number) for number in index.get("labels") or ()}
    lungs, findings = ([int(one) for one in said.get(name) or ()] for name in ("lungs", "findings"))
    labels = {int(one): str(ImageLabel(label)) for one, label in (said.get("label_of") or {}).items()}
    return LungRoles(
        tuple(one for one in lungs if one in there),
        tuple(one for one in findings if one in there),
        {one: label for one, label in labels.items() if one in there},
    )


def class_source(record: Mapping[str, Any], folder: Path) -> ClassSource:
    """Of a case's record in the `dataset.json` of this folder.

    Raises:
        KeyError, TypeError, ValueError: an entry is missing, or of another type.
    """
    film = record["film"]
    label, day = film["image_label"], film["day"]
    return ClassSource(
        image_label=None if label is None else ImageLabel(label),
        masks={name: folder / file for name, file in record["masks"].items() if name != CLASSES},
        unknown_pixels=int(film["unknown_pixels"]),
        finding=str(film["finding"]),
        licence=str(film["licence"]),
        day=float("nan") if day is None else float(day),
    )
