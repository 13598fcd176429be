"""Made-up pieces of a CT."""

import numpy as np

from hilum.datasets.patch_sample import HARD, POSITIVE, PatchSample
from tests.slices import ball

CONTOURS = "contours of 4 readers, at least half"


def patch(patient="LIDC-IDRI-0002", nodule="1", radius=4.0, seed=0, size=24, kind=None, voxel_mm=(1.0, 1.0, 1.0)):
    """A bright ball on noise, somewhere about the middle, and the point of its centre; a radius of 0 shows none."""
    rng = np.random.default_rng((seed, 9))
    centre = tuple(float(one) for one in rng.uniform(0.35 * size, 0.65 * size, 3))
    truth = ball((size,) * 3, centre, radius) if radius else np.zeros((size,) * 3, bool)
    image = np.clip(0.2 + 0.05 * rng.standard_normal(truth.shape) + 0.5 * truth, 0, 1).astype(np.float32)
    return PatchSample(
        key=f"{patient}-{nodule or 'none'}-{seed}",
        patient=patient,
        nodule=nodule,
        image=image,
        truth=truth,
        weight=np.ones_like(image),
        voxel_mm=voxel_mm,
        kind=kind or (POSITIVE if radius else HARD),
        truth_type=CONTOURS,
        point_zyx=centre if radius else None,
    )
