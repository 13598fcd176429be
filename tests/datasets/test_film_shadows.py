"""What lies over lungs on films: drawn on an even picture, where its place and amount can be read off."""

import numpy as np
import pytest

from hilum.datasets.film_shadows import SideShadows, draw_side, shadowed

STEP = (1.4, 1.4)
NONE = SideShadows()


def fields():
    """Two lungs of 100 × 180 mm, 40 mm apart, from row 40 on."""
    found = np.zeros((220, 260), dtype=bool)
    for first in (44, 144):
        found[40:170, first : first + 71] = True
    return found


def over_grey(sides):
    """How far an even picture is brought to white."""
    return (shadowed(np.full((220, 260), 0.2), fields(), sides, STEP) - 0.2) / 0.8


def test_air_stays_dark():
    both = (draw_side(np.random.default_rng(0)),) * 2
    found = shadowed(np.zeros((220, 260)), fields(), both, STEP)
    assert not found[~fields()].any()
    assert found[fields()].any()


def test_without_amounts_nothing_changes():
    image = np.random.default_rng(0).random((220, 260))
    assert np.array_equal(shadowed(image, fields(), (NONE, NONE), STEP), image)
    assert shadowed(image, np.zeros_like(fields()), (NONE, NONE), STEP) is image


def test_a_clavicle_is_as_wide_and_as_dense_as_was_said_and_crosses_its_own_lung_alone():
    level = SideShadows(clavicle=0.5, inner_mm=28.0, outer_mm=28.0, width_mm=14.0)
    found = over_grey((level, NONE))
    column = found[:, 60]
    assert column[60] == pytest.approx(0.35, abs=0.02)
    assert column[60] < column.max() < 0.5
    assert (column > 0.1).sum() * STEP[0] == pytest.approx(14.0, abs=2 * STEP[0])
    assert np.average(np.arange(220), weights=column) == pytest.approx(40 + 28 / STEP[0], abs=1)
    assert found[:, 130:].max() < 1e-6


def test_sides_mirror_each_other():
    one = draw_side(np.random.default_rng(3))
    found = shadowed(np.full((220, 260), 0.3), fields(), (one, one), STEP)[:, :259]
    assert found == pytest.approx(found[:, ::-1], abs=0.02)


def test_a_breast_is_a_balls_chord():
    ball = SideShadows(breast=0.4, breast_at=(0.5, 0.5), breast_mm=(42.0, 42.0))
    found = over_grey((NONE, ball))
    row, column = np.unravel_index(found.argmax(), found.shape)
    assert found.max() == pytest.approx(0.4, abs=0.01)
    assert found[row, column + 15] == pytest.approx(0.4 * np.sqrt(1 - (21 / 42) ** 2), abs=0.02)
    assert found[row + 31, column] == pytest.approx(0, abs=1e-9)


def test_a_shoulder_blade_covers_the_side_of_the_upper_half():
    blade = SideShadows(blade=0.3, blade_mm=28.0)
    found = over_grey((NONE, blade))
    covered = np.flatnonzero(found[60] > 0.1)
    assert covered[0] == pytest.approx(214 - 20, abs=2)
    assert found[150].max() < 0.01


@pytest.mark.parametrize("seed", range(4))
def test_the_picture_stays_between_black_and_white_and_only_gets_denser(seed):
    rng = np.random.default_rng(seed)
    image = rng.random((220, 260))
    found = shadowed(image, fields(), (draw_side(rng), draw_side(rng)), STEP)
    assert ((found >= image) & (found <= 1)).all()
