"""The picture of a prediction says what is doubted."""

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from hilum.core import Mask, Prediction, Provenance, Radiograph
from hilum.report.prediction import prediction_picture

SHAPE = (120, 100)
NOTE = "the earlier X-ray looks mirrored: its mirror image fits by 0.98, it itself by 0.44, which is a long sentence"


def pixels(found):
    xray = Radiograph(np.full(SHAPE, 80, np.uint8), pixel_mm=None)
    xray.array[0, 0], xray.array[-1, -1] = 0, 160
    return np.asarray(Image.open(io.BytesIO(prediction_picture(xray, found))).convert("RGB")).astype(int)


@pytest.mark.parametrize("prior", [None, np.full(SHAPE, 0.5, np.float32)])
def test_notes_stand_at_the_foot_of_the_current_picture_and_within_it(prior):
    provenance = Provenance("m", "w", "c", "0", {"mask": 0.5, "listed": 0.02}, {}, {})
    plain = Prediction("p", np.zeros(SHAPE, np.float32), Mask(np.zeros(SHAPE, np.uint8)), (), provenance, prior=prior)
    without, noted = pixels(plain), pixels(replace(plain, notes=(NOTE, NOTE)))
    assert without.shape == noted.shape
    rows, columns = np.nonzero(np.abs(without - noted).sum(axis=-1))
    height, width = without.shape[:2]
    assert rows.size
    assert rows.min() > 0.75 * height
    assert columns.min() > (0.5 if prior is not None else 0) * width
    assert columns.max() < 0.995 * width
