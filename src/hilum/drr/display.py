"""What a detector measured, as a picture that people look at: dense is bright, 16 bits.

Three named styles (`Style`): `radiograph` is how a chest X-ray is shown; `raw` keeps the physics, one grey level being
a fixed step of −ln of the signal; `source` is the published pairs' style, made from the CT itself by its own recipe
(`hilum.drr.source_style`) and kept for comparison.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.drr.exposure import BEHIND_PATIENT

WHITE = np.iinfo(np.uint16).max

RAW_STEP = 2e-4
"""−ln of the signal per grey level of the raw style: 65535 levels reach 13.1, or 0.657 m of water at 65 keV."""


class Style(StrEnum):
    """How a picture looks."""

    RADIOGRAPH = "radiograph"
    RAW = "raw"
    SOURCE = "source"


@dataclass(frozen=True)
class Display:
    """From −ln of the signal to grey.

    Attributes:
        percentiles: of the pixels behind the patient; what is below becomes black, what is above white.
        toe: share of the grey scale that lies below the lower percentile, so that the lungs' darkest part is not black
            as the open beam is.
        logarithm: show −ln of the signal, as film and detectors do; False shows the absorbed share 1 − signal.
        clahe_clip: clip limit of the local histogram equalisation (Zuiderveld 1994; scikit-image's scale from 0 to 1);
            0 for none.
        clahe_tiles: regions along each side of the picture for it.
        dense_is_bright: False gives the photographic negative.

    Raises:
        InputError: numbers that give no picture.
    """

    percentiles: tuple[float, float] = (0.5, 99.8)
    toe: float = 0.08
    logarithm: bool = True
    clahe_clip: float = 0.004
    clahe_tiles: int = 4
    dense_is_bright: bool = True

    def __post_init__(self) -> None:
        low, high = self.percentiles
        if not 0 <= low < high <= 100:
            raise InputError(f"percentiles run from 0 to 100, the lower one first, got {low:g} and {high:g}.")
        if not (0 <= self.toe < 1 and 0 <= self.clahe_clip <= 1 and self.clahe_tiles >= 1):
            raise InputError(
                f"toe and CLAHE's clip limit are shares, and there is at least one tile; got {self.toe:g}, "
                f"{self.clahe_clip:g}, {self.clahe_tiles}."
            )


def as_radiograph(signal: Floats, display: Display | None = None) -> NDArray[np.uint16]:
    """Grey levels 0 to 65535 of −ln of the signal [row, column].

    Raises:
        InputError: the picture has no contrast behind the patient, or nothing is behind the patient: air only.
    """
    display = display or Display()
    shown = signal if display.logarithm else -np.expm1(-signal)
    low, high = np.percentile(shown[behind_patient(signal)], display.percentiles)
    if not low < high:
        raise InputError("all that the picture shows is equally dense.", "Check the CT.")
    grey = np.clip(display.toe + (1 - display.toe) * (shown - low) / (high - low), 0, 1)
    if display.clahe_clip > 0:
        grey = equalised(grey, display.clahe_clip, display.clahe_tiles)
    levels: Floats = np.rint((grey if display.dense_is_bright else 1 - grey) * WHITE)
    return levels.astype(np.uint16)


def behind_patient(signal: Floats) -> Selection:
    """Which pixels [row, column] of −ln of the signal lie behind the patient.

    Raises:
        InputError: none does: the picture shows air only.
    """
    behind = signal > -np.log(BEHIND_PATIENT)
    if not behind.any():
        raise InputError(
            f"the picture shows air only: nowhere is half of the beam absorbed (−ln reaches {signal.max():.2g}).",
            "Check the pose, the detector's size and place, and that the CT is in HU.",
        )
    return np.asarray(behind)


def equalised(grey: Floats, clip: float, tiles: int) -> Floats:
    """Contrast-limited adaptive histogram equalisation of a picture in 0 to 1, by scikit-image, at 16 bits."""
    from skimage.exposure import equalize_adapthist

    kernel = [max(1, size // tiles) for size in grey.shape]
    return np.asarray(equalize_adapthist(grey, kernel_size=kernel, clip_limit=clip, nbins=1024), dtype=np.float64)


def as_raw(signal: Floats) -> NDArray[np.uint16]:
    """−ln of the signal in steps of `RAW_STEP`, without any window; below 0 (noise in the open beam) is 0.

    Raises:
        InputError: the picture shows air only.
    """
    behind_patient(signal)
    steps: Floats = np.clip(np.rint(signal / RAW_STEP), 0, WHITE)
    return steps.astype(np.uint16)
