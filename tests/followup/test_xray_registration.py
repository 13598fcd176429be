"""A known movement is found again, to millimetres; what can't be registered is refused."""

from functools import cache

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from hilum.core import InputError
from hilum.datasets.xray_grid import PixelGrid
from hilum.followup.misfit import area_change, body_of, local_correlation
from hilum.followup.xray_registration import XrayRegistration, XrayRegistrationConfig, register_xray
from hilum.io import read_radiograph

MM = 1.4
SHAPE = (210, 240)


def places(shape=SHAPE) -> np.ndarray:
    """[y, x, 2] (row, column) of every pixel."""
    return np.stack(np.meshgrid(*(np.arange(size, dtype=float) for size in shape), indexing="ij"), axis=-1)


@cache
def phantom() -> np.ndarray:
    """Two dark lungs with ribs and vessels, a bright spine, in a body with air around."""
    down, right = np.moveaxis(places() * MM, -1, 0)
    height, width = (size * MM for size in SHAPE)
    rng = np.random.default_rng(3)
    body = np.abs(right - width / 2) < 0.44 * width
    lungs = sum(((right - centre * width) / 55) ** 2 + ((down - 0.45 * height) / 100) ** 2 < 1 for centre in (0.3, 0.7))
    ribs = 0.08 * np.sin(2 * np.pi * (down + 0.25 * np.abs(right - width / 2)) / 24)
    vessels = sum(
        scale * gaussian_filter(rng.normal(size=SHAPE), sigma / MM) for sigma, scale in ((2.0, 0.25), (6.0, 1.0))
    )
    spine = 0.25 * np.exp(-(((right - width / 2) / 14) ** 2))
    grey = body * (0.6 - 0.35 * lungs + spine + ribs + vessels)
    return np.clip(gaussian_filter(grey, 0.7), 0, 1).astype(np.float32)


def moved_by(picture: np.ndarray, way) -> np.ndarray:
    """The picture whose place p shows `way(p)` of the given one."""
    return map_coordinates(picture, np.moveaxis(way(places(picture.shape)), -1, 0), order=1).astype(np.float32)


def standing(angle_deg=0.0, size=1.0, shift_mm=(0.0, 0.0), breath_mm=0.0, shape=SHAPE):
    """Turned, resized and shifted about the middle, with a diaphragm that went down by `breath_mm`."""
    angle, middle = np.deg2rad(angle_deg), (np.array(shape) - 1) / 2
    matrix = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])

    def way(points):
        there = (points - middle) @ matrix.T + middle + np.array(shift_mm) / MM
        share = np.clip((points[..., 0] / shape[0] - 0.1) / 0.7, 0, 1)
        there[..., 0] += breath_mm / MM * share * share * (3 - 2 * share)
        return there

    return way


def error_mm(found: XrayRegistration, way, current: np.ndarray) -> float:
    """Mean distance from where pixels of the body should be: going to the earlier picture, and back by the truth."""
    points = places(current.shape)
    there = found.places_px(points)
    reached = np.all((there >= 0) & (there <= np.array(found.prior_shape) - 1), axis=-1)
    away = np.linalg.norm(way(there) - points, axis=-1) * MM
    return float(away[reached & body_of(current)].mean())


MOVEMENTS = {
    "shift": standing(shift_mm=(-14, 14)),
    "turn and size": standing(5, 1.05, (6, -5)),
    "breath": standing(breath_mm=15),
    "all": standing(-4, 0.96, (10, -8), -12),
}


@pytest.mark.parametrize("name", MOVEMENTS)
def test_a_known_movement_is_found_again(name):
    found = register_xray(moved_by(phantom(), MOVEMENTS[name]), phantom(), MM)
    assert error_mm(found, MOVEMENTS[name], phantom()) < 1
    assert found.converged
    assert found.misfit.correlation > max(0.9, found.misfit.correlation_before)


@pytest.mark.parametrize("place", ["lidc-drr/1-200/LIDC-IDRI-0001_*_drr.png", "jsrt/images/JPCLN001.png"])
def test_a_known_movement_of_a_real_picture_is_found_again(real_data, place):
    folder, _, pattern = place.partition("/")
    [path] = sorted(real_data(folder).glob(pattern))
    grey = read_radiograph(path).array / 255
    picture = PixelGrid(grey.shape, (0.7, 0.7), MM).mean(grey).astype(np.float32)
    way = standing(-4, 0.96, (10, -8), -12, picture.shape)
    found = register_xray(moved_by(picture, way), picture, MM)
    assert error_mm(found, way, picture) < 2
    assert found.converged


def test_other_tone_and_noise_hardly_matter():
    rng = np.random.default_rng(0)
    earlier = moved_by(phantom(), MOVEMENTS["all"])
    other = np.clip(0.1 + 0.8 * earlier**1.5 + rng.normal(0, 0.02, SHAPE), 0, 1).astype(np.float32)
    assert error_mm(register_xray(other, phantom(), MM), MOVEMENTS["all"], phantom()) < 1.5


def test_a_picture_stays_where_it_is():
    found = register_xray(phantom(), phantom(), MM)
    assert np.abs(found.places_px(places()) - places()).max() * MM < 0.05
    assert found.misfit.correlation == pytest.approx(1, abs=0.01)
    assert (found.misfit.shift_mm, found.misfit.bend_mm) == pytest.approx((0, 0), abs=0.05)
    assert found.moved(phantom()) == pytest.approx(phantom(), abs=0.02)


def test_mirrored_pictures_move_mirrored():
    earlier = moved_by(phantom(), MOVEMENTS["all"])
    found = register_xray(earlier, phantom(), MM).places_px(places())
    mirrored = register_xray(earlier[:, ::-1], phantom()[:, ::-1], MM).places_px(places())
    back = np.stack((mirrored[:, ::-1, 0], SHAPE[1] - 1 - mirrored[:, ::-1, 1]), axis=-1)
    assert np.linalg.norm(back - found, axis=-1)[body_of(phantom())].mean() * MM < 0.3


def test_exchanged_pictures_give_about_the_inverse():
    earlier = moved_by(phantom(), MOVEMENTS["all"])
    there, back = register_xray(earlier, phantom(), MM), register_xray(phantom(), earlier, MM)
    round_trip = np.linalg.norm(back.places_px(there.places_px(places())) - places(), axis=-1) * MM
    assert round_trip[body_of(phantom())].mean() < 1


def test_the_same_twice():
    earlier = moved_by(phantom(), MOVEMENTS["all"])
    once, twice = (register_xray(earlier, phantom(), MM).alignment.field_mm for _ in range(2))
    assert np.array_equal(once, twice)


@pytest.mark.parametrize("size_mm", [10, 20, 30])
@pytest.mark.parametrize("is_new", [True, False])
def test_a_nodule_in_one_picture_keeps_its_size(size_mm, is_new):
    centre, radius_px = np.array([95, 72]), size_mm / 2 / MM
    distance = np.linalg.norm(places() - centre, axis=-1)
    with_nodule = phantom() + 0.25 * np.sqrt(np.clip(1 - (distance / radius_px) ** 2, 0, None)).astype(np.float32)
    pictures = (phantom(), with_nodule) if is_new else (with_nodule, phantom())
    found = register_xray(*pictures, MM)
    cell_mm = found.alignment.cell_mm
    cells = (np.stack(np.indices(found.alignment.field_mm.shape[1:]), axis=-1) + 0.5) * cell_mm
    near = np.linalg.norm(cells - (centre + 0.5) * MM, axis=-1) <= size_mm / 2
    assert area_change(found.alignment)[near] == pytest.approx(1, abs=0.2)


def test_the_area_change_of_an_enlargement_is_its_square():
    found = register_xray(moved_by(phantom(), standing(size=1.05)), phantom(), MM)
    assert float(np.median(area_change(found.alignment))) == pytest.approx(1 / 1.05**2, rel=0.02)


def test_labels_are_moved_as_they_are():
    earlier = moved_by(phantom(), standing(shift_mm=(14, 0)))
    labels = np.zeros(SHAPE, dtype=np.uint8)
    labels[100:110, 60:70] = 7
    moved = register_xray(earlier, phantom(), MM).moved(labels, nearest=True)
    assert moved.dtype == np.uint8
    assert set(np.unique(moved)) == {0, 7}
    assert np.argwhere(moved).mean(0) == pytest.approx([114.5, 64.5], abs=1)


def test_sizes_may_differ_and_what_is_missing_is_dark():
    found = register_xray(phantom()[40:], phantom(), MM)
    moved = np.asarray(found.moved(phantom()[40:]))
    assert moved.shape == SHAPE
    assert (moved[:35] == 0).all()
    assert np.abs(moved[45:] - phantom()[45:]).mean() < 0.01
    assert found.misfit.covered == pytest.approx(170 / 210, abs=0.03)


def test_a_point_alone_is_placed():
    found = register_xray(phantom(), phantom(), MM)
    assert found.places_px(np.array([50.0, 60.0])) == pytest.approx([50, 60], abs=0.1)


def test_pictures_that_have_nothing_in_common_are_said_not_to_fit():
    rng = np.random.default_rng(1)
    found = register_xray(gaussian_filter(rng.random(SHAPE), 2).astype(np.float32) * 3, phantom(), MM)
    assert not found.converged
    assert "correlates" in found.notes[0]


def test_an_affine_map_only():
    config = XrayRegistrationConfig(warp_steps=None)
    found = register_xray(moved_by(phantom(), MOVEMENTS["turn and size"]), phantom(), MM, config)
    assert found.misfit.bend_mm == pytest.approx(0, abs=1e-6)
    assert error_mm(found, MOVEMENTS["turn and size"], phantom()) < 1.5


@pytest.mark.parametrize("name", ["earlier", "current"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (np.full(SHAPE, 0.5, np.float32), "blank"),
        (np.where(places()[..., 0] == 3, np.nan, 0.5), "none"),
        (np.zeros((20, 20), np.float32), "at least"),
        (np.zeros((2, 200, 200), np.float32), "at least"),
    ],
)
def test_what_shows_no_chest_is_refused(name, wrong, said):
    pictures = (wrong, phantom()) if name == "earlier" else (phantom(), wrong)
    with pytest.raises(InputError, match=f"{name} picture.*{said}"):
        register_xray(*pictures, MM)


def test_what_is_moved_has_the_earlier_pictures_size():
    with pytest.raises(InputError, match="size"):
        register_xray(phantom(), phantom(), MM).moved(np.zeros((5, 5)))


def test_local_correlation_does_not_see_tone():
    everywhere = np.ones(SHAPE, dtype=bool)
    assert local_correlation(phantom(), 0.2 + 0.6 * phantom(), everywhere, MM) == pytest.approx(1, abs=0.02)
    assert local_correlation(phantom(), 1 - phantom(), everywhere, MM) == pytest.approx(-1, abs=0.02)
    assert np.isnan(local_correlation(phantom(), phantom(), ~everywhere, MM))
