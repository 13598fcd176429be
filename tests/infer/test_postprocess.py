"""What is left of a map of probabilities, in mm and mm³."""

import numpy as np
import pytest

from hilum.core import InputError
from hilum.infer.postprocess import SOURCE_B, PostRule, post_processed
from tests.slices import ball


def test_small_parts_are_kept_unless_told():
    probability = np.zeros((20, 20, 20), np.float32)
    probability[3, 3, 3] = 0.9
    probability[8:12, 8:12, 8:12] = 0.9
    assert post_processed(probability, (1, 1, 1), PostRule(0.5)).sum() == 1 + 64
    assert post_processed(probability, (1, 1, 1), PostRule(0.5, least_mm3=2)).sum() == 64


@pytest.mark.parametrize("step", [(1.0, 1.0, 1.0), (2.0, 0.5, 0.5), (0.5, 0.5, 0.5)])
def test_volumes_are_of_mm3_on_any_voxels(step):
    """A ball of 6 mm has 113 mm³: it stays at 80 and goes at 150, whatever the voxels."""
    shape = tuple(round(16 / one) for one in step)
    offsets = (np.indices(shape).T - (np.array(shape) - 1) / 2) * step
    probability = (np.square(offsets).sum(axis=-1) <= 9).T.astype(np.float32)
    assert post_processed(probability, step, PostRule(0.5, least_mm3=80)).any()
    assert not post_processed(probability, step, PostRule(0.5, least_mm3=150)).any()


def test_source_bs_rule_deletes_a_nodule_of_3_mm():
    probability = ball((15, 15, 15), (7, 7, 7), 1.5).astype(np.float32)
    assert post_processed(probability, (1, 1, 1), PostRule(0.6)).sum() == 19
    assert not post_processed(probability, (1, 1, 1), SOURCE_B).any()


def test_closing_fills_gaps_where_the_network_is_not_sure_of_the_opposite():
    probability = np.zeros((15, 15, 24), np.float32)
    probability[2:13, 2:13, 3:10] = probability[2:13, 2:13, 12:20] = 0.9
    gap = (slice(5, 10), slice(5, 10), slice(10, 12))
    rule = PostRule(0.6, closing_mm=2, floor=0.4)
    assert not post_processed(probability, (1, 1, 1), rule)[gap].any()
    probability[gap] = 0.5
    filled = post_processed(probability, (1, 1, 1), rule)
    assert filled[gap].all()
    assert filled.sum() == 11 * 11 * 15 + 5 * 5 * 2
    assert not post_processed(probability, (1, 1, 1), PostRule(0.6))[gap].any()


def test_a_threshold_is_in():
    assert post_processed(np.full((2, 2), 0.5, np.float32), (1, 1), PostRule(0.5)).all()


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"threshold": 1.2}, {"floor": -1}, {"least_mm3": -1}])
def test_rules_that_cannot_be_are_refused(wrong):
    with pytest.raises(InputError, match="no such rule"):
        PostRule(**{"threshold": 0.5, **wrong})
