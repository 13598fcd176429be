"""The losses by name, and how a name and options become one."""

from collections.abc import Mapping
from typing import Any

from hilum.config import built
from hilum.losses.attention import Attention
from hilum.losses.base import SegmentationLoss
from hilum.losses.bce import Bce
from hilum.losses.boundary import Boundary
from hilum.losses.classes import CrossEntropyDice
from hilum.losses.combined import BceDice, Combined, Medical
from hilum.losses.deep import DeepSupervision
from hilum.losses.focal import AdaptiveFocal, Focal
from hilum.losses.overlap import Dice, FocalTversky, Tversky
from hilum.losses.presence import Presence
from hilum.losses.retina import Retina
from hilum.losses.squared import SquaredError

LOSSES: dict[str, type[SegmentationLoss]] = {
    "bce": Bce,
    "dice": Dice,
    "bce_dice": BceDice,
    "focal": Focal,
    "adaptive_focal": AdaptiveFocal,
    "tversky": Tversky,
    "focal_tversky": FocalTversky,
    "medical": Medical,
    "squared_error": SquaredError,
    "boundary": Boundary,
    "presence": Presence,
    "attention": Attention,
    "combined": Combined,
    "deep_supervision": DeepSupervision,
    "retina": Retina,
    "cross_entropy_dice": CrossEntropyDice,
}


def build_loss(name: str, options: Mapping[str, Any] | None = None) -> SegmentationLoss:
    """The loss of this name in `LOSSES`, with its options; raises ConfigError as `built` does."""
    return built(LOSSES, "loss", name, options)
