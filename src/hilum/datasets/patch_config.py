"""How pieces of a CT become training samples, and how far they are changed."""

from typing import Annotated, Literal, Self

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from hilum.config import FrozenConfig

Share = Annotated[float, Field(ge=0, le=1)]


class PatchDataConfig(FrozenConfig):
    """Which pieces are learnt from, on which voxels."""

    kind: Literal["ct-patches"] = "ct-patches"
    """What the data are."""
    truth: Literal["nodule"] = "nodule"
    """The nodule's mask; what it was made of (contours, a diameter) is said in the data set, and on the card."""
    voxel_mm: PositiveFloat = 1.0
    """Side of a voxel, of the data set's pieces and of those that are predicted; others are refused."""
    window: Literal["lung", "mediastinum", "full"] = "lung"
    """HU that become 0 and 1 (`hilum.datasets.slice_scale.WINDOWS`): lung -1000 to 400, mediastinum -160 to 240, full
    -1024 to 3071."""
    nodules_alike: bool = True
    """Whether each nodule is shown as often as any other, however many pieces it is in; else each piece is."""
    hard_share: Share | None = None
    """Share of hard negatives (what only looks like a nodule) among the draws without a nodule; the rest are of random
    places. None leaves it as it is."""
    point_share: Share = 0.0
    """How often the network is told where the nodule is, by a second image (`hilum.datasets.slice_point`); else that
    image is dark, and whatever looks like a nodule is to be marked. 0: there is no second image."""
    max_failures: NonNegativeInt = 5
    """Cases that may fail to be read; one more stops the run."""

    @property
    def prior_channels(self) -> int:
        """How many images stand beside a piece: the point's, or none."""
        return int(self.point_share > 0)


class PatchAugmentConfig(FrozenConfig):
    """How far a training piece may be changed; each number is the most, both ways, unless it says otherwise."""

    kind: Literal["patches"] = "patches"
    """What is changed."""
    crop_px: PositiveInt | None = None
    """Side of the cube that is shown, at a random place; None shows the whole piece."""
    crop_on_lesion: Share = 0.5
    """How often the cube holds a voxel of the nodule, where the piece has one."""
    flip: Share = 0.5
    """How often each axis is turned round, by itself."""
    quarter_turns: bool = True
    """Whether axial slices are turned by 0, 90, 180 or 270 degrees, each as often."""
    rotate_deg: NonNegativeFloat = 15.0
    """Turn about each of the three axes, one after another, around the middle of what is shown."""
    scale: NonNegativeFloat = 0.15
    """Enlargement by a factor of 1 / (1 + scale) to 1 + scale."""
    shift_mm: NonNegativeFloat = 0.0
    """Shift along each axis, of a cube beside its random place: where pieces are hardly larger than cubes, their middle
    would always be the nodule. What lies beyond the piece repeats its edge and weighs nothing."""
    gamma: NonNegativeFloat = 0.15
    """Brightness to the power of 1 / (1 + gamma) to 1 + gamma."""
    brightness: NonNegativeFloat = 0.03
    """Added, of the full range."""
    contrast: NonNegativeFloat = 0.1
    """Distance from middle grey by a factor of 1 / (1 + contrast) to 1 + contrast."""
    noise: Share = 0.5
    """How often noise is added."""
    noise_level: NonNegativeFloat = 0.03
    """Largest standard deviation of the noise, of the full range."""

    @classmethod
    def none(cls) -> Self:
        """Pieces as they are."""
        moves = ("flip", "rotate_deg", "scale", "shift_mm", "gamma", "brightness", "contrast", "noise")
        return cls.of({**dict.fromkeys(moves, 0.0), "quarter_turns": False})
