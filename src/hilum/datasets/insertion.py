"""Real nodules' shadows added to training pictures, in display space. numpy only.

A published picture's brightness can't be turned back to attenuation, so this is an approximation: a nodule that is t mm
thick along the ray adds gain · t to the brightness, where the gain falls with the brightness around it (local
equalisation stretches dark lung most). Both numbers were fitted to the real nodules of training patients
(`hilum.datasets.nodule_bank`), and what anatomy does to a real nodule's contrast the picture's own anatomy does here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from hilum.core.geometry import Floats
from hilum.datasets.augment2d import Warp, read_linearly, source_places
from hilum.datasets.xray_sample import NoduleInfo, Picture, Truth, XraySample
from hilum.drr.visibility_score import visibility
from hilum.measure import disc_diameter_mm

if TYPE_CHECKING:
    from hilum.datasets.xray_config import InsertionConfig

Pair = tuple[float, float]

PLACES = 8
"""Places that are drawn for each nodule; the first that fits is taken."""

_APART_MM = 4.0
"""Between an inserted nodule and any lesion."""
_RING_MM = 6.0
_DARKEST, _LEAST_GAIN = 0.02, 0.0015
"""Darker surroundings are outside of the body; where a millimetre adds less, hardly anything would be seen of it."""


@dataclass(frozen=True)
class Gain:
    """What a nodule adds to brightness (0 to 1) for each mm of its thickness, by the brightness around it.

    Attributes:
        in_dark: where it is 0.
        by_brightness: more for each unit of brightness; negative.
        scatter: standard deviation of real nodules' mean contrast around the fit: anatomy, mostly.
        correlation: of real nodules' contrast with the fit.
        nodules: how many it was fitted to.
    """

    in_dark: float
    by_brightness: float
    scatter: float
    correlation: float
    nodules: int

    def at(self, brightness: float) -> float:
        """Per mm, never below 0."""
        return max(self.in_dark + self.by_brightness * brightness, 0.0)


@dataclass(frozen=True, eq=False)
class BankNodule:
    """One nodule's shape as seen from the front.

    Attributes:
        patient: whose it is.
        id: within the patient's series.
        reader_count: how many readers outlined it.
        size_mm: equivalent diameter of the consensus.
        thickness_mm: [row, column] path through the consensus, softened as the pictures are.
        silhouette: [row, column] what the `consensus` truth has of it.
        extent: [row, column] what any reader outlined, lines in: what the `union` truth has of it.
    """

    patient: str
    id: str
    reader_count: int
    size_mm: float
    thickness_mm: Picture
    silhouette: Truth
    extent: Truth


@dataclass(frozen=True, eq=False)
class NoduleBank:
    """Shapes of training patients' nodules, what they add to brightness, and where nodules occur.

    Attributes:
        nodules: the shapes.
        pixel_mm: side of their pixels.
        gain: fitted to real ones.
        places: [n, n] how often lesions occur at each share of a picture's height and width; sums to 1.
    """

    nodules: Sequence[BankNodule]
    pixel_mm: float
    gain: Gain
    places: Floats

    def chosen(self, config: "InsertionConfig", besides: str = "") -> list[int]:
        """Which nodules a configuration allows, but for those of one patient."""
        low, high = config.size_mm
        return [
            number
            for number, nodule in enumerate(self.nodules)
            if nodule.reader_count >= config.least_readers
            and low <= nodule.size_mm <= high
            and nodule.patient != besides
        ]


@dataclass(frozen=True)
class Insertion:
    """One nodule to insert, as drawn.

    Attributes:
        nodule: which of the bank's.
        angle_deg: turn in the picture's plane.
        is_flipped: mirrored.
        scale: enlargement, thickness included.
        density: factor on its contrast.
        places: (row, column) as shares of height and width, tried in this order.
    """

    nodule: int
    angle_deg: float
    is_flipped: bool
    scale: float
    density: float
    places: tuple[Pair, ...]


def draw_insertions(
    rng: np.random.Generator, bank: NoduleBank, config: "InsertionConfig", patient: str
) -> tuple[Insertion, ...]:
    """Draw what of other patients is inserted into one picture; often nothing.

    Args:
        rng: of all that is drawn.
        bank: to draw from.
        config: how much, and which.
        patient: whose the picture is; it never gets a nodule of its own.
    """
    chosen = bank.chosen(config, besides=patient)
    if rng.random() >= config.share or not chosen:
        return ()
    return tuple(draw_insertion(rng, bank, chosen, config) for _ in range(int(rng.integers(1, config.most + 1))))


def draw_insertion(
    rng: np.random.Generator, bank: NoduleBank, chosen: Sequence[int], config: "InsertionConfig"
) -> Insertion:
    """Draw one of the chosen nodules, how it is changed, and places for it."""
    cells = np.searchsorted(np.cumsum(bank.places), rng.random(PLACES) * bank.places.sum(), side="right")
    rows, columns = np.divmod(np.minimum(cells, bank.places.size - 1), bank.places.shape[1])
    within = rng.random((2, PLACES))
    shares = np.stack([rows + within[0], columns + within[1]], axis=1) / bank.places.shape
    return Insertion(
        nodule=chosen[int(rng.integers(len(chosen)))],
        angle_deg=float(rng.uniform(-180, 180)),
        is_flipped=bool(rng.random() < 0.5),
        scale=float((1 + config.scale) ** rng.uniform(-1, 1)),
        density=float((1 + config.density) ** rng.uniform(-1, 1)),
        places=tuple((float(row), float(column)) for row, column in shares),
    )


def inserted(
    sample: XraySample,
    insertions: Sequence[Insertion],
    bank: NoduleBank,
    truth: Literal["union", "consensus"] = "union",
    visibility_floor: float = 1.0,
) -> XraySample:
    """The sample with nodules added, marked as synthetic; one that fits at none of its places is left out.

    Args:
        sample: a training patient's.
        insertions: as drawn.
        bank: that they were drawn from.
        truth: which pixels become lesion: `union` every reader's, lines in; `consensus` the consensus's, lines out.
        visibility_floor: as in `XrayDataConfig`.
    """
    for number, insertion in enumerate(insertions, 1):
        patch = shadow_patch(bank.nodules[insertion.nodule], insertion, bank.pixel_mm, sample.pixel_mm)
        lesion = patch.extent if truth == "union" else patch.silhouette
        place = place_for(sample, insertion, patch, bank.gain)
        if place:
            shadow = patch.thickness_mm * np.float32(place.per_mm)
            info = replace(inserted_info(sample, place.corner, patch, shadow), id=f"inserted-{number}")
            sample = _added(sample, place.corner, shadow, lesion, info, visibility_floor)
    return sample


@dataclass(frozen=True)
class Place:
    """Where a nodule is inserted.

    Attributes:
        corner: first row and column.
        per_mm: what a mm of it adds to brightness there, 0 to 1.
    """

    corner: tuple[int, int]
    per_mm: float


@dataclass(frozen=True, eq=False)
class Patch:
    """A nodule's shadow on a picture's pixels, as small as it can be.

    Attributes:
        thickness_mm: [row, column] path through the consensus.
        silhouette: [row, column] of the consensus, lines out.
        extent: [row, column] all readers, lines in.
        size_mm: equivalent diameter.
        reader_count: how many readers outlined it.
    """

    thickness_mm: Picture
    silhouette: Truth
    extent: Truth
    size_mm: float
    reader_count: int


def place_for(sample: XraySample, insertion: Insertion, patch: Patch, gain: Gain) -> Place | None:
    """The first of an insertion's places where its patch fits and would be seen; None where there is none."""
    for place in insertion.places:
        corner = _corner(place, patch.extent.shape, sample)
        per_mm = _gain_at(sample, corner, patch, gain) if corner else None
        if corner and per_mm is not None:
            return Place(corner, per_mm * insertion.density)
    return None


def shadow_patch(nodule: BankNodule, insertion: Insertion, bank_mm: float, pixel_mm: float) -> Patch:
    """A bank's nodule, turned and enlarged, on pixels of another size."""
    height, width = nodule.extent.shape
    enlargement = insertion.scale * bank_mm / pixel_mm
    side = math.ceil(math.hypot(height, width) * enlargement) + 2
    warp = Warp(angle_deg=insertion.angle_deg, scale=enlargement, is_flipped=insertion.is_flipped)
    # One pixel of nothing around it, because what lies beyond the edge repeats it.
    planes = (nodule.thickness_mm, nodule.silhouette, nodule.extent)
    places = source_places(warp, (side, side), ((height + 1) / 2, (width + 1) / 2), pixel_mm)
    thickness, *shares = (read_linearly(np.pad(plane.astype(np.float32), 1), *places) for plane in planes)
    # However small, a lesion has a pixel.
    silhouette, extent = ((share >= 0.5) | (share == share.max()) for share in shares)
    box = _box(extent | (thickness > 0))
    return Patch(
        thickness[box] * np.float32(insertion.scale),
        silhouette[box],
        extent[box],
        nodule.size_mm * insertion.scale,
        nodule.reader_count,
    )


def _box(selection: Truth) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(selection.any(axis=1)), np.flatnonzero(selection.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _corner(place: Pair, shape: tuple[int, ...], sample: XraySample) -> tuple[int, int] | None:
    """First row and column of a patch in the middle of a place; None where it reaches over the edge or to a lesion."""
    first = [
        round(share * size - piece / 2) for share, size, piece in zip(place, sample.truth.shape, shape, strict=True)
    ]
    apart = math.ceil(_APART_MM / sample.pixel_mm)
    if any(
        one < apart or one + piece + apart > size
        for one, piece, size in zip(first, shape, sample.truth.shape, strict=True)
    ):
        return None
    row, column = first
    near = sample.truth[row - apart : row + shape[0] + apart, column - apart : column + shape[1] + apart]
    return None if near.any() else (row, column)


def _gain_at(sample: XraySample, corner: Pair, patch: Patch, gain: Gain) -> float | None:
    """What a mm adds at a place; None outside of the body, and where hardly anything would be seen."""
    brightness = float(_around(sample, corner, patch).mean())
    per_mm = gain.at(brightness)
    return per_mm if brightness >= _DARKEST and per_mm >= _LEAST_GAIN else None


def _around(sample: XraySample, corner: Pair, patch: Patch) -> Picture:
    """The picture where a patch will lie, and a ring around it."""
    margin = math.ceil(_RING_MM / sample.pixel_mm)
    rows, columns = (
        slice(max(int(first) - margin, 0), int(first) + size + margin)
        for first, size in zip(corner, patch.extent.shape, strict=True)
    )
    return sample.image[rows, columns]


def inserted_info(sample: XraySample, corner: Pair, patch: Patch, shadow: Picture) -> NoduleInfo:
    """What will be known of a nodule, by the rules of `hilum.drr.visibility`; its noise is that of the whole place."""
    noise = float(without_plane(_around(sample, corner, patch)).std())
    contrast = float(shadow[patch.silhouette].mean()) / noise if noise > 0 else math.nan
    disc_mm = disc_diameter_mm(int(patch.silhouette.sum()) * sample.pixel_mm**2)
    centre = corner[0] + (shadow.shape[0] - 1) / 2, corner[1] + (shadow.shape[1] - 1) / 2
    return NoduleInfo("", patch.size_mm, patch.reader_count, visibility(contrast, disc_mm), contrast, centre, True)


def without_plane(values: Picture) -> Picture:
    """A picture [y, x] less the plane that fits it best (least squares; on a whole rectangle rows and columns part)."""
    rest = values - values.mean()
    for axis in (0, 1):
        along = np.arange(values.shape[axis], dtype=np.float32) - np.float32((values.shape[axis] - 1) / 2)
        along = along[:, None] if axis == 0 else along[None]
        spread = float((along**2).sum()) * values.shape[1 - axis]
        rest = rest - along * np.float32((along * rest).sum() / spread if spread else 0.0)
    return np.asarray(rest, dtype=np.float32)


def _added(
    sample: XraySample, corner: tuple[int, int], shadow: Picture, lesion: Truth, info: NoduleInfo, floor: float
) -> XraySample:
    row, column = corner
    window = slice(row, row + shadow.shape[0]), slice(column, column + shadow.shape[1])
    image, truth, weight = sample.image.copy(), sample.truth.copy(), sample.weight.copy()
    image[window] = np.minimum(image[window] + shadow, 1)
    truth[window] |= lesion
    seen = 1.0 if math.isnan(info.visibility) else info.visibility
    weight[window][lesion] = floor + (1 - floor) * seen
    return replace(sample, image=image, truth=truth, weight=weight, nodules=(*sample.nodules, info))
