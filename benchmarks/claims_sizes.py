"""The sources' claims about nodules in CT, measured on LIDC's outlines and LUNA16's list."""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from claims_arithmetic import ball, cube, dice
from claims_facts import Fact, number, percentage

from hilum.core import SpacingError
from hilum.core.mask import Mask
from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.datasets.splits import is_held_out
from hilum.io.lidc import Read, lidc_reads, lidc_scans
from hilum.io.lidc.types import IMAGE_SIZE
from hilum.measure import equivalent_diameter_mm, volume_mm3

ON = "LIDC-IDRI, outlined nodules · all but the held-out patients · consensus of half of its readers"
ON_3 = f"{ON}, n ≥ 3"
LUNA = "LUNA16, listed nodules · all but the held-out patients · ball of the listed diameter"
MIN_VOXELS = 20
"""Source B keeps parts of more than this many voxels, 1 mm apart: mm³."""


@dataclass(frozen=True)
class Size:
    """One nodule.

    Attributes:
        series_uid: of its CT.
        readers: how many outlined it.
        mm3: of its consensus.
        voxels: the same on the CT's own grid.
        ball_dice: of the consensus and the ball with its volume and centre; NaN when it is empty.
    """

    series_uid: str
    readers: int
    mm3: float
    voxels: int
    ball_dice: float


def measure(reads: Sequence[Read]) -> tuple[list[Size], int]:
    """All nodules' sizes, and how many lie on unevenly spaced slices and have none."""
    found, uneven = [], 0
    for read in reads:
        for nodule in lidc_nodules(read):
            try:
                found.append(_size(nodule, read))
            except SpacingError:
                uneven += 1
    return found, uneven


def _size(nodule: LidcNodule, read: Read) -> Size:
    mask = nodule.consensus(read.relative_grid(nodule.outlines))
    selection = mask.select(1)
    mm3 = volume_mm3(selection, mask.require_geometry())
    return Size(read.series_uid, nodule.reader_count, mm3, int(selection.sum()), ball_dice(mask))


def ball_dice(mask: Mask) -> float:
    """Dice of a mask with the ball that has its volume and centre, on the mask's grid, which is extended for it."""
    selection, grid = mask.select(1), mask.require_geometry()
    if not selection.any():
        return float("nan")
    spacing = np.array(grid.spacing_zyx_mm)
    radius = equivalent_diameter_mm(volume_mm3(selection, grid)) / 2
    margin = np.ceil(radius / spacing).astype(int) + 1
    padded = np.pad(selection, [(one, one) for one in margin])
    centre = np.argwhere(padded).mean(axis=0)
    axes = np.ogrid[tuple(slice(0, length) for length in padded.shape)]
    squared = sum(((axis - c) * step) ** 2 for axis, c, step in zip(axes, centre, spacing, strict=True))
    return dice(padded, np.asarray(squared <= radius**2))


def size_facts() -> list[Fact]:
    reads = [read for read in lidc_reads() if not is_held_out(str(read.patient))]
    sizes, uneven = measure(reads)
    return [
        number("sizes-uneven", "nodules on unevenly spaced slices, left out below", uneven, 0, None, ON),
        *_deleted(sizes),
        *_diameters(sizes),
        *_shares(sizes, reads),
        *_balls(sizes),
    ]


def _deleted(sizes: Sequence[Size]) -> Iterator[Fact]:
    """What source B's smallest size takes away."""
    n = len(sizes)
    one_reader = sum(one.readers == 1 for one in sizes) / n
    yield percentage("sizes-one-reader", "share of nodules with one reader", one_reader, 0, n, ON)
    groups = {"": (1, 2, 3, 4), "-1": (1,), "-2": (2,), "-3": (3,), "-4": (4,), "-3up": (3, 4)}
    names = {"": "any n", "-3up": "n ≥ 3"}
    for ending, readers in groups.items():
        group = [one for one in sizes if one.readers in readers]
        gone = sum(one.mm3 <= MIN_VOXELS for one in group)
        which = names.get(ending, f"n = {readers[0]}")
        yield number(f"sizes-gone{ending}", f"nodules of 20 mm³ or less, {which}", gone, 0, len(group), ON)
        share = gone / len(group)
        yield percentage(f"sizes-gone-share{ending}", f"their share, {which}", share, 1, len(group), ON)
    native = sum(one.voxels <= MIN_VOXELS for one in sizes)
    yield number("sizes-native", "nodules of 20 voxels or less on the CT's own grid", native, 0, n, ON)


def _diameters(sizes: Sequence[Size]) -> Iterator[Fact]:
    mm = np.array([equivalent_diameter_mm(one.mm3) for one in sizes if one.mm3])
    for p in (0, 5, 50, 95, 100):
        value = float(np.percentile(mm, p))
        yield number(f"sizes-mm-{p}", f"equivalent diameter in mm, {p} %", value, 1, len(mm), ON)
    for name, what, count in (("below-2", "below 2 mm", mm < 2), ("above-30", "above 30 mm", mm > 30)):
        yield number(f"sizes-{name}", f"nodules {what}", int(count.sum()), 0, len(mm), ON)


def _shares(sizes: Sequence[Size], reads: Sequence[Read]) -> Iterator[Fact]:
    nodule_mm3 = {read.series_uid: 0.0 for read in reads}
    for one in sizes:
        nodule_mm3[one.series_uid] += one.mm3
    shares = np.array([mm3 / ct_mm3(read) for read, mm3 in zip(reads, nodule_mm3.values(), strict=True) if mm3])
    for p in (50, 100):
        value = float(np.percentile(shares, p))
        text = f"share of a CT's volume that its nodules take, {p} %"
        yield percentage(f"sizes-ct-{p}", text, value, 4, len(shares), f"{ON}, CTs with a nodule")


def ct_mm3(read: Read) -> float:
    """Volume of all voxels of a series."""
    if read.pixel_mm is None:
        return float("nan")
    step = float(np.median(np.diff(read.slices_z_mm)))
    return (IMAGE_SIZE * read.pixel_mm) ** 2 * step * len(read.slices_z_mm)


def _balls(sizes: Sequence[Size]) -> Iterator[Fact]:
    scores = np.array([one.ball_dice for one in sizes if one.readers >= 3 and one.mm3])
    mean, high = float(scores.mean()), float((scores >= 0.9).mean())
    text = "Dice of a nodule with the ball of its volume and centre"
    yield number("sizes-ball", f"{text}, mean", mean, 3, len(scores), ON_3)
    yield percentage("sizes-ball-90", "share of nodules on which that ball has .90", high, 0, len(scores), ON_3)


# --- LUNA16 -------------------------------------------------------------------------------------------------------


def luna_diameters(annotations: Path) -> list[float]:
    """Of all listed nodules but those of held-out patients, in mm."""
    patients = {scan.series_uid: scan.patient for scan in lidc_scans()}
    with annotations.open(newline="") as file:
        rows = [(patients[row["seriesuid"]], float(row["diameter_mm"])) for row in csv.DictReader(file)]
    return [diameter for patient, diameter in rows if not is_held_out(patient)]


def luna_facts(data: Path) -> list[Fact]:
    mm = np.array(luna_diameters(data / "luna16" / "annotations.csv"))
    n = len(mm)
    found = [
        number(f"luna-mm-{p}", f"listed diameter in mm, {p} %", float(np.percentile(mm, p)), 1, n, LUNA)
        for p in (0, 50, 100)
    ]
    frame = 2 * int(np.ceil(mm.max() / 2)) + 3
    dummy = cube(frame=frame)
    scores = np.array([dice(dummy, ball(one, frame)) for one in mm])
    mean, above = float(scores.mean()), float((scores >= 0.5235).mean())
    text = "Dice of source B's dummy with the ball at the same place, 1 mm voxels"
    return [
        *found,
        number("luna-dummy", f"{text}, mean", mean, 3, n, LUNA),
        percentage("luna-dummy-above", "share on which it has B's test Dice .5235 or more", above, 0, n, LUNA),
    ]
