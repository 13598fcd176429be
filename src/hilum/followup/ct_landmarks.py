"""How far off a registration is at places that a person has found on both CTs."""

from dataclasses import dataclass

import numpy as np

from hilum.core import InputError
from hilum.core.geometry import Floats
from hilum.followup.ct_tracks import PlaceMap


@dataclass(frozen=True)
class LandmarkError:
    """Distances in mm between where the registration puts landmarks and where they lie.

    Attributes:
        count: of landmarks.
        median_mm: half of them lie nearer.
        p95_mm: 95 % do.
        largest_mm: of all.
        within_stated: how many lie within the error that the registration states for their place.
    """

    count: int
    median_mm: float
    p95_mm: float
    largest_mm: float
    within_stated: int

    @property
    def words(self) -> str:
        """For a table's remarks."""
        return (
            f"{self.count} landmarks lie {self.median_mm:.1f} mm off (median; 95 % within {self.p95_mm:.1f} mm, the "
            f"largest {self.largest_mm:.1f} mm), {self.within_stated} of them within the error that is stated"
        )


def landmark_error(registration: PlaceMap, prior_lps_mm: Floats, current_lps_mm: Floats) -> LandmarkError:
    """Target registration error (Fitzpatrick et al., IEEE Trans. Med. Imaging 17, 1998).

    Args:
        registration: from the earlier CT to the later one.
        prior_lps_mm: [n, 3] places on the earlier CT.
        current_lps_mm: [n, 3] the same on the later one.

    Raises:
        InputError: there is none, or not as many on both.
    """
    if prior_lps_mm.shape != current_lps_mm.shape or prior_lps_mm.ndim != 2 or not len(prior_lps_mm):
        raise InputError(f"landmarks of shapes {prior_lps_mm.shape} and {current_lps_mm.shape} are no pairs of places.")
    apart = np.linalg.norm(registration.to_current_mm(prior_lps_mm) - current_lps_mm, axis=-1)
    return LandmarkError(
        count=len(apart),
        median_mm=float(np.median(apart)),
        p95_mm=float(np.percentile(apart, 95)),
        largest_mm=float(apart.max()),
        within_stated=int((apart <= registration.error_mm(prior_lps_mm)).sum()),
    )
