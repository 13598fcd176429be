"""A published picture's lesions: their thickness by LIDC's outlines, and what a mm of it adds to this picture."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from hilum.core import InputError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.datasets.drr_pairs import PairGrid, pair_name, read_of
from hilum.datasets.insertion import BankNodule
from hilum.datasets.lidc import lidc_nodules
from hilum.datasets.nodule_bank import Outlined, shadows_on, shape_of
from hilum.datasets.odd import is_misplaced
from hilum.datasets.over_time import Shadow
from hilum.datasets.prepared import CaseSource, stored_nodules
from hilum.datasets.splits import Role, role
from hilum.drr.visibility import RING_MM
from hilum.io import read_mask, read_radiograph
from hilum.io.lidc import Read
from hilum.measure import disc_diameter_mm
from hilum.ops import label_parts

SHAPES_MM = 0.7
"""Side of the pixels that shapes are kept on, to be inserted elsewhere."""
_LEAST_OVERLAP = 0.7
"""Of a lesion and the outlines within it, intersection over union, for them to be the same."""
_REACH_MM = 8.0
"""How far around a lesion the picture is looked at."""
_APART_MM = 4.0
"""Between a lesion that has grown as much as it may, and any other."""
_FAR_PX = 12
_SOFT_PX, _SOFT_SLICE = 0.7, 0.5
"""Sigma that softens thickness, in pixels and, along rows, in slices: the published pictures' blur, and their linear
way from slice to slice."""
_NOTHING = 1e-9


@dataclass(frozen=True)
class Fit:
    """How a lesion stands on a picture, by least squares.

    Attributes:
        per_mm: what a mm of it adds to brightness, at least 0.
        contrast: to noise: per_mm times the mean thickness, over what remains in the ring of `hilum.drr.visibility`.
        likeness: correlation of thickness and brightness, both less their planes.
    """

    per_mm: float = 0.0
    contrast: float = 0.0
    likeness: float = 0.0


@dataclass(frozen=True, eq=False)
class Lesion:
    """A part of the published truth.

    Attributes:
        corner: first row and column of its window, which has room for it to grow.
        shadow: as it is.
        fit: how it stands on the picture; zeros where that can't be said.
        has_room: whether it could have the diameter that the window was made for, apart from edges and other lesions.
        size_mm: diameter of the disc with its area.
        visibility: 0 to 1, of its most visible nodule; NaN when unknown.
    """

    corner: tuple[int, int]
    shadow: Shadow
    fit: Fit
    has_room: bool
    size_mm: float
    visibility: float = float("nan")


@dataclass(frozen=True, eq=False)
class Survey:
    """What one picture has.

    Attributes:
        case: its files.
        lesions: parts of its truth, in the order of their first pixels.
        shapes: of its nodules with enough readers, to be inserted elsewhere.
    """

    case: CaseSource
    lesions: Sequence[Lesion]
    shapes: Sequence[BankNodule] = ()


def survey(case: CaseSource, reads: Sequence[Read], growth: float) -> Survey:
    """Look at one published picture; nothing of a misplaced one can be changed, and it lends no shapes.

    Args:
        case: of a prepared set of published pairs; its truth is the union.
        reads: LIDC's of this patient.
        growth: by which factor a lesion's diameter may grow at most.

    Raises:
        InputError: there is no picture, the patient is held out, or LIDC doesn't know the series.
        GeometryError: the picture is not of its CT's size.
    """
    if case.image is None:
        raise InputError(f"{case.key} has no picture.", "Prepare the data set again.")
    if role(case.patient) not in (Role.TRAIN, Role.VALIDATION):
        raise InputError(f"{case.patient} is for {role(case.patient)}: no pairs are made of it.", "Leave it out.")
    read = read_of(pair_name(case.image.name), reads)
    grid = PairGrid.of(read)
    picture, truth = (read_radiograph(case.image).array / 255.0), read_mask(case.truth).labels > 0
    grid.require_shape(picture.shape)
    nodules = [] if is_misplaced(case.odd) else [Outlined.of(nodule, read) for nodule in lidc_nodules(read)]
    lesions = _lesions(picture, truth, [shadows_on(one, grid) for one in nodules], grid, growth)
    shapes = (shape_of(one, case.patient, SHAPES_MM) for one in nodules if one.nodule.reader_count >= 2)
    return Survey(case, _with_visibility(lesions, case), [shape for shape in shapes if shape is not None])


def _lesions(
    picture: Floats, truth: Selection, nodules: Sequence[tuple[Floats, Selection]], grid: PairGrid, growth: float
) -> list[Lesion]:
    labels = label_parts(truth)
    slice_px = grid.mean_step_mm / grid.pixel_mm[0]
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        lesion = labels == number
        inside = [(path, extent) for path, extent in nodules if (extent[box] & lesion[box]).any()]
        path_mm = _softened([path for path, _ in inside], box, slice_px, truth.shape)
        outlined = np.any([extent for _, extent in inside], axis=0) if inside else np.zeros_like(lesion)
        is_known = (outlined & lesion).sum() >= _LEAST_OVERLAP * (outlined | lesion).sum()
        window, fits = _window(box, truth.shape, growth)
        shadow = Shadow(path_mm[window].astype(np.float32), lesion[window])
        others = truth & ~lesion
        found.append(
            Lesion(
                corner=(window[0].start, window[1].start),
                shadow=shadow,
                fit=fit(picture, path_mm, lesion, others, grid.pixel_mm) if is_known else Fit(),
                has_room=fits and _is_apart(shadow.scaled(growth).extent, others[window], grid.pixel_mm),
                size_mm=disc_diameter_mm(int(lesion.sum()) * grid.pixel_mm[0] * grid.pixel_mm[1]),
            )
        )
    return found


def _softened(paths_mm: Sequence[Floats], box: tuple[slice, ...], slice_px: float, shape_yx: tuple[int, ...]) -> Floats:
    """The paths together [row, column], as soft as the picture; nodules of a lesion hardly reach out of its box."""
    result = np.zeros(shape_yx)
    near = tuple(slice(max(part.start - _FAR_PX, 0), part.stop + _FAR_PX) for part in box)
    if paths_mm:
        together = np.sum([path[near] for path in paths_mm], axis=0)
        result[near] = ndimage.gaussian_filter(together, (max(_SOFT_PX, _SOFT_SLICE * slice_px), _SOFT_PX))
    return result


def _window(box: tuple[slice, ...], shape_yx: tuple[int, ...], growth: float) -> tuple[tuple[slice, slice], bool]:
    """A lesion's window with room to grow about its middle, wherever that lies, and whether all of it is there."""
    wanted = []
    for part in box:
        margin = int(np.ceil((growth - 1) * (part.stop - part.start))) + 3
        wanted.append((part.start - margin, part.stop + margin))
    (top, bottom), (left, right) = wanted
    rows, columns = (slice(max(a, 0), min(b, size)) for (a, b), size in zip(wanted, shape_yx, strict=True))
    return (rows, columns), min(top, left) >= 0 and bottom <= shape_yx[0] and right <= shape_yx[1]


def _is_apart(extent: Selection, others: Selection, pixel_mm: PixelMm) -> bool:
    if not others.any():
        return True
    return bool(ndimage.distance_transform_edt(~others, sampling=pixel_mm)[extent].min() > _APART_MM)


def fit(picture: Floats, thickness_mm: Floats, lesion: Selection, others: Selection, pixel_mm: PixelMm) -> Fit:
    """What a mm of a lesion adds to a picture; 0 where it adds nothing.

    Brightness within 8 mm of the lesion, other lesions left out, is a plane + per_mm · thickness.

    Args:
        picture: [row, column].
        thickness_mm: path through the lesion.
        lesion: its pixels in the truth.
        others: pixels of other lesions.
        pixel_mm: row and column step.
    """
    reach = [int(np.ceil(_REACH_MM / step)) + 1 for step in pixel_mm]
    box = ndimage.find_objects(lesion.astype(np.uint8))[0]
    window = tuple(slice(max(part.start - more, 0), part.stop + more) for part, more in zip(box, reach, strict=True))
    away_mm = ndimage.distance_transform_edt(~lesion[window], sampling=pixel_mm)
    used = (away_mm <= _REACH_MM) & ~others[window]
    ring = (used & (away_mm >= RING_MM[0]) & (away_mm <= RING_MM[1]))[used]
    path, values = thickness_mm[window], picture[window].astype(np.float64)
    rows, columns = np.indices(path.shape)
    plane = np.stack([np.ones_like(path), rows, columns], axis=-1)[used]
    own, seen = (_without(one[used], plane) for one in (path, values))
    if not ring.any() or not np.linalg.norm(own) > _NOTHING or not np.linalg.norm(seen) > _NOTHING:
        return Fit()
    per_mm = float(own @ seen / (own @ own))
    noise = float((seen - per_mm * own)[ring].std())
    if per_mm <= 0 or noise <= 0:
        return Fit()
    mean_mm = float(path[path > 0.5 * path.max()].mean())
    return Fit(per_mm, per_mm * mean_mm / noise, float(own @ seen / (np.linalg.norm(own) * np.linalg.norm(seen))))


def _without(values: Floats, terms: Floats) -> Floats:
    """What the best combination of the terms leaves of the values."""
    return np.asarray(values - terms @ np.linalg.lstsq(terms, values, rcond=None)[0])


def _with_visibility(lesions: Sequence[Lesion], case: CaseSource) -> list[Lesion]:
    """Each lesion has the visibility of its most visible nodule."""
    nodules = stored_nodules(case.nodules) if case.nodules and lesions else ()
    found = []
    for lesion in lesions:
        (row, column), (height, width) = lesion.corner, lesion.shadow.extent.shape
        window = slice(row, row + height), slice(column, column + width)
        seen = [
            nodule.pair.visibility
            for nodule in nodules
            if (nodule.pair.readers[window][lesion.shadow.extent] > 0).any()
        ]
        known = [one for one in seen if not np.isnan(one)]
        found.append(replace(lesion, visibility=max(known)) if known else lesion)
    return found
