"""`marks.csv`: the scored marks of an evaluation, from which models are compared by free-response figures."""

import csv
import io
from pathlib import Path

from hilum.core import InputError, UnreadableError
from hilum.core.evaluation import CaseMarks, Evaluation

MARKS = "marks.csv"
_HIT, _MISSED, _FALSE = "hit", "missed", "false"


def marks_table(found: Evaluation) -> str:
    """A row for each lesion ("hit" with its surest mark's score, or "missed" with none) and each "false" mark."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["key", "what", "score"])
    for key, marks in found.marks.items():
        writer.writerows((key, _HIT, repr(score)) for score in marks.hits)
        writer.writerows((key, _MISSED, "nan") for _ in range(marks.missed))
        writer.writerows((key, _FALSE, repr(score)) for score in marks.false)
    return text.getvalue()


def read_marks_table(folder: Path) -> dict[str, CaseMarks]:
    """The marks by case; empty where there is no such file: masks have no scores, and older evaluations left none.

    Raises:
        InputError: it can't be read.
        UnreadableError: it is not what `hilum evaluate` writes.
    """
    path = folder / MARKS
    if not path.is_file():
        return {}
    entries: dict[str, dict[str, list[float]]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                of_case = entries.setdefault(row["key"], {_HIT: [], _MISSED: [], _FALSE: []})
                of_case[row["what"]].append(float(row["score"]))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}.", "Evaluate again.") from error
    except (KeyError, ValueError, TypeError) as error:
        raise UnreadableError(f"{path} is not a table of marks.", "Evaluate again.") from error
    return {key: CaseMarks(tuple(of[_HIT]), len(of[_MISSED]), tuple(of[_FALSE])) for key, of in entries.items()}
