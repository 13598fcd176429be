"""How alike two nodules at two dates are, and the best pairs of many."""

import math

import numpy as np

from hilum.core import Nodule
from hilum.core.geometry import Floats
from hilum.followup.ct_tracks import Likeness, MatchConfig


def diameter_mm(nodule: Nodule) -> float:
    """Of the ball with its volume; else equivalent or mean diameter as measured; NaN when nobody knows."""
    if nodule.volume_mm3:
        return float((6 * nodule.volume_mm3 / math.pi) ** (1 / 3))
    if nodule.diameters_mm is None:
        return math.nan
    return next((one for one in (nodule.diameters_mm.equivalent_mm, nodule.diameters_mm.mean_mm) if one > 0), math.nan)


def ball_mm3(nodule: Nodule) -> float:
    """Its volume; that of a ball with its diameter where only that is known."""
    return math.pi / 6 * diameter_mm(nodule) ** 3


def likeness(prior: Nodule, expected_mm: Floats, error_mm: float, current: Nodule, config: MatchConfig) -> Likeness:
    """A later nodule beside the place at which an earlier one is expected.

    Args:
        prior: the earlier nodule.
        expected_mm: [3] where it is expected on the later CT.
        error_mm: how far off that may be, 95 %.
        current: the later one.
        config: what is allowed.
    """
    sizes = diameter_mm(prior), diameter_mm(current)
    jitter = config.jitter_mm + config.jitter_share * max((one for one in sizes if one > 0), default=0.0)
    gate = config.gate * math.hypot(error_mm, jitter)
    distance = float(np.linalg.norm(np.asarray(current.centre_lps_mm) - expected_mm))
    ratio = sizes[1] / sizes[0]
    known = prior.texture is not None and current.texture is not None
    texture = float(current.texture or 0) - float(prior.texture or 0) if known else math.nan
    parts = distance / gate, math.log(ratio) / math.log(config.size_ratio), texture / config.texture_change
    return Likeness(distance, gate, ratio, texture, sum(one**2 for one in parts if not math.isnan(one)))


def best_pairs(unlikeness: Floats) -> list[tuple[int, int]]:
    """The pairs (row, column), each at most once, with the least sum of unlikeness, where one that is left out costs ½.

    So a pair above 1 is never better than none (rows and columns that stay alone are assigned to partners of their own:
    Kuhn 1955's problem, solved as in Crouse 2016).

    Args:
        unlikeness: [rows, columns]; infinite for what must not be, far below 0 for what must.
    """
    from scipy.optimize import linear_sum_assignment

    rows, columns = unlikeness.shape
    cost = np.zeros((rows + columns, rows + columns))
    never = 1e6
    cost[:rows, :columns] = np.where(np.isfinite(unlikeness), unlikeness, never)
    cost[:rows, columns:] = np.where(np.eye(rows, dtype=bool), 0.5, never)
    cost[rows:, :columns] = np.where(np.eye(columns, dtype=bool), 0.5, never)
    chosen = zip(*linear_sum_assignment(cost), strict=True)
    return [(int(r), int(c)) for r, c in chosen if r < rows and c < columns and unlikeness[r, c] <= 1]
