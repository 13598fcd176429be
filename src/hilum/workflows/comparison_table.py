"""`comparison.csv`: every figure and pair of models in a row."""

import csv
import io
import math

from hilum.core.figures import Figure
from hilum.evaluate.comparison import EvaluationsCompared

TABLE = "comparison.csv"
_HEADS = (
    *("figure", "class", "change", "first", "second", "of", "difference", "low", "high", "n", "left_out"),
    *("permutation_p", "wilcoxon_p", "cohens_d", "share_improved", "minimal_detectable_difference"),
    *("higher_is_better", "is_seen"),
)


def comparison_table(found: EvaluationsCompared) -> str:
    """Figures that are tested, then pooled ones (pixels), which have an interval and no test.

    "of" says what the tested ones are of: cases, marks, or lesions of a kind of change. What is undefined is nan, and
    empty where a pooled figure has no such thing.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_HEADS)
    for one in (*found.versus, *found.by_change):
        paired = one.paired
        tested = (
            *(paired.permutation_p, paired.wilcoxon_p, paired.cohens_d),
            *(paired.share_improved, paired.detectable),
        )
        said = (str(one.higher_is_better).lower(), str(one.is_seen).lower())
        of = "lesions" if one.of_change else "marks" if one.is_of_marks else "cases"
        about = (one.figure, one.of_class, one.of_change, one.first, one.second, of)
        writer.writerow((*about, *_ends(paired.difference), paired.dropped, *map(_number, tested), *said))
    for pooled in found.pooled:
        about = (pooled.difference.name, pooled.of_class, "", pooled.first, pooled.second, "pixels")
        writer.writerow((*about, *_ends(pooled.difference), *[""] * (len(_HEADS) - len(about) - 4)))
    return text.getvalue()


def _ends(figure: Figure) -> tuple[str, ...]:
    return (*(_number(end) for end in (figure.value, figure.low, figure.high)), str(figure.n))


def _number(value: float) -> str:
    return "nan" if math.isnan(value) else repr(float(value))
