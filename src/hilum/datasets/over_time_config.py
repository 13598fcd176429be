"""How pairs of X-rays over time are made of single ones."""

import math
from typing import Annotated, Self

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from hilum.config import FrozenConfig
from hilum.datasets.xray_config import InsertionConfig, Share, require_unfolded

Factor = Annotated[float, Field(gt=1, le=3)]


class ChangeShares(FrozenConfig):
    """What share of all lesions of a split each kind of change has; together 1."""

    unchanged: Share = 0.5
    """As large, and as dense, at both dates."""
    grown: Share = 0.2
    """Larger now."""
    shrunk: Share = 0.1
    """Smaller now."""
    gone: Share = 0.1
    """There before, not now."""
    new: Share = 0.1
    """There now, not before."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        total = sum(self.plain().values())
        if not math.isclose(total, 1, abs_tol=1e-6):
            raise ValueError(f"shares of the kinds of change are 1 together, these are {total:g}")
        return self


class LesionChangeConfig(FrozenConfig):
    """Which lesions change, and how."""

    shares: ChangeShares = ChangeShares()
    """Over all lesions of a split, inserted ones included."""
    growth: tuple[Factor, Factor] = (1.25, 2.0)
    """Least and largest factor between the two diameters of what has grown or shrunk."""
    least_size_mm: NonNegativeFloat = 3.0
    """No lesion was, or becomes, smaller than that; LIDC's readers outlined nothing smaller."""
    least_contrast: PositiveFloat = 0.5
    """Contrast to noise, as fitted, from which a real lesion can be changed; fainter ones stay as they are."""
    least_likeness: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Correlation of a lesion's thickness with the picture there from which it can be changed: taking away what doesn't
    lie where the picture shows it leaves a hole."""
    least_unchanged: Annotated[float, Field(ge=0, lt=1)] = 0.15
    """Of the real lesions that can be changed at least this share doesn't change, and of the inserted ones as much: or
    all that can be seen would be what has changed. More nodules are inserted where it needs them."""
    most_inserted: PositiveInt = 4
    """Into one picture."""
    left_empty: Share = 0.5
    """Share of the pictures without lesions into which nothing is inserted."""
    insertion: InsertionConfig = InsertionConfig()
    """Which nodules are inserted; its share and its number aren't used here."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.growth[0] > self.growth[1]:
            raise ValueError(f"growth has the smaller factor first, got {self.growth[0]:g} to {self.growth[1]:g}")
        if self.least_unchanged >= self.shares.unchanged:
            raise ValueError(f"least_unchanged is below the share of unchanged lesions, {self.shares.unchanged:g}")
        return self


class EarlierPoseConfig(FrozenConfig):
    """How differently the patient stood and breathed; each number is the most, both ways."""

    rotate_deg: NonNegativeFloat = 3.0
    """Turn in the picture's plane."""
    scale: NonNegativeFloat = 0.03
    """Enlargement by a factor of 1 / (1 + scale) to 1 + scale."""
    shift_mm: NonNegativeFloat = 10.0
    """Shift along each axis."""
    breathing_mm: NonNegativeFloat = 15.0
    """Displacement of the diaphragm up or down; none at the top of the lungs, half of it between the lungs."""
    elastic_mm: NonNegativeFloat = 2.0
    """Displacement of each point of a coarse lattice along each axis; what lies between follows smoothly."""
    elastic_lattice_mm: PositiveFloat = 40.0
    """Distance of the lattice's points; at least five times the displacement, or the picture could fold."""

    @model_validator(mode="after")
    def _cannot_fold(self) -> Self:
        require_unfolded(self.elastic_mm, self.elastic_lattice_mm)
        return self


class EarlierToneConfig(FrozenConfig):
    """How differently the earlier picture was exposed and processed."""

    gamma: NonNegativeFloat = 0.25
    """Brightness to the power of 1 / (1 + gamma) to 1 + gamma."""
    brightness: NonNegativeFloat = 0.04
    """Added, of the full range."""
    contrast: NonNegativeFloat = 0.15
    """Distance from middle grey by a factor of 1 / (1 + contrast) to 1 + contrast."""
    equalised: Share = 0.5
    """How often local contrast is equalised once more (CLAHE), with a strength of its own."""
    equalise_limit: tuple[PositiveFloat, PositiveFloat] = (0.002, 0.02)
    """Smallest and largest clip limit of it."""
    blur_mm: NonNegativeFloat = 0.7
    """Largest sigma of a blur."""
    noise: NonNegativeFloat = 0.025
    """Largest standard deviation of noise, of the full range."""
    grain_mm: NonNegativeFloat = 1.2
    """Largest sigma of its grain; 0 is noise of single pixels."""


class OverTimeConfig(FrozenConfig):
    """All of it."""

    lesions: LesionChangeConfig = LesionChangeConfig()
    """What becomes of lesions."""
    pose: EarlierPoseConfig = EarlierPoseConfig()
    """How the patient stood and breathed."""
    tone: EarlierToneConfig = EarlierToneConfig()
    """How the earlier picture looks."""
