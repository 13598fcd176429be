"""What a rival reaches on CT slices that is told the nodule's place and learns a number or two: beside slice_points.py.

    python benchmarks/slice_rivals.py SLICES

SLICES is a data set from `hilum prepare slices`. Two rivals: a disc about the point, and what is denser than a level
within some millimetres of the point, of which the part nearest to the point is kept. Radius, level and reach are chosen
on training slices of nodules of three readers and more, by mean Dice; printed are they and the mean Dice per slice
(95 % by bootstrap over patients) on validation slices with truth.
"""

import sys
from itertools import product
from pathlib import Path

import numpy as np

from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.slice_load import load_slices
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.lesion_figures import mean_of
from hilum.infer.at_point import parts_at
from hilum.metrics.overlap import Ratio, confusion

RADII_MM = (2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
LEVELS_HU = (-700.0, -600.0, -500.0, -400.0, -300.0)
REACHES_MM = (6.0, 8.0, 10.0, 12.0)
WINDOW_HU = (-1000.0, 400.0)
SEED = 0


def far_mm(sample):
    """[y, x] distance from the point."""
    rows, columns = np.ogrid[: sample.truth.shape[0], : sample.truth.shape[1]]
    return np.hypot(rows - sample.point_px[0], columns - sample.point_px[1]) * sample.pixel_mm


def disc(sample, radius_mm):
    """About the point."""
    return far_mm(sample) <= radius_mm


def dense(sample, level_hu, reach_mm):
    """What is denser, near the point."""
    level = (level_hu - WINDOW_HU[0]) / (WINDOW_HU[1] - WINDOW_HU[0])
    marked = (sample.image > level) & (far_mm(sample) <= reach_mm)
    return parts_at(marked, sample.point_px, (sample.pixel_mm,) * 2)


def dices(samples, rival, *numbers):
    """Dice of each slice."""
    return np.array([Ratio.DICE(confusion(rival(one, *numbers), one.truth)) for one in samples])


def shown(split, folder, least):
    """Slices of a split that have truth."""
    every, _ = load_slices(folder, split, SliceDataConfig(point_share=1.0, least_readers=least))
    return [one for one in every if one.has_lesion]


if __name__ == "__main__":
    training, validation = (shown(split, Path(sys.argv[1]), 3) for split in ("train", "validation"))
    draw = resample_patients([one.patient for one in validation], np.random.default_rng(SEED))
    for rival, grid in ((disc, product(RADII_MM)), (dense, product(LEVELS_HU, REACHES_MM))):
        best = max(grid, key=lambda numbers, rival=rival: dices(training[::4], rival, *numbers).mean())
        found = mean_of("dice", dices(validation, rival, *best), draw)
        print(f"{rival.__name__} {best}: {found.value:.3f} ({found.low:.3f} to {found.high:.3f})", flush=True)
