"""The mean chest of the training patients, which tells how wide an X-ray without millimetres is and whether it stands.

    python experiments/chest_template.py PAIRS src/hilum/datasets/chest.npy

PAIRS is a prepared data set of DRR pairs (`hilum prepare drr-pairs`). Pictures are laid over each other by correlation.
"""

import sys
from pathlib import Path

import numpy as np
from skimage.feature import match_template

from hilum.datasets.chest import CELL_MM, SHAPE, coarse
from hilum.datasets.xray_config import XrayDataConfig
from hilum.datasets.xray_load import load_samples

ROUNDS, MARGIN = 5, 10


def standardised(picture):
    return (picture - picture.mean()) / picture.std()


def middle(picture):
    top, left = ((size - wanted) // 2 for size, wanted in zip(picture.shape, SHAPE, strict=True))
    return picture[top : top + SHAPE[0], left : left + SHAPE[1]]


def best_place(picture, template):
    found = match_template(picture, template)
    top, left = np.unravel_index(found.argmax(), found.shape)
    return picture[top : top + SHAPE[0], left : left + SHAPE[1]]


def main(pairs: Path, out: Path) -> None:
    samples, _ = load_samples(pairs, "train", XrayDataConfig())
    upright = [one for one in samples if not any("upside" in line or "head" in line for line in one.odd)]
    small = [np.pad(coarse(one.image, one.pixel_mm), MARGIN, mode="edge") for one in upright]
    large = [picture for picture in small if all(np.array(picture.shape) >= SHAPE)]
    template = np.mean([standardised(middle(picture)) for picture in large], axis=0)
    for _ in range(ROUNDS):
        template = np.mean([standardised(best_place(picture, template)) for picture in large], axis=0)
    np.save(out, template.astype(np.float32))
    print(f"{len(large)} pictures, cells of {CELL_MM:g} mm: {out}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
