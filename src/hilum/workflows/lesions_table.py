"""`lesions.csv`: each lesion of point truth, what is known of it, whether it was found and by how sure a mark."""

import csv
import io
from collections.abc import Sequence

import numpy as np

from hilum.evaluate.case_lesions import LesionResult

LESIONS = "lesions.csv"
COLUMNS = ("key", "patient", "lesion", "size_mm", "subtlety", "is_found", "score")


def lesions_table(cases: Sequence[LesionResult]) -> str:
    """A row for each lesion; `score` is its surest mark's whatever the threshold, nan where no mark is on it."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case in cases:
        marks, scores = case.candidates.marks, case.candidate_scores
        for number, one in enumerate(case.lesions):
            own = scores[marks[:, number]] if case.is_scored else np.zeros(0)
            score = repr(float(own.max())) if len(own) else "nan"
            known = (f"{one.size_mm:g}", f"{one.subtlety:g}", int(one.is_found))
            writer.writerow((case.row.key, case.row.patient, number + 1, *known, score))
    return text.getvalue()
