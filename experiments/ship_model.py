"""A trained model into the package: kernels in float16, figures of the rounded weights.

    python experiments/ship_model.py RUN PAIRS src/hilum/weights/xray

RUN is a finished training run, PAIRS the data set that it was trained on.
"""

import sys
from pathlib import Path

from hilum.workflows.train_result import ship

if __name__ == "__main__":
    found = ship(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])).found
    for name in ("dice_mean", "dice_pooled", "lesion_sensitivity"):
        print(f"{name:<20} {found.figures[name].value:.4f}")
