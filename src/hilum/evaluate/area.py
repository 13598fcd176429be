"""The area under an ROC curve of cases, one score each, with its interval by patients."""

import numpy as np

from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.evaluate.bootstrap import Resamples, pooled_figure
from hilum.metrics.probability import roc_auc_of_sums


def auc_figure(name: str, scores: Floats, is_positive: Selection, draw: Resamples) -> Figure:
    """Chance that a positive case scores above a negative one, ties half; NaN without one of them.

    Args:
        name: of the figure.
        scores: [cases] finite.
        is_positive: [cases].
        draw: of these cases' patients.
    """
    levels, level = np.unique(scores, return_inverse=True)
    ranks = np.zeros((len(scores), 2 * len(levels)))
    ranks[np.arange(len(scores)), level + np.where(is_positive, 0, len(levels))] = 1
    return pooled_figure(name, ranks, lambda s: roc_auc_of_sums(*np.split(s, 2, axis=-1)), draw, is_share=True)
