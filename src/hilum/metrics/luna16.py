"""LUNA16's official rule: which marks are hits, which are false, which don't count.

Source: Setio 2017, "Validation, comparison, and combination of algorithms for automatic detection of pulmonary nodules
in computed tomography images: the LUNA16 challenge", section 3.3, and where the paper leaves room the challenge's own
evaluation script: the limit of marks, the radius of excluded findings, marks inside several nodules.

1. Of a scan with more than 100 marks those count whose probability is strictly above the 101st. Equal ones at the limit
   all go, so fewer than 100 may be left.
2. A mark is inside a finding when its squared distance to the centre is strictly below (diameter / 2)². A negative
   diameter, as most excluded findings have, is taken as 10 mm.
3. A nodule is found when any mark is inside; the best of them scores. Every mark inside a nodule is used up: it is no
   false positive. A mark inside two nodules finds both.
4. A mark inside an excluded finding, and inside no nodule, doesn't count at all.
5. Every other mark is a false positive. A missed nodule counts among the nodules only.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hilum.core import MeasureError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.metrics.froc import Detections, Numbers
from hilum.metrics.lesions import squared_distances

MARKS_A_SCAN = 100
"""How many marks of a scan the challenge looks at."""

NO_DIAMETER_MM = 10.0
"""What a negative diameter stands for."""


@dataclass(frozen=True, eq=False)
class Places:
    """Points on scans, each with one number.

    Attributes:
        scan: [n] number of the scan.
        centre_mm: [n, 3] in the frame that all share, LPS mm.
        value: [n] a mark's probability, or a finding's diameter in mm.

    Raises:
        MeasureError: the arrays don't fit together, or hold what isn't finite.
    """

    scan: Numbers
    centre_mm: Floats
    value: Floats

    def __post_init__(self) -> None:
        n = len(self.scan)
        if self.centre_mm.shape != (n, 3) or self.value.shape != (n,):
            raise MeasureError(
                f"{n} scan numbers go with as many points and values, got {self.centre_mm.shape}, {self.value.shape}."
            )
        if not (np.isfinite(self.centre_mm).all() and np.isfinite(self.value).all()):
            raise MeasureError("places and values are finite numbers; some are not.")

    @classmethod
    def none(cls) -> "Places":
        """No point at all."""
        return cls(np.zeros(0, dtype=np.intp), np.zeros((0, 3)), np.zeros(0))

    def take(self, chosen: Selection | Numbers) -> "Places":
        """Those chosen, by number or by a selection [n]."""
        return Places(self.scan[chosen], self.centre_mm[chosen], self.value[chosen])


@dataclass(frozen=True, eq=False)
class Judged:
    """Marks after the rule.

    Attributes:
        found: hits and false positives.
        ignored: marks on excluded findings.
        doubles: marks inside a nodule beyond the one that scores.
        over_limit: marks that the limit of 100 a scan took away.
        score: [nodules] of each nodule's best mark, in the order given; −∞ where it was missed.
    """

    found: Detections
    ignored: int
    doubles: int
    over_limit: int
    score: Floats

    @property
    def counts(self) -> dict[str, int]:
        """`counts` of `froc.json`: nodules found (tp) and missed (fn), false marks (fp), marks ignored."""
        hits = int(self.found.is_hit.sum())
        return {
            "tp": hits,
            "fp": len(self.found.is_hit) - hits,
            "fn": int(self.found.lesions.sum()) - hits,
            "ignored": self.ignored,
        }


def judge(marks: Places, nodules: Places, excluded: Places, scans: int) -> Judged:
    """Apply the rule.

    Args:
        marks: with probabilities.
        nodules: with diameters; these have to be found.
        excluded: with diameters; marks on them don't count.
        scans: how many scans there are, with or without marks and nodules.

    Raises:
        MeasureError: a scan's number is not below `scans`.
    """
    for places in (marks, nodules, excluded):
        if len(places.scan) and not (places.scan.min() >= 0 and places.scan.max() < scans):
            raise MeasureError(f"scans are numbered from 0 to {scans - 1}; some places lie on others.")
    kept = marks.take(_within_limit(marks, scans))
    score = np.full(len(nodules.scan), -np.inf)
    is_used, is_ignored = np.zeros(len(kept.scan), dtype=bool), np.zeros(len(kept.scan), dtype=bool)
    doubles = 0
    for here, nodule, other in _by_scan((kept, nodules, excluded), scans):
        inside = _inside(kept.take(here), nodules.take(nodule))
        score[nodule] = np.where(inside, kept.value[here, None], -np.inf).max(axis=0, initial=-np.inf)
        is_used[here] = inside.any(axis=1)
        doubles += int(np.maximum(inside.sum(axis=0) - 1, 0).sum())
        is_ignored[here] = ~is_used[here] & _inside(kept.take(here), excluded.take(other)).any(axis=1)
    is_false, is_found = ~(is_used | is_ignored), np.isfinite(score)
    found = Detections(
        np.concatenate([nodules.scan[is_found], kept.scan[is_false]]),
        np.concatenate([score[is_found], kept.value[is_false]]),
        np.repeat([True, False], [is_found.sum(), is_false.sum()]),
        np.bincount(nodules.scan, minlength=scans),
    )
    return Judged(found, int(is_ignored.sum()), doubles, len(marks.scan) - len(kept.scan), score)


def _within_limit(marks: Places, scans: int) -> Selection:
    order = np.lexsort((-marks.value, marks.scan))
    counts = np.bincount(marks.scan, minlength=scans)
    first = np.cumsum(counts) - counts
    is_over = counts > MARKS_A_SCAN
    bound = np.full(scans, -np.inf)
    bound[is_over] = marks.value[order[first[is_over] + MARKS_A_SCAN]]
    return np.asarray(marks.value > bound[marks.scan])


def _by_scan(lists: tuple[Places, ...], scans: int) -> Iterator[tuple[Numbers, ...]]:
    """For each scan that has marks, the numbers of its places in each list."""
    orders = [np.argsort(places.scan, kind="stable") for places in lists]
    edges = [np.concatenate([[0], np.cumsum(np.bincount(places.scan, minlength=scans))]) for places in lists]
    for scan in np.unique(lists[0].scan):
        yield tuple(order[edge[scan] : edge[scan + 1]] for order, edge in zip(orders, edges, strict=True))


def _inside(marks: Places, findings: Places) -> Selection:
    """[marks, findings] whether each mark is inside each finding of the same scan."""
    diameter_mm = np.where(findings.value < 0, NO_DIAMETER_MM, findings.value)
    return np.asarray(squared_distances(marks.centre_mm, findings.centre_mm) < (diameter_mm / 2) ** 2)
