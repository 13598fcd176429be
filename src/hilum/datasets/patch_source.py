"""What a case of a data set of CT pieces (kind `ct-patches`) is a piece of, as its index says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hilum.core.geometry import Triple

SPHERE = "sphere of a diameter"
"""Truth of who knows a centre and a diameter only, as LUNA16 does."""
ONE_READER = "one reader's contour"
READERS = "contours of readers, at least half"
"""Truth of several readers, of a piece without a nodule; `by_readers` says of one with a nodule how many."""
BOX = "box"
"""Truth of who drew a rectangle on each slice."""
LABELS = "labels of the source"
"""Truth of who publishes masks and doesn't say how many readers drew them."""
SINGLE_SCAN = "single scan: figures mean nothing"
"""Note of a data set whose training and validation are both of one CT, to try the way through with."""


def by_readers(count: int) -> str:
    """Truth of what at least half of so many readers have within their contours."""
    return ONE_READER if count == 1 else f"contours of {count} readers, at least half"


@dataclass(frozen=True)
class PatchSource:
    """What a case is a piece of.

    Attributes:
        series: UID or name of the CT; "" when nobody says.
        nodule: in the piece's middle, unique in the data set; "" of a piece without one.
        kind: "positive", "random" or "hard" (`hilum.datasets.patch_sample`).
        truth: what the mask was made of, in words; the same for all pieces of a source, whatever they show.
        voxel_mm: (z, y, x) steps.
        centre_lps_mm: the nodule's centre, or the place that the piece was taken at; None when nobody knows where in
            the patient it is.
        diameter_mm: of the nodule: as its source says it, else that of the ball with its volume; None without one.
        fold: of ten, LUNA16's subset; None elsewhere.
    """

    series: str
    nodule: str
    kind: str
    truth: str
    voxel_mm: Triple
    centre_lps_mm: Triple | None = None
    diameter_mm: float | None = None
    fold: int | None = None

    def record(self) -> dict[str, object]:
        """As it stands in `dataset.json`."""
        return dict(vars(self))


def patch_source(stored: Mapping[str, Any]) -> PatchSource:
    """As `PatchSource.record` gave it.

    Raises:
        KeyError, TypeError, ValueError: an entry is missing, or of another type.
    """
    centre, diameter, fold = (stored.get(name) for name in ("centre_lps_mm", "diameter_mm", "fold"))
    return PatchSource(
        series=str(stored["series"]),
        nodule=str(stored["nodule"]),
        kind=str(stored["kind"]),
        truth=str(stored["truth"]),
        voxel_mm=_triple(stored["voxel_mm"]),
        centre_lps_mm=None if centre is None else _triple(centre),
        diameter_mm=None if diameter is None else float(diameter),
        fold=None if fold is None else int(fold),
    )


def _triple(values: Any) -> Triple:
    first, second, third = (float(value) for value in values)
    return first, second, third
