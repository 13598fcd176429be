"""What can be told of the nodules on the published pairs at all: an observer who knows each one's shape, and a model.

    python benchmarks/how_visible.py PAIRS [--split validation] [--model default]

**The observer who knows.** For each nodule of LIDC that at least one reader outlined, its shadow's exact shape (mm of
the consensus along the ray) is a matched filter against the picture's own texture: divided by the mean power spectrum
of training pictures (a prewhitening matched filter, the best linear observer in stationary noise; Barrett & Myers 2004,
Foundations of Image Science, 13.2). Its answer is divided by its own variation within 30 mm, for the edge of the heart
answers to every filter.

*Known place*: the share of other places in the search region of the same picture where the answer is lower: .5 is
guessing, 1 sure (the area under the ROC curve of a two-alternative choice). *Search*: the place counts as found at k
false marks if at most k other peaks, 10 mm from any nodule, answer more.

**The model** is asked the same: the highest probability in the disc around the nodule's centre with the area of its
silhouette, against discs of that size elsewhere.

The search region holds 95 % of what training patients' lesions say of where lesions are. Nodules are those of the
pictures that nobody calls odd; size is that of the silhouette's disc, readers as LIDC counts them.
"""

import argparse
import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from hilum.datasets.drr_pairs import PairGrid, pair_name, placed_on, read_of, silhouette_centre
from hilum.datasets.lidc import lidc_nodules
from hilum.datasets.nodule_bank import Outlined, build_bank
from hilum.datasets.prepared import CaseSource, read_prepared
from hilum.datasets.xray_grid import PixelGrid
from hilum.evaluate.bootstrap import resample_patients
from hilum.infer.loaded import load_model
from hilum.infer.xray import XrayPredictor
from hilum.io import read_radiograph
from hilum.io.lidc import Read, lidc_reads
from hilum.measure import disc_diameter_mm

PIXEL_MM = 0.7
AROUND_MM, APART_MM, EDGE_MM = 30.0, 10.0, 12.0
REGION = 0.95
FALSE_MARKS = (1, 4)
STRATA = {"< 8 mm": (0, 8), "8-15 mm": (8, 15), ">= 15 mm": (15, math.inf)}


@dataclass(frozen=True, eq=False)
class Shadow:
    """A nodule on a picture: mm through its consensus, [y, x] of the whole picture."""

    readers: int
    path_mm: np.ndarray

    @property
    def diameter_mm(self) -> float:
        """Of the disc with the silhouette's area."""
        return disc_diameter_mm(int((self.path_mm > 0).sum()) * PIXEL_MM**2)

    @property
    def centre(self) -> tuple[int, int]:
        """Of the silhouette, (row, column)."""
        row, column = silhouette_centre(self.path_mm > 0)
        return round(row), round(column)


@dataclass(frozen=True, eq=False)
class Film:
    """A picture with its nodules and where to search."""

    patient: str
    image: np.ndarray
    shadows: Sequence[Shadow]
    region: np.ndarray

    @property
    def elsewhere(self) -> np.ndarray:
        """Places to search, away from every nodule."""
        taken = np.any([one.path_mm > 0 for one in self.shadows], axis=0)
        return self.region & (ndimage.distance_transform_edt(~taken) * PIXEL_MM > APART_MM)


@dataclass(frozen=True)
class Told:
    """What an observer makes of one nodule."""

    patient: str
    readers: int
    diameter_mm: float
    known_place: float
    higher_peaks: int


def films(data: Path, split: str, places: np.ndarray) -> Iterator[Film]:
    """The pictures of a split that have nodules."""
    prepared, reads = read_prepared(data), defaultdict(list)
    for read in lidc_reads():
        reads[read.patient or ""].append(read)
    for case in prepared.cases("union"):
        if case.patient in prepared.splits[split] and not case.odd:
            found = film(case, read_of(pair_name(case.image.name), reads[case.patient]), places)
            if found.shadows:
                yield found


def film(case: CaseSource, read: Read, places: np.ndarray) -> Film:
    """One picture on pixels of `PIXEL_MM`."""
    pair = PairGrid.of(read)
    picture = read_radiograph(case.image).array / 255.0
    pair.require_shape(picture.shape)
    grid = PixelGrid(picture.shape, case.pixel_mm, PIXEL_MM)
    shadows = []
    for nodule in lidc_nodules(read):
        consensus = Outlined.of(nodule, read).consensus
        flat = pair.rows(placed_on(np.asarray((consensus.labels > 0).sum(axis=1), dtype=np.uint8), consensus, pair))
        path_mm = grid.mean(np.asarray(flat, dtype=np.float64) * pair.column_mm)
        if (path_mm > 0).any():
            shadows.append(Shadow(nodule.reader_count, path_mm))
    image = grid.mean(picture)
    return Film(case.patient, image, shadows, region_of(places, image.shape))


def region_of(places: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The smallest region with `REGION` of the lesions, without the picture's edge."""
    ordered = np.sort(places.ravel())[::-1]
    least = ordered[np.searchsorted(np.cumsum(ordered), REGION)]
    rows, columns = (np.arange(size) * places.shape[axis] // size for axis, size in enumerate(shape))
    region, edge = places[np.ix_(rows, columns)] >= least, math.ceil(EDGE_MM / PIXEL_MM)
    region[:edge] = region[-edge:] = region[:, :edge] = region[:, -edge:] = False
    return region


def mean_spectrum(some: Sequence[Film], side: int = 128) -> np.ndarray:
    """Mean power of windowed pieces of the search region without nodules; [side, side], by radius."""
    window, found = np.outer(np.hanning(side), np.hanning(side)), []
    for one in some:
        free = one.elsewhere
        for row in range(0, one.image.shape[0] - side, side // 2):
            for column in range(0, one.image.shape[1] - side, side // 2):
                piece = slice(row, row + side), slice(column, column + side)
                if free[piece].mean() > 0.9:
                    values = one.image[piece]
                    found.append(np.abs(np.fft.fft2((values - values.mean()) * window)) ** 2)
    power = np.mean(found, axis=0)
    radius = np.rint(np.hypot(*np.meshgrid(*(np.fft.fftfreq(side) * side,) * 2))).astype(int)
    by_radius = np.bincount(radius.ravel(), power.ravel()) / np.bincount(radius.ravel())
    return by_radius[radius]


def answer(one: Film, shadow: Shadow, power: np.ndarray) -> np.ndarray:
    """[y, x] of the matched filter at each place, over its variation around it."""
    shape = one.image.shape
    zoom = [np.abs(np.fft.fftfreq(size)) * power.shape[0] for size in shape]
    there = ndimage.map_coordinates(power, np.meshgrid(*zoom, indexing="ij"), order=1, mode="nearest")
    row, column = shadow.centre
    template = np.roll(shadow.path_mm, (-row, -column), axis=(0, 1))
    transformed = np.fft.fft2(template) / there
    transformed[0, 0] = 0
    found = np.fft.ifft2(np.fft.fft2(one.image) * np.conj(transformed)).real
    sigma = AROUND_MM / PIXEL_MM / 2
    mean, square = (ndimage.gaussian_filter(value, sigma) for value in (found, found**2))
    return (found - mean) / np.sqrt(np.maximum(square - mean**2, 1e-30))


def told(one: Film, shadow: Shadow, values: np.ndarray, reach_mm: float) -> Told:
    """What an observer's answers say of one nodule; the best answer within `reach_mm` of its centre counts."""
    row, column = shadow.centre
    reach = max(round(reach_mm / PIXEL_MM), 1)
    disc = np.hypot(*np.ogrid[-reach : reach + 1, -reach : reach + 1]) <= reach
    highest = ndimage.maximum_filter(values, footprint=disc)
    own, others = highest[row, column], highest[one.elsewhere]
    known = float(np.mean(others < own) + np.mean(others == own) / 2)
    apart = round(APART_MM / PIXEL_MM)
    peak = (values == ndimage.maximum_filter(values, size=2 * apart + 1)) & one.elsewhere
    higher = int((values[peak] > own).sum() + (values[peak] == own).sum() // 2)
    return Told(one.patient, shadow.readers, shadow.diameter_mm, known, higher)


def table(name: str, found: Sequence[Told]) -> str:
    """Means by size and readers, with 95 % intervals over patients."""
    lines = [f"{name:34}{'n':>5}{'known place':>22}" + "".join(f"{f'found at {k}':>22}" for k in FALSE_MARKS)]
    for readers, says in ((1, "all"), (3, ">= 3 readers")):
        for label, (low, high) in STRATA.items():
            some = [one for one in found if one.readers >= readers and low <= one.diameter_mm < high]
            if some:
                values = [[one.known_place for one in some]]
                values += [[float(one.higher_peaks <= k) for one in some] for k in FALSE_MARKS]
                cells = "".join(f"{interval(value, [one.patient for one in some]):>22}" for value in values)
                lines.append(f"  {says + ', ' + label:32}{len(some):5}{cells}")
    return "\n".join(lines)


def interval(values: Sequence[float], patients: Sequence[str]) -> str:
    weights = resample_patients(patients, np.random.default_rng(0)).weights
    means = weights @ np.asarray(values) / np.maximum(weights.sum(axis=1), 1)
    low, high = np.percentile(means, (2.5, 97.5))
    return f"{np.mean(values):.3f} ({low:.3f}-{high:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--split", default="validation")
    parser.add_argument("--model", default="default")
    given = parser.parse_args()
    places = build_bank(given.pairs).places
    power = mean_spectrum(list(films(given.pairs, "train", places)))
    some = list(films(given.pairs, given.split, places))
    observer = [told(one, shadow, answer(one, shadow, power), 0) for one in some for shadow in one.shadows]
    print(
        f"{given.split}: {len(some)} pictures with {len(observer)} nodules, {len({o.patient for o in some})} patients"
    )
    print(table("observer who knows the shape", observer))
    predictor = XrayPredictor(load_model("xray" if given.model == "default" else given.model))
    asked = []
    for one in some:
        values = predictor.probability(one.image.astype(np.float32))
        asked += [told(one, shadow, values, shadow.diameter_mm / 2) for shadow in one.shadows]
    print(table(f"model {predictor.model.name}", asked))


if __name__ == "__main__":
    main()
