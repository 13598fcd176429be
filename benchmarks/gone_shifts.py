"""What calls of "gone" are worth when the earlier X-ray lies some millimetres off.

    python benchmarks/gone_shifts.py OVER_TIME [MODEL]

OVER_TIME is a prepared set of pairs over time, MODEL one of known lesions (the shipped one by default). The earlier
picture of each validation case is shifted with its lesions along rows and columns in turn, by as much as registration
may leave; then views are cut and judged by the model's own threshold. Printed for each shift: the share of lesions
still there that are falsely called gone, and of gone ones that are noticed. The threshold was chosen on these patients,
unshifted.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from hilum.datasets.known_lesions import known_score, known_views
from hilum.datasets.xray_config import XrayDataConfig
from hilum.datasets.xray_load import load_samples
from hilum.infer.known_lesions import view_probabilities
from hilum.infer.loaded import load_model

SHIFTS_MM = (0.0, 0.7, 1.4)


def shifted(sample, pixels):
    """The earlier picture and its lesions, moved; truth stays with the current one."""
    prior, known = (np.roll(one, pixels, (0, 1)) for one in (sample.prior, sample.prior_lesions))
    return replace(sample, prior=prior, prior_lesions=known)


def calls(model, samples, pixels):
    """Whether each known lesion is called gone, and whether it is; by what lies where it truly was."""
    called, gone = [], []
    for sample in samples:
        truly = [not view.has_lesion for view in known_views(sample)]
        views = known_views(shifted(sample, pixels))
        if not views or len(views) != len(truly):  # torn at the picture's edge
            continue
        probabilities = view_probabilities(model.network, views)
        scores = [known_score(one, view.prior_lesions) for one, view in zip(probabilities, views, strict=True)]
        called += [score < model.gone_threshold for score in scores]
        gone += truly
    return np.array(called), np.array(gone)


if __name__ == "__main__":
    model = load_model(sys.argv[2] if len(sys.argv) > 2 else "xray_known_lesions")
    wanted = XrayDataConfig(pixel_mm=model.pixel_mm, prior="earlier", prior_lesions=True)
    samples, _ = load_samples(Path(sys.argv[1]), "validation", wanted)
    for shift_mm in SHIFTS_MM:
        step = round(shift_mm / model.pixel_mm)
        ways = {(step, 0), (-step, 0), (0, step), (0, -step)}
        called, gone = (
            np.concatenate(some) for some in zip(*(calls(model, samples, way) for way in sorted(ways)), strict=True)
        )
        print(
            f"{shift_mm:.1f} mm: falsely gone {called[~gone].mean():.3f}, noticed {called[gone].mean():.3f}", flush=True
        )
