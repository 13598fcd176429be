"""Where a nodule seen at one date is expected at another, and whether that is shown at all."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hilum.core.geometry import Floats
from hilum.followup.ct_tracks import PlaceMap


@dataclass(frozen=True, eq=False)
class Expected:
    """Where a nodule is expected.

    Attributes:
        place_mm: [3] in LPS mm of the later CT.
        error_mm: how far off it may be, 95 %.
        is_shown: whether the later CT shows all of that.
    """

    place_mm: Floats
    error_mm: float
    is_shown: bool


@dataclass(frozen=True, eq=False)
class Places:
    """Registrations between dates, and chains of them.

    Attributes:
        maps: by numbers of the earlier and the later date.
    """

    maps: Mapping[tuple[int, int], PlaceMap]

    def expected(self, since: int, to: int, place_mm: Floats) -> Expected:
        """Where a place [3] at one date lies at a later one: by their own registration, else from date to date."""
        here, errors = place_mm, []
        for step in self._steps(since, to):
            errors.append(float(self.maps[step].error_mm(here)))
            here = self.maps[step].to_current_mm(here)
        error = float(np.linalg.norm(errors))
        around = np.concatenate((here[None], here + error * np.eye(3), here - error * np.eye(3)))
        return Expected(here, error, bool(self.maps[self._steps(since, to)[-1]].shown_on_current(around).all()))

    def was_shown(self, number: int, place_mm: Floats) -> bool:
        """Whether a place [3] at this date is shown at any earlier one, as surely as it is known where."""
        return any(self._was_shown(since, number, place_mm) for since in range(number - 1, -1, -1))

    def _was_shown(self, since: int, to: int, place_mm: Floats) -> bool:
        here, errors = place_mm, []
        for step in reversed(self._steps(since, to)):
            here = self.maps[step].to_prior_mm(here)
            if not np.isfinite(here).all():
                return False
            errors.append(float(self.maps[step].error_mm(here)))
        error = float(np.linalg.norm(errors))
        around = np.concatenate((here[None], here + error * np.eye(3), here - error * np.eye(3)))
        return bool(self.maps[self._steps(since, to)[0]].shown_on_prior(around).all())

    def _steps(self, since: int, to: int) -> list[tuple[int, int]]:
        return [(since, to)] if (since, to) in self.maps else [(n, n + 1) for n in range(since, to)]
