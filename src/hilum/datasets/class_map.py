"""One class for each pixel of a chest X-ray: COVID-QU-Ex's lungs and infections, or bits of which the later wins."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hilum.core.mask import Selection
from hilum.datasets.class_source import UNKNOWN, ImageLabel
from hilum.measure import LungRoles

HEALTHY_LUNG, COVID_INFECTION, NON_COVID_INFECTION = 1, 2, 3
CLASS_NAMES: Mapping[int, str] = {
    HEALTHY_LUNG: "healthy lung",
    COVID_INFECTION: "COVID-19 infection",
    NON_COVID_INFECTION: "non-COVID infection",
}
"""The four classes of the published figures, but for 0, the background."""

_INFECTION = {ImageLabel.COVID: COVID_INFECTION, ImageLabel.NON_COVID: NON_COVID_INFECTION}
ROLES = LungRoles(
    (HEALTHY_LUNG, COVID_INFECTION, NON_COVID_INFECTION),
    (COVID_INFECTION, NON_COVID_INFECTION),
    {number: str(label) for label, number in _INFECTION.items()},
)
"""All of them are lung, and each infection is that of one label."""

ClassMap = NDArray[np.uint8]


class NonCovid(StrEnum):
    """What the lungs of a non-COVID image are whose infection nobody outlined."""

    UNKNOWN = "unknown"
    LUNG = "lung"
    LABEL_ONLY = "label-only"


RULES: Mapping[NonCovid, str] = {
    NonCovid.UNKNOWN: "non-COVID images without an outline of their own: the class of their lungs is unknown",
    NonCovid.LUNG: (
        "non-COVID images without an outline of their own: both lungs as a whole are called non-COVID infection, as "
        "the source did; nobody saw an infection there"
    ),
    NonCovid.LABEL_ONLY: (
        "non-COVID images without an outline of their own: no pixel has a class; the image's label is all that is known"
    ),
}
COVID_RULE = "COVID-19 images without an infection mask: the class of their lungs is unknown"


def covid_map(label: ImageLabel, lungs: Selection, infection: Selection | None, rule: NonCovid) -> ClassMap:
    """The classes of one image of COVID-QU-Ex.

    Args:
        label: of the image.
        lungs: [y, x] both lungs.
        infection: [y, x] what was outlined, empty where somebody looked and found none; None when nobody outlined any.
        rule: for non-COVID images without an outline.

    Returns:
        [y, x] 0 background, 1 healthy lung, 2 COVID-19 infection, 3 non-COVID infection, 255 unknown. An infection
        wins over the lung, and counts beyond it, too.
    """
    found = np.where(lungs, HEALTHY_LUNG, 0).astype(np.uint8)
    if label is ImageLabel.HEALTHY:
        return found
    if infection is not None:
        found[infection] = _INFECTION[label]
        return found
    if label is ImageLabel.NON_COVID and rule is NonCovid.LABEL_ONLY:
        return np.full_like(found, UNKNOWN)
    as_lung = label is ImageLabel.NON_COVID and rule is NonCovid.LUNG
    found[lungs] = NON_COVID_INFECTION if as_lung else UNKNOWN
    return found


def stacked(structures: Iterable[Selection]) -> ClassMap:
    """Classes 1, 2, … of structures [y, x] that may overlap; where they do, the later one wins.

    Raises:
        ValueError: there is no structure.
    """
    every = list(structures)
    if not every:
        raise ValueError("at least one structure is needed")
    found = np.zeros(every[0].shape, dtype=np.uint8)
    for number, structure in enumerate(every, 1):
        found[structure] = number
    return found


def pixels_by_class(classes: ClassMap) -> dict[int, int]:
    """How many pixels each class has that is there, without the background; the unknown ones under 255."""
    numbers, counts = np.unique(classes, return_counts=True)
    return {int(number): int(count) for number, count in zip(numbers, counts, strict=True) if number}
