"""What a run can learn from, by kind: one configuration each."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Discriminator, Tag

from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.data_kind import CT_PATCHES, SLICES, XRAY, XRAY_CLASSES, kind_of
from hilum.datasets.patch_config import PatchAugmentConfig, PatchDataConfig
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.xray_config import KNOWN_LESIONS, AugmentConfig, XrayDataConfig

DataConfig = Annotated[
    Annotated[XrayDataConfig, Tag(XRAY)]
    | Annotated[SliceDataConfig, Tag(SLICES)]
    | Annotated[PatchDataConfig, Tag(CT_PATCHES)]
    | Annotated[ClassDataConfig, Tag(XRAY_CLASSES)],
    Discriminator(kind_of),
]
"""The data of a run; its field `kind` says which."""
PICTURES, PATCHES = "pictures", "patches"


def changed_kind(augment: object) -> str:
    """What fields, or a configuration, of changes are of; those that don't say it are of pictures."""
    kind = augment.get("kind", PICTURES) if isinstance(augment, Mapping) else getattr(augment, "kind", PICTURES)
    return str(kind)


AnyAugmentConfig = Annotated[
    Annotated[AugmentConfig, Tag(PICTURES)] | Annotated[PatchAugmentConfig, Tag(PATCHES)], Discriminator(changed_kind)
]
"""How pictures, or pieces of a CT, are changed."""


def axes_of(data: DataConfig) -> int:
    """Of what a run shows its network: 2 of pictures, 3 of pieces of a CT."""
    return 3 if isinstance(data, PatchDataConfig) else 2


def is_of_classes(data: DataConfig) -> bool:
    """Whether a run gives pixels or films one of several classes, and marks no lesions."""
    return isinstance(data, ClassDataConfig)


def is_of_views(data: DataConfig) -> bool:
    """Whether a run looks at one known lesion at a time."""
    return isinstance(data, XrayDataConfig) and data.view == KNOWN_LESIONS
