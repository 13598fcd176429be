"""CTs and pieces of CTs for tests: a body with lungs, nodules at known places."""

import numpy as np

from tests.slices import ball

RATINGS = ("subtlety", "malignancy")


def cube_arrays(patients, side=15, radius=4.0):
    """Arrays of a file of cubes: a ball in the middle of each, denser than lung."""
    truth = ball((side,) * 3, (side // 2,) * 3, radius)
    image, mask = [], []
    for patient in patients:
        noise = np.random.default_rng(patient).normal(0, 0.01, truth.shape)
        image.append(np.clip(np.where(truth, 0.75, 0.22) + noise, 0, 1))
        mask.append(truth)
    return {
        "image": np.array(image, np.float16),
        "mask": np.array(mask, np.uint8),
        "name": np.array([f"{patient - 1}_nod1_ann0" for patient in patients]),
        "patient": np.array(patients, np.int64),
        "attributes": np.array([[3.0, 2.0]] * len(patients)),
        "attribute_names": np.array(RATINGS),
    }
