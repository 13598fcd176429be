"""Films by classes as samples: sizes, weights, masks, folds, and the class that would be missing."""

import json

import numpy as np
import pytest

from hilum.core import ConfigError, InputError, TooManyFailuresError, TrainError
from hilum.datasets.bit_masks import LAYOUTS
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.class_source import ImageLabel
from hilum.datasets.classes_load import Fold, load_class_pictures
from hilum.datasets.covid_qu_ex import Part
from hilum.datasets.stored_split import StoredSplit
from hilum.io import read_mask, read_radiograph
from hilum.workflows import class_set
from hilum.workflows.prepare_covid_qu_ex import CovidOptions, prepare_covid_qu_ex
from hilum.workflows.prepare_cxr_masks import MaskOptions, prepare_cxr_masks
from tests.classes import bit_films, covid_qu_ex

FULL = ClassDataConfig(height_px=64)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Both data sets; a film has 64 × 64 pixels, of 0.5 mm with bits."""
    folder = tmp_path_factory.mktemp("data")
    layout = LAYOUTS["cxr-infection"].model_copy(update={"pixel_mm": 0.5, "pixel_mm_at": 64})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(class_set, "write_sheet", lambda *_: None)
        prepare_cxr_masks(bit_films(folder / "films"), folder / "bits", MaskOptions(layout))
        options = CovidOptions(parts=(Part.INFECTION,))
        prepare_covid_qu_ex(covid_qu_ex(folder / "in", per_place=1), folder / "covid", options)
    return folder


def test_a_sample_on_its_own_pixels_is_what_is_stored(data):
    samples, failures = load_class_pictures(data / "bits", "train", FULL)
    assert len(samples) == 16
    assert not list(failures)
    for one in samples:
        place = data / "bits" / "cases" / one.key
        assert np.array_equal(one.image, (read_radiograph(place / "image.png").array / 255).astype(np.float32))
        assert np.array_equal(one.labels, read_mask(place / "classes.png").labels)
        assert (one.image.dtype, one.labels.dtype, one.weight.dtype) == (np.float32, np.uint8, np.float32)
        assert one.weight.min() == 1
        assert np.array_equal(one.masks["ground_glass"], read_mask(place / "ground_glass.png").labels > 0)
        assert one.pixel_mm == 0.5
    assert {one.image_label for one in samples} == set(ImageLabel)


@pytest.mark.parametrize(
    ("config", "side", "pixel_mm"),
    [(ClassDataConfig(height_px=32), 32, 1.0), (ClassDataConfig(height_px=None, pixel_mm=0.8), 40, 0.8)],
)
def test_classes_keep_their_area_on_other_pixels(data, config, side, pixel_mm):
    samples, _ = load_class_pictures(data / "bits", "validation", config)
    for one in samples:
        assert one.image.shape == one.labels.shape == (side, side)
        assert one.pixel_mm == pytest.approx(pixel_mm)
        stored = read_mask(data / "bits" / "cases" / one.key / "classes.png").labels
        assert np.mean(one.labels == 1) == pytest.approx(np.mean(stored == 1), abs=0.02)


def test_what_is_unknown_weighs_nothing_and_has_no_class(data):
    samples, _ = load_class_pictures(data / "covid", "train", FULL)
    by_label = {one.image_label: one for one in samples}
    unknown = by_label[ImageLabel.NON_COVID]
    assert np.array_equal(unknown.weight == 0, unknown.masks["lungs"])
    assert unknown.labels.max() == 0
    assert not unknown.has_class(1)
    assert by_label[ImageLabel.COVID].has_class(2)
    assert by_label[ImageLabel.COVID].weight.min() == 1
    assert by_label[ImageLabel.COVID].pixel_mm is None


def test_folds_are_those_that_are_stored(data):
    index = json.loads((data / "bits" / "dataset.json").read_text())
    for number in (1, 5):
        judged, _ = load_class_pictures(data / "bits", Fold(number, held_out=True), FULL)
        learnt, _ = load_class_pictures(data / "bits", Fold(number), FULL)
        assert {one.patient for one in judged} == set(index["folds"]["folds"][number - 1])
        assert len(judged) + len(learnt) == 20
        assert not {one.patient for one in judged} & {one.patient for one in learnt}


def test_folds_of_films_for_testing_can_be_judged_on_and_not_learnt_from(data, tmp_path):
    index = json.loads((data / "bits" / "dataset.json").read_text())
    splits = index["splits"]
    every = sorted([*splits["train"], *splits["validation"]])
    index["splits"] = StoredSplit("all are for testing", (), (), tuple(every)).record()
    for case in index["cases"]:
        case["image"] = str(data / "bits" / case["image"])
        case["masks"] = {name: str(data / "bits" / file) for name, file in case["masks"].items()}
    (tmp_path / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match="are for testing, whatever their fold") as refused:
        load_class_pictures(tmp_path, Fold(1), FULL)
    assert "--purpose learn" in refused.value.remedy
    judged, _ = load_class_pictures(tmp_path, Fold(1, held_out=True), FULL)
    assert {one.patient for one in judged} == set(index["folds"]["folds"][0])


def test_masks_are_those_that_are_asked_for(data):
    (first, *_), _ = load_class_pictures(data / "bits", "train", FULL.model_copy(update={"masks": ("lungs",)}))
    assert list(first.masks) == ["lungs"]
    with pytest.raises(InputError, match="no film has a mask 'spleen'"):
        load_class_pictures(data / "bits", "train", FULL.model_copy(update={"masks": ("spleen",)}))


def test_what_cannot_be_is_said(data):
    with pytest.raises(TooManyFailuresError, match="how large the pixels"):
        load_class_pictures(data / "covid", "train", ClassDataConfig(height_px=None, pixel_mm=1, max_failures=0))
    with pytest.raises(InputError, match="no folds"):
        load_class_pictures(data / "covid", Fold(1), FULL)
    with pytest.raises(InputError, match="no split 'dev'"):
        load_class_pictures(data / "covid", "dev", FULL)
    with pytest.raises(ConfigError, match="height_px and pixel_mm"):
        ClassDataConfig(pixel_mm=1)


def test_a_declared_class_that_nothing_shows_stops_training(data, tmp_path):
    index = json.loads((data / "covid" / "dataset.json").read_text())
    index["labels"]["3"] = "non-COVID infection"
    for case in index["cases"]:
        case["image"] = str(data / "covid" / case["image"])
        case["masks"] = {name: str(data / "covid" / file) for name, file in case["masks"].items()}
    (tmp_path / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(TrainError, match=r"class 3 \(non-COVID infection\) has no pixel in train"):
        load_class_pictures(tmp_path, "train", FULL)
    assert load_class_pictures(tmp_path, "validation", FULL)[0]
    assert load_class_pictures(tmp_path, "train", FULL.model_copy(update={"require_classes": False}))[0]
