"""Nodules over time as pictures."""

import io
from datetime import date, timedelta

import numpy as np
import pytest
from PIL import Image

from hilum.core import Figure
from hilum.report.drawing import BLUE, COLOURS, GREEN, ORANGE
from hilum.report.growth import Appointment, Curve, Glance, growth_curves, side_by_side, timeline

DAYS = (date(2026, 1, 1), date(2026, 4, 1), date(2026, 10, 1))


def pixels(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def has(png, colour, least=20):
    wanted = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    return (np.abs(pixels(png) - wanted).max(axis=-1) < 12).sum() >= least


def grey(png):
    """Pixels of the nodules, at 40 HU in the window."""
    found = pixels(png)
    return ((found.max(axis=-1) - found.min(axis=-1) < 3) & (abs(found[..., 0] - 190) < 5)).sum()


def volume(value, share=0.1):
    return Figure("volume_mm3", value, value * (1 - share), value * (1 + share), 1)


UNKNOWN = Figure("volume_mm3", float("nan"))


def test_each_nodule_has_its_curve_and_what_is_unknown_has_none():
    curves = [
        Curve("a", DAYS, [volume(100), volume(150), volume(300)]),
        Curve("b", DAYS, [volume(80), UNKNOWN, UNKNOWN]),
    ]
    png = growth_curves([*curves, Curve("c", DAYS, [UNKNOWN] * 3)])
    assert has(png, BLUE)
    assert has(png, ORANGE)
    assert not has(png, GREEN)
    assert png == growth_curves([*curves, Curve("c", DAYS, [UNKNOWN] * 3)])


@pytest.mark.parametrize("share", [0.02, 0.2, 0.5])
def test_a_wider_interval_is_a_wider_band(share):
    def band(png):
        """Tinted: neither white nor grey, and light."""
        found = pixels(png)
        return ((found.max(axis=-1) - found.min(axis=-1) > 15) & (found.min(axis=-1) > 150)).sum()

    narrow, wide = (
        growth_curves([Curve("a", DAYS[:2], [volume(100, one), volume(200, one)])]) for one in (share / 2, share)
    )
    assert band(wide) > 1.2 * band(narrow)


def test_what_is_due_is_shown_after_the_studies():
    studies = [(DAYS[0], "CT"), (DAYS[1], "CT")]
    due = Appointment("a rule", DAYS[1] + timedelta(180), DAYS[1] + timedelta(365))
    found = pixels(timeline(studies, [due])), pixels(timeline(studies, []))
    assert has(timeline(studies, [due]), ORANGE)
    assert not has(timeline(studies, []), ORANGE)
    assert found[0].shape[0] > found[1].shape[0]


def test_a_column_for_each_date_a_row_for_each_nodule_and_one_scale():
    hu = np.full((50, 50), -850.0)
    disc = np.hypot(*np.indices((50, 50)) - 25) < 8
    there = Glance("2026-01-01", np.where(disc, 40.0, hu), disc, (1.0, 1.0))
    gone = Glance("2026-04-01\nnot found")
    png = side_by_side([("1", [there, there]), ("2", [there, gone])])
    assert has(png, COLOURS[0])
    assert has(png, COLOURS[1])
    wider = pixels(side_by_side([("1", [there, there, there])]))
    assert wider.shape[1] == pytest.approx(pixels(png).shape[1] * 1.5, rel=0.02)
    two = [("1", [there, there]), ("2", [there, there])]
    assert grey(side_by_side(two)) == pytest.approx(4 / 3 * grey(png), rel=0.02)
