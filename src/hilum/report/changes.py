"""What became of lesions since an earlier picture, and what predictions made of it: tables and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hilum.core import ChangeGroup, ChangeKind, Evaluation, Group
from hilum.core.figures import Figure
from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.report.drawing import COLOURS, dark_figure, encoded, halo
from hilum.report.examples import PREDICTION_COLOUR, TRUTH_COLOUR, Frame
from hilum.report.figures import with_interval
from hilum.report.page import Picture, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

EARLIER_COLOUR = COLOURS[5]
_SIDE = 3.1
_SENSITIVITY, _NOTICED, _FALSE = "lesion_sensitivity", "gone_noticed", "false_gone_rate"
_STILL_THERE = "known and still there"

_COLUMNS: Mapping[str, str] = {
    _SENSITIVITY: "found",
    "lesion_dice": "Dice",
    "lesion_diameter_error_mm": "diameter error, mm",
    "lesion_absolute_diameter_error_mm": "absolute, mm",
    _NOTICED: "rightly called gone",
    _FALSE: "falsely called gone",
}

_RULE = (
    "A lesion that is there is found when a predicted component meets it, by the rule of all lesions; its Dice and its "
    "diameter are those of all components that share a pixel with it (Dice 0 when there is none; the diameter's error "
    "is of lesions that are met). A lesion that was known before is called gone when no predicted pixel lies where it "
    "is, or was on the registered earlier picture, other lesions that are there now left out with a rim of "
    "3 mm. n: lesions that have the figure."
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


def changes_section(found: Evaluation) -> Section | None:
    """The figures by kind of change; None where nobody says what became of the lesions."""
    if not found.by_change:
        return None
    tables = [_by_kind(found.by_change), standings({"this": found.by_change, **found.rivals_by_change}, _RIVALS)]
    apart = _apart(found.by_change)
    return Section("By kind of change", (_RULE,), tables=[*tables, *([apart] if apart is not None else [])])


_RIVALS = (
    "The same of trivial rivals. Who copies the earlier picture's lesions calls none gone and finds no new one; who "
    "marks nothing calls all gone. Found ones of the kinds that are there; then lesions called gone that are gone, and "
    "that are still there."
)


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
    """Models or rivals as rows; what was found of each kind, and what was called gone, as columns."""
    kinds = [group.name for group in next(iter(models.values())) if group.name != _STILL_THERE]
    wanted = [(kind, _NOTICED if kind == ChangeKind.GONE else _SENSITIVITY) for kind in kinds]
    heads = [*("gone: noticed" if name == _NOTICED else f"{kind}: found" for kind, name in wanted)]
    wanted, heads = [*wanted, (_STILL_THERE, _FALSE)], [*heads, "still there: called gone"]
    rows = []
    for model, groups in models.items():
        of = {group.name: group.figures for group in groups}
        rows.append([model, *(with_interval(of[kind][name]) if kind in of else "–" for kind, name in wanted)])
    return Table(("", *heads), rows, caption, is_narrow=True)


def found_line(groups: Sequence[Group]) -> str:
    """How many lesions of each kind that is there were found, for a terminal."""
    known = [(group.name, group.figures[_SENSITIVITY]) for group in groups if group.name != _STILL_THERE]
    return "; ".join(f"{name} {with_interval(figure)}" for name, figure in known if figure.n) or "–"


def gone_line(groups: Sequence[Group]) -> str:
    """What was called gone rightly, and falsely, for a terminal."""
    of = {group.name: group.figures for group in groups}
    right, false = (
        with_interval(of[name][figure]) if name in of else "–"
        for name, figure in ((str(ChangeKind.GONE), _NOTICED), (_STILL_THERE, _FALSE))
    )
    return f"noticed {right}; called gone and still there {false}"


def _apart(groups: Sequence[ChangeGroup]) -> Table | None:
    """Every kind by size, visibility and origin, folded; None where there is nothing to tell apart."""
    rows: list[list[str]] = []
    for group in groups:
        parts = [part for some in group.apart.values() for part in some]
        rows += [[group.name], *([part.name, *_cells(part)] for part in parts)] if parts else []
    if not rows:
        return None
    caption = "Size: equivalent diameter now, of lesions that are gone the earlier one. Parts of five lesions or more."
    heads = ("", *_COLUMNS.values())
    return Table(heads, rows, caption, folded="Each kind by size, visibility and origin", is_narrow=True)
