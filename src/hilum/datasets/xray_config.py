"""How X-rays become training samples.

Apart from the functions, which need only the fields' values: a run on a machine without pydantic gives them any object
that has the fields.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hilum.config import FrozenConfig

PICTURE, NEW_LESIONS, KNOWN_LESIONS = "picture", "new_lesions", "known_lesions"
"""What `XrayDataConfig.view` can be."""

Share = Annotated[float, Field(ge=0, le=1)]


def require_unfolded(elastic_mm: float, elastic_lattice_mm: float) -> None:
    """Refuse elastic displacements by which a picture could fold: of more than a fifth of the lattice's distance.

    Raises:
        ValueError: says the least distance.
    """
    if elastic_lattice_mm < 5 * elastic_mm:
        raise ValueError(f"elastic_lattice_mm is at least 5 times elastic_mm, {5 * elastic_mm:g}")


class XrayDataConfig(FrozenConfig):
    """Which truth is learnt, on which pixels."""

    kind: Annotated[Literal["xray"], Field(exclude=True)] = "xray"
    """What the data are. Not stored: runs of a time before there were others don't say it, and keep their hash."""
    truth: Literal["union", "consensus"] = "union"
    """union: the published masks. consensus: silhouettes of nodules that at least three readers outlined."""
    pixel_mm: PositiveFloat = 0.7
    """Side of a pixel; pictures are resampled to it, so a millimetre is as long on each of them, both ways."""
    visibility_floor: Share = 1.0
    """What a lesion that can't be seen counts in the loss: weight = floor + (1 - floor) * visibility. 1 counts all of
    them alike."""
    leave_out_odd: bool = True
    """Learn nothing from pictures that are known to stand on their head or whose truth lies elsewhere. Validation keeps
    them, and the card counts them."""
    max_failures: NonNegativeInt = 5
    """Cases that may fail to be read; one more stops the run."""
    prior: Literal["none", "same", "shuffled", "earlier"] = "none"
    """What the network sees beside the X-ray. none: nothing. same: the X-ray itself, as in the sources. earlier: the
    patient's earlier picture, registered. shuffled: another patient's, a new one each time."""
    prior_lesions: bool = False
    """Whether the lesions that are known of the earlier picture are one more image; with same, the patient's own."""
    view: Literal["picture", "new_lesions", "known_lesions"] = "picture"
    """What the network looks for, and where. picture: lesions on the whole picture. new_lesions: those alone that no
    known one overlaps. known_lesions: a small view around each lesion that is known of the earlier picture, in which
    all have one size (`hilum.datasets.known_lesions`), to say whether it is still there."""

    @model_validator(mode="after")
    def _views_have_lesions(self) -> Self:
        if self.view != PICTURE and (self.prior != "earlier" or not self.prior_lesions):
            raise ValueError(
                f"data.view {self.view} needs an earlier picture and its lesions; "
                "set data.prior to earlier and data.prior_lesions to true, or data.view to picture"
            )
        if self.view == KNOWN_LESIONS and self.visibility_floor < 1:
            raise ValueError("views of known lesions count alike, whatever they show; set data.visibility_floor to 1")
        return self

    @property
    def prior_channels(self) -> int:
        """How many images stand beside the X-ray."""
        return 0 if self.prior == "none" else 1 + self.prior_lesions


class StyleConfig(FrozenConfig):
    """How far a training picture's look may be changed to that of other films and detectors (`hilum.datasets.style2d`).

    Each number is the most.
    """

    share: Share = 0.0
    """How often a picture is shown in another style; 0 never."""
    each: Share = 0.5
    """How often each of the changes below is part of a style."""
    curve: NonNegativeFloat = 6.0
    """Steepness of a film's S-shaped curve, with toe and shoulder; half as much the other way round."""
    bend: NonNegativeFloat = 0.7
    """Logarithm of further factors on the curve's slope, at eight places; the curve stays monotone."""
    equalise: Share = 1.0
    """Share of a picture that was equalised anew, tile by tile or as a whole."""
    most_tiles: PositiveInt = 12
    """Along each side, for that; 1 is the whole picture."""
    sharpen: NonNegativeFloat = 1.0
    """Unsharp masking: how much of the difference to the local mean is added; two fifths as much is taken away."""
    sharpen_mm: PositiveFloat = 15.0
    """Side of the square of that mean; 2 mm at least, where this is larger."""
    grain: NonNegativeFloat = 0.025
    """Standard deviation of a film's grain, of the full range."""
    grain_mm: PositiveFloat = 0.8
    """Coarseness of the grain: sigma of the Gaussian that correlates it."""
    haze: Share = 0.4
    """Share of the contrast that a veil, as of scattered quanta, takes where it is thickest."""
    vignette: NonNegativeFloat = 0.15
    """Brightness added or taken towards the corners, and from edge to edge (heel effect)."""
    border_mm: NonNegativeFloat = 12.0
    """What collimation covers on each side of what is shown; nothing is learnt there."""


class AugmentConfig(FrozenConfig):
    """How far a training picture may be changed; each number is the most, both ways, unless it says otherwise."""

    crop_px: tuple[PositiveInt, PositiveInt] | None = None
    """Rows and columns of the piece that is shown, at a random place; None shows the whole picture."""
    crop_on_lesion: Share = 0.5
    """How often the piece holds a pixel of a lesion, where the picture has one."""
    rotate_deg: NonNegativeFloat = 7.0
    """Turn around the middle of what is shown."""
    scale: NonNegativeFloat = 0.1
    """Enlargement by a factor of 1 / (1 + scale) to 1 + scale."""
    shift_mm: NonNegativeFloat = 8.0
    """Shift of the whole picture along each axis; a piece has its random place already."""
    shear_deg: Annotated[float, Field(ge=0, lt=60)] = 0.0
    """How far upright lines lean; rows stay level."""
    flip: Share = 0.5
    """How often left and right are exchanged."""
    flip_up_down: Share = 0.0
    """How often up and down are exchanged; never an X-ray's of a standing patient."""
    elastic_mm: NonNegativeFloat = 2.0
    """Displacement of each point of a coarse lattice along each axis; what lies between follows smoothly."""
    elastic_lattice_mm: PositiveFloat = 40.0
    """Distance of the lattice's points; at least five times the displacement, or the picture could fold."""
    gamma: NonNegativeFloat = 0.25
    """Brightness to the power of 1 / (1 + gamma) to 1 + gamma."""
    brightness: NonNegativeFloat = 0.05
    """Added, of the full range."""
    contrast: NonNegativeFloat = 0.15
    """Distance from middle grey by a factor of 1 / (1 + contrast) to 1 + contrast."""
    blur: Share = 0.2
    """How often a picture is blurred."""
    blur_mm: NonNegativeFloat = 0.7
    """Largest sigma of a blur."""
    noise: Share = 0.5
    """How often noise is added."""
    noise_level: NonNegativeFloat = 0.03
    """Largest standard deviation of the noise, of the full range."""
    style: StyleConfig = StyleConfig()
    """The look of other films and detectors, before gamma, brightness, contrast, blur and noise."""
    prior_shift_mm: NonNegativeFloat = 0.0
    """Shift of the earlier picture, with its lesions, against the X-ray along each axis: what registration may miss."""

    @model_validator(mode="after")
    def _cannot_fold(self) -> Self:
        require_unfolded(self.elastic_mm, self.elastic_lattice_mm)
        return self

    @classmethod
    def none(cls) -> Self:
        """Pictures as they are."""
        moves = ("rotate_deg", "scale", "shift_mm", "shear_deg", "flip", "flip_up_down", "elastic_mm")
        return cls.of(dict.fromkeys((*moves, "gamma", "brightness", "contrast", "blur", "noise"), 0.0))


class CurriculumStep(FrozenConfig):
    """Until when only the easier pictures are shown."""

    until_epoch: PositiveInt
    """The last epoch, counted from 1 as a phase's `first_epoch`, for which the step holds."""
    easiest: Annotated[float, Field(gt=0, le=1)]
    """Share of the pictures with lesions that are shown, easiest first. Pictures without are always among them."""


class SamplingConfig(FrozenConfig):
    """Which pictures an epoch shows, and how often."""

    draws: PositiveInt | None = None
    """Pictures an epoch; None for as many as there are."""
    lesion_share: Share | None = None
    """Share of the draws that have a lesion; None leaves it as it is."""
    hard_negatives: NonNegativeFloat = 0.0
    """How many times more often, at most, a picture comes on which the last pass marked what is no lesion; see
    `hard_weights`. 0 for none."""
    curriculum: tuple[CurriculumStep, ...] = ()
    """From the easiest on; all pictures after the last step."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        ends = [step.until_epoch for step in self.curriculum]
        if ends != sorted(set(ends)):
            raise ValueError(f"curriculum steps end one after another, these at {ends}")
        return self


SOURCE_CURRICULUM = (CurriculumStep(until_epoch=30, easiest=1 / 3), CurriculumStep(until_epoch=80, easiest=2 / 3))
"""The sources' plan: easy up to epoch 30, medium up to epoch 80, then all. They leave open what easy is: thirds."""


class InsertionConfig(FrozenConfig):
    """How often, and which, real nodules' shadows are added to training pictures."""

    share: Share = 0.0
    """How often a picture gets any; 0 never."""
    most: PositiveInt = 2
    """Of one picture; each number from 1 on is as likely."""
    least_readers: Annotated[int, Field(ge=2, le=4)] = 3
    """How many readers outlined the nodules that are inserted."""
    size_mm: tuple[NonNegativeFloat, PositiveFloat] = (5.0, 40.0)
    """Smallest and largest, equivalent diameter before enlargement."""
    scale: NonNegativeFloat = 0.15
    """Enlargement, in all three directions, by a factor of 1 / (1 + scale) to 1 + scale."""
    density: NonNegativeFloat = 1.0
    """Contrast by a factor of 1 / (1 + density) to 1 + density: nodules are not equally dense. With 1, contrasts of
    inserted nodules scatter nearly as those of real ones (`docs/explanation/training-data.md`)."""
