"""The boundary loss: how far from the true boundary probability lies."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilum.losses.base import PixelLoss
from hilum.losses.parts import Loss, single
from hilum.losses.pixels import Pixels


class Boundary(PixelLoss):
    """Mean of φ·p, with φ the signed distance of a pixel to the truth in pixels (Kervadec 2019).

    Negative when what is marked lies inside, and as low as it gets when exactly the truth is; it can't find a nodule
    that is missed altogether, so it goes beside another loss. Distances are computed by SciPy on the CPU for each
    batch (a copy of the truth from the GPU and one of the map back). Truth of .5 and more is inside; where weights are
    0, nothing is. Truth that is empty or fills the image has no boundary: 0.
    """

    def of(self, pixels: Pixels) -> Loss:
        """As in `PixelLoss`."""
        return single("boundary", pixels.mean(_signed_distances(pixels.truth) * pixels.probability))


def _signed_distances(truth: Tensor) -> Tensor:
    """φ of each sample and channel, of the truth's shape, type and device."""
    masks = (truth >= 0.5).cpu().numpy()
    maps = np.stack([np.stack([signed_distance(mask) for mask in sample]) for sample in masks])
    return torch.from_numpy(maps).to(truth)


def signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance to the boundary in pixels: positive outside, 0 on the outermost pixels inside, negative further in.

    Outside, it is the distance to the nearest pixel inside; inside, minus the distance to the nearest one outside,
    plus 1, as in Kervadec's code and in MONAI: the mask's outermost pixels have 0. No boundary: 0 everywhere.

    Args:
        mask: [y, x] or [z, y, x].
    """
    from scipy.ndimage import distance_transform_edt

    if not mask.any() or mask.all():
        return np.zeros(mask.shape)
    outside: NDArray[np.float64] = distance_transform_edt(~mask)
    inside: NDArray[np.float64] = distance_transform_edt(mask)
    return np.where(mask, 1 - inside, outside)
