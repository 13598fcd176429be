"""A nodule's volume from the HU at its edge, not from the number of its voxels.

A voxel at the edge is part nodule and part lung, and its HU says how much of each: the share (HU - lung) / (nodule -
lung) (partial-volume correction; Kuhnigk et al., IEEE Trans. Med. Imaging 25, 2006). A mask, a network's or a reader's,
only says where the nodule is; its own edge, which a network draws where its readers drew theirs, doesn't count:

1. **Levels**: the lung's is the median of voxels 2 to 8 mm from the mask that are lung. The nodule's is that of its
   deep voxels, taken locally (a Gaussian of 2 mm), so that a dense core doesn't thin a halo of ground glass.
2. **Surface**: the connected part that is more nodule than lung, within a voxel of the mask, away from what is dense
   beyond it (wall, vessels). Levels and surface are found in turn.
3. **Volume**: inner voxels count whole, those on either side of the surface by their share.

What touches the nodule and is as dense (a vessel, the wall) is cut where the mask ends, or where it comes near it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hilum.core import GeometryError, MeasureError, Volume
from hilum.core.geometry import Triple
from hilum.core.mask import Selection

Field = NDArray[np.float32]

FACES = ndimage.generate_binary_structure(3, 1)
"""Voxels that share a face."""
_EDGES = ndimage.generate_binary_structure(3, 2)
_RING_MM = (2.0, 8.0)
_LUNG_HU, _EMPTY_HU = -500.0, -850.0
_LEAST_RING = 50
_DEEP_MM, _DEEP_SHARE = 1.2, 0.7
"""The nodule's level is read so deep below the surface; in small ones from this share of the depth that there is."""
_LEAST_DEEP = 4
_LOCAL_MM = 2.0
_LEAST_RISE_HU = 100.0
_HALF = 0.5
_TURNS = 3
_BAND_MM = 1.3
_OUTSIDE = (-0.2, 0.5)
"""Shares of voxels outside the surface: noise may make them negative, and more than half would be inside."""
_NEAR_SHARE = 0.02
AROUND_MM = 12.0
"""Around the mask, that much of the CT is looked at."""


@dataclass(frozen=True, eq=False)
class Edge:
    """A nodule as its HU show it.

    Attributes:
        volume_mm3: by shares.
        inside: [z, y, x] voxels of the block that are more nodule than lung.
        lung_hu: around it.
        nodule_hu: median of its deep voxels.
        others: [z, y, x] what is dense beyond it.
        block: HU that it was measured in, a part of the CT.
    """

    volume_mm3: float
    inside: Selection
    lung_hu: float
    nodule_hu: float
    others: Selection
    block: Volume

    @property
    def mass_mg(self) -> float:
        """Volume (HU + 1000) / 1000, of a density of 1 mg/mm³ at 0 HU (de Hoop, Radiology 255, 2010)."""
        hu = self.block.array[self.inside]
        mean = float(hu.mean(dtype=np.float64)) if hu.size else math.nan
        return self.volume_mm3 * (mean + 1000) / 1000


def edge_volume(ct: Volume, mask: Selection) -> Edge:
    """The volume of a nodule from its HU.

    Args:
        ct: in HU.
        mask: [z, y, x] of the CT: about where the nodule is.

    Raises:
        UnitError: the CT is not in HU.
        GeometryError: the mask is on another grid.
        MeasureError: the mask is empty.
    """
    from hilum.core import Quantity

    ct.require(Quantity.HU)
    if mask.shape != ct.array.shape:
        raise GeometryError(f"a mask of shape {mask.shape} doesn't fit the CT's {ct.array.shape}.")
    if not mask.any():
        raise MeasureError("an empty mask has no volume to be measured from its edge.")
    block, near = around(ct, mask)
    steps = block.geometry.spacing_zyx_mm
    lung = _lung_level(block.array, near, steps)
    surface = _surface(block.array, near, steps, lung)
    return Edge(
        volume_mm3=_by_shares(surface, steps) * block.geometry.voxel_mm3,
        inside=surface.inside,
        lung_hu=lung,
        nodule_hu=surface.level_hu,
        others=surface.others,
        block=block,
    )


def around(ct: Volume, mask: Selection, margin_mm: float = AROUND_MM) -> tuple[Volume, Selection]:
    """The part of a CT around a mask, in float32, and the mask there."""
    found = ndimage.find_objects(mask.astype(np.uint8))[0]
    margin = np.ceil(margin_mm / np.array(ct.geometry.spacing_zyx_mm)).astype(int).tolist()
    z, y, x = (
        slice(max(one.start - more, 0), min(one.stop + more, size))
        for one, more, size in zip(found, margin, mask.shape, strict=True)
    )
    shape = (z.stop - z.start, y.stop - y.start, x.stop - x.start)
    return ct.crop((z.start, y.start, x.start), shape).astype(np.float32), np.asarray(mask[z, y, x])


def _lung_level(hu: Field, mask: Selection, steps: Triple) -> float:
    away = ndimage.distance_transform_edt(~mask, steps)
    lung = hu[(away > _RING_MM[0]) & (away < _RING_MM[1]) & (hu < _LUNG_HU)]
    return float(np.median(lung)) if len(lung) > _LEAST_RING else _EMPTY_HU


@dataclass(frozen=True, eq=False)
class _Surface:
    """Where the nodule ends.

    Attributes:
        inside: more nodule than lung.
        share: of nodule in each voxel, unlimited.
        others: dense, beyond the mask.
        level_hu: of its deep voxels.
    """

    inside: Selection
    share: Field
    others: Selection
    level_hu: float


def _surface(hu: Field, mask: Selection, steps: Triple, lung: float) -> _Surface:
    inside = mask
    wider = ndimage.binary_dilation(mask, FACES)
    apart = ~wider & (ndimage.distance_transform_edt(~mask, steps) > 1.0)
    for _ in range(_TURNS):
        deep = _deep(inside, steps)
        level = float(np.median(hu[deep]))
        share = (hu - lung) / np.maximum(_local(hu, deep, steps, level) - lung, _LEAST_RISE_HU)
        others = ndimage.binary_opening((share > _HALF) & apart, FACES)
        allowed = mask | (wider & ~ndimage.binary_dilation(others, FACES))
        part = _part_of((share > _HALF) & allowed, mask)
        is_same = bool((part == inside).all())
        inside = part if part.any() else mask
        if is_same:
            break
    return _Surface(inside, np.asarray(share, dtype=np.float32), others, level)


def _deep(inside: Selection, steps: Triple) -> Selection:
    depth = ndimage.distance_transform_edt(inside, steps)
    deep = depth > min(_DEEP_MM, _DEEP_SHARE * float(depth.max()))
    if deep.sum() < _LEAST_DEEP:
        deep = inside & (depth >= np.sort(depth, axis=None)[-_LEAST_DEEP])
    return np.asarray(deep)


def _local(hu: Field, deep: Selection, steps: Triple, level: float) -> Field:
    """The mean of deep voxels near by; where none is near, the median of all."""
    sigma = [_LOCAL_MM / step for step in steps]
    much = ndimage.gaussian_filter(deep.astype(np.float32), sigma)
    mean = ndimage.gaussian_filter(np.where(deep, hu, 0).astype(np.float32), sigma) / np.maximum(much, 1e-6)
    trust = much / (much + np.float32(_NEAR_SHARE))
    return np.asarray(trust * mean + (1 - trust) * np.float32(level))


def _part_of(dense: Selection, mask: Selection) -> Selection:
    """The connected part that shares most voxels with the mask, its holes filled; nothing where none does."""
    labels, count = ndimage.label(dense, FACES)
    shared = np.bincount(labels[mask], minlength=count + 1)
    shared[0] = 0
    return np.asarray(ndimage.binary_fill_holes(labels == shared.argmax()) if shared.any() else np.zeros_like(mask))


def _by_shares(surface: _Surface, steps: Triple) -> float:
    """Number of voxels' worth of nodule."""
    inside, share = surface.inside, surface.share
    inner = ndimage.binary_erosion(inside, FACES)
    band = ndimage.binary_dilation(inside, _EDGES)
    in_plane = ndimage.distance_transform_edt(~inside, (1e3, *steps[1:])) < _BAND_MM
    band = (band | in_plane) & ~inside & (share <= _HALF) & ~ndimage.binary_dilation(surface.others, FACES)
    rim = inside & ~inner
    return float(
        inner.sum()
        + np.clip(share[rim], 0, 1).sum(dtype=np.float64)
        + np.clip(share[band], *_OUTSIDE).sum(dtype=np.float64)
    )
