"""How CT slices become training samples."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveFloat

from hilum.config import FrozenConfig


class SliceDataConfig(FrozenConfig):
    """Which truth of which nodules is learnt, on which pixels."""

    kind: Literal["slices"] = "slices"
    """What the data are."""
    truth: Literal["consensus", "union"] = "consensus"
    """consensus: pixels that at least half of the nodule's readers have. union: those of any reader."""
    least_readers: Annotated[int, Field(ge=1, le=4)] = 1
    """How many readers outlined the nodules that are learnt from; validation keeps those of three or more."""
    pixel_mm: PositiveFloat | None = None
    """Side of a pixel; None leaves each scan its own."""
    nodules_alike: bool = False
    """Whether each nodule is shown as often as any other, however many slices it is on; else each slice is."""
    window: Literal["lung", "mediastinum", "full"] = "lung"
    """HU that become 0 and 1 (`hilum.datasets.slice_scale.WINDOWS`): lung -1000 to 400, mediastinum -160 to 240, full
    -1024 to 3071."""
    point_share: Annotated[float, Field(ge=0, le=1)] = 0.0
    """How often the network is told where the nodule is, by a second image (`hilum.datasets.slice_point`); else that
    image is dark, and whatever looks like a nodule is to be marked. 0: there is no second image."""
    max_failures: NonNegativeInt = 5
    """Cases that may fail to be read; one more stops the run."""

    @property
    def prior_channels(self) -> int:
        """How many images stand beside a slice: the point's, or none."""
        return int(self.point_share > 0)
