"""Outlines to pixels, numbers from one grid to another, axes in a known order."""

from hilum.ops.block import crop_to_outlines, place
from hilum.ops.orient import to_lps_axes
from hilum.ops.rasterise import OutlineRule, fill_polygon, mask_from_outlines, rasterise, slice_indices
from hilum.ops.resample import Interpolation, resample_to

__all__ = [
    "Interpolation",
    "OutlineRule",
    "crop_to_outlines",
    "fill_polygon",
    "mask_from_outlines",
    "place",
    "rasterise",
    "resample_to",
    "slice_indices",
    "to_lps_axes",
]
