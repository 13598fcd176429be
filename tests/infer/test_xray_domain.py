"""Any chest X-ray is brought to one pixel size and style, and what is found goes back to its own pixels."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.core import Radiograph, SpacingPlane, UnsupportedError, View
from hilum.drr.source_style import published_look
from hilum.infer.xray_domain import XrayStyle, xray_input
from tests.datasets.test_chest import chest


def film(step_mm: float = 1.4, levels: int = 4095, dtype: type = np.uint16) -> Radiograph:
    array = (chest(step_mm) * levels).astype(dtype)
    return Radiograph(array, (step_mm, step_mm), View.PA, "a film", SpacingPlane.PATIENT)


def test_pixels_have_the_wanted_size_and_values_from_0_to_1():
    made = xray_input(film(0.7), 1.4, XrayStyle.FILM)
    assert made.image.shape == tuple(-(-size * 7 // 14) for size in film(0.7).array.shape)
    assert made.image.dtype == np.float32
    assert 0 <= made.image.min() < made.image.max() <= 1
    assert made.notes == ()


def test_what_is_found_goes_back_to_where_it_was():
    xray = film(0.7)
    made = xray_input(xray, 1.4, XrayStyle.FILM)
    found = np.zeros(made.image.shape, np.float32)
    found[40:48, 60:66] = 1
    back = made.back(found)
    assert back.shape == xray.array.shape
    centre = np.argwhere(back > 0.5).mean(axis=0)
    assert centre == pytest.approx([2 * 43.5 + 0.5, 2 * 62.5 + 0.5], abs=0.5)
    assert back.sum() == pytest.approx(4 * found.sum(), rel=0.02)


def test_the_published_style_is_taken_as_it_is():
    xray = film(1.4, 255, np.uint8)
    made = xray_input(xray, 1.4, XrayStyle.PUBLISHED)
    np.testing.assert_allclose(made.image, xray.array / 255, atol=1e-6)


def test_equalising_doesn_t_depend_on_the_scale_of_the_grey_levels():
    picture = chest(1.4)
    np.testing.assert_allclose(published_look(picture), published_look(picture * 4095 - 7), atol=2e-2)


def test_without_millimetres_the_chest_s_width_decides_and_it_is_said():
    made = xray_input(replace(film(), pixel_mm=None, plane=None), 1.4, XrayStyle.FILM)
    assert made.step_mm[0] == pytest.approx(1.4, rel=0.06)
    assert not made.knows_mm
    assert "doesn't say how large its pixels are" in made.notes[0]


def test_a_picture_turned_over_is_doubted():
    xray = film()
    notes = xray_input(replace(xray, array=xray.array[::-1]), 1.4, XrayStyle.FILM).notes
    assert any("on its head" in note for note in notes)
    notes = xray_input(replace(xray, array=4095 - xray.array), 1.4, XrayStyle.FILM).notes
    assert any("exchanged" in note for note in notes)


@pytest.mark.parametrize(
    ("xray", "says"),
    [
        (replace(film(), view=View.LATERAL), "lateral"),
        (Radiograph(np.zeros((300, 300)), None), "one grey level"),
        (Radiograph(np.full((300, 300), np.nan), None), "one grey level"),
        (Radiograph(np.eye(8), None), "too few"),
    ],
)
def test_what_is_no_frontal_chest_is_refused(xray, says):
    with pytest.raises(UnsupportedError, match=says):
        xray_input(xray, 1.4, XrayStyle.FILM)
