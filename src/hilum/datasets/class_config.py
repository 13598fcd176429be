"""How chest X-rays by classes become training samples."""

from typing import Literal, Self

from pydantic import NonNegativeInt, PositiveFloat, PositiveInt, model_validator

from hilum.config import FrozenConfig


class ClassDataConfig(FrozenConfig):
    """On which pixels classes are learnt, and which masks come with them."""

    kind: Literal["xray-classes"] = "xray-classes"
    """What the data are."""
    height_px: PositiveInt | None = 256
    """Rows of a sample; columns follow, so that nothing is squashed. None where pixel_mm says it."""
    pixel_mm: PositiveFloat | None = None
    """Side of a pixel, for films whose own is known. None where height_px says it."""
    look: Literal["stored", "published"] = "stored"
    """stored: brightness as the films have it. published: that of the published DRRs, cut at percentiles and equalised
    tile by tile, so that films of different scanners, and DRRs, look alike."""
    fold: PositiveInt | None = None
    """A stored fold that is neither learnt from nor chosen on, so that it can be judged. The next one is validation
    (after the last the first), all others are learnt from. Null takes the data set's split."""
    masks: tuple[str, ...] | None = None
    """Names of the masks of single structures that come along; None takes all that a film has."""
    require_classes: bool = True
    """Stop when a declared class has no pixel in what is learnt from; it could only seem to be learnt."""
    max_failures: NonNegativeInt = 5
    """Cases that may fail to be read; one more stops the run."""

    @property
    def truth(self) -> str:
        """Name of the masks that are learnt."""
        return "classes"

    @property
    def prior_channels(self) -> int:
        """How many images stand beside the film."""
        return 0

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if (self.height_px is None) == (self.pixel_mm is None):
            raise ValueError("one of height_px and pixel_mm says how large a sample is; set the other to null")
        return self
