"""A nodule, measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hilum.core.geometry import Triple


@dataclass(frozen=True)
class Diameters:
    """Lengths of a nodule in mm; `hilum.measure` says by which rule each was taken.

    Attributes:
        long_axis_mm: longest diameter on the largest axial slice.
        short_axis_mm: longest diameter perpendicular to it, on the same slice.
        equivalent_mm: diameter of the ball with the nodule's volume.
    """

    long_axis_mm: float
    short_axis_mm: float
    equivalent_mm: float

    @property
    def mean_mm(self) -> float:
        """Average of long and short axis (Bankier 2017, Fleischner measurement statement), not rounded."""
        return (self.long_axis_mm + self.short_axis_mm) / 2


@dataclass(frozen=True)
class Nodule:
    """One nodule: where, how large, how sure. What can't be known is None.

    Attributes:
        id: stable within its study.
        centre_lps_mm: centroid in LPS mm; None on an image without millimetres.
        centre_px: (row, column) on a radiograph; None for a CT.
        volume_mm3: volume.
        diameters_mm: lengths.
        texture: LIDC's scale, 1 (non-solid) to 5 (solid), or None.
        reader_count: how many readers outlined it; None when no reader did.
        score: a detector's confidence, 0 to 1; None for annotations.
        characteristics: further ratings by name, for example LIDC's "malignancy".
        uncertainty: half-widths or bounds by name, in the unit of what they belong to.
    """

    id: str
    centre_lps_mm: Triple | None = None
    centre_px: tuple[float, float] | None = None
    volume_mm3: float | None = None
    diameters_mm: Diameters | None = None
    texture: float | None = None
    reader_count: int | None = None
    score: float | None = None
    characteristics: Mapping[str, float] = field(default_factory=dict)
    uncertainty: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("characteristics", "uncertainty"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
