"""Cubes around nodules: how well a model outlines the nodule at one point, beside the shipped model of slices.

    python benchmarks/cube_points.py CUBES [--model MODEL …] [--tta]

CUBES is a data set from `hilum prepare cubes`; its validation cubes are predicted as CTs of their own, at the point in
the middle of the reader's box, and judged against that one reader. Printed for each model: Dice a cube (95 % by
bootstrap over patients), median, of all voxels together, and the measured volume as a share of the reader's.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from hilum.datasets.data_kind import SLICES
from hilum.datasets.prepared import read_prepared
from hilum.evaluate.bootstrap import resample_patients
from hilum.infer.loaded import load_model, model_kind
from hilum.infer.prompted import nodule_at
from hilum.infer.prompted_volume import nodule_in_volume
from hilum.infer.slices import SliceOptions, SlicePredictor
from hilum.infer.volumes import PatchPredictor, VolumeOptions
from hilum.io import read_mask, read_volume
from hilum.metrics.overlap import Ratio, confusion, pooled
from hilum.workflows.predict_options import SHIPPED_FOR


def finder_of(name, tta):
    """What outlines the nodule at a point, by a model of slices or of pieces."""
    if model_kind(name) == SLICES:
        predictor = SlicePredictor(load_model(name), SliceOptions(tta=tta))
        return lambda ct, point: nodule_at(ct, point, predictor)
    predictor = PatchPredictor(load_model(name), VolumeOptions(tta=tta))
    return lambda ct, point: nodule_in_volume(ct, point, predictor)


def outlined(case, find):
    """Voxels that agree or don't, and the volumes' ratio."""
    ct = read_volume(case.image)
    truth = read_mask(case.truth, ct.geometry).labels > 0
    places = np.argwhere(truth)
    point = ct.geometry.to_lps_mm((places.min(axis=0) + places.max(axis=0)) / 2)
    own = find(ct, tuple(float(one) for one in point)).mask.labels > 0
    return confusion(own, truth), own.sum() / truth.sum()


def main():
    """See the module."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("data", type=Path)
    asked.add_argument("--model", action="append", default=[])
    asked.add_argument("--tta", action="store_true")
    given = asked.parse_args()
    torch.set_num_threads(1)
    data = read_prepared(given.data)
    cases = [one for one in data.cases("nodule") if one.patient in set(data.splits["validation"])]
    draws = resample_patients([one.patient for one in cases], np.random.default_rng(0))
    for name in [*given.model, SHIPPED_FOR[SLICES]]:
        find = finder_of(name, given.tta)
        counts, volumes = zip(*(outlined(case, find) for case in cases), strict=True)
        dice = np.array([Ratio.DICE(one) for one in counts])
        means = (draws.weights @ dice) / draws.weights.sum(axis=1)
        low, high = np.percentile(means, (2.5, 97.5))
        bias = np.array(volumes) - 1
        biases = (draws.weights @ bias) / draws.weights.sum(axis=1)
        print(
            f"{name}: Dice {dice.mean():.3f} ({low:.3f}-{high:.3f}), median {np.median(dice):.3f}, pooled "
            f"{Ratio.DICE(pooled(counts)):.3f}; volume {bias.mean():+.1%} "
            f"({np.percentile(biases, 2.5):+.1%} to {np.percentile(biases, 97.5):+.1%}), median "
            f"{np.median(bias):+.1%}; {len(cases)} cubes",
            flush=True,
        )


if __name__ == "__main__":
    main()
