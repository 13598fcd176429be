"""What of a CT is compared with another date: the lungs on cubic voxels of about 3 mm, and what is in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hilum.core import Geometry, Mask, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.ct_lungs import block_grid
from hilum.drr.patient import block_means
from hilum.ops import grown, resample_to

_MARGIN_MM = 21.0
"""Around the lungs, so that what lies at their edge is seen with its surroundings."""
_WINDOW_MM = 8.0
"""Sigma of the window whose mean is taken off: breath changes it, vessels and their forks stay."""
_RANGE_HU = (-1000.0, -100.0)
_AERATED_HU, _CONTRAST_HU = np.float32(-500.0), np.float32(200.0)
"""What is thinner counts for the mean; and what is one of structure."""
_BLUR_CELLS = 0.5
"""Sigma, in voxels, by which density is blurred: reading between voxels blurs some of them and not others."""
_NEAR_MM = 6.0
"""About the lungs, where density is looked at, so that their edges are those of the picture and not of the mask."""
_LIMIT = np.float32(3.0)
"""What structure is cut at, and what stands beyond: less than tissue comes to."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The lungs of one CT.

    Attributes:
        structure: [z, y, x] float32, density without its local mean; one number beyond the lungs.
        lungs: [z, y, x] where they are.
        geometry: of both: along the patient's axes, no farther than the CT reaches.
    """

    structure: NDArray[np.float32]
    lungs: Selection
    geometry: Geometry

    def places_mm(self) -> Floats:
        """[n, 3] the lungs' voxels in LPS mm."""
        return self.geometry.to_lps_mm(np.argwhere(self.lungs))


def scene(ct: Volume, lungs: Mask, cell_mm: float) -> Scene:
    """The scene of a CT.

    Args:
        ct: in HU.
        lungs: on any grid, not empty.
        cell_mm: side of the voxels.
    """
    grid = _grid(ct.geometry, lungs, cell_mm)
    nz, ny, nx = (max(1, round(cell_mm / step)) for step in ct.geometry.spacing_zyx_mm)
    means = Volume(block_means(ct, (nz, ny, nx)), block_grid(ct.geometry, (nz, ny, nx)))
    hu = gaussian_filter(np.clip(resample_to(means, grid).array, *_RANGE_HU), _BLUR_CELLS, mode="nearest")
    where = resample_to(lungs, grid).labels > 0
    return Scene(_structure(hu, where, cell_mm), where, grid)


def _grid(ct: Geometry, lungs: Mask, cell_mm: float) -> Geometry:
    """About the lungs, within the CT."""
    places = lungs.require_geometry().to_lps_mm(np.argwhere(lungs.labels))
    corners = ct.corners_lps_mm()
    low = np.maximum(places.min(axis=0) - _MARGIN_MM, corners.min(axis=0))
    high = np.minimum(places.max(axis=0) + _MARGIN_MM, corners.max(axis=0))
    nx, ny, nz = np.maximum(2, np.floor((high - low) / cell_mm).astype(int) + 1).tolist()
    x, y, z = low.tolist()
    return Geometry.regular((nz, ny, nx), (cell_mm, cell_mm, cell_mm), (x, y, z))


def _structure(hu: NDArray[np.float32], lungs: Selection, cell_mm: float) -> NDArray[np.float32]:
    """Density minus the mean of aerated lung in a Gaussian window, by a vessel's contrast; tissue comes to the limit.

    So does what lies farther away: where exactly lungs were found to end, and what slides along them, shows nowhere.
    """
    near = grown(lungs, _NEAR_MM, (cell_mm,) * 3)
    share = (near & (hu < _AERATED_HU)).astype(np.float32)
    weight = gaussian_filter(share, _WINDOW_MM / cell_mm, mode="constant") + np.float32(1e-3)
    mean = gaussian_filter(share * hu, _WINDOW_MM / cell_mm, mode="constant") / weight
    return np.where(near, np.clip((hu - mean) / _CONTRAST_HU, -_LIMIT, _LIMIT), _LIMIT).astype(np.float32)
