"""How well a model's scores tell known lesions that are gone from those that are still there.

    python benchmarks/gone_scores.py OVER_TIME PREDICTIONS

OVER_TIME is a prepared set of pairs over time, PREDICTIONS what `hilum predict MODEL` left of it. A known lesion's
score is the highest probability where it was or is; of one that is gone, only where no other lesion is now. It is
called gone below a threshold. Printed: the area under the ROC curve, and the share of gone lesions noticed where 5 %
of those that are still there are falsely called gone. The threshold is of these same lesions, so the figure flatters.
"""

import sys
from pathlib import Path

import numpy as np

from hilum.core import ChangeKind
from hilum.datasets.prepared import read_prepared
from hilum.datasets.stored_changes import stored_changes
from hilum.io import read_radiograph

FALSE_GONE = 0.05


def scores(data: Path, predictions: Path) -> tuple[list[float], list[float]]:
    """Of the lesions that are gone, and of the known ones that are still there."""
    gone, there = [], []
    for case in read_prepared(data).cases("union"):
        path = predictions / case.key / "probability.png"
        if path.is_file():
            probability, changes = read_radiograph(path).array / 65535, stored_changes(case.changes)
            for lesion in changes.lesions:
                if lesion.kind is ChangeKind.NEW:
                    continue
                was, now = changes.before(lesion), changes.now(lesion)
                is_gone = lesion.kind is ChangeKind.GONE
                place = was & (changes.labels == 0) if is_gone else was | now
                if place.any():
                    (gone if is_gone else there).append(float(probability[place].max()))
    return gone, there


if __name__ == "__main__":
    gone, there = (np.array(some) for some in scores(Path(sys.argv[1]), Path(sys.argv[2])))
    lower, same = gone[:, None] < there, gone[:, None] == there
    threshold = np.quantile(there, FALSE_GONE)
    print(f"{len(gone)} lesions gone, {len(there)} still there")
    print(f"area under the ROC curve {lower.mean() + same.mean() / 2:.3f}")
    print(f"noticed at {FALSE_GONE:.0%} falsely called gone: {np.mean(gone < threshold):.3f} (below {threshold:.4f})")
