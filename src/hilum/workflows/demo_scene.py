"""What every chapter of the demonstration looks at."""

from dataclasses import dataclass
from functools import cached_property

from hilum.core import Mask, Nodule, Volume
from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.io.lidc import Read
from hilum.ops import to_lps_axes

CONSENSUS = 0.5
"""Share of a nodule's readers who make the consensus."""


@dataclass(frozen=True, eq=False)
class Scene:
    """What every chapter may look at.

    Attributes:
        ct: the CT as its file stores it.
        read: what LIDC's readers marked on it.
    """

    ct: Volume
    read: Read

    @cached_property
    def upright(self) -> Volume:
        """The CT with axes in LPS order: DICOM's rows and columns, as the readers saw it."""
        return to_lps_axes(self.ct)

    @cached_property
    def nodules(self) -> tuple[LidcNodule, ...]:
        """The readers' nodules, from foot to head."""
        return lidc_nodules(self.read)

    @cached_property
    def measured(self) -> tuple[Nodule, ...]:
        """Each nodule's consensus, measured, with the range of its readers."""
        return tuple(nodule.measured(self.upright.geometry, CONSENSUS) for nodule in self.nodules)

    @cached_property
    def masks(self) -> tuple[tuple[Mask, ...], ...]:
        """What each reader outlined of each nodule, on blocks of the upright grid."""
        return tuple(nodule.masks(self.upright.geometry) for nodule in self.nodules)

    @cached_property
    def agreed(self) -> tuple[Mask, ...]:
        """Each nodule's consensus, on the same blocks."""
        return tuple(nodule.consensus(self.upright.geometry, CONSENSUS) for nodule in self.nodules)
