"""What makes a picture a bad teacher, in the words that a prepared data set uses (`odd` of a case)."""

from collections.abc import Iterable

UPSIDE_DOWN = "the picture stands on its head"
UNEVEN_ROWS = "slices are missing or extra, so rows are not evenly spaced in the patient"
OTHER_MASK = "the mask is not what LIDC's outlines give"
MASK_BESIDE = "the published mask lies beside the place where the picture shows the outlines"

MISPLACED = frozenset((UPSIDE_DOWN, UNEVEN_ROWS, OTHER_MASK, MASK_BESIDE))
"""Picture and truth don't belong together as they do elsewhere. Other remarks, such as a CT that ends within the lung,
leave both as they are."""


def is_misplaced(odd: Iterable[str]) -> bool:
    """Whether a case's remarks say that its picture or its truth is not where it should be."""
    return not MISPLACED.isdisjoint(odd)
