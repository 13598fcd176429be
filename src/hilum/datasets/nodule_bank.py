"""Shapes of real nodules, and what they add to a published picture's brightness: of training patients only."""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hilum.core import Failures, HilumError, InputError, TrainError
from hilum.core.geometry import Floats
from hilum.core.mask import Mask, Selection
from hilum.datasets.drr_pairs import PairGrid, pair_name, placed_on, read_of, silhouette_centre
from hilum.datasets.insertion import BankNodule, Gain, NoduleBank
from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.datasets.odd import is_misplaced
from hilum.datasets.prepared import CaseSource, read_prepared
from hilum.datasets.splits import Role, role
from hilum.datasets.xray_grid import PixelGrid
from hilum.drr.visibility import RING_MM, against_ring
from hilum.io import read_radiograph
from hilum.io.lidc import Read, lidc_reads
from hilum.measure.size import equivalent_diameter_mm, volume_mm3
from hilum.ops import OutlineRule

GAIN_READERS = 3
"""Nodules with fewer are not used to fit the gain."""

_LEVEL = 0.5
_BLUR_PX = 0.5
"""As the published pictures were (`hilum.drr.source_style`)."""
_PLACES, _PLACES_SIGMA = 48, 2.0
_LEAST = 10
_TRIES, _AWAY_MM = 24, (12.0, 60.0)
_ALIKE, _LEAST_ALIKE = 0.1, 4
"""How near the brightness around two places is for them to be compared, and how many such places there have to be."""


@dataclass(frozen=True)
class Measured:
    """One real nodule on its picture.

    Attributes:
        contrast: mean of its silhouette less the plane through the ring (`hilum.drr.visibility`), of the full range;
            less the same of its silhouette at other places of the picture, as bright. Between heart, ribs and wall the
            lung is darker than a plane through its surroundings: a nodule would seem to add less than it does.
        thickness_mm: mean path through its consensus under the silhouette.
        brightness: mean of the ring, of the full range.
    """

    contrast: float
    thickness_mm: float
    brightness: float


def build_bank(
    dataset: Path, pixel_mm: float = 0.7, least_readers: int = 2, max_failures: int = 5, seed: int = 0
) -> NoduleBank:
    """The bank of a prepared set of published pairs; some seconds for all of them.

    Pictures that are misplaced (`hilum.datasets.odd`) are left out; other remarks change neither picture nor truth.

    Args:
        dataset: its folder or index.
        pixel_mm: side of the shapes' pixels.
        least_readers: how many readers a shape needs.
        max_failures: pictures that may fail.
        seed: of the places that real nodules are compared with.

    Raises:
        InputError: a patient of the training split is not there to be learnt from.
        TooManyFailuresError: too many pictures can't be read, or LIDC doesn't know them.
        TrainError: too few nodules to fit anything.
    """
    data = read_prepared(dataset)
    patients = frozenset(data.splits["train"])
    require_training(patients)
    failures, found, rng = Failures(max_failures), [], np.random.default_rng(seed)
    reads = reads_by_patient()
    for case in data.cases(data.truth_name("union")):
        if case.patient in patients and not is_misplaced(case.odd):
            try:
                found.append(_of_case(case, reads, pixel_mm, least_readers, rng))
            except HilumError as error:
                failures.add(case.key, error)
    gain = fit_gain([one for case in found for one in case.measured])
    places = place_map([one for case in found for one in case.places])
    return NoduleBank([one for case in found for one in case.shapes], pixel_mm, gain, places)


def require_training(patients: Iterable[str]) -> None:
    """Refuse shapes of anybody who may not be learnt from.

    Raises:
        InputError: names the first who is no training patient of LIDC.
    """
    for patient in sorted(patients):
        if role(patient) is not Role.TRAIN:
            raise InputError(f"{patient} is for {role(patient)}: no shapes are taken from there.", "Split it anew.")


def fit_gain(measured: Sequence[Measured]) -> Gain:
    """Contrast = (in_dark + by_brightness · brightness) · thickness, by least squares.

    Raises:
        TrainError: too few nodules.
    """
    if len(measured) < _LEAST:
        raise TrainError(f"{len(measured)} real nodules are too few to fit what a nodule adds to brightness.")
    contrast, thickness, brightness = np.array([(m.contrast, m.thickness_mm, m.brightness) for m in measured]).T
    terms = np.stack([thickness, thickness * brightness], axis=1)
    coefficients = np.linalg.lstsq(terms, contrast, rcond=None)[0]
    fitted = terms @ coefficients
    together = float(np.corrcoef(fitted, contrast)[0, 1])
    return Gain(
        in_dark=float(coefficients[0]),
        by_brightness=float(coefficients[1]),
        scatter=float((contrast - fitted).std()),
        correlation=together,
        nodules=len(measured),
    )


def place_map(places: Sequence[tuple[float, float]]) -> Floats:
    """How often lesions occur at each share of height and width, smoothed; sums to 1."""
    counts = np.zeros((_PLACES, _PLACES))
    for row, column in places:
        counts[min(int(row * _PLACES), _PLACES - 1), min(int(column * _PLACES), _PLACES - 1)] += 1
    smooth = ndimage.gaussian_filter(counts, _PLACES_SIGMA, mode="constant")
    return np.asarray(smooth / smooth.sum())


@dataclass(frozen=True, eq=False)
class Outlined:
    """A nodule's voxels, computed once for all that is made of them.

    Attributes:
        nodule: as the readers outlined it.
        consensus: what at least half of its readers have.
        union: what any reader has, lines included.
    """

    nodule: LidcNodule
    consensus: Mask
    union: Mask

    @classmethod
    def of(cls, nodule: LidcNodule, read: Read) -> "Outlined":
        """On the block of the CT's grid that holds all outlines."""
        block = read.relative_grid(nodule.outlines)
        return cls(nodule, nodule.consensus(block, _LEVEL), nodule.consensus(block, 0.0, OutlineRule.OUTLINE))


def shape_of(outlined: Outlined, patient: str, pixel_mm: float) -> BankNodule | None:
    """A nodule as seen from the front, head up; None when its consensus is empty."""
    consensus, block = outlined.consensus.labels > 0, outlined.consensus.require_geometry()
    if not consensus.any():
        return None
    step_mm, depth_mm, column_mm = block.spacing_zyx_mm
    path, extent = (
        np.pad((mask.labels > 0).sum(axis=1)[::-1] * depth_mm, 1) for mask in (outlined.consensus, outlined.union)
    )
    rows, columns = path.shape
    grid = PixelGrid((rows, columns), (step_mm, column_mm), pixel_mm)
    thickness = ndimage.gaussian_filter(grid.mean(path), _BLUR_PX, mode="constant")
    return BankNodule(
        patient,
        outlined.nodule.id,
        outlined.nodule.reader_count,
        equivalent_diameter_mm(volume_mm3(consensus, block)),
        thickness.astype(np.float32),
        grid.nearest(path) > 0,
        grid.nearest(extent) > 0,
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """What one picture gives."""

    shapes: list[BankNodule]
    measured: list[Measured]
    places: list[tuple[float, float]]


def reads_by_patient() -> Mapping[str, list[Read]]:
    """All of LIDC at once: asking for one patient after another reads all of the database each time."""
    found = defaultdict(list)
    for read in lidc_reads():
        found[read.patient or ""].append(read)
    return found


def _of_case(
    case: CaseSource,
    reads: Mapping[str, Sequence[Read]],
    pixel_mm: float,
    least_readers: int,
    rng: np.random.Generator,
) -> _Found:
    if case.image is None:
        raise InputError(f"{case.key} has no picture.", "Prepare the data set again.")
    read = read_of(pair_name(case.image.name), reads.get(case.patient, ()))
    grid = PairGrid.of(read)
    picture = read_radiograph(case.image).array / 255.0
    grid.require_shape(picture.shape)
    nodules = [Outlined.of(nodule, read) for nodule in lidc_nodules(read)]
    shadows = [shadows_on(outlined, grid) for outlined in nodules]
    every = np.any([one for _, one in shadows], axis=0)
    found = _Found([], [], [])
    for outlined, (path_mm, seen) in zip(nodules, shadows, strict=True):
        count, centre = outlined.nodule.reader_count, silhouette_centre(seen)
        if centre:
            found.places.append((centre[0] / picture.shape[0], centre[1] / picture.shape[1]))
        if count >= least_readers and (shape := shape_of(outlined, case.patient, pixel_mm)):
            found.shapes.append(shape)
        if count >= GAIN_READERS:
            found.measured.extend(_measured(picture, path_mm, every, grid, rng))
    return found


def shadows_on(outlined: Outlined, grid: PairGrid) -> tuple[Floats, Selection]:
    """On the picture's pixels: mm through the consensus, and what any reader outlined."""
    consensus, union = outlined.consensus, outlined.union
    thick, flat = (np.asarray((mask.labels > 0).sum(axis=1), dtype=np.uint8) for mask in (consensus, union))
    path_mm = np.asarray(grid.rows(placed_on(thick, consensus, grid)), dtype=np.float64) * grid.column_mm
    return path_mm, np.asarray(grid.rows(placed_on(flat, union, grid)), dtype=bool)


def _measured(
    picture: Floats, path_mm: Floats, outlined: Selection, grid: PairGrid, rng: np.random.Generator
) -> list[Measured]:
    """One nodule against its ring, less what the same silhouette has elsewhere; nothing where that can't be said."""
    silhouette = path_mm > 0
    if not silhouette.any():
        return []
    beside = outlined & ~ndimage.binary_dilation(silhouette, iterations=2)
    places = _Pixels(*np.nonzero(silhouette))
    contrast, brightness = _stand(picture, places, beside, grid)
    elsewhere = [_stand(picture, moved, outlined, grid) for moved in _moved(places, outlined, grid, rng)]
    alike = [other for other, bright in elsewhere if abs(bright - brightness) < _ALIKE and np.isfinite(other)]
    if not np.isfinite(contrast) or len(alike) < _LEAST_ALIKE:
        return []
    return [Measured(contrast - float(np.mean(alike)), float(path_mm[silhouette].mean()), brightness)]


class _Pixels(NamedTuple):
    """The pixels of a silhouette, which is small on a large picture."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]


def _stand(picture: Floats, places: _Pixels, others: Selection, grid: PairGrid) -> tuple[float, float]:
    """Contrast against the ring, and the ring's brightness."""
    pixel_mm = grid.pixel_mm
    reach = math.ceil(RING_MM[1] / min(pixel_mm)) + 1
    top, left = (max(int(along.min()) - reach, 0) for along in places)
    bottom, right = (int(along.max()) + reach + 1 for along in places)
    window = slice(top, bottom), slice(left, right)
    silhouette = np.zeros(picture[window].shape, dtype=bool)
    silhouette[places.rows - top, places.columns - left] = True
    contrast = against_ring(picture[window], silhouette, pixel_mm, others[window]).contrast
    away_mm = ndimage.distance_transform_edt(~silhouette, sampling=pixel_mm)
    ring = (away_mm >= RING_MM[0]) & (away_mm <= RING_MM[1])
    return contrast, float(picture[window][ring].mean())


def _moved(places: _Pixels, outlined: Selection, grid: PairGrid, rng: np.random.Generator) -> Iterator[_Pixels]:
    """The silhouette where nobody outlined anything, some cm away."""
    (height, width), (row_mm, column_mm) = outlined.shape, grid.pixel_mm
    for angle, away_mm in zip(rng.uniform(0, 2 * math.pi, _TRIES), rng.uniform(*_AWAY_MM, _TRIES), strict=True):
        there = places.rows + round(away_mm * math.sin(angle) / row_mm)
        across = places.columns + round(away_mm * math.cos(angle) / column_mm)
        if min(there.min(), across.min()) < 0 or there.max() >= height or across.max() >= width:
            continue
        if not outlined[there, across].any():
            yield _Pixels(there, across)
