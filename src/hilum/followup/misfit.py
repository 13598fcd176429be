"""How well an earlier picture lies over the current one, in figures."""

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.followup.alignment import Alignment

_WINDOW_MM = 12.0
_BINS = 32
_DARK = 0.12
_LEAST_VARIANCE = 1e-4


@dataclass(frozen=True)
class Misfit:
    """Figures of a registration; those that are undefined are NaN.

    Attributes:
        correlation: mean of Pearson's correlation in windows (sigma 12 mm) within the body, after registration.
        correlation_before: the same when both pictures are only laid corner to corner.
        mutual_information: of both pictures' grey levels within the body, in bits (32 bins).
        covered: share of the current picture's body that the earlier picture reaches.
        shift_mm: mean length of the way that places within the body were moved.
        bend_mm: the same, of what remains after the best affine map.
        least_area: smallest local change of area within the body: 1 % of it changes by less.
        most_area: largest, likewise.
    """

    correlation: float
    correlation_before: float
    mutual_information: float
    covered: float
    shift_mm: float
    bend_mm: float
    least_area: float
    most_area: float

    def figures(self) -> dict[str, float]:
        """All by name."""
        return asdict(self)


def misfit(prior: Floats, current: Floats, alignment: Alignment) -> Misfit:
    """How well two pictures fit.

    Args:
        prior: [y, x] on the alignment's cells.
        current: the same.
        alignment: of the two.
    """
    rows, columns = (np.arange(size) for size in current.shape)
    index = np.stack(np.meshgrid(rows, columns, indexing="ij")) + alignment.field_mm / alignment.cell_mm
    within = np.all([(i >= 0) & (i <= n - 1) for i, n in zip(index, prior.shape, strict=True)], axis=0)
    moved = ndimage.map_coordinates(prior, index, order=1, mode="nearest")
    body = body_of(current)
    seen = body & within
    areas = area_change(alignment)[seen]
    return Misfit(
        correlation=local_correlation(moved, current, seen, alignment.cell_mm),
        correlation_before=_before(prior, current, body, alignment.cell_mm),
        mutual_information=_mutual_information(moved[seen], current[seen]),
        covered=float(seen.sum() / max(1, body.sum())),
        shift_mm=_mean_length(alignment.field_mm[:, seen]),
        bend_mm=_mean_length(_without_affine(alignment.field_mm, seen)),
        least_area=float(np.percentile(areas, 1)) if areas.size else np.nan,
        most_area=float(np.percentile(areas, 99)) if areas.size else np.nan,
    )


def body_of(picture: Floats) -> Selection:
    """Where the patient is: all but what is dark from the edge of the picture inwards."""
    dark = ndimage.gaussian_filter(picture, 1, mode="nearest") < _DARK * float(np.percentile(picture, 99))
    labels, _ = ndimage.label(dark)
    sides = np.unique(np.concatenate((labels[:, 0], labels[:, -1], labels[0], labels[-1])))
    return np.asarray(~np.isin(labels, sides[sides > 0]))


def local_correlation(one: Floats, other: Floats, where: Selection, cell_mm: float) -> float:
    """Mean over `where` of Pearson's correlation in Gaussian windows; NaN where there is nothing."""

    def smooth(picture: Floats) -> Floats:
        return np.asarray(ndimage.gaussian_filter(picture, _WINDOW_MM / cell_mm, mode="nearest"))

    a, b = smooth(one), smooth(other)
    spreads = [smooth(picture**2) - mean**2 for picture, mean in ((one, a), (other, b))]
    together = smooth(one * other) - a * b
    local = together / np.sqrt(np.maximum(spreads[0], _LEAST_VARIANCE) * np.maximum(spreads[1], _LEAST_VARIANCE))
    return float(local[where].mean()) if where.any() else float("nan")


def area_change(alignment: Alignment) -> Floats:
    """[y, x] determinant of the map's derivative: area in the earlier picture over that in the current one."""
    (down_y, down_x), (right_y, right_x) = (np.gradient(way, alignment.cell_mm) for way in alignment.field_mm)
    return np.asarray((1 + down_y) * (1 + right_x) - down_x * right_y)


def _before(prior: Floats, current: Floats, body: Selection, cell_mm: float) -> float:
    rows, columns = (min(a, b) for a, b in zip(prior.shape, current.shape, strict=True))
    part = np.s_[:rows, :columns]
    return local_correlation(prior[part], current[part], body[part], cell_mm)


def _mutual_information(one: Floats, other: Floats) -> float:
    """Of two sets of grey levels from 0 to 1, in bits."""
    if not one.size:
        return float("nan")
    counts, _, _ = np.histogram2d(one.clip(0, 1), other.clip(0, 1), bins=_BINS, range=((0, 1), (0, 1)))
    shares = counts / counts.sum()
    apart = shares.sum(1, keepdims=True) * shares.sum(0, keepdims=True)
    some = shares > 0
    return float(np.sum(shares[some] * np.log2(shares[some] / apart[some])))


def _mean_length(ways: Floats) -> float:
    return float(np.hypot(*ways).mean()) if ways.size else float("nan")


def _without_affine(field_mm: Floats, where: Selection) -> Floats:
    """[2, n] what the best affine map leaves of a field."""
    places: NDArray[np.float64] = np.argwhere(where).astype(np.float64)
    known = np.column_stack((places, np.ones(len(places))))
    ways = field_mm[:, where].T
    if len(places) < known.shape[1]:
        return np.empty((2, 0))
    found = np.linalg.lstsq(known, ways, rcond=None)[0]
    return np.asarray((ways - known @ found).T)
