"""Cubes around nodules: what post-processing is worth.

    python benchmarks/cube_rules.py CUBES [MODEL]

CUBES is a data set from `hilum prepare cubes`, MODEL one of pieces of CTs (the shipped one by default). Each validation
cube is seen as a whole, told the middle of the reader's box; all parts count. Printed: mean Dice for each rule.
"""

import sys
from pathlib import Path

import numpy as np
import torch

from hilum.datasets.prepared import read_prepared
from hilum.infer.loaded import load_model
from hilum.infer.postprocess import SOURCE_B, PostRule, post_processed
from hilum.infer.volumes import PatchPredictor
from hilum.io import read_mask, read_volume
from hilum.metrics.overlap import Ratio, confusion
from hilum.workflows.predict_options import DEFAULT_CT


def main():
    """See the module."""
    torch.set_num_threads(1)
    data = read_prepared(Path(sys.argv[1]))
    predictor = PatchPredictor(load_model(sys.argv[2] if len(sys.argv) > 2 else DEFAULT_CT))
    own = predictor.threshold
    rules = {
        f"threshold {own:g}, the model's": PostRule(own),
        "the same, closing by 2 mm": PostRule(own, closing_mm=2.0, floor=0.1),
        "the same, without parts below 20 mm³": PostRule(own, least_mm3=20.0),
        "threshold .6": PostRule(0.6),
        "source B's": SOURCE_B,
    }
    dice = {name: [] for name in rules}
    for case in data.cases("nodule"):
        if case.patient not in set(data.splits["validation"]):
            continue
        ct = read_volume(case.image)
        truth = read_mask(case.truth, ct.geometry).labels > 0
        places = np.argwhere(truth)
        point = ct.geometry.to_lps_mm((places.min(axis=0) + places.max(axis=0)) / 2)
        probability = predictor(ct, tuple(float(one) for one in point)).array
        for name, rule in rules.items():
            marked = post_processed(probability, ct.geometry.spacing_zyx_mm, rule)
            dice[name].append(Ratio.DICE(confusion(marked, truth)))
    for name, values in dice.items():
        print(f"{name}: {np.mean(values):.3f} ({len(values)} cubes)")


if __name__ == "__main__":
    main()
