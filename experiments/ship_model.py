"""A trained model into the package: kernels in float16, figures of the rounded weights.

    python experiments/ship_model.py RUN PAIRS src/hilum/weights/xray [ALSO …]

RUN is a finished training run, PAIRS the data set that it was trained on, ALSO further ones (hilum train --also).
"""

import sys
from pathlib import Path

from hilum.workflows.train_result import ship

if __name__ == "__main__":
    found = ship(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), also=[Path(one) for one in sys.argv[4:]]).found
    for name in ("dice_mean", "dice_pooled", "lesion_sensitivity"):
        print(f"{name:<20} {found.figures[name].value:.4f}")
