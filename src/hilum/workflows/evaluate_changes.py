"""What became of lesions since an earlier picture, from a case's files to the figures and pictures of an evaluation."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hilum.core import ChangedLesion, ChangeGroup, ChangeKind, GeometryError, Group, HilumError, UnsupportedError
from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.datasets.prepared import CaseSource
from hilum.datasets.stored_changes import stored_changes
from hilum.evaluate.bootstrap import Resamples
from hilum.evaluate.changes import ChangeRule, TrueChange, change_examples, change_groups, judge_changes
from hilum.evaluate.changes_compared import over_rival
from hilum.io import read_radiograph
from hilum.report.changes import ChangeView, change_picture
from hilum.report.examples import Frame
from hilum.report.page import Picture

_LEAST_HALF = 40
"""Half the side of a lesion's part of the picture, in pixels, at least."""


@dataclass(frozen=True)
class JudgedChanges:
    """The lesions of one case, judged by what became of them.

    Attributes:
        lesions: by the prediction.
        rivals: by each trivial rival, by its name.
    """

    lesions: tuple[ChangedLesion, ...]
    rivals: Mapping[str, tuple[ChangedLesion, ...]]


def judged_changes(
    case: CaseSource, pred: Selection, rivals: Mapping[str, Selection], rule: ChangeRule
) -> JudgedChanges | None:
    """Judge a case's lesions by what became of them; None where nobody says.

    Args:
        case: whose `changes` say what became of its lesions.
        pred: [y, x] what was predicted.
        rivals: what each rival predicts, of `pred`'s shape.
        rule: see there.

    Raises:
        InputError: the files can't be read, or are of another picture.
    """
    if case.changes is None:
        return None
    truths = true_changes(case, pred.shape)
    return JudgedChanges(
        judge_changes(pred, truths, rule),
        {name: judge_changes(mask, truths, rule) for name, mask in rivals.items() if mask.shape == pred.shape},
    )


def true_changes(case: CaseSource, shape: tuple[int, ...]) -> tuple[TrueChange, ...]:
    """A case's lesions with their places now and before; none where nobody says.

    Raises:
        InputError: the files can't be read, or are of another picture.
    """
    if case.changes is None:
        return ()
    if len(shape) != 2:
        raise UnsupportedError(f"{case.key}: changes are of pictures, and this is a volume.", "")
    stored = stored_changes(case.changes)
    if stored.labels.shape != shape:
        here, there = (" × ".join(str(n) for n in size) for size in (stored.labels.shape, shape))
        raise GeometryError(f"{case.changes.name} is of {here} pixels, the truth of {there}.", "Prepare it again.")
    return tuple(
        TrueChange(
            id=one.id,
            kind=one.kind,
            now=stored.now(one),
            before=stored.before(one),
            size_mm=one.size_mm,
            prior_size_mm=one.prior_size_mm,
            visibility=one.visibility,
            is_synthetic=one.is_synthetic,
            place=one.centre_px,
            can_change=one.can_change,
        )
        for one in stored.lesions
    )


@dataclass(frozen=True)
class ChangesFound:
    """All cases together.

    Attributes:
        groups: by kind of change.
        rivals: the same of each rival.
        lesions: all of them.
        over: predictions minus one rival, by kind of change.
    """

    groups: tuple[ChangeGroup, ...] = ()
    rivals: Mapping[str, tuple[ChangeGroup, ...]] = field(default_factory=dict)
    lesions: tuple[ChangedLesion, ...] = ()
    over: tuple[Group, ...] = ()


def changes_found(cases: Sequence[JudgedChanges | None], draw: Resamples, rival: str) -> ChangesFound:
    """Figures by kind of change, of the predictions and of each rival.

    Args:
        cases: in the order of the draws' cases; None where nobody says what became of the lesions.
        draw: of patients.
        rival: the name of that from which predictions have to differ.
    """
    known = [one for one in cases if one is not None]
    if not known:
        return ChangesFound()
    names = dict.fromkeys(name for one in known for name in one.rivals)
    judged = {name: [() if one is None else one.rivals.get(name, ()) for one in cases] for name in names}
    rivals = {name: change_groups(some, draw) for name, some in judged.items()}
    lesions = [() if one is None else one.lesions for one in cases]
    over = over_rival(lesions, judged[rival], draw) if rival in judged else ()
    return ChangesFound(change_groups(lesions, draw), rivals, tuple(one for some in lesions for one in some), over)


def change_pictures(
    lesions: Sequence[ChangedLesion], cases: Mapping[str, CaseSource], predicted: Mapping[str, Selection]
) -> dict[str, Picture]:
    """A picture for each kind of change, by name: telling lesions, on the current and the earlier picture.

    Args:
        lesions: all that were judged.
        cases: by key.
        predicted: masks of the cases of `shown_keys`, by key.
    """
    pictures = {}
    for kind in ChangeKind:
        chosen = change_examples(lesions, kind)
        views = [_view(name, one, cases[one.key], predicted[one.key]) for name, one in chosen.items()]
        if views:
            pictures[f"change-{kind}"] = change_picture(kind, views)
    return pictures


def shown_keys(lesions: Sequence[ChangedLesion]) -> list[str]:
    """The cases that `change_pictures` shows."""
    return list(dict.fromkeys(one.key for kind in ChangeKind for one in change_examples(lesions, kind).values()))


def _view(name: str, lesion: ChangedLesion, case: CaseSource, pred: Selection) -> ChangeView:
    truths = true_changes(case, pred.shape)
    own = next(one for one in truths if one.id == lesion.id)
    around = np.argwhere(own.now | own.before)
    span = float(np.ptp(around, axis=0).max()) if len(around) else 0.0
    return ChangeView(
        title=f"{name}: {lesion.patient}, {_figures(lesion)}",
        current=_picture(case.image, pred.shape),
        earlier=_picture(case.prior_image, pred.shape),
        now=np.any([one.now for one in truths], axis=0),
        before=np.any([one.before for one in truths], axis=0),
        pred=pred,
        frame=Frame(*lesion.place, max(_LEAST_HALF, 1.2 * span)),
    )


def _figures(lesion: ChangedLesion) -> str:
    size = "size unknown" if math.isnan(lesion.counted_mm) else f"{lesion.counted_mm:.1f} mm"
    if lesion.kind is ChangeKind.GONE:
        return f"was {size}"
    before = "" if math.isnan(lesion.prior_size_mm) else f", was {lesion.prior_size_mm:.1f} mm"
    return f"{size}{before}, Dice {lesion.dice:.2f}"


def _picture(path: Path | None, shape: tuple[int, ...]) -> Pixels | None:
    """The picture, where there is one on the truth's pixels."""
    if path is None:
        return None
    try:
        picture = read_radiograph(path).array
    except HilumError:
        return None
    return picture if picture.shape == shape else None
