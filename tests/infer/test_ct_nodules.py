"""A CT to its nodules: which candidates are kept, how they are measured, and what is said."""

import math
from dataclasses import replace

import numpy as np
import pytest

from hilum.core import InputError, Quantity, UnitError, Volume
from hilum.datasets.ct_lungs import find_lungs
from hilum.infer.candidates import Candidate
from hilum.infer.ct_nodules import CtRule, _distinct, _Outlined, nodules_in
from hilum.infer.loaded import load_model
from hilum.infer.prompted import AT_THE_END
from hilum.infer.prompted_volume import Part
from hilum.infer.volumes import PatchPredictor
from hilum.infer.whole_lungs import lungs_box, parts_in_lungs
from tests.ct_patches import GRID, chest
from tests.infer.test_volumes import Watched
from tests.patches import patch_model
from tests.shapes import ellipsoid

pytestmark = pytest.mark.usefixtures("one_thread")

BALLS = ((-60.0, 20.0, 70.0, 24.0), (70.0, 30.0, -30.0, 16.0))
"""x, y, z and diameter, away from the phantom's vessels."""


@pytest.fixture(scope="module")
def predictor(tmp_path_factory):
    model = load_model(str(patch_model(tmp_path_factory.mktemp("m") / "tiny", point_share=0.8)))
    return PatchPredictor(replace(model, network=Watched(), threshold=0.5))


def at(place, score=0.9, beside=0.0):
    x, y, z, diameter = place
    return Candidate((x + beside, y, z), diameter, score)


def found_of(predictor, marks, volume=None, rule=None):
    return nodules_in(volume or chest(BALLS), lambda *_: marks, predictor, rule or CtRule(0.5))


def test_each_nodule_is_measured_where_it_is(predictor):
    found = found_of(predictor, [at(BALLS[1], 0.6), at(BALLS[0])])
    assert [one.id for one in found.nodules] == ["1", "2"]
    for nodule, (*centre, diameter) in zip(found.nodules, BALLS, strict=True):
        assert nodule.centre_lps_mm == pytest.approx(centre, abs=1.0)
        volume = math.pi / 6 * nodule.diameters_mm.equivalent_mm**3
        assert volume == pytest.approx(math.pi / 6 * diameter**3, rel=0.25)  # voxels of 4 mm
        assert nodule.volume_mm3 is None, "slices 4 mm apart allow none"
        assert nodule.texture == 5.0
    labels, dense = found.mask.labels, chest(BALLS).array == 60
    assert found.mask.geometry.is_same_grid(GRID)
    assert set(np.unique(labels[dense])) == {1, 2}


def test_the_score_is_both_models(predictor):
    found = found_of(predictor, [at(BALLS[0], 0.25)], rule=CtRule(0.3))
    surest = 1 / (1 + math.exp(-40 * ((60 + 1000) / 1400 - 0.357)))
    assert found.nodules[0].score == pytest.approx(math.sqrt(0.25 * surest), abs=0.02)


def test_a_nodule_that_two_candidates_point_at_is_one(predictor):
    found = found_of(predictor, [at(BALLS[0], 0.5, beside=4.0), at(BALLS[0], 0.8)])
    assert len(found.nodules) == len(found.marks) == 1
    assert found.nodules[0].score == pytest.approx(math.sqrt(0.8), abs=0.02)


def test_where_the_second_model_marks_nothing_there_is_no_nodule(predictor):
    """In lung without anything, and in a dense place outside the lungs."""
    found = found_of(predictor, [at((60.0, 30.0, 75.0, 10.0)), at((0.0, 0.0, 0.0, 10.0))])
    assert (found.nodules, found.marks) == ((), ())
    assert not found.mask.labels.any()


def test_what_is_less_sure_is_listed_but_no_nodule(predictor):
    found = found_of(predictor, [at(BALLS[0], 0.9), at(BALLS[1], 0.1), at((60.0, 40.0, 60.0, 9.0), 0.001)])
    assert len(found.nodules) == 1
    assert [round(one.score, 1) for one in found.marks] == [0.9, 0.3]


def test_axes_in_another_order_make_no_difference(predictor):
    plain = chest(BALLS)
    affine = np.array(plain.geometry.affine_lps)
    affine[:3, 3] += affine[:3, 0] * (plain.array.shape[2] - 1)
    affine[:3, 0] *= -1
    turned = Volume(plain.array[:, :, ::-1], replace(plain.geometry, affine_lps=affine))
    marks = [at(one) for one in BALLS]
    found, expected = found_of(predictor, marks, turned), found_of(predictor, marks, plain)
    np.testing.assert_array_equal(found.mask.labels, expected.mask.labels[:, :, ::-1])
    assert [one.diameters_mm for one in found.nodules] == [one.diameters_mm for one in expected.nodules]


def test_without_a_detector_the_dense_parts_of_the_lungs_are_candidates(predictor):
    volume = chest(BALLS)
    marks = parts_in_lungs(volume, find_lungs(volume), predictor)
    for *centre, diameter in BALLS:
        nearest = min(marks, key=lambda one: math.dist(one.centre_lps_mm, centre))
        assert math.dist(nearest.centre_lps_mm, centre) < 3.0
        assert nearest.diameter_mm == pytest.approx(diameter, rel=0.15)


def test_the_box_of_the_lungs_holds_them_and_is_no_copy():
    volume = chest()
    box = lungs_box(volume, find_lungs(volume))
    assert np.shares_memory(box.array, volume.array)
    assert box.array.size < volume.array.size
    for point in ((-105.0, 0.0, 0.0), (105.0, 0.0, 0.0), (-60.0, 0.0, 90.0), (60.0, 70.0, 0.0)):
        assert box.geometry.contains(point)
        k, j, i = np.rint(box.geometry.to_index(point)).astype(int)
        assert box.array[k, j, i] == volume.array[tuple(np.rint(volume.geometry.to_index(point)).astype(int))]


def test_a_ct_without_lungs_or_hu_is_refused(predictor):
    solid = Volume(np.where(ellipsoid(GRID, (0, 0, 0), (140, 100, 400)), 40, -1000).astype(np.int16), GRID)
    with pytest.raises(InputError, match="lung"):
        found_of(predictor, [], solid)
    with pytest.raises(UnitError, match="HU"):
        found_of(predictor, [], replace(chest(), quantity=Quantity.DISPLAY))
    with pytest.raises(InputError, match="score"):
        CtRule(0.0)


def test_voxels_that_two_outlines_share_are_the_surer_ones(predictor):
    """Masks, volumes and labels tell of the same voxels."""
    part = Part((slice(0, 4),) * 3, np.ones((4, 4, 4), bool), GRID.crop((0, 0, 0), (4, 4, 4)), 0.9, False, 64.0)
    other = replace(part, place=(slice(2, 6), slice(0, 4), slice(0, 4)))
    marks = [_Outlined(at(BALLS[0], score), one) for score, one in ((0.9, part), (0.8, other))]
    first, second = _distinct(marks, same=0.5)
    assert first.part is part
    assert second.part.mask.sum() == 32
    assert not second.part.mask[:2].any()
    assert len(_distinct(marks, same=0.4)) == 1


def test_a_nodule_at_the_ends_of_the_ct_is_doubted(predictor):
    low = (-60.0, 0.0, -92.0, 30.0)
    whole = chest((low,))
    cut = whole.crop((7, 0, 0), (53, *GRID.shape_zyx[1:]))
    found = found_of(predictor, [at(low)], cut, CtRule(0.1, in_lungs=0.0))
    assert found.nodules
    assert any(AT_THE_END in note for note in found.notes)


def test_voxels_without_a_number_are_refused(predictor):
    broken = chest(BALLS).array.astype(np.float32)
    broken[30, 20, 30] = np.nan
    with pytest.raises(InputError, match="1 of 255360 voxels are no finite numbers"):
        found_of(predictor, [], Volume(broken, GRID))
