"""What a network that marks nothing pays in Dice, on the training patients' masks of a prepared data set.

python benchmarks/empty_dice.py pairs
"""

import argparse
from pathlib import Path

import numpy as np

from hilum.datasets.xray_config import XrayDataConfig
from hilum.datasets.xray_load import load_samples

BATCH = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    for pixel_mm in (0.7, 1.4, 2.8):
        samples, _ = load_samples(parser.parse_args().pairs, "train", XrayDataConfig(pixel_mm=pixel_mm))
        pixels = np.array([one.truth.sum() for one in samples], dtype=float)
        empty = (pixels == 0).mean()
        print(
            f"{pixel_mm} mm: {len(pixels)} pictures, {empty:.1%} empty, median {np.median(pixels[pixels > 0]):.0f} px"
        )
        for smooth in (1e-5, 1.0, 10.0, 100.0):
            apart = 1 - (smooth / (pixels + smooth)).mean()
            together = 1 - smooth / (BATCH * pixels.mean() + smooth)
            print(f"  ε {smooth:g}: {apart:.3f} over each picture, {together:.4f} over {BATCH} pictures")


if __name__ == "__main__":
    main()
