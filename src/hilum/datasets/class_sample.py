"""One chest X-ray by classes, as it is learnt from."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hilum.core import GeometryError
from hilum.core.mask import Selection
from hilum.datasets.class_map import ClassMap
from hilum.datasets.class_source import ImageLabel, label_number
from hilum.datasets.xray_sample import Picture


@dataclass(frozen=True, eq=False)
class ClassSample:
    """A film, the class of each of its pixels, and how much each counts.

    Attributes:
        key: of the case.
        patient: whose it is.
        image: [y, x] 0 to 1, dense is bright.
        labels: [y, x] uint8: 0 background, 1, 2, … the data set's classes; 0 where the class is unknown, too.
        weight: [y, x] 1 where the class is known, 0 where it isn't.
        image_label: of the film as a whole; None when nobody says.
        masks: [y, x] single structures by name; they may overlap.
        pixel_mm: side of a pixel; None when nobody knows.
        day: since the patient's first film; NaN when nobody says.

    Raises:
        GeometryError: the planes are not of one size, or not [y, x].
    """

    key: str
    patient: str
    image: Picture
    labels: ClassMap
    weight: Picture
    image_label: ImageLabel | None = None
    masks: Mapping[str, Selection] = field(default_factory=dict)
    pixel_mm: float | None = None
    day: float = float("nan")

    def __post_init__(self) -> None:
        shapes = {self.image.shape, self.labels.shape, self.weight.shape, *(mask.shape for mask in self.masks.values())}
        if len(shapes) != 1 or self.image.ndim != 2:
            raise GeometryError(
                f"{self.key}: image and what lies over it are of one size [y, x], got {sorted(shapes)}."
            )

    @property
    def truth(self) -> ClassMap:
        """[y, x] what is learnt, by the name that all kinds of samples have for it: the labels."""
        return self.labels

    @property
    def prior(self) -> Picture | None:
        """A second image: films by classes have none."""
        return None

    @property
    def prior_lesions(self) -> Selection | None:
        """What is known of it: nothing."""
        return None

    @property
    def step_mm(self) -> tuple[float, float]:
        """From pixel to pixel along each axis; NaN when nobody knows."""
        side = math.nan if self.pixel_mm is None else self.pixel_mm
        return side, side

    @property
    def label_number(self) -> int:
        """The film's label by its place in `LABELS`; `UNKNOWN_LABEL` when nobody says."""
        return label_number(self.image_label)

    @property
    def is_known(self) -> bool:
        """Whether the class of every pixel is known."""
        return bool(np.all(self.weight > 0))

    def has_class(self, number: int) -> bool:
        """Whether any pixel is known to be of this class."""
        return bool(np.any((self.labels == number) & (self.weight > 0)))
