"""What a network is shown depends on seed, epoch and place alone."""

from dataclasses import replace

import numpy as np
import pytest

from hilum.core import ConfigError
from hilum.datasets.xray_config import AugmentConfig, InsertionConfig
from hilum.train.xrays import Xrays
from tests.datasets.test_insertion import ball, bank
from tests.train.tiny import TINY, Discs

SAMPLES = Discs(6).samples


def planes(sample):
    return np.stack([sample.image, sample.truth, sample.weight])


def test_a_draw_can_be_replayed_in_any_order_by_any_process():
    one, other = (Xrays(SAMPLES, TINY) for _ in range(2))
    drawn = {(epoch, place): planes(one.draw(epoch, place, 2)) for epoch in (0, 1) for place in (0, 3)}
    for (epoch, place), expected in reversed(drawn.items()):
        np.testing.assert_array_equal(planes(other.draw(epoch, place, 2)), expected)
    assert len({one.tobytes() for one in drawn.values()}) == len(drawn)
    assert sorted(one.order(5)) == list(range(6))
    assert one.order(5) == other.order(5) != one.order(6)


def test_inserted_nodules_are_learnt_too():
    update = {"insertion": InsertionConfig(share=1.0, most=1), "augment": AugmentConfig.none()}
    config = TINY.model_copy(update=update)
    (empty,) = (Discs(1, seed=4).samples,)
    xrays = Xrays(empty, config, bank(ball(radius_mm=3.0)))
    drawn = [xrays.draw(0, place, 0) for place in range(6)]
    assert any(one.truth.sum() > empty[0].truth.sum() for one in drawn)
    assert any(one.is_synthetic for one in drawn)
    own = Xrays(empty, config, bank(replace(ball(radius_mm=3.0), patient=empty[0].patient)))
    assert not any(own.draw(0, place, 0).is_synthetic for place in range(6)), "no nodule of the picture's own patient"
    with pytest.raises(ConfigError, match="none to take"):
        Xrays(empty, config)
