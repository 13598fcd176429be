"""Radiographs in the report: outlines where the pixels are, letters where the patient is."""

import io
import math

import numpy as np
import pytest
from PIL import Image

from hilum.core import Radiograph, SpacingPlane, UnitError
from hilum.report.nodules import shadow_table
from hilum.report.xray import Silhouette, outlined_xray, shadow_detail

XRAY = Radiograph(np.full((80, 100), 20000, np.uint16), (1.0, 1.0), plane=SpacingPlane.PATIENT)
SHADOW = np.zeros((80, 100), dtype=bool)
SHADOW[10:20, 60:80] = True


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def coloured(picture):
    return np.argwhere(np.ptp(picture, axis=2) > 60)


def test_an_outline_lies_around_its_pixels():
    plain = opened(outlined_xray(XRAY, [Silhouette("nothing", SHADOW & False)], ("R", "L")))
    drawn = opened(outlined_xray(XRAY, [Silhouette("", SHADOW)], ("R", "L")))
    height, width, _ = plain.shape
    changed = np.argwhere(np.abs(drawn - plain).max(axis=2) > 60)
    low, high = changed.min(axis=0) / (height, width), changed.max(axis=0) / (height, width)
    np.testing.assert_allclose(low, (10 / 80, 60 / 100), atol=0.02)
    np.testing.assert_allclose(high, (20 / 80, 80 / 100), atol=0.02)


def test_a_shadow_is_shown_with_its_thickness():
    steps = np.where(np.arange(100) < 70, 2.0, 9.0)
    rising, falling = (
        opened(shadow_detail(XRAY, Silhouette("n", SHADOW), SHADOW * chord)) for chord in (steps, 11.0 - steps)
    )
    assert len(coloured(rising)) > 500
    changed = np.argwhere(np.abs(rising - falling).max(axis=2) > 30)  # the scale is the same: only the nodule's place
    (top, left), (bottom, right) = changed.min(axis=0), changed.max(axis=0)
    row, quarter = (top + bottom) // 2, (right - left) // 4
    thin, thick = rising[row, left + quarter], rising[row, right - quarter]
    assert np.abs(thin - thick).max() > 60
    np.testing.assert_allclose(falling[row, left + quarter], thick, atol=8)
    np.testing.assert_allclose(falling[row, right - quarter], thin, atol=8)


def test_without_millimetres_there_is_no_ruler():
    with pytest.raises(UnitError):
        outlined_xray(Radiograph(XRAY.array, None), [], ("R", "L"))


def test_a_table_names_what_hides_a_nodule_and_dashes_what_is_unknown():
    figures = {
        "diameter_mm": 12.34,
        "longest_chord_mm": 9.87,
        "contribution_mean": 0.2,
        "cnr": -0.5,
        "own_cnr": math.nan,
        "visibility": 0.41,
        "overlap": {"ribs": 0.85, "heart": 0.001},
    }
    assert shadow_table([("1", figures)]).rows == [
        ["nodule 1", "12.3", "9.87", "0.20", "-0.50", "–", "0.41", "ribs 85%"]
    ]
    assert shadow_table([("2", figures | {"overlap": {}})]).rows[0][-1] == "–"
