"""Candidates without a detector: the connected parts that a model of pieces marks in both lungs, told nothing."""

import numpy as np
from scipy import ndimage

from hilum.core import Geometry, Mask, Volume
from hilum.core.geometry import Triple
from hilum.core.mask import Selection
from hilum.infer.candidates import Candidate
from hilum.infer.volumes import PatchPredictor
from hilum.measure import equivalent_diameter_mm
from hilum.ops import label_parts

_MARGIN_MM = 20.0
"""Around the lungs, so that what lies at their edge is seen with its surroundings."""
_MOST = 100
"""Candidates a CT, as many as LUNA16's rule counts."""


def parts_in_lungs(axial: Volume, lungs: Mask, predictor: PatchPredictor) -> list[Candidate]:
    """The parts with the surest voxels first, 100 at most.

    Args:
        axial: a CT in HU, axes along the patient's.
        lungs: on any grid.
        predictor: a model of pieces of a CT.
    """
    block = lungs_box(axial, lungs)
    probability = predictor(block).array
    labels = label_parts(probability >= predictor.threshold)
    count = int(labels.max())
    if not count:
        return []
    flat = labels.ravel()
    surest = np.zeros(count + 1, dtype=np.float32)
    np.maximum.at(surest, flat, probability.ravel())
    order = np.argsort(-surest[1:], kind="stable")[:_MOST] + 1
    boxes = ndimage.find_objects(labels)
    found = []
    for label in order.tolist():
        z, y, x = boxes[label - 1]
        own = labels[z, y, x] == label
        grid = block.geometry.crop((z.start, y.start, x.start), own.shape)
        found.append(_candidate(own, float(surest[label]), grid))
    return found


def lungs_box(axial: Volume, lungs: Mask) -> Volume:
    """The part of a CT that holds the lungs, with a margin: no copy of its numbers."""
    grid = lungs.require_geometry()
    corners = axial.geometry.to_index(grid.to_lps_mm(np.argwhere(lungs.labels)))
    step = np.array(axial.geometry.spacing_zyx_mm)
    reach = (_MARGIN_MM + np.array(grid.spacing_zyx_mm) / 2) / step
    size = np.array(axial.array.shape)
    low = np.clip(np.floor(corners.min(axis=0) - reach), 0, size - 1).astype(int).tolist()
    high = np.clip(np.ceil(corners.max(axis=0) + reach) + 1, 1, size).astype(int).tolist()
    place = tuple(slice(first, last) for first, last in zip(low, high, strict=True))
    array = axial.array[place]
    return Volume(array, axial.geometry.crop((low[0], low[1], low[2]), array.shape), axial.quantity)


def _candidate(part: Selection, score: float, grid: Geometry) -> Candidate:
    """A part, at its voxel that lies nearest to its centroid: a bent one's centroid lies outside of it."""
    places = np.argwhere(part)
    steps = np.array(grid.spacing_zyx_mm)
    nearest = places[np.linalg.norm((places - places.mean(axis=0)) * steps, axis=1).argmin()]
    x, y, z = grid.to_lps_mm(nearest).tolist()
    centre: Triple = (x, y, z)
    return Candidate(centre, equivalent_diameter_mm(len(places) * grid.voxel_mm3), score)
