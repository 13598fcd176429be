"""Predictions on a current picture, judged by what became of each lesion since an earlier one.

A lesion that is there is found, and measured, by the house's rules for lesions. Of one that was known before there is
one more question, asked of all alike: does the prediction say that it is gone? It does when no predicted pixel lies
where the lesion is, or was on the registered earlier picture; where it was, other lesions that are there now are left
out with a rim of 3 mm, in which a mark may be theirs. For lesions that are gone the right answer is yes
(`gone_noticed`), for those still there no (`false_gone_rate`).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from hilum.core import ChangedLesion, ChangeGroup, ChangeKind, Group
from hilum.core.changes import (
    COULD_HAVE_CHANGED,
    DIAMETER,
    DIAMETER_SIZE,
    DICE,
    FALSE_GONE,
    NOTICED,
    SENSITIVITY,
    STILL_THERE,
)
from hilum.core.figures import Figure
from hilum.core.mask import Selection
from hilum.datasets.drr_pairs import SIZE_BANDS_MM, size_band
from hilum.evaluate.bootstrap import Resamples
from hilum.evaluate.evaluation import VISIBILITY_BANDS, visibility_name
from hilum.evaluate.lesion_figures import UNKNOWN_SIZE, mean_over_lesions
from hilum.evaluate.met import Predicted
from hilum.measure import disc_diameter_mm
from hilum.metrics.lesions import Components, MatchRule, components, components_of, match_components
from hilum.ops import grown

FEWEST = 5
"""Lesions that a part of a group (a size, a visibility) has at least; parts with fewer are not listed."""

RIM_MM = 3.0
"""How near to another lesion that is there a mark may be of that one: 4 pixels of .7 mm."""
_UNKNOWN_STEPS_MM = (0.7, 0.7)
"""Taken for the rim alone where nobody knows millimetres."""

OF_EACH: Mapping[str, Callable[[ChangedLesion], float]] = {
    SENSITIVITY: lambda one: one.is_found,
    DICE: lambda one: one.dice,
    DIAMETER: lambda one: one.diameter_error_mm,
    DIAMETER_SIZE: lambda one: abs(one.diameter_error_mm),
    NOTICED: lambda one: math.nan if one.kind.is_present else one.says_gone,
    FALSE_GONE: lambda one: one.says_gone if one.kind.is_present else math.nan,
}
"""What is averaged over lesions, all weighing the same; NaN where a figure is not asked of a lesion."""

_KNOWN = (ChangeKind.UNCHANGED, ChangeKind.GROWN, ChangeKind.SHRUNK)
GROUPS: Mapping[str, tuple[ChangeKind, ...]] = {
    **{str(change): (change,) for change in _KNOWN},
    STILL_THERE: _KNOWN,
    COULD_HAVE_CHANGED: _KNOWN,
    **{str(change): (change,) for change in (ChangeKind.NEW, ChangeKind.GONE)},
}
"""Kinds of the lesions of each group. A lesion that couldn't have changed may be told from the others by its looks, so
that it isn't called gone says little: `COULD_HAVE_CHANGED` leaves it out."""

_REAL, _MADE = "real", "synthetic"
_ABLE, _UNABLE, _UNSAID = "could have changed", "couldn't have changed", "unknown whether it could have changed"

Cases: TypeAlias = Sequence[Sequence[ChangedLesion]]


@dataclass(frozen=True, eq=False)
class TrueChange:
    """A lesion that is on the current picture, was on the earlier one, or both.

    Attributes:
        id: within its case.
        kind: what became of it.
        now: [y, x] where it is; empty of one that is gone.
        before: [y, x] where it was, registered to the current picture; empty of a new one.
        size_mm: equivalent diameter now; NaN of one that is gone, or when nobody knows.
        prior_size_mm: the same on the earlier picture; NaN of a new one, or when nobody knows.
        visibility: 0 to 1; NaN when nobody knows.
        is_synthetic: whether it, or its change, was made.
        place: (row, column) of its centre.
        can_change: whether it could have had another kind; None when nobody says.
    """

    id: int
    kind: ChangeKind
    now: Selection
    before: Selection
    size_mm: float = math.nan
    prior_size_mm: float = math.nan
    visibility: float = math.nan
    is_synthetic: bool = False
    place: tuple[float, float] = (math.nan, math.nan)
    can_change: bool | None = None


@dataclass(frozen=True)
class ChangeRule:
    """Whose lesions these are, and how they are judged.

    Attributes:
        key: the case.
        patient: whose it is.
        spacing_mm: row and column step; None when nobody knows, and diameters are NaN.
        match: when a lesion is found.
    """

    key: str
    patient: str
    spacing_mm: Sequence[float] | None = None
    match: MatchRule = field(default_factory=MatchRule)


def judge_changes(pred: Selection, truths: Sequence[TrueChange], rule: ChangeRule) -> tuple[ChangedLesion, ...]:
    """What a prediction makes of each lesion that is or was there.

    A lesion that should be there and has no pixel of its own has no figure: what can't be seen can't be asked for.

    Args:
        pred: [y, x].
        truths: all lesions of the case; masks of `pred`'s shape.
        rule: see there.
    """
    predicted = Predicted(components(pred), rule.spacing_mm, None)
    present = [one for one in truths if one.kind.is_present and one.now.any()]
    found = _found(predicted.parts, present, rule.match)
    judged = []
    for one in truths:
        dice, error = _overlap(predicted, one) if one.id in found else (math.nan, math.nan)
        others = np.any([other.now for other in present if other.id != one.id] or [np.zeros_like(pred)], axis=0)
        judged.append(
            ChangedLesion(
                key=rule.key,
                patient=rule.patient,
                id=one.id,
                kind=one.kind,
                size_mm=one.size_mm,
                prior_size_mm=one.prior_size_mm,
                visibility=one.visibility,
                is_synthetic=one.is_synthetic,
                place=one.place,
                is_found=found.get(one.id, math.nan),
                dice=dice,
                diameter_error_mm=error,
                says_gone=_says_gone(pred, one, others, rule.spacing_mm or _UNKNOWN_STEPS_MM),
                can_change=one.can_change,
            )
        )
    return tuple(judged)


def _found(predicted: Components, present: Sequence[TrueChange], match: MatchRule) -> dict[int, float]:
    """By number, whether each lesion is found; labelled as stated, so that lesions that touch stay two."""
    if not present:
        return {}
    labels = np.zeros(predicted.labels.shape, dtype=np.int32)
    for number, one in enumerate(present, 1):
        labels[one.now] = number
    is_found = match_components(predicted, components_of(labels), match).is_found
    return {one.id: float(found) for one, found in zip(present, is_found, strict=True)}


def _overlap(predicted: Predicted, lesion: TrueChange) -> tuple[float, float]:
    """Dice, and the diameter's error, with all predicted components that share a pixel with the lesion."""
    dice, parts = predicted.met_by(lesion.now)["dice"], predicted.parts
    met = np.unique(parts.labels[lesion.now])
    met = met[met > 0]
    if predicted.spacing_mm is None or not len(met):
        return dice, math.nan
    pixel_mm2 = math.prod(predicted.spacing_mm)
    said, true = int(parts.sizes[met - 1].sum()), int(lesion.now.sum())
    return dice, disc_diameter_mm(said * pixel_mm2) - disc_diameter_mm(true * pixel_mm2)


def _says_gone(pred: Selection, lesion: TrueChange, others: Selection, steps_mm: Sequence[float]) -> float:
    """1 when nothing is predicted where the lesion is or was, 0 when something is; NaN where the question is void."""
    if not lesion.kind.was_known or (lesion.kind.is_present and not lesion.now.any()):
        return math.nan
    place = lesion.now | _apart_from(others, lesion.before, steps_mm)
    return float(not (pred & place).any()) if place.any() else math.nan


def _apart_from(others: Selection, mask: Selection, steps_mm: Sequence[float]) -> Selection:
    """The pixels of a mask that are farther than `RIM_MM` from all of the others; looked at in a window around it."""
    if not mask.any() or not others.any():
        return mask
    at = np.nonzero(mask)
    reach = [int(RIM_MM / step) + 1 for step in steps_mm]
    window = tuple(
        slice(max(int(axis.min()) - far, 0), int(axis.max()) + far + 1) for axis, far in zip(at, reach, strict=True)
    )
    found = mask.copy()
    found[window] &= ~grown(others[window], RIM_MM, steps_mm)
    return found


def is_in(group: str, lesion: ChangedLesion) -> bool:
    """Whether a lesion belongs to one of `GROUPS`."""
    return lesion.kind in GROUPS[group] and (group != COULD_HAVE_CHANGED or lesion.can_change is True)


def change_groups(cases: Cases, draw: Resamples) -> tuple[ChangeGroup, ...]:
    """Figures of each kind of change, and apart by size, visibility, origin and whether it could have changed.

    Args:
        cases: the judged lesions of each case, in the order of the draws' cases.
        draw: of patients.
    """
    groups = []
    for name in GROUPS:
        chosen = [[one for one in some if is_in(name, one)] for some in cases]
        if any(chosen):
            apart = {by: _parts(chosen, draw, name_of) for by, name_of in _APART.items()}
            groups.append(ChangeGroup(name, _figures(chosen, draw), apart))
    return tuple(groups)


def _figures(lesions: Cases, draw: Resamples) -> dict[str, Figure]:
    return {
        name: mean_over_lesions(name, [[value(one) for one in some] for some in lesions], draw)
        for name, value in OF_EACH.items()
    }


def _parts(lesions: Cases, draw: Resamples, name_of: Callable[[ChangedLesion], str]) -> tuple[Group, ...]:
    """Parts by name, in the order of `_NAMES`; none where one part is all there is."""
    every = [one for some in lesions for one in some if one.is_judged]
    names = sorted({name_of(one) for one in every}, key=_ORDER.index)
    if len(names) < 2:
        return ()
    return tuple(
        Group(name, _figures([[one for one in some if name_of(one) == name] for some in lesions], draw))
        for name in names
        if sum(name_of(one) == name for one in every) >= FEWEST
    )


def _chance_name(lesion: ChangedLesion) -> str:
    return _UNSAID if lesion.can_change is None else _ABLE if lesion.can_change else _UNABLE


def _size_name(lesion: ChangedLesion) -> str:
    return UNKNOWN_SIZE if math.isnan(lesion.counted_mm) else size_band(lesion.counted_mm)


_APART: Mapping[str, Callable[[ChangedLesion], str]] = {
    "size": _size_name,
    "visibility": lambda one: visibility_name(one.visibility),
    "origin": lambda one: _MADE if one.is_synthetic else _REAL,
    "chance": _chance_name,
}
_ORDER = (
    *(size_band(size) for size in (0, *SIZE_BANDS_MM)),
    UNKNOWN_SIZE,
    *(visibility_name(one) for one in (0.0, *VISIBILITY_BANDS, math.nan)),
    *(_REAL, _MADE),
    *(_ABLE, _UNABLE, _UNSAID),
)


def change_examples(lesions: Sequence[ChangedLesion], kind: ChangeKind) -> dict[str, ChangedLesion]:
    """Lesions of one kind for the eye: best, median of those found, and the largest that was missed.

    Of lesions that are gone, the largest that was noticed and the largest that is marked all the same.
    """
    some = [one for one in lesions if one.kind is kind and one.is_judged]
    some.sort(key=lambda one: (-np.nan_to_num(one.counted_mm), one.key, one.id))
    if kind.is_present:
        found = sorted((one for one in some if one.is_found), key=lambda one: -one.dice)
        middle = found[len(found) // 2 :] if len(found) > 1 else []
        said = {"best": found, "median": middle, "missed": [one for one in some if not one.is_found]}
    else:
        noticed, marked = ([one for one in some if bool(one.says_gone) is is_gone] for is_gone in (True, False))
        said = {"noticed": noticed, "still marked": marked}
    return {name: chosen[0] for name, chosen in said.items() if chosen}
