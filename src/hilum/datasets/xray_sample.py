"""One X-ray as it is learnt from. numpy only, so that a packed cache can be read where nothing else is."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError

Picture: TypeAlias = NDArray[np.float32]
Truth: TypeAlias = NDArray[np.bool_]

GREY_LEVELS = 255
"""A sample's brightness has 8 bits, as the published pictures have; so a packed cache loses nothing."""


@dataclass(frozen=True)
class NoduleInfo:
    """A readers' nodule of a sample, whether its truth has it or not.

    Attributes:
        id: within the picture.
        size_mm: equivalent diameter of its consensus on the CT; NaN when unknown.
        reader_count: how many readers outlined it.
        visibility: 0 to 1 (`hilum.drr.visibility`); NaN when unknown.
        contrast: to noise, of its silhouette against the ring around it; NaN when unknown.
        centre_px: (row, column) of its silhouette on the sample's pixels; None when it has no silhouette.
        is_synthetic: whether it was inserted.
    """

    id: str
    size_mm: float
    reader_count: int
    visibility: float
    contrast: float
    centre_px: tuple[float, float] | None = None
    is_synthetic: bool = False


@dataclass(frozen=True, eq=False)
class XraySample:
    """A picture, its truth, and how much each pixel counts.

    Attributes:
        key: of the case.
        patient: whose it is.
        image: [y, x] 0 to 1, dense is bright, in steps of 1 / `GREY_LEVELS` as loaded.
        truth: [y, x] lesions.
        weight: [y, x] of each pixel in the loss, at least 0; 1 outside the lesions.
        pixel_mm: side of a pixel.
        nodules: the readers', and inserted ones.
        odd: what a person who uses the case should know.
        prior: [y, x] an earlier picture of the same patient, registered, in the same steps; None when there is none.
        prior_lesions: [y, x] the lesions that are known of it; None when nobody knows.

    Raises:
        GeometryError: the planes are not of one size, or not [y, x].
    """

    key: str
    patient: str
    image: Picture
    truth: Truth
    weight: Picture
    pixel_mm: float
    nodules: tuple[NoduleInfo, ...] = ()
    odd: tuple[str, ...] = ()
    prior: Picture | None = None
    prior_lesions: Truth | None = None

    def __post_init__(self) -> None:
        planes = (self.image, self.truth, self.weight, self.prior, self.prior_lesions)
        shapes = {plane.shape for plane in planes if plane is not None}
        if len(shapes) != 1 or self.image.ndim != 2:
            raise GeometryError(
                f"{self.key}: image, truth, weight and what is known of earlier are of one size [y, x], "
                f"got {sorted(shapes)}."
            )

    @property
    def has_lesion(self) -> bool:
        """Whether any pixel of the truth is in."""
        return bool(self.truth.any())

    @property
    def step_mm(self) -> tuple[float, float]:
        """From pixel to pixel along each axis."""
        return self.pixel_mm, self.pixel_mm

    @property
    def is_synthetic(self) -> bool:
        """Whether something was inserted."""
        return any(nodule.is_synthetic for nodule in self.nodules)
