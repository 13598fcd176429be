"""What a run can learn from, by kind: one configuration each."""

from typing import Annotated

from pydantic import Discriminator, Tag

from hilum.datasets.data_kind import SLICES, XRAY, kind_of
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.xray_config import KNOWN_LESIONS, XrayDataConfig

DataConfig = Annotated[
    Annotated[XrayDataConfig, Tag(XRAY)] | Annotated[SliceDataConfig, Tag(SLICES)], Discriminator(kind_of)
]
"""The data of a run; its field `kind` says which."""


def is_of_views(data: DataConfig) -> bool:
    """Whether a run looks at one known lesion at a time."""
    return isinstance(data, XrayDataConfig) and data.view == KNOWN_LESIONS
