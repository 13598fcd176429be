"""How far the human yardstick depends on its rules: the second half of docs/explanation/yardstick.md.

    python benchmarks/yardstick_variants.py [--data FOLDER]

FOLDER (else $HILUM_DATA, else ../shared/data) holds lidc-slices/. Held-out patients are left out everywhere.
"""

import argparse
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import pdist

from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.datasets.splits import is_held_out
from hilum.evaluate.yardstick import BANDS_MM, Against, View, agreement
from hilum.io.lidc import Read, lidc_reads
from hilum.measure import diameters, equivalent_diameter_mm
from hilum.ops import OutlineRule

RULES = (OutlineRule.INSIDE, OutlineRule.OUTLINE)


@dataclass(frozen=True, eq=False)
class Variants:
    """One nodule of three readers or more by several rules."""

    dice: dict[str, float]
    size_mm: dict[str, float]


def drawn(nodule: LidcNodule, read: Read, rule: OutlineRule) -> NDArray[np.bool_]:
    masks = nodule.masks(read.relative_grid(nodule.outlines), rule)
    return np.array([mask.select(1) for mask in masks])


def variants(nodule: LidcNodule, read: Read) -> Variants:
    inside, outline = (drawn(nodule, read, rule) for rule in RULES)
    flat = inside.any(axis=2, keepdims=True)
    dice = {
        "3D, lines out (the yardstick)": agreement(inside, View.VOLUME, Against.OTHERS)[0],
        "3D, lines in": agreement(outline, View.VOLUME, Against.OTHERS)[0],
        "silhouette, consensus in 3D (the yardstick)": agreement(inside, View.SILHOUETTE, Against.OTHERS)[0],
        "silhouette, consensus among shadows": agreement(flat, View.SILHOUETTE, Against.OTHERS)[0],
        "silhouette, lines in": agreement(outline, View.SILHOUETTE, Against.OTHERS)[0],
    }
    return Variants(dice, sizes(nodule, read, inside))


def sizes(nodule: LidcNodule, read: Read, masks: NDArray[np.bool_]) -> dict[str, float]:
    grid = nodule.masks(read.relative_grid(nodule.outlines))[0].require_geometry()
    agreed = masks.sum(axis=0) >= len(masks) / 2
    if not agreed.any():
        return {}
    lengths = [max(length_px(mark.outlines)) * (read.pixel_mm or np.nan) for mark in nodule.marks]
    return {
        "equivalent diameter of the consensus (the yardstick)": equivalent_diameter_mm(agreed.sum() * grid.voxel_mm3),
        "long axis of the consensus": diameters(agreed, grid).long_axis_mm,
        "longest distance within an outline, mean of the readers": float(np.mean(lengths)),
    }


def length_px(outlines: Sequence[object]) -> Iterator[float]:
    for outline in outlines:
        points = outline.points_xy  # type: ignore[attr-defined]
        yield float(pdist(points).max()) if len(points) > 1 else 0.0


def report_rules(found: Sequence[Variants]) -> None:
    for name in found[0].dice:
        values = np.array([one.dice[name] for one in found])
        print(f"  {name}: {np.nanmean(values):.3f} (n {np.isfinite(values).sum()})")
    bounds = (0, *BANDS_MM[View.VOLUME], np.inf)
    for name in found[0].size_mm:
        known = [one for one in found if name in one.size_mm]
        size = np.array([one.size_mm[name] for one in known])
        dice = np.array([one.dice["3D, lines out (the yardstick)"] for one in known])
        bands = [(size >= low) & (size < high) for low, high in pairwise(bounds)]
        print(f"  3D by {name}: " + ", ".join(f"{np.nanmean(dice[band]):.3f} ({band.sum()})" for band in bands))


def crops(path: Path) -> Iterator[NDArray[np.bool_]]:
    """[readers, slices, y, x] of each nodule of lidc-slices with three readers or more."""
    stored = np.load(path)
    patient_nodule = stored["key"][:, :2]
    bits = stored["reader_bits"]
    for key in np.unique(patient_nodule, axis=0):
        if is_held_out(f"LIDC-IDRI-{key[0]:04d}"):
            continue
        stack = bits[(patient_nodule == key).all(axis=1)]
        masks = np.array([(stack >> reader & 1).astype(bool) for reader in range(8)])
        masks = masks[masks.any(axis=(1, 2, 3))]
        if len(masks) >= 3:
            yield masks


def report_crops(path: Path) -> None:
    stacks = list(crops(path))
    for view in (View.VOLUME, View.SLICE, View.DRAWN_SLICE):
        for against in (Against.OTHERS, Against.INSIDE):
            values = np.concatenate([agreement(stack, view, against) for stack in stacks])
            print(f"  {view}, {against}: {np.nanmean(values):.3f} (n {np.isfinite(values).sum()})")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    parser.add_argument("--data", type=Path, default=os.environ.get("HILUM_DATA") or beside)
    slices = parser.parse_args().data / "lidc-slices" / "slices.npz"
    reads = [read for read in lidc_reads() if not is_held_out(str(read.patient))]
    nodules = [(nodule, read) for read in reads for nodule in lidc_nodules(read) if nodule.reader_count >= 3]
    print("Outlines of LIDC, three readers or more")
    report_rules([variants(nodule, read) for nodule, read in nodules])
    print("Crops of lidc-slices, three readers or more")
    report_crops(slices)


if __name__ == "__main__":
    main()
