"""Which known lesions are called gone: a threshold of their own, and what it notices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core.changes import FALSE_GONE, GONE_AUC, NOTICED
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.area import auc_figure
from hilum.evaluate.bootstrap import RESAMPLES, mean_figures, resample_patients

MOST_FALSE_GONE = 0.05
"""Share of the lesions that are still there which may be called gone."""


@dataclass(frozen=True)
class GoneThreshold:
    """From which score a known lesion is still there.

    Attributes:
        value: a lesion whose score is below it is called gone.
        figures: `gone_auc`, `gone_noticed` and `false_gone_rate` on the lesions that it was chosen on.
        gone: how many of these are gone.
        there: how many are not.
    """

    value: float
    figures: Mapping[str, Figure]
    gone: int
    there: int


def choose_gone_threshold(
    scores: Floats, is_gone: Selection, patients: Sequence[str], most_false: float = MOST_FALSE_GONE, seed: int = 0
) -> GoneThreshold | None:
    """The highest threshold at which at most a share of those still there is called gone; None when none is there.

    The figures flatter: the threshold is of these same lesions. Intervals draw patients and keep the threshold.

    Args:
        scores: [lesions] 0 to 1, high where a lesion is still seen.
        is_gone: [lesions].
        patients: whose each lesion is.
        most_false: that share.
        seed: of the draws.
    """
    there = np.sort(scores[~is_gone])
    if not len(there):
        return None
    value = float(there[min(int(most_false * len(there)), len(there) - 1)])
    called = (scores < value).astype(np.float64)
    draw = resample_patients(patients, np.random.default_rng(seed), RESAMPLES)
    shares = {NOTICED: np.where(is_gone, called, np.nan), FALSE_GONE: np.where(is_gone, np.nan, called)}
    area = auc_figure(GONE_AUC, -scores, is_gone, draw)
    figures = {GONE_AUC: area, **mean_figures(shares, draw, are_shares=True)}
    return GoneThreshold(value, figures, int(is_gone.sum()), len(there))
