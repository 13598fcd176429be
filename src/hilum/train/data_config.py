"""What a run can learn from, by kind: one configuration each."""

from typing import Annotated

from pydantic import Discriminator, Tag

from hilum.datasets.data_kind import SLICES, XRAY, kind_of
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.xray_config import XrayDataConfig

DataConfig = Annotated[
    Annotated[XrayDataConfig, Tag(XRAY)] | Annotated[SliceDataConfig, Tag(SLICES)], Discriminator(kind_of)
]
"""The data of a run; its field `kind` says which."""
