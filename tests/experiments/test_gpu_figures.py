"""Figures of machines that have PyTorch and NumPy alone are those of judging."""

import numpy as np
import pytest
import torch
from experiments.gpu_figures import LEVELS, SIZE_BANDS_MM, THRESHOLDS, Judge, parts_of

from hilum.datasets import drr_pairs
from hilum.datasets.xray_sample import XraySample
from hilum.ops import label_parts
from hilum.train import judging


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.6, 1.0])
def test_parts_are_scipys(share):
    mask = np.random.default_rng(int(100 * share)).random((37, 41)) < share
    np.testing.assert_array_equal(parts_of(mask), label_parts(mask))


def test_a_snake_is_one_part():
    mask = np.zeros((41, 41), bool)
    mask[::2] = True
    mask[1::4, -1] = mask[3::4, 0] = True
    np.testing.assert_array_equal(parts_of(mask), label_parts(mask))


def judged():
    """Pictures of two sizes, one of them without a lesion, and probabilities that find some."""
    samples, maps = [], torch.full((5, 60, 70), -1.0)
    for number in range(5):
        rng = np.random.default_rng(number)
        rows, columns = (60, 50) if number % 2 else (44, 70)
        y, x = np.indices((rows, columns))
        truth = (np.hypot(y - 20, x - 20) < 4 + 2 * number) & (number != 3)
        image = np.zeros((rows, columns), np.float32)
        samples.append(XraySample(str(number), "nobody", image, truth, np.ones_like(image), 0.7))
        blob = np.exp(-(np.hypot(y - 24, x - 22) ** 2) / 60) * rng.uniform(0.4, 1)
        maps[number, :rows, :columns] = torch.from_numpy(np.clip(blob + 0.05 * rng.random((rows, columns)), 0, 1))
    return samples, maps


@pytest.mark.parametrize("monitor", ["dice_mean", "dice_pooled"])
def test_figures_are_those_of_judging(monitor):
    samples, maps = judged()
    planes = [
        plane[: one.truth.shape[0], : one.truth.shape[1]].numpy() for plane, one in zip(maps, samples, strict=True)
    ]
    expected = judging.judge(planes, [one.truth for one in samples], monitor)
    assert Judge(samples, torch.device("cpu")).figures(maps, monitor) == pytest.approx(expected)
    assert THRESHOLDS == judging.THRESHOLDS
    assert SIZE_BANDS_MM == drr_pairs.SIZE_BANDS_MM


def test_lesions_are_looked_for_down_to_one_false_positive_a_picture():
    samples, _ = judged()
    judge = Judge(samples[:2], torch.device("cpu"))
    maps = torch.full((2, 60, 70), -1.0)
    for number, sample in enumerate(samples[:2]):
        rows, columns = sample.truth.shape
        maps[number, :rows, :columns] = 0
        maps[number, 20, 20] = 0.7  # both found
        maps[number, 40, 40] = 0.5  # one false positive each
        maps[number, 40, 44] = 0.3 * number  # one too many
    found = judge.at_one_false_positive(maps)
    assert found["at_level"] == min(level for level in LEVELS if level > 0.3)
    assert (found["at_sensitivity"], found["at_false_positives"]) == (1, 1)
    assert found["at_sensitivity_lt8"] == 1
    assert np.isnan(found["at_sensitivity_ge15"])
