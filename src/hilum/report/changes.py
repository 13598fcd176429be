"""What became of lesions since an earlier picture, and what predictions made of it: tables and pictures."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hilum.core import ChangeGroup, ChangeKind, Evaluation, Group
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
from hilum.core.radiograph import Pixels
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo
from hilum.report.examples import PREDICTION_COLOUR, TRUTH_COLOUR, Frame
from hilum.report.figures import signed_with_interval, with_interval
from hilum.report.page import Picture, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EARLIER_COLOUR = COLOURS[5]
_SIDE = 3.1

_COLUMNS: Mapping[str, str] = {
    DICE: "Dice",
    DIAMETER_SIZE: "absolute diameter error, mm",
    DIAMETER: "with its sign, mm",
    SENSITIVITY: "found",
    NOTICED: "rightly called gone",
    FALSE_GONE: "falsely called gone",
}
_CASE_DICE = "dice_mean"

_STANDINGS: Sequence[tuple[str, str, str]] = (
    *((str(kind), DICE, f"{kind}: Dice") for kind in (ChangeKind.UNCHANGED, ChangeKind.GROWN, ChangeKind.SHRUNK)),
    (STILL_THERE, DIAMETER_SIZE, "still there: diameter error, mm"),
    (str(ChangeKind.NEW), SENSITIVITY, "new: found"),
    (str(ChangeKind.GONE), NOTICED, "gone: noticed"),
    (STILL_THERE, FALSE_GONE, "still there: called gone"),
    (COULD_HAVE_CHANGED, FALSE_GONE, "could have changed: called gone"),
)
"""Group, figure and words. Of known lesions Dice and diameter: who copies the earlier mask finds them all."""

_RULE = (
    "A lesion that is there is found when a predicted component meets it, by the rule of all lesions; its Dice and its "
    "diameter are those of all components that share a pixel with it (Dice 0 when there is none; the diameter's error "
    "is of lesions that are met). A lesion that was known before is called gone when no predicted pixel lies where it "
    "is, or was on the registered earlier picture, other lesions that are there now left out with a rim of "
    "{rim_mm:g} mm. n: lesions that have the figure."
)


@dataclass(frozen=True, eq=False)
class ChangeView:
    """One lesion on both pictures.

    Attributes:
        title: which it is, and its figures.
        current: [y, x], dense is bright; None where there is none.
        earlier: [y, x] registered to the current picture; None where there is none.
        now: [y, x] all lesions that are there.
        before: [y, x] all lesions that were there, registered.
        pred: [y, x] what was predicted.
        frame: the part that is shown.
    """

    title: str
    current: Pixels | None
    earlier: Pixels | None
    now: Selection
    before: Selection
    pred: Selection
    frame: Frame


def change_picture(kind: ChangeKind, views: Sequence[ChangeView]) -> Picture:
    """A row for each lesion: the current picture, the earlier one, and the current one with outlines."""
    figure = dark_figure(width=3 * _SIDE, height=len(views) * (_SIDE + 0.35))
    rows = figure.subfigures(len(views), 1, squeeze=False)[:, 0]
    for row, view in zip(rows, views, strict=True):
        row.set_facecolor("black")
        row.suptitle(view.title, color="white", fontsize=10)
        places = row.subplots(1, 3)
        for place, shown, name in zip(places, (view.current, view.earlier, view.current), _HEADS, strict=True):
            _grey(place, shown, view)
            place.set_title(name, color="#9fb3c8", fontsize=8)
        for mask, colour, style in (
            (view.before, EARLIER_COLOUR, "dashed"),
            (view.now, TRUTH_COLOUR, "solid"),
            (view.pred, PREDICTION_COLOUR, "solid"),
        ):
            _outline(places[2], mask, colour, style)
    caption = (
        f"Lesions that are {kind}. Left: the current picture; middle: the earlier one, registered; right: the current "
        "one with outlines. Blue: truth; yellow: prediction; pink, dashed: lesions of the earlier picture, registered."
    )
    return Picture(encoded(figure), caption)


_HEADS = ("current", "earlier", "outlines")


def _grey(place: "Axes", picture: Pixels | None, view: ChangeView) -> None:
    row, column, half = view.frame.row, view.frame.column, view.frame.half
    grey = np.zeros(view.now.shape, dtype=np.uint8) if picture is None else picture
    shown = grey[max(0, int(row - half)) : int(row + half) + 1, max(0, int(column - half)) : int(column + half) + 1]
    low, high = (float(value) for value in np.quantile(shown if shown.size else grey, (0.01, 0.99)))
    place.imshow(grey, cmap="gray", vmin=low, vmax=max(high, low + 1), interpolation="nearest")
    place.set_xticks([])
    place.set_yticks([])
    place.set_facecolor("black")
    place.set_xlim(column - half, column + half)
    place.set_ylim(row + half, row - half)


def _outline(place: "Axes", mask: Selection, colour: str, style: str) -> None:
    if mask.any() and not mask.all():
        lines = place.contour(mask, [0.5], colors=colour, linewidths=1.4, linestyles=style)
        lines.set_path_effects(halo(2.2))


def changes_section(found: Evaluation, rim_mm: float, fewest: int) -> Section | None:
    """The figures by kind of change, and beside the earlier mask copied; None where nobody knows an earlier picture.

    Args:
        found: with them.
        rim_mm: how near to another lesion a mark may be of that one.
        fewest: lesions that a part of a group has at least.
    """
    over = [_over_prior(found.over_prior)] if found.over_prior else []
    if not found.by_change:
        return Section("Beside the earlier picture's mask", tables=over) if over else None
    tables = [_by_kind(found.by_change), standings({"this": found.by_change, **found.rivals_by_change}, _RIVALS)]
    apart = _apart(found.by_change, fewest)
    rest = [apart] if apart is not None else []
    return Section("By kind of change", (_RULE.format(rim_mm=rim_mm),), tables=[*over, *tables, *rest])


_RIVALS = (
    "The same of trivial rivals. Who copies the earlier picture's lesions finds all known ones, calls none gone and "
    "finds no new one; who marks nothing calls all gone. Dice of known lesions and their absolute diameter error; new "
    "ones that are found; then lesions called gone that are gone, and that are still there."
)
_OVER_PRIOR = (
    "This minus the earlier picture's mask copied: the same pictures and lesions, paired; intervals by bootstrap over "
    "patients. A copy has a high Dice where little changed and finds every known lesion, so only this difference says "
    "what a prediction adds. Below 0 is better for diameter errors and for lesions falsely called gone."
)


def _over_prior(groups: Sequence[Group]) -> Table:
    """The mean over cases stands among the Dice."""
    rows = []
    for group in groups:
        figures = {DICE if name == _CASE_DICE else name: figure for name, figure in group.figures.items()}
        rows.append([group.name, *(_difference(figures.get(name)) for name in _DIFFERENT)])
    return Table(("", *(_COLUMNS[name] for name in _DIFFERENT)), rows, _OVER_PRIOR, is_narrow=True)


_DIFFERENT = (DICE, DIAMETER_SIZE, SENSITIVITY, NOTICED, FALSE_GONE)


def _difference(figure: Figure | None) -> str:
    return "–" if figure is None or not figure.n else f"{signed_with_interval(figure)}, n {figure.n}"


def _by_kind(groups: Sequence[ChangeGroup]) -> Table:
    rows = [[group.name, *_cells(group)] for group in groups]
    return Table(
        ("", *_COLUMNS.values()), rows, "By what became of the lesion since the earlier picture.", is_narrow=True
    )


def _cells(group: Group) -> list[str]:
    return [_cell(group.figures[name]) for name in _COLUMNS]


def _cell(figure: Figure) -> str:
    return f"{with_interval(figure)}, n {figure.n}" if figure.n else "–"


def standings(models: Mapping[str, Sequence[Group]], caption: str) -> Table:
    """Models or rivals as rows; what they make of each kind as columns."""
    there = {group.name for groups in models.values() for group in groups}
    wanted = [one for one in _STANDINGS if one[0] in there]
    rows = []
    for model, groups in models.items():
        of = {group.name: group.figures for group in groups}
        rows.append([model, *(with_interval(of[kind][name]) if kind in of else "–" for kind, name, _ in wanted)])
    return Table(("", *(head for _, _, head in wanted)), rows, caption, is_narrow=True)


def known_line(groups: Sequence[Group], figure: str) -> str:
    """One figure of the lesions of each kind that were known and are there, for a terminal."""
    known = [kind for kind in ChangeKind if kind.is_present and kind.was_known]
    return _line(groups, figure, known, with_interval)


def found_line(groups: Sequence[Group]) -> str:
    """How many lesions of each kind that is there were found, for a terminal."""
    return _line(groups, SENSITIVITY, [kind for kind in ChangeKind if kind.is_present], with_interval)


def over_prior_line(groups: Sequence[Group]) -> str:
    """The Dice minus that of the earlier mask copied, of all cases and of each kind's lesions, for a terminal."""
    cases = [f"{group.name} {signed_with_interval(group.figures[_CASE_DICE])}" for group in groups[:1]]
    kinds = _line(groups[1:], DICE, [kind for kind in ChangeKind if kind.is_present], signed_with_interval)
    return "; ".join([*cases, *([kinds] if kinds != "–" else [])]) or "–"


def _line(groups: Sequence[Group], figure: str, kinds: Iterable[ChangeKind], words: Callable[[Figure], str]) -> str:
    of = {group.name: group.figures[figure] for group in groups if figure in group.figures}
    return "; ".join(f"{kind} {words(of[kind])}" for kind in kinds if kind in of and of[kind].n) or "–"


def gone_line(groups: Sequence[Group]) -> str:
    """What was called gone rightly, and falsely, for a terminal."""
    of = {group.name: group.figures for group in groups}
    right, false, able = (
        with_interval(of[name][figure]) if name in of else "–"
        for name, figure in (
            (str(ChangeKind.GONE), NOTICED),
            (STILL_THERE, FALSE_GONE),
            (COULD_HAVE_CHANGED, FALSE_GONE),
        )
    )
    changeable = f", of those that could have changed {able}" if COULD_HAVE_CHANGED in of else ""
    return f"noticed {right}; called gone and still there {false}{changeable}"


def _apart(groups: Sequence[ChangeGroup], fewest: int) -> Table | None:
    """Every kind in parts, folded; None where there is nothing to tell apart."""
    rows: list[list[str]] = []
    for group in groups:
        parts = [part for some in group.apart.values() for part in some]
        rows += [[group.name], *([part.name, *_cells(part)] for part in parts)] if parts else []
    if not rows:
        return None
    caption = (
        f"Size: equivalent diameter now, of lesions that are gone the earlier one. Parts of {fewest} lesions or more. "
        "Kinds may differ in visibility: compare them within a band of it."
    )
    heads = ("", *_COLUMNS.values())
    return Table(
        heads,
        rows,
        caption,
        folded="Each kind in parts: size, visibility, origin, chance to change",
        is_narrow=True,
    )
