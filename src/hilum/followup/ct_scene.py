"""What of a CT is compared with another date: the lungs on cubic voxels of about 3 mm, and what is in them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from hilum.core import Geometry, Mask, Quantity, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.ct_lungs import block_grid
from hilum.drr.patient import block_means
from hilum.ops import resample_to

_MARGIN_MM = 21.0
"""Around the lungs, so that what lies at their edge is seen with its surroundings."""
_WINDOW_MM = 8.0
"""Sigma of the window in which density is evened out: breath changes it, vessels and their forks stay."""
_RANGE_HU = (-1000.0, -100.0)
_LEAST_SPREAD_HU = 40.0
"""Added to the local spread, so that noise isn't stretched to structure."""
_BLUR_CELLS = 0.8
"""Sigma, in voxels, by which density is blurred: reading between voxels blurs some of them and not others."""
_EDGE_CELLS = 0.7
"""Sigma, in voxels, by which the lungs' edges are softened."""
_WALL = 2.0
"""What stands beyond the lungs: about as much above the lung's mean as a vessel, so that edges are laid on edges."""


@dataclass(frozen=True, eq=False)
class Scene:
    """The lungs of one CT.

    Attributes:
        structure: [z, y, x] float32, density with its local mean and spread evened out; one number beyond the lungs,
            into which it passes softly.
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
    share = _softly(lungs, grid)
    return Scene(_structure(hu, share, _WINDOW_MM / cell_mm), np.asarray(share >= 0.5), grid)


def _softly(lungs: Mask, grid: Geometry) -> NDArray[np.float32]:
    """[z, y, x] share of lung, with soft edges: steps of whole voxels would be followed as if lungs had moved."""
    where = Volume((lungs.labels > 0).astype(np.float32), lungs.require_geometry(), Quantity.DISPLAY)
    return np.asarray(gaussian_filter(resample_to(where, grid).array, _EDGE_CELLS, mode="nearest"))


def _grid(ct: Geometry, lungs: Mask, cell_mm: float) -> Geometry:
    """About the lungs, within the CT."""
    places = lungs.require_geometry().to_lps_mm(np.argwhere(lungs.labels))
    corners = ct.corners_lps_mm()
    low = np.maximum(places.min(axis=0) - _MARGIN_MM, corners.min(axis=0))
    high = np.minimum(places.max(axis=0) + _MARGIN_MM, corners.max(axis=0))
    nx, ny, nz = np.maximum(2, np.floor((high - low) / cell_mm).astype(int) + 1).tolist()
    x, y, z = low.tolist()
    return Geometry.regular((nz, ny, nx), (cell_mm, cell_mm, cell_mm), (x, y, z))


def _structure(hu: NDArray[np.float32], share: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Density minus its mean, by its spread, both within the lungs in a Gaussian window."""

    def smooth(values: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(gaussian_filter(share * values, sigma, mode="constant") / weight)

    weight = gaussian_filter(share, sigma, mode="constant") + np.float32(1e-3)
    off = hu - smooth(hu)
    spread = np.sqrt(smooth(off * off) + np.float32(_LEAST_SPREAD_HU**2))
    return (share * (off / spread).clip(-_WALL, _WALL) + (1 - share) * np.float32(_WALL)).astype(np.float32)
