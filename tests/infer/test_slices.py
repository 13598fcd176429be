"""A network on one slice: any size, either kind of numbers, exact mirror images, millimetres only where known."""

import numpy as np
import pytest
import torch

from hilum.core import ConfigError, GeometryError, InputError, UnsupportedError
from hilum.infer.crf import CrfConfig
from hilum.infer.loaded import load_model, model_kind
from hilum.infer.slices import SliceOptions, SlicePredictor
from tests.slices import STEP_MM, slice_hu, slice_model, stretched
from tests.trained import tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return load_model(str(slice_model(tmp_path_factory.mktemp("m") / "tiny")))


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (13, 5), (64, 64), (97, 130)])
def test_any_size_comes_back_as_it_was(model, shape):
    hu = np.random.default_rng(0).integers(-900, 100, shape).astype(np.int16)
    found = SlicePredictor(model)("one", hu, (STEP_MM, STEP_MM))
    assert found.probability.shape == found.mask.labels.shape == shape
    assert found.probability.dtype == np.float32
    assert ((found.probability >= 0) & (found.probability <= 1)).all()


def test_the_mean_over_mirror_images_turns_with_the_picture(model):
    """With all four views the answer of a turned picture is the turned answer, whatever the network is."""
    predictor = SlicePredictor(model, SliceOptions(tta=True))
    hu, _ = slice_hu((30, 44), (12, 30))
    plain = predictor.probability(hu)
    for turn in ((slice(None), slice(None, None, -1)), (slice(None, None, -1), slice(None))):
        np.testing.assert_allclose(predictor.probability(hu[turn].copy())[turn], plain, atol=1e-5)
    assert not np.allclose(SlicePredictor(model).probability(hu), plain, atol=1e-3)


def test_one_view_is_the_network_itself(model):
    hu, _ = slice_hu()
    shown = np.clip((hu.astype(np.float32) + 1000) / 1400, 0, 1)
    with torch.inference_mode():
        wanted = model.network(torch.from_numpy(shown)[None, None]).logits.sigmoid()[0, 0].numpy()
    np.testing.assert_allclose(SlicePredictor(model).probability(hu), wanted, atol=1e-5)


def test_hu_and_the_stretched_picture_of_them_are_nearly_one(model):
    hu, _ = slice_hu((96, 96), (50, 60), 10)
    predictor = SlicePredictor(model)
    one, other = (predictor.probability(image) for image in (hu, stretched(hu)))
    assert np.abs(one - other).mean() < 0.03


def test_millimetres_only_where_somebody_knows_them(model):
    hu, _ = slice_hu()
    known, unknown = (SlicePredictor(model)("one", hu, step) for step in ((STEP_MM, STEP_MM), None))
    np.testing.assert_array_equal(known.probability, unknown.probability)
    assert known.notes == ()
    assert "no millimetres" in unknown.notes[0]
    marked = [one for one in known.nodules if one.score >= known.provenance.thresholds["mask"]]
    assert marked
    assert all("equivalent_diameter_mm" in one.characteristics for one in marked)
    assert not any(one.characteristics for one in unknown.nodules)


def test_pixels_that_are_no_squares_are_made_square(model):
    """Rows twice as far apart as columns: twice as many rows are shown, and the answer has the old ones again."""
    hu, _ = slice_hu((20, 40), (10, 20), 4)
    found = SlicePredictor(model).probability(hu, (2 * STEP_MM, STEP_MM))
    assert found.shape == (20, 40)
    assert not np.allclose(found, SlicePredictor(model).probability(hu), atol=1e-3)


def test_a_model_of_one_pixel_size_sees_that_size(tmp_path):
    sized = load_model(str(slice_model(tmp_path / "sized", pixel_mm=1.4)))
    hu, _ = slice_hu((64, 64))
    coarse = SlicePredictor(sized).probability(hu, (0.7, 0.7))
    assert coarse.shape == (64, 64)
    assert not np.allclose(coarse, SlicePredictor(sized).probability(hu, (1.4, 1.4)), atol=1e-3)


def test_the_random_field_is_said_in_the_provenance(model):
    hu, _ = slice_hu()
    predictor = SlicePredictor(model, SliceOptions(crf=CrfConfig(iterations=2)))
    assert predictor.provenance.options["crf"]["iterations"] == 2
    assert not np.allclose(predictor.probability(hu), SlicePredictor(model).probability(hu))
    assert SlicePredictor(model, SliceOptions(threshold=0.9)).provenance.thresholds["mask"] == 0.9


def test_what_is_no_slice_is_refused(model):
    predictor = SlicePredictor(model)
    levels = stretched(slice_hu()[0])
    with pytest.raises(InputError, match="no HU of a chest"):
        predictor("8 bit as HU", levels.astype(np.int16))
    with pytest.raises(UnsupportedError, match="nobody knows what it shows"):
        predictor("empty", np.zeros((8, 8), np.uint8))
    with pytest.raises(GeometryError, match="at least one pixel"):
        predictor("three axes", np.zeros((2, 8, 8), np.int16))
    empty = predictor("air", np.full((8, 8), -1000, np.int16))
    assert empty.probability.shape == (8, 8), "HU of one value are known, so they are handled"


def test_a_model_of_x_rays_marks_no_slices(tmp_path, model):
    xray = load_model(str(tiny_model(tmp_path / "xray")))
    assert (xray.kind, model.kind) == ("xray", "slices")
    assert model_kind(str(tmp_path / "xray")) == "xray"
    assert np.isnan(model.pixel_mm)
    with pytest.raises(ConfigError, match="not on CT slices"):
        SlicePredictor(xray)
