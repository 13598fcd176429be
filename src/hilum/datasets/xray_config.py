"""How X-rays become training samples.

Apart from the functions, which need only the fields' values: a run on a machine without pydantic gives them any object
that has the fields.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat

from hilum.config import FrozenConfig

Share = Annotated[float, Field(ge=0, le=1)]


class XrayDataConfig(FrozenConfig):
    """Which truth is learnt, on which pixels."""

    truth: Literal["union", "consensus"] = "union"
    """union: the published masks. consensus: silhouettes of nodules that at least three readers outlined."""
    pixel_mm: PositiveFloat = 0.7
    """Side of a pixel; pictures are resampled to it, so a millimetre is as long on each of them, both ways."""
    visibility_floor: Share = 1.0
    """What a lesion that can't be seen counts in the loss: weight = floor + (1 - floor) * visibility. 1 counts all of
    them alike."""
    max_failures: NonNegativeInt = 5
    """Cases that may fail to be read; one more stops the run."""
