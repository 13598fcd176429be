"""How far a nodule's measured change lies from its true one: spread and tail by size, slices, texture and scanner.

The logarithm of a ratio is what errors are added to: ln(measured) = gain · ln(true) + bias + sd · t, with t of
Student's distribution, whose tail is heavier than the normal one's: now and then a vessel is taken for the nodule. The
logarithm of sd is linear in ln(diameter), in slice thickness and in what differs between the dates. The numbers stand
in `volume_error.json` beside this file, with what they were fitted on; `benchmarks/ct_growth.py fit` makes it again.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import Field, FiniteFloat
from scipy.special import stdtr, stdtrit

from hilum.config import Frozen, FrozenConfig
from hilum.core import Figure, MeasureError
from hilum.measure import THICK_MM
from hilum.measure.texture import SOLID_FROM

COEFFICIENTS = Path(__file__).with_name("volume_error.json")
CONFIDENCE = 0.95
_USUAL_MM, _USUAL_SLICE_MM = 10.0, 2.5
_SIZES_MM, _BEYOND = (5.0, 20.0), 1.5
"""Beyond them nothing was fitted: the spread is that at the nearer end, wider by half (assumed)."""
_SLACK = 1e-3
_ALIKE = 1.25
"""Slices whose thickness differs by less than this factor count as alike."""
_CONTRAST_SD = 0.05
"""Assumed: contrast agent makes nodules denser, and thresholds see them larger by some percent; not fitted here."""
_OTHER_HAND = 1.5
"""Assumed: another hand's outline takes in other vessels and wall; what lies in it is measured alike. Not fitted."""


_CONTRAST = {True: "with", False: "without", None: "nobody says whether with"}


class Method(StrEnum):
    """How a change of volume was measured."""

    PAIRED = "paired"
    """Over one common region of both dates (`volume_change`)."""
    ALONE = "alone"
    """Each date by itself, from the HU at its edge (`hilum.measure.partial_volume`)."""
    MASK = "mask"
    """Voxels of hilum's own prompted segmentation, counted."""
    READER = "reader"
    """Voxels of masks that readers drew, counted."""


class Kind(StrEnum):
    """What is measured, beside volume."""

    MEAN_DIAMETER = "mean_diameter"
    LONG_AXIS = "long_axis"
    MASS = "mass"


class Spread(FrozenConfig):
    """The error of one kind of measurement, on the scale of ln(measured / true)."""

    ln_sd: FiniteFloat
    """ln of sd of a solid nodule of 10 mm on slices of 2.5 mm."""
    by_ln_diameter: Annotated[FiniteFloat, Field(le=0)] = 0.0
    """Added for each unit of ln(diameter / 10 mm): larger ones are never less sure."""
    by_slice_mm: Annotated[FiniteFloat, Field(ge=0)] = 0.0
    """Added for each mm that slices are thicker than 2.5 mm."""
    subsolid: Annotated[FiniteFloat, Field(ge=0)] = 0.0
    """Added for part-solid nodules and ground glass."""
    other_scan: Annotated[FiniteFloat, Field(ge=0)] = 0.0
    """Added where kernel or slice thickness differs between the dates."""
    gain: Annotated[FiniteFloat, Field(gt=0.5, lt=1.5)] = 1.0
    """Share of ln(true) that is seen."""
    gain_sd: Annotated[FiniteFloat, Field(ge=0)] = 0.0
    """Scale of how that share differs between kinds of growth: over what is there already, or pushing it aside."""
    bias: FiniteFloat = 0.0
    """Of ln(measured)."""
    degrees: Annotated[FiniteFloat, Field(gt=2)] = 1e6
    """Degrees of freedom of Student's t; a million is the normal distribution."""
    n: Annotated[int, Field(ge=0)] = 0
    """Independent nodules in it."""

    def sd(self, subject: "Subject") -> float:
        """Scale of the error; the standard deviation is larger by √(ν / (ν - 2))."""
        diameter = min(max(subject.diameter_mm, _SIZES_MM[0]), _SIZES_MM[1])
        ln_sd = self.ln_sd + self.by_ln_diameter * math.log(diameter / _USUAL_MM)
        ln_sd += self.by_slice_mm * (subject.slice_mm - _USUAL_SLICE_MM)
        ln_sd += self.subsolid * subject.is_subsolid
        ln_sd += self.other_scan * subject.is_other_scan
        factor = subject.factor * (1.0 if diameter == subject.diameter_mm else _BEYOND)
        return math.hypot(math.exp(ln_sd) * factor, subject.extra_sd)

    def quantile(self, share: float) -> float:
        """Of the error's distribution, in scales."""
        return float(stdtrit(self.degrees, share))

    def share_below(self, scales: float) -> float:
        """Of the error's distribution."""
        return float(stdtr(self.degrees, scales))


@dataclass(frozen=True)
class Subject:
    """What an error depends on.

    Attributes:
        diameter_mm: equivalent diameter; of two dates the mean.
        slice_mm: distance of slices; of two dates the larger.
        is_subsolid: whether it is part-solid or ground glass.
        is_other_scan: whether kernel, scanner or thickness of slices differs between the dates.
        factor: that widens for what was not fitted.
        extra_sd: added in quadrature, likewise.

    Raises:
        MeasureError: a size is not positive.
    """

    diameter_mm: float
    slice_mm: float
    is_subsolid: bool = False
    is_other_scan: bool = False
    factor: float = 1.0
    extra_sd: float = 0.0

    def __post_init__(self) -> None:
        if not (self.diameter_mm > 0 and self.slice_mm > 0 and self.factor >= 1 and self.extra_sd >= 0):
            raise MeasureError(
                f"an error needs a diameter and slices, got {self.diameter_mm:g} mm on {self.slice_mm:g} mm, widened "
                f"by {self.factor:g} and {self.extra_sd:g}."
            )


def is_subsolid(texture: float | None) -> bool:
    """Whether a rating of texture from 1 to 5 is part-solid or ground glass; unknown counts as solid."""
    return texture is not None and texture < SOLID_FROM


class VolumeError(FrozenConfig):
    """All that is known of errors."""

    made_by: str
    """The command that fits it."""
    fitted_on: str
    """Data, split and truth."""
    change: Annotated[Mapping[Method, Spread], *Frozen]
    """Of ln(V₂ / V₁), by how it was measured."""
    single: Annotated[Mapping[Method, Spread], *Frozen]
    """Of ln(V) at one date; between nodules, so most of it is the same at the next date."""
    others: Annotated[Mapping[Kind, Spread], *Frozen]
    """Of ln of the ratio of what else is measured."""

    def of_change(self, method: Method) -> Spread:
        """Of a ratio of volumes.

        Raises:
            MeasureError: nothing was fitted for the method.
        """
        if method not in self.change:
            raise MeasureError(f"nothing is known of the error of volumes measured by {method}.")
        return self.change[method]


@cache
def volume_error() -> VolumeError:
    """The coefficients that come with hilum.

    Raises:
        ConfigError: the file is damaged.
    """
    from hilum.config import read_config

    return VolumeError.of(read_config(COEFFICIENTS), COEFFICIENTS.name)


def volume_interval(volume_mm3: float, spread: Spread, subject: Subject, confidence: float = CONFIDENCE) -> Figure:
    """A volume at one date with its interval; the value is the measured one, the interval allows for bias."""
    if not volume_mm3 > 0:
        return Figure("volume_mm3", math.nan)
    sd, reach = spread.sd(subject), spread.quantile((1 + confidence) / 2)
    low, high = (volume_mm3 * math.exp(side * reach * sd - spread.bias) for side in (-1, 1))
    return Figure("volume_mm3", volume_mm3, low, high)


@dataclass(frozen=True)
class ScanFacts:
    """How a CT was made and measured, as far as anybody knows; None is "nobody said".

    Attributes:
        slice_mm: distance of slices, or their thickness where that is larger.
        kernel: of reconstruction, as the scanner calls it.
        scanner: maker and model.
        contrast: whether contrast agent was given.
        software: what measured the volume, with its version.
        outlined_by: whose outlines say where the nodules are.
    """

    slice_mm: float
    kernel: str | None = None
    scanner: str | None = None
    contrast: bool | None = None
    software: str | None = None
    outlined_by: str | None = None


@dataclass(frozen=True)
class Comparability:
    """Whether two dates' volumes can be compared.

    Attributes:
        warnings: one line each.
        factor: that widens the error.
        extra_sd: likewise, added in quadrature.
        is_other_scan: whether the error is that of scans that differ.
        refusal: why they can't be compared; None where they can.
    """

    warnings: tuple[str, ...] = ()
    factor: float = 1.0
    extra_sd: float = 0.0
    is_other_scan: bool = False
    refusal: str | None = None

    def subject(self, diameter_mm: float, slice_mm: float, texture: float | None = None) -> Subject:
        """What a nodule's error depends on, here."""
        subsolid = is_subsolid(texture)
        return Subject(diameter_mm, slice_mm, subsolid, self.is_other_scan, self.factor, self.extra_sd)


def comparability(prior: ScanFacts, current: ScanFacts) -> Comparability:
    """Whether, and how much less surely, volumes of two CTs can be compared.

    One software, one slice thickness and one kernel belong to a follow-up: of fifteen pairs of programs eleven differ
    systematically (de Hoop et al., Eur. Radiol. 19, 2009).
    """
    thickest = max(prior.slice_mm, current.slice_mm)
    if thickest > THICK_MM + _SLACK:
        return Comparability(refusal=f"slices of {thickest:g} mm: no volume is measured above {THICK_MM:g} mm")
    if _differ(prior.software, current.software):
        words = f"volumes by {prior.software} and by {current.software} differ systematically: measure both with one"
        return Comparability(refusal=words)
    warnings = []
    if thickest / min(prior.slice_mm, current.slice_mm) > _ALIKE:
        warnings.append(f"slices of {prior.slice_mm:g} and {current.slice_mm:g} mm: less sure")
    for what, before, after in (
        ("kernel", prior.kernel, current.kernel),
        ("scanner", prior.scanner, current.scanner),
    ):
        if _differ(before, after):
            warnings.append(f"{what} {before or 'unknown'}, then {after or 'unknown'}: less sure")
    is_other = bool(warnings)
    is_other_hand = _differ(prior.outlined_by, current.outlined_by)
    if is_other_hand:
        before, after = (one.outlined_by or "nobody knows whom" for one in (prior, current))
        warnings.append(f"outlined by {before}, then by {after}; measured alike within: less sure")
    has_contrast = prior.contrast is not current.contrast
    if has_contrast:
        before, after = (_CONTRAST[one.contrast] for one in (prior, current))
        warnings.append(f"{before} contrast agent, then {after}: less sure")
    factor = _OTHER_HAND if is_other_hand else 1.0
    return Comparability(tuple(warnings), factor, _CONTRAST_SD if has_contrast else 0.0, is_other)


def _differ(before: str | None, after: str | None) -> bool:
    """What one date says and the other doesn't counts as different; what neither says, doesn't."""
    return (before or "").strip().casefold() != (after or "").strip().casefold()
