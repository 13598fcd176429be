"""What `hilum predict` can be told, whatever the pictures are."""

from dataclasses import dataclass
from pathlib import Path

from hilum.core import InputError
from hilum.core.geometry import Triple
from hilum.datasets.data_kind import CT_PATCHES, SLICES, XRAY
from hilum.infer.xray_domain import XrayStyle

DEFAULT = "default"
DEFAULT_XRAY = "xray"
DEFAULT_NEW_LESIONS, DEFAULT_KNOWN_LESIONS = "xray_new_lesions", "xray_known_lesions"
"""Shipped, for X-rays of which an earlier one with its lesions is known: what is new, and what became of each."""
DEFAULT_CT, DEFAULT_DETECTOR = "ct_nodules", "ct_detector"
"""Shipped, for CTs: what outlines a nodule that it is pointed at, and what points."""
NO_MODEL = "none"
SHIPPED_FOR = {XRAY: DEFAULT_XRAY, SLICES: "slices", CT_PATCHES: DEFAULT_CT}
"""The shipped model of each kind of data: what `DEFAULT` means for it."""
PIXEL_MM = (0.01, 10.0)
"""Sides that a pixel can have."""


@dataclass(frozen=True)
class PredictOptions:
    """How pictures are predicted.

    Attributes:
        model: a shipped model's name, `DEFAULT`, or the folder of a trained one.
        split: of a data set: "train", "validation", "test" or "all".
        style: what the pictures' grey levels are; None goes by the data set's kind or the file's name.
        pixel_mm: side of a pixel, for pictures that don't say.
        threshold: from which probability a pixel is in the mask; the model's own when None.
        tta: average over turned and resized views: six times the work.
        device: "auto", "cpu" or "cuda".
        prior: an earlier X-ray of the same patient, for one X-ray and a model that looks at it.
        prior_mask: the lesions that are known of it, on its pixels.
        prior_pixel_mm: side of its pixels, where it doesn't say; None is `pixel_mm` for a picture of the same rows and
            columns, and else what the mean chest tells.
        known_lesions: a model that looks at each lesion known from before again, by name or folder, or `NO_MODEL`. None
            is the shipped one beside a model that marks new lesions alone, and none beside others.
        point: (x, y, z) in LPS mm: the nodule there, in one CT, by a model of pieces of CTs or of slices.
        crf: let neighbouring pixels agree afterwards, for models of slices.
        point_px: (row, column), counted from 0: the nodule there, on one picture of a slice.
        detector: of nodules in whole CTs, by name or folder, or `NO_MODEL`: then what the model marks in the lungs is
            looked at. None is the shipped one.
        ensemble: further models of pieces of CTs, by name or folder, whose probabilities are averaged with the model's.
        series: which DICOM series of a folder with several; None where there is one.
        score: from which score what was found in a CT is called a nodule; chosen on validation when None.
    """

    model: str = DEFAULT
    split: str = "all"
    style: XrayStyle | None = None
    pixel_mm: float | None = None
    threshold: float | None = None
    tta: bool = False
    device: str = "auto"
    prior: Path | None = None
    prior_mask: Path | None = None
    prior_pixel_mm: float | None = None
    point: Triple | None = None
    crf: bool = False
    known_lesions: str | None = None
    point_px: tuple[float, float] | None = None
    detector: str | None = None
    ensemble: tuple[str, ...] = ()
    score: float | None = None
    series: str | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise InputError(f"a threshold is above 0 and at most 1, got {self.threshold}.")
        if self.score is not None and not 0 < self.score <= 1:
            raise InputError(f"a score is above 0 and at most 1, got {self.score}.")
        for side_mm in (self.pixel_mm, self.prior_pixel_mm):
            if side_mm is not None and not PIXEL_MM[0] <= side_mm <= PIXEL_MM[1]:
                raise InputError(
                    f"the side of a pixel is {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g} mm, got {side_mm}.",
                    "Millimetres are meant: .143 for 143 µm.",
                )
        if self.prior_mask is not None and self.prior is None:
            raise InputError("a mask of known lesions is that of an earlier X-ray.", "Name it, too: --prior FILE.")
        if self.prior_pixel_mm is not None and self.prior is None:
            raise InputError("--prior-pixel-mm is that of an earlier X-ray.", "Name it, too: --prior FILE.")
        if self.point is not None and self.point_px is not None:
            raise InputError("a point is one of a CT (--point) or of a picture (--point-px), not both.", "Give one.")

    @property
    def of_xrays(self) -> tuple[str, ...]:
        """Which options are set that X-rays alone have."""
        given = {"--style": self.style, "--prior": self.prior, "--known-lesions": self.known_lesions}
        return tuple(name for name, value in given.items() if value is not None)

    @property
    def of_slices(self) -> tuple[str, ...]:
        """Which options are set that CT slices alone have."""
        given = {"--point": self.point is not None, "--point-px": self.point_px is not None, "--crf": self.crf}
        given["--series"] = self.series is not None
        return tuple(name for name, is_set in given.items() if is_set)

    @property
    def of_cts(self) -> tuple[str, ...]:
        """Which options are set that whole CTs and pieces of them alone have."""
        given = {
            "--detector": self.detector is not None,
            "--ensemble": bool(self.ensemble),
            "--score": self.score is not None,
        }
        return tuple(name for name, is_set in given.items() if is_set)
