"""How much of each lung a class covers, on a frontal chest X-ray."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hilum.core.mask import Labels, Selection
from hilum.ops import label_parts

_PART = 0.1
"""Of the lung field; smaller parts are none of the two lungs, but lie on the side where they lie."""


@dataclass(frozen=True)
class LungRoles:
    """Which classes are lung, and which of these are findings.

    Attributes:
        lungs: numbers of all classes that lie in a lung; empty where nobody says.
        findings: those of them that are involved lung.
        label_of: of findings that films of one label alone can have, that label; a finding without an entry goes with
            any.
    """

    lungs: tuple[int, ...] = ()
    findings: tuple[int, ...] = ()
    label_of: Mapping[int, str] = field(default_factory=dict)

    def field(self, classes: Labels) -> Selection:
        """Both lungs [y, x], whatever they show."""
        return np.asarray(np.isin(classes, self.lungs))


def lung_sides(field: Selection) -> tuple[Selection, Selection]:
    """Both lungs apart: the patient's right one, which lies on the picture's left, and the left one.

    The line between them stands midway between the two largest parts' centres, or, where they are one part, in the
    middle of its columns.

    Args:
        field: [y, x] both lungs.
    """
    columns = np.arange(field.shape[1])
    middle = _middle(field)
    return field & (columns < middle), field & (columns >= middle)


def _middle(field: Selection) -> float:
    labels = label_parts(field)
    sizes = np.bincount(labels.ravel())[1:]
    large = [number for number, size in enumerate(sizes, 1) if size >= _PART * sizes.sum()]
    if len(large) < 2:
        there = np.flatnonzero(field.any(axis=0))
        return float(there.mean()) + 0.5 if len(there) else field.shape[1] / 2
    largest = sorted(large, key=lambda number: -sizes[number - 1])[:2]
    ends = sorted((np.flatnonzero((labels == number).any(axis=0)) for number in largest), key=lambda one: one.mean())
    return float(ends[0].mean() + ends[1].mean()) / 2


def involved_percent(classes: Labels, roles: LungRoles) -> dict[str, float]:
    """Percent of the right lung, of the left one and of both that is involved; NaN of a lung that isn't there.

    Args:
        classes: [y, x] one class a pixel.
        roles: of the classes.
    """
    field = roles.field(classes)
    found = np.isin(classes, roles.findings) & field
    right, left = lung_sides(field)
    return {name: _percent(found, lung) for name, lung in (("right", right), ("left", left), ("both", field))}


def _percent(found: Selection, lung: Selection) -> float:
    size = int(lung.sum())
    return 100 * int((found & lung).sum()) / size if size else math.nan
