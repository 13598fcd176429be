"""Every single reader's mask as the truth: what segmentation figures a nodule has with what meets that mask."""

from collections.abc import Sequence

from hilum.core.evaluation import Group
from hilum.evaluate.bootstrap import Resamples
from hilum.evaluate.case_lesions import Lesion
from hilum.evaluate.cases import CaseResult
from hilum.evaluate.lesion_figures import mean_over_lesions, names_met
from hilum.evaluate.yardstick import HEADLINE_READERS

SEGMENTATION = ("dice", "iou", "precision", "recall")


def by_reader(cases: Sequence[CaseResult], draw: Resamples) -> tuple[Group, ...]:
    """Figures with reader 1's masks as the truth, reader 2's and so on, of nodules that yardsticks count.

    Readers are numbered within each nodule, as LIDC's files list them: nobody knows who of them is the same person in
    another scan. With fewer than `HEADLINE_READERS` readers a nodule would have reader 1 alone, and these nodules are
    apart in `by_readers`.

    Args:
        cases: judged; none of them need know readers' masks.
        draw: of their patients.
    """
    counted = [[one for one in case.nodules if one.readers >= HEADLINE_READERS and one.by_reader] for case in cases]
    most = max((len(one.by_reader) for some in counted for one in some), default=0)
    return tuple(_group(counted, reader, draw) for reader in range(most))


def _group(nodules: Sequence[Sequence[Lesion]], reader: int, draw: Resamples) -> Group:
    drawn = [[one.by_reader[reader] for one in some if len(one.by_reader) > reader] for some in nodules]
    masks = [[met for met in some if met] for some in drawn]
    names = [*SEGMENTATION, *(name for name in names_met(masks) if name not in SEGMENTATION)]
    sensitivity = [[float(met["recall"] > 0) for met in some] for some in masks]
    figures = [mean_over_lesions("lesion_sensitivity", sensitivity, draw)]
    figures += [
        mean_over_lesions(f"lesion_{name}", [[met[name] for met in some] for some in masks], draw) for name in names
    ]
    return Group(f"reader {reader + 1}", {figure.name: figure for figure in figures})
