"""What became of a lesion between two pictures of one patient, and what a prediction says of it."""

import math
from dataclasses import dataclass
from enum import StrEnum

SENSITIVITY, DICE = "lesion_sensitivity", "lesion_dice"
DIAMETER, DIAMETER_SIZE = "lesion_diameter_error_mm", "lesion_absolute_diameter_error_mm"
NOTICED, FALSE_GONE, GONE_AUC = "gone_noticed", "false_gone_rate", "gone_auc"
"""Names of the figures of lesions that have a kind of change."""

STILL_THERE = "known and still there"
"""The group of lesions that are unchanged, grown or shrunk: those that can be called gone falsely."""
COULD_HAVE_CHANGED = "still there, could have changed"
"""Those of them that could have had another kind, as their data set says."""


class ChangeKind(StrEnum):
    """The kinds of change, from the earlier picture to the current one."""

    UNCHANGED = "unchanged"
    GROWN = "grown"
    SHRUNK = "shrunk"
    NEW = "new"
    """On the current picture only."""
    GONE = "gone"
    """On the earlier picture only."""

    @property
    def is_present(self) -> bool:
        """Whether the lesion is on the current picture."""
        return self is not ChangeKind.GONE

    @property
    def was_known(self) -> bool:
        """Whether the lesion was on the earlier picture."""
        return self is not ChangeKind.NEW


@dataclass(frozen=True)
class ChangedLesion:
    """One lesion that is or was there, judged against a prediction on the current picture.

    Attributes:
        key: the case.
        patient: whose it is.
        id: of the lesion, within its case.
        kind: what became of it.
        size_mm: equivalent diameter now; NaN of one that is gone, or when nobody knows.
        prior_size_mm: equivalent diameter on the earlier picture; NaN of a new one, or when nobody knows.
        visibility: 0 to 1; NaN when nobody knows.
        is_synthetic: whether it, or its change, was made.
        place: (row, column) of its centre in the current picture's pixels.
        is_found: 1 or 0 by the rule of lesions; NaN of one that is gone, or has no pixel.
        dice: with the predicted components that meet it, 0 when none does; NaN as `is_found`.
        diameter_error_mm: equivalent diameter of these components minus its own; NaN when it is missed.
        says_gone: 1 when no predicted pixel lies where it is or was, else 0; NaN of a new one, and of one that left no
            place of its own.
        can_change: whether it could have had another kind; None when nobody says.
    """

    key: str
    patient: str
    id: int
    kind: ChangeKind
    size_mm: float
    prior_size_mm: float
    visibility: float
    is_synthetic: bool
    place: tuple[float, float]
    is_found: float = math.nan
    dice: float = math.nan
    diameter_error_mm: float = math.nan
    says_gone: float = math.nan
    can_change: bool | None = None

    @property
    def counted_mm(self) -> float:
        """The size that it counts by: now, and of one that is gone the earlier one."""
        return self.size_mm if self.kind.is_present else self.prior_size_mm

    @property
    def is_judged(self) -> bool:
        """Whether any figure counts it."""
        return not (math.isnan(self.is_found) and math.isnan(self.says_gone))
