"""The nodules of a follow-up, measured from the HU at their edges, on the page and for matching.

Growth and advice go by both dates of a pair at once (`hilum.followup.volume_change`), which keeps their mean.

A mask says where a nodule is; its own edge is drawn where a network's readers drew theirs, outside of what is half
dense, and would make a nodule of 5 mm one of 6 to a rule set (`hilum.measure.partial_volume`).
"""

from dataclasses import replace

from hilum.core import Nodule, Volume
from hilum.core.mask import Selection
from hilum.measure import diameters, equivalent_diameter_mm, is_part_solid, solid_part
from hilum.measure.partial_volume import Edge, edge_volume

SOLID_MM = "solid_mean_diameter_mm"


def by_edge(nodule: Nodule, ct: Volume, mask: Selection) -> Nodule:
    """The nodule with volume and lengths from its edge; as it is where slices are too thick for a volume.

    Args:
        nodule: measured from its mask.
        ct: in HU, axes along the patient's.
        mask: [z, y, x] of the CT.
    """
    if nodule.volume_mm3 is None:
        return nodule
    edge = edge_volume(ct, mask)
    if not (edge.volume_mm3 > 0 and edge.inside.any()):
        return nodule
    lengths = diameters(edge.inside, edge.block.geometry)
    return replace(
        nodule,
        volume_mm3=edge.volume_mm3,
        diameters_mm=replace(lengths, equivalent_mm=equivalent_diameter_mm(edge.volume_mm3)),
        characteristics={**nodule.characteristics, **_solid(nodule, edge)},
    )


def _solid(nodule: Nodule, edge: Edge) -> dict[str, float]:
    """Mean diameter of the solid part of a part-solid nodule."""
    if nodule.texture is None or not is_part_solid(nodule.texture):
        return {}
    part = solid_part(edge.block.array, edge.inside)
    return {SOLID_MM: diameters(part, edge.block.geometry).mean_mm} if part.any() else {}
