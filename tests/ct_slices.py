"""CT crops for tests: a chest wall in HU, a nodule in the lung, readers who differ by a rim."""

import csv

import numpy as np
from scipy import ndimage

LUNG, FAT, MUSCLE, BONE = -860.0, -100.0, 45.0, 700.0


def chest_hu(shape=(128, 128), *, wall=40, nodule=(60.0, 50.0, 6.0), noise=30.0, seed=0):
    """[y, x] HU: lung with vessels on the left, fat, muscle and a rib in the wall on the right, one nodule."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    hu = LUNG + 45 * _texture(shape, rng)
    for _ in range(12):
        row, column = rng.uniform(0, shape[0]), rng.uniform(0, shape[1])
        hu[np.hypot(rows - row, columns - column) < 1.5] = 0
    edge = shape[1] - wall
    hu[columns >= edge] = MUSCLE
    hu[columns >= shape[1] - wall // 5] = FAT
    hu[(columns >= edge + 4) & (columns < edge + 10) & (rows > shape[0] * 0.3) & (rows < shape[0] * 0.6)] = BONE
    if nodule is not None:
        hu[np.hypot(rows - nodule[0], columns - nodule[1]) < nodule[2]] = 30
    return np.clip(hu + rng.normal(0, noise, shape), -1024, 3071)


def _texture(shape, rng):
    """Slow variation of unit standard deviation: a lung is not one number, and denser behind."""
    smooth = ndimage.gaussian_filter(rng.normal(size=shape), 4)
    return smooth / smooth.std()


def stretched(hu):
    """As the published crops are: from the darkest to the brightest pixel, 8 bit."""
    return np.rint((hu - hu.min()) / (hu.max() - hu.min()) * 255).astype(np.uint8)


def crops(nodules, side=32):
    """Arrays of a file of crops.

    Args:
        nodules: (patient, nodule, slices, readers) each; reader k's disc is k / 2 pixels larger than the first's.
        side: of a crop.
    """
    image, bits, key = [], [], []
    rows, columns = np.mgrid[:side, :side]
    for patient, nodule, slices, readers in nodules:
        for number in range(slices):
            seed = patient * 100 + nodule * 10 + number
            image.append(stretched(chest_hu((side, side), wall=10, nodule=(15, 14, 4), seed=seed)))
            discs = [np.hypot(rows - 15, columns - 14) < 3 + k / 2 for k in range(readers)]
            bits.append(np.bitwise_or.reduce([disc.astype(np.uint8) << k for k, disc in enumerate(discs)]))
            key.append((patient, nodule, number))
    return {
        "image": np.array(image, np.uint8),
        "reader_bits": np.array(bits, np.uint8),
        "key": np.array(key, np.int16).reshape(-1, 3),
    }


def write_crops(folder, arrays, sizes=None):
    """`slices.npz` and `scan_spacing.csv`; `sizes` has further rows (patient, pixel, step)."""
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "slices.npz", **arrays)
    rows = [(f"LIDC-IDRI-{number:04}", 0.7, 2.5) for number in sorted(set(arrays["key"][:, 0].tolist()))]
    with (folder / "scan_spacing.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["patient", "seriesuid", "pixel_spacing_mm", "slice_thickness_mm", "slice_spacing_mm"])
        for patient, pixel, step in [*rows, *(sizes or [])]:
            writer.writerow([patient, "1.2.3", pixel, step, step])
    return folder / "slices.npz"
