"""How pictures of one CT differ: what is drawn, from what, and that it can be drawn again."""

import numpy as np
import pytest

from hilum.core import InputError
from hilum.datasets.looks import Variation, draw_look
from hilum.drr.display import Style
from hilum.drr.projection import Beam, Pose

WIDE = Variation(
    styles=(Style.RADIOGRAPH, Style.RAW),
    photons_per_mm2=(1e5, 1.6e6),
    scatter=(0.1, 0.5),
    blur_mm=(0.05, 0.25),
    beams=(Beam.PARALLEL, Beam.CONE),
)


def test_a_look_depends_on_seed_key_and_view_only():
    variation = Variation(views=5, energy_kev=(50, 80))
    look = draw_look(variation, "a", 2, 0)
    assert look == draw_look(variation, "a", 2, 0)
    others = [draw_look(variation, "b", 2, 0), draw_look(variation, "a", 3, 0), draw_look(variation, "a", 2, 1)]
    assert all(other.pose != look.pose for other in others)
    drawn = np.array([draw_look(variation, str(n), 2, 0).pose.rotation_deg for n in range(500)])
    assert np.abs(drawn).max() <= 5
    assert drawn.std(axis=0) == pytest.approx(5 / np.sqrt(3), rel=0.1)  # of the uniform distribution


@pytest.mark.parametrize(
    "numbers",
    [
        {"views": 0},
        {"turn_deg": -1},
        {"energy_kev": (80, 60)},
        {"energy_kev": (10, 60)},
        {"photons_per_mm2": (2e6, 1e6)},
        {"photons_per_mm2": (0, 1e6)},
        {"scatter": (0.2, 1.0)},
        {"blur_mm": (-0.1, 0.2)},
        {"styles": ()},
        {"beams": ()},
        {"styles": (Style.SOURCE, Style.RADIOGRAPH)},
        {"styles": (Style.SOURCE,), "beams": (Beam.CONE,)},
        {"styles": (Style.SOURCE,), "scatter": (0, 0.1)},
        {"styles": (Style.SOURCE,), "views": 2},
        {"styles": (Style.SOURCE,), "photons_per_mm2": (100, 100)},
        {"styles": (Style.SOURCE,), "pixel_mm": 0.7},
    ],
)
def test_variations_that_make_no_sense_are_refused(numbers):
    with pytest.raises(InputError):
        Variation(**numbers)


def test_the_published_style_has_one_look():
    looks = [draw_look(Variation((Style.SOURCE,), turn_deg=3, shift_mm=1), key, 1, 0) for key in "ab"]
    assert looks[0].room == looks[1].room


def test_every_part_of_the_exposure_is_drawn_from_its_range():
    looks = [draw_look(WIDE, str(number), 1, 0) for number in range(1000)]
    for name, (low, high) in (("scatter", WIDE.scatter), ("blur_mm", WIDE.blur_mm)):
        drawn = np.array([getattr(look, name) for look in looks])
        assert low <= drawn.min() < drawn.max() <= high
        assert drawn.mean() == pytest.approx((low + high) / 2, rel=0.05)
        assert drawn.std() == pytest.approx((high - low) / np.sqrt(12), rel=0.05)
    doublings = np.log2([look.photons_per_mm2 / 1e5 for look in looks])
    assert np.histogram(doublings, 4, (0, 4))[0] == pytest.approx(250, rel=0.25)
    for name, choices in (("style", WIDE.styles), ("beam", WIDE.beams)):
        counts = [sum(getattr(look, name) == one for look in looks) for one in choices]
        assert counts == pytest.approx([500, 500], rel=0.15)
    assert {look.pose for look in looks} == {Pose()}  # first views stand straight


def test_to_vary_one_thing_more_changes_nothing_in_the_others():
    one, more = draw_look(Variation(scatter=(0.1, 0.5)), "a", 2, 0), draw_look(WIDE, "a", 2, 0)
    assert (one.pose, one.scatter, one.noise_seed) == (more.pose, more.scatter, more.noise_seed)
