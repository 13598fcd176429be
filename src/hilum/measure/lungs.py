"""How much of each lung a class covers, on a frontal chest X-ray."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hilum.core.mask import Labels, Selection
from hilum.ops import label_parts

_PART = 0.1
"""Of the lung field; smaller parts are none of the two lungs, but lie on the side where they lie."""
_SPECKS = 0.02
"""Of the lung field; what lies on one side and is no more than that is no lung."""
_ABOVE = 0.5
"""Of the narrower part's columns; parts that share more lie one above the other."""
_JOINED = 0.25
"""Of a single lung-like part, on either half of the picture, from which on it is both lungs."""


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


def lung_sides(field: Selection, middle: float | None = None) -> tuple[Selection, Selection]:
    """Both lungs apart: the patient's right one, which lies on the picture's left, and the left one.

    Args:
        field: [y, x] both lungs.
        middle: the column from which on pixels are the left lung's; None finds it in the field (`lung_middle`).
    """
    columns = np.arange(field.shape[1])
    middle = lung_middle(field) if middle is None else middle
    return field & (columns < middle), field & (columns >= middle)


def lung_middle(field: Selection) -> float:
    """The column that tells both lungs apart.

    Large parts, one above the other, are one lung that is cut. Between the two largest lungs the line stands midway
    between their centres. A single one is both lungs joined where it has a quarter of its pixels and more on either
    half of the picture: the line is the middle of its columns. Else it is one lung, and all of it lies on the side
    of its larger share.

    Args:
        field: [y, x] both lungs, or one, or none.
    """
    columns = [np.flatnonzero(lung.any(axis=0)) for lung in _lungs(field)]
    half = float(field.shape[1] / 2)
    if not columns:
        return half
    if len(columns) > 1:
        return float(columns[0].mean() + columns[1].mean()) / 2
    on_left = float(field[:, : round(half)].sum() / field.sum())
    if _JOINED <= on_left <= 1 - _JOINED:
        return float(columns[0].mean()) + 0.5
    return float(columns[0][-1]) + 1 if on_left > _JOINED else float(columns[0][0])


def _lungs(field: Selection) -> list[Selection]:
    """Large parts, those that share columns together, largest first."""
    labels = label_parts(field)
    sizes = np.bincount(labels.ravel())[1:]
    order = [number for number in np.argsort(-sizes, kind="stable") + 1 if sizes[number - 1] >= _PART * sizes.sum()]
    found: list[Selection] = []
    for part in (labels == number for number in order):
        above = next((at for at, lung in enumerate(found) if _share_of_columns(part, lung) > _ABOVE), None)
        if above is None:
            found.append(part)
        else:
            found[above] = found[above] | part
    return sorted(found, key=lambda lung: -int(lung.sum()))


def _share_of_columns(one: Selection, other: Selection) -> float:
    """Of the narrower one's columns, how many the other has, too."""
    own, others = one.any(axis=0), other.any(axis=0)
    return float((own & others).sum() / min(own.sum(), others.sum()))


def involved_percent(classes: Labels, roles: LungRoles, middle: float | None = None) -> dict[str, float]:
    """Percent of the right lung, of the left one and of both that is involved.

    NaN of a lung that isn't there, or of which there are specks alone.

    Args:
        classes: [y, x] one class a pixel.
        roles: of the classes.
        middle: as in `lung_sides`.
    """
    field = roles.field(classes)
    found = np.isin(classes, roles.findings) & field
    right, left = lung_sides(field, middle)
    least = _SPECKS * int(field.sum())
    return {name: _percent(found, lung, least) for name, lung in (("right", right), ("left", left), ("both", field))}


def percent_of_lungs(classes: Labels, number: int, roles: LungRoles) -> float:
    """Percent of both lungs that one class of a lung covers; NaN without a lung.

    Args:
        classes: [y, x] one class a pixel.
        number: of the class.
        roles: of the classes.
    """
    return _percent(classes == number, roles.field(classes), 0)


def _percent(found: Selection, lung: Selection, least: float) -> float:
    size = int(lung.sum())
    return 100 * int((found & lung).sum()) / size if size > least else math.nan
