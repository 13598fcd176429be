"""Outlines to pixels, numbers from one grid to another, parts of masks, peaks of maps, axes in a known order."""

from hilum.ops.components import Connectivity, label_parts, largest_part, part_sizes
from hilum.ops.consensus import consensus, require_level
from hilum.ops.deformation import Deformation
from hilum.ops.morphology import grown, shrunk
from hilum.ops.orient import to_lps_axes
from hilum.ops.peaks import PeakRule, Peaks, peaks
from hilum.ops.placing import crop_to_outlines, place
from hilum.ops.rasterise import OutlineRule, fill_polygon, mask_from_outlines, rasterise, slice_indices
from hilum.ops.resample import Interpolation, resample_to

__all__ = [
    "Connectivity",
    "Deformation",
    "Interpolation",
    "OutlineRule",
    "PeakRule",
    "Peaks",
    "consensus",
    "crop_to_outlines",
    "fill_polygon",
    "grown",
    "label_parts",
    "largest_part",
    "mask_from_outlines",
    "part_sizes",
    "peaks",
    "place",
    "rasterise",
    "require_level",
    "resample_to",
    "shrunk",
    "slice_indices",
    "to_lps_axes",
]
