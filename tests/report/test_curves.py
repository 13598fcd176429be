"""Pictures of an evaluation are pictures, whatever there is to draw."""

import io

import numpy as np
import pytest
from PIL import Image

from hilum.metrics.calibration import equal_width_edges, reliability
from hilum.report.curves import threshold_picture


@pytest.mark.parametrize("names", [("as stored",), ("at the temperature", "as stored")])
def test_one_reliability_diagram_or_two_make_one_picture(names):
    rng = np.random.default_rng(0)
    diagrams = {}
    for name in names:
        probability = rng.uniform(size=500)
        diagrams[name] = reliability(probability, rng.uniform(size=500) < probability, equal_width_edges())
    thresholds = np.arange(1, 100) / 100
    png = threshold_picture(thresholds, {"mean of cases": 1 - thresholds}, 0.5, diagrams)
    width, height = Image.open(io.BytesIO(png)).size
    assert width > 2 * height
