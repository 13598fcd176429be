"""Kinds of change on a page: each figure in its column, nothing said where nothing is known, a picture a row."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from hilum.core import ChangeGroup, ChangeKind, Evaluation, Figure, Group, Threshold
from hilum.report.changes import (
    ChangeView,
    change_picture,
    changes_section,
    found_line,
    gone_line,
    known_line,
    over_prior_line,
    standings,
)
from hilum.report.examples import Frame
from tests.evaluate.judged import disc

NAMES = ("lesion_sensitivity", "lesion_dice", "lesion_diameter_error_mm", "lesion_absolute_diameter_error_mm")


def group(kind, apart=None, **values):
    names = (*NAMES, "gone_noticed", "false_gone_rate")
    figures = {name: Figure(name, values.get(name, math.nan), n=3 if name in values else 0) for name in names}
    return ChangeGroup(kind, figures, apart or {})


def evaluated(by_change=(), rivals=None, over=()):
    about = {"by_change": by_change, "rivals_by_change": rivals or {}, "over_prior": over}
    return Evaluation("made", "validation", "", "union", Threshold(), {}, **about)


KNOWN = "known and still there"
GROUPS = (group("new", lesion_sensitivity=0.5), group(KNOWN, false_gone_rate=0.1), group("gone", gone_noticed=0.9))


def test_a_page_without_changes_says_nothing_of_them():
    assert changes_section(evaluated(), 3, 5) is None
    assert (found_line(()), gone_line(())) == ("–", "noticed –; called gone and still there –")


def test_figures_stand_in_their_columns_and_rivals_beside():
    part = Group("< 8 mm", GROUPS[0].figures)
    first = group("new", {"size": (part,), "origin": ()}, lesion_sensitivity=0.5)
    found = evaluated((first, *GROUPS[1:]), {"nothing": (group("new", lesion_sensitivity=0.0),)})
    kinds, rivals, apart = changes_section(found, 4, 6).tables
    assert kinds.rows[0] == ["new", "–", "–", "–", "0.500, n 3", "–", "–"]
    assert [row[-2:] for row in kinds.rows[1:]] == [["–", "0.100, n 3"], ["0.900, n 3", "–"]]
    heads = ("", "still there: diameter error, mm", "new: found", "gone: noticed", "still there: called gone")
    assert rivals.columns == heads
    assert rivals.rows == [["this", "–", "0.500", "0.900", "0.100"], ["nothing", "–", "0.000", "–", "–"]]
    assert apart.rows == [["new"], ["< 8 mm", "–", "–", "–", "0.500, n 3", "–", "–"]]
    assert apart.folded
    assert "6 lesions" in apart.caption
    assert "rim of 4 mm" in changes_section(found, 4, 6).paragraphs[0]
    assert found_line(found.by_change) == "new 0.500"
    assert gone_line(found.by_change) == "noticed 0.900; called gone and still there 0.100"


def test_models_without_a_kind_have_a_dash():
    table = standings({"one": GROUPS, "other": GROUPS[:1]}, "")
    assert table.rows[1] == ["other", "–", "0.500", "–", "–"]


def test_known_kinds_lead_with_dice_and_those_that_could_have_changed_stand_beside():
    able = group("still there, could have changed", false_gone_rate=0.3)
    kinds = (group("grown", lesion_dice=0.7, lesion_absolute_diameter_error_mm=1.5), *GROUPS[:2], able, GROUPS[2])
    assert known_line(kinds, "lesion_dice") == "grown 0.700"
    assert known_line(kinds, "lesion_absolute_diameter_error_mm") == "grown 1.500"
    assert known_line(GROUPS, "lesion_dice") == "–"
    assert gone_line(kinds).endswith("still there 0.100, of those that could have changed 0.300")
    assert found_line(kinds) == "new 0.500"
    table = standings({"this": kinds}, "")
    assert dict(zip(table.columns, table.rows[0], strict=True)) == {
        "": "this",
        "grown: Dice": "0.700",
        "still there: diameter error, mm": "–",
        "new: found": "0.500",
        "gone: noticed": "0.900",
        "still there: called gone": "0.100",
        "could have changed: called gone": "0.300",
    }


def test_the_difference_to_the_copied_mask_is_signed_and_stands_first():
    over = (
        Group("all cases", {"dice_mean": Figure("dice_mean", 0.1, 0.05, 0.15, 9)}),
        Group("grown", {"lesion_dice": Figure("lesion_dice", -0.2, n=4)}),
    )
    assert over_prior_line(over) == "all cases +0.100 (+0.050 to +0.150); grown −0.200"
    assert over_prior_line(over[:1]) == "all cases +0.100 (+0.050 to +0.150)"
    table = changes_section(evaluated(GROUPS, over=over), 3, 5).tables[0]
    assert table.rows == [
        ["all cases", "+0.100 (+0.050 to +0.150), n 9", "–", "–", "–", "–"],
        ["grown", "−0.200, n 4", "–", "–", "–", "–"],
    ]
    assert [one.rows for one in changes_section(evaluated(over=over), 3, 5).tables] == [table.rows]


@pytest.mark.parametrize("count", [1, 3])
def test_a_row_for_each_lesion_with_three_outlines(count):
    shape, nothing = (60, 80), np.zeros((60, 80), dtype=bool)
    now, before, pred = (disc(shape, (30, 40), radius) for radius in (9, 6, 12))
    grey = (np.indices(shape).sum(axis=0) % 200).astype(np.uint8)
    view = ChangeView("title", grey, None, now, before, pred, Frame(30.0, 40.0, 25.0))
    bare = ChangeView("title", grey, None, nothing, nothing, nothing, Frame(30.0, 40.0, 25.0))
    pictures = []
    for one in (view, bare):
        picture = change_picture(ChangeKind.GROWN, [one] * count)
        assert "grown" in picture.caption
        pictures.append(np.asarray(Image.open(io.BytesIO(picture.png)).convert("RGB")))
    with_lines, without = pictures
    assert with_lines.shape == without.shape
    changed = (with_lines != without).any(axis=-1)
    third = changed.shape[1] // 3
    assert changed[:, 2 * third :].any()
    assert not changed[:, : 2 * third].any()
    for red, green, blue in ((0x4C, 0xC9, 0xF0), (0xF9, 0xC7, 0x4F), (0xFF, 0x6F, 0xA3)):  # truth, prediction, earlier
        assert (with_lines == (red, green, blue)).all(axis=-1).any()
