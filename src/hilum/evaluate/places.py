"""Where lesions were found and missed: by zone of the lung field, or by part of the picture."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hilum.core.evaluation import BY_SLICE, BY_THIRD, BY_ZONE, Group
from hilum.evaluate.bootstrap import Resamples
from hilum.evaluate.case_lesions import Lesion, LesionResult
from hilum.evaluate.lesion_figures import OVERLAPPED, found_figures, mean_of, with_met
from hilum.evaluate.lung_field import ZONES, Place

_ROWS, _COLUMNS = ("top", "middle", "bottom"), ("left", "centre", "right")
THIRDS = tuple(f"{row} {column}" for row in _ROWS for column in _COLUMNS)
"""As one looks at the picture, so the patient's right is "left"; in 3D those of the axial slices."""


def place_rule(cases: Sequence[LesionResult]) -> str:
    """How places are named: `BY_ZONE` where every case knows its lungs, else by thirds; "" without a lesion."""
    if not any(case.lesions for case in cases):
        return ""
    if all(case.lungs is not None for case in cases):
        return BY_ZONE
    return BY_SLICE if any("volume_error_mm3" in case.row.values for case in cases) else BY_THIRD


def by_place(
    cases: Sequence[LesionResult], draw: Resamples, of_each: Mapping[str, Callable[[Lesion], float]] = OVERLAPPED
) -> tuple[Group, ...]:
    """Lesions by their own centre, false predictions by theirs; none without a lesion.

    Args:
        cases: judged.
        draw: of their patients.
        of_each: what is averaged over lesions.
    """
    rule, of_each = place_rule(cases), with_met([case.lesions for case in cases], of_each)
    names = {BY_ZONE: ZONES, BY_THIRD: THIRDS, BY_SLICE: THIRDS}.get(rule, ())
    groups = []
    for name in names:
        lesions = [[one for one in case.lesions if _name(one.place, case, rule) == name] for case in cases]
        false = [sum(_name(place, case, rule) == name for place in case.false_places) for case in cases]
        rate = mean_of("false_positives_per_image", np.array(false, dtype=np.float64), draw)
        figures = [*found_figures(lesions, draw, of_each), rate]
        groups.append(Group(name, {figure.name: figure for figure in figures}))
    return tuple(groups)


def _name(place: Place, case: LesionResult, rule: str) -> str:
    if rule == BY_ZONE and case.lungs is not None:
        return case.lungs.zone(place)
    row, column = (min(int(3 * part), 2) for part in place)
    return THIRDS[3 * row + column]
