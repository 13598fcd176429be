"""The panel of an explanation shows the map where it is, and the sanity check's curve what it found."""

import io

import numpy as np
import pytest
from PIL import Image

from hilum.core import Explanation, GeometryError, Provenance, Sanity, SanityStep
from hilum.report.explanation import explanation_picture, sanity_picture

SHAPE = (80, 60)


def explanation(heat=None, probability=None):
    heat = np.zeros(SHAPE, np.float32) if heat is None else heat
    probability = np.zeros_like(heat) if probability is None else probability
    return Explanation(
        key="p",
        method="gradcam",
        layer="encoder.stages.1",
        target="mean logit of all pixels",
        cell_px=(8.0, 8.0),
        heat=heat,
        highest=0.1,
        probability=probability,
        marked=probability >= 0.5,
        provenance=Provenance("m", "w", "c", "0"),
    )


def opened(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(int)


def test_the_map_is_coloured_on_the_right_and_only_where_it_is_hot():
    heat = np.zeros(SHAPE, np.float32)
    heat[10:20, 30:50] = 1
    image = np.full(SHAPE, 100, np.uint8)
    image[0, 0], image[-1, -1] = 0, 200
    cold, hot = (opened(explanation_picture(image, explanation(heat=one), None)) for one in (heat * 0, heat))
    assert cold.shape == hot.shape
    rows, columns = np.nonzero(np.abs(hot - cold).sum(axis=-1) > 30)
    height, width = hot.shape[:2]
    assert columns.min() > 0.45 * width
    assert 0.05 < rows.min() / height < rows.max() / height < 0.4
    red, green, blue = hot[int(rows.mean()), int(columns.mean())]
    assert min(red, green) > blue + 50, "yellow is the hottest"


def test_marks_and_truth_are_drawn_on_both_pictures():
    image = np.random.default_rng(0).integers(0, 50, SHAPE).astype(np.uint8)
    lesion = np.zeros(SHAPE, bool)
    lesion[40:60, 20:40] = True
    plain = opened(explanation_picture(image, explanation(), (0.7, 0.7)))
    for drawn in (
        explanation_picture(image, explanation(), (0.7, 0.7), lesion),
        explanation_picture(image, explanation(probability=lesion.astype(np.float32)), (0.7, 0.7)),
    ):
        columns = np.nonzero((np.abs(opened(drawn) - plain).sum(axis=-1) > 100)[plain.shape[0] // 2 :])[1]
        assert columns.min() < 0.4 * plain.shape[1] < 0.6 * plain.shape[1] < columns.max()


def test_maps_of_other_pixels_are_refused():
    with pytest.raises(GeometryError, match="not one"):
        explanation(heat=np.zeros((3, 4), np.float32), probability=np.zeros((4, 3), np.float32))


def test_the_curve_falls_as_it_is_told_and_undefined_steps_are_left_out():
    def drawn(*values):
        steps = tuple(SanityStep(f"part {n}", (value,), (value,)) for n, value in enumerate(values))
        return opened(sanity_picture(Sanity(steps, (0.0,), most=0.5, seed=0)))

    assert not np.array_equal(drawn(0.9, 0.1), drawn(0.9, 0.8))
    assert drawn(float("nan"), float("nan")).any()
