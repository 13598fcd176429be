"""Rivals as an evaluation uses them: the blob detector looks where training has lesions."""

import numpy as np

from hilum.datasets.prepared import CaseSource
from hilum.evaluate.rivals import prior_map
from hilum.io import write_png
from hilum.workflows.evaluate_case import Rivals, blobs_of, rival_masks
from tests.evaluate.judged import disc

SHAPE = (128, 128)


def test_blobs_are_looked_for_where_training_has_lesions(tmp_path):
    """Two equal spots, and a map of the left half: the spot on the right is no candidate and no prediction."""
    left, right = disc(SHAPE, (64, 32), 5), disc(SHAPE, (64, 96), 5)
    write_png((60 + 120 * (left | right)).astype(np.uint8), tmp_path / "x.png")
    case = CaseSource("a", "p", tmp_path / "no-truth.png", image=tmp_path / "x.png", pixel_mm=(0.7, 0.7))
    prior = prior_map([left])
    everywhere, likely = blobs_of(case, SHAPE), blobs_of(case, SHAPE, prior)
    assert any(np.hypot(*(centre - (64, 96))) < 5 for centre in everywhere.centres)
    assert any(np.hypot(*(centre - (64, 32))) < 5 for centre in likely.centres)
    assert not any(np.hypot(*(centre - (64, 96))) < 30 for centre in likely.centres)
    masks = rival_masks(case, SHAPE, Rivals(prior, float(likely.scores.max())))
    blobs = next(mask for name, mask in masks.items() if "LoG" in name)
    assert (blobs & left).any()
    assert not (blobs & right).any()
