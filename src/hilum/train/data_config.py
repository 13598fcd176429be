"""What a run can learn from, by kind: one configuration each."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Tag

from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.xray_config import XrayDataConfig

XRAY, SLICES = "xray", "slices"


def kind_of(data: object) -> str:
    """The kind that fields, or a configuration, of data are of.

    Those that don't say it are X-rays: runs of a time before there were others, and models that came from them.
    """
    kind = data.get("kind", XRAY) if isinstance(data, Mapping) else getattr(data, "kind", XRAY)
    return str(kind)


DataConfig = Annotated[
    Annotated[XrayDataConfig, Tag(XRAY)] | Annotated[SliceDataConfig, Tag(SLICES)], Discriminator(kind_of)
]
"""The data of a run; its field `kind` says which."""
