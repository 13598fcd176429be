"""Pairs named and sized like the published ones, made of LIDC's outlines alone."""

import numpy as np
from PIL import Image

from hilum.datasets.drr_pairs import MASK, PICTURE, PairGrid, Placing, pair_folder, union_mask
from hilum.io.lidc import lidc_reads

SMALL = ("LIDC-IDRI-0009", "LIDC-IDRI-0011", "LIDC-IDRI-0072", "LIDC-IDRI-0118", "LIDC-IDRI-0203")
"""Patients of all kinds: training, validation, with and without nodules."""


def publish(folder, patients):
    """A pair of each patient's first series in the published layout; the keys."""
    keys = []
    for patient in patients:
        read = lidc_reads(patient)[0]
        union = union_mask(read, Placing.PUBLISHED)
        rows, columns = np.indices(PairGrid.of(read).shape_yx)
        picture = ((rows * 7 + columns * 3) % 50 + 60 + 80 * union).astype(np.uint8)
        key = f"{patient}_01-01-2000-NA-NA-1_3.000000-NA-{read.series_uid[-5:]}"
        place = folder / pair_folder(patient)
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(place / f"{key}{PICTURE}")
        Image.fromarray(union.astype(np.uint8) * 255).save(place / f"{key}{MASK}")
        keys.append(key)
    return keys
