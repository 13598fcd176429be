"""One CT slice as it is learnt from."""

from dataclasses import dataclass

from hilum.core import GeometryError
from hilum.datasets.xray_sample import Picture, Truth


@dataclass(frozen=True, eq=False)
class SliceSample:
    """A piece of an axial CT slice, its truth, and how much each pixel counts.

    Attributes:
        key: of the case.
        patient: whose it is.
        nodule: of the patient, to which the slice belongs; "" for a slice that shows none.
        reader_count: how many readers outlined the nodule, on any slice; 0 without one.
        image: [y, x] 0 to 1, brought to one scale (`hilum.datasets.slice_scale`).
        truth: [y, x] nodule.
        weight: [y, x] of each pixel in the loss, at least 0.
        pixel_mm: side of a pixel.
        point_px: (row, column) where somebody says that the nodule is; None where nobody does.
        prior: [y, x] 0 to 1, that point as a second image; None where a network isn't told of points.

    Raises:
        GeometryError: the planes are not of one size, or not [y, x].
    """

    key: str
    patient: str
    nodule: str
    reader_count: int
    image: Picture
    truth: Truth
    weight: Picture
    pixel_mm: float
    point_px: tuple[float, float] | None = None
    prior: Picture | None = None

    def __post_init__(self) -> None:
        planes = (self.image, self.truth, self.weight, self.prior)
        shapes = {plane.shape for plane in planes if plane is not None}
        if len(shapes) != 1 or self.image.ndim != 2:
            raise GeometryError(
                f"{self.key}: image and what lies over it are of one size [y, x], got {sorted(shapes)}."
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
    def prior_lesions(self) -> None:
        """No lesions are known from before."""
