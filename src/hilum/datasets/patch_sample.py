"""One piece of a CT as it is learnt from. numpy only."""

from dataclasses import dataclass

from hilum.core import GeometryError
from hilum.core.geometry import Triple
from hilum.datasets.xray_sample import Picture, Truth

POSITIVE, RANDOM, HARD = "positive", "random", "hard"
"""What a piece shows: a nodule, a random place without one, or what only looks like one."""


@dataclass(frozen=True, eq=False)
class PatchSample:
    """A piece of a CT, its truth, and how much each voxel counts.

    Attributes:
        key: of the case.
        patient: whose it is.
        nodule: of the patient, which the piece shows; "" for one that shows none.
        image: [z, y, x] 0 to 1, HU of a window.
        truth: [z, y, x] nodule.
        weight: [z, y, x] of each voxel in the loss, at least 0.
        voxel_mm: (z, y, x) steps.
        kind: `POSITIVE`, `RANDOM` or `HARD`.
        truth_type: what the truth was made of, in words.
        point_zyx: where somebody says that the nodule is, or points at what only looks like one, in voxels; None where
            nobody does.
        prior: [z, y, x] 0 to 1, that point as a second image; None where a network isn't told of points.

    Raises:
        GeometryError: the arrays are not of one size, or not [z, y, x].
    """

    key: str
    patient: str
    nodule: str
    image: Picture
    truth: Truth
    weight: Picture
    voxel_mm: Triple
    kind: str
    truth_type: str
    point_zyx: Triple | None = None
    prior: Picture | None = None

    def __post_init__(self) -> None:
        planes = (self.image, self.truth, self.weight, self.prior)
        shapes = {plane.shape for plane in planes if plane is not None}
        if len(shapes) != 1 or self.image.ndim != 3:
            raise GeometryError(
                f"{self.key}: image and what lies over it are of one size [z, y, x], got {sorted(shapes)}."
            )

    @property
    def has_lesion(self) -> bool:
        """Whether any voxel of the truth is in."""
        return bool(self.truth.any())

    @property
    def step_mm(self) -> Triple:
        """From voxel to voxel along each axis."""
        return self.voxel_mm

    @property
    def prior_lesions(self) -> None:
        """No lesions are known from before."""
