"""What a training run reads: a prepared data set, or a packed cache of one. One line for each kind of data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum.core import InputError
from hilum.datasets.data_kind import CT_PATCHES, SLICES, XRAY, XRAY_CLASSES
from hilum.datasets.prepared import read_prepared
from hilum.train.config import TrainConfig
from hilum.train.fit import Cases
from hilum.workflows.output import sha256_of
from hilum.workflows.train_classes import class_cases, read_classes
from hilum.workflows.train_facts import PACK, TrainData
from hilum.workflows.train_patches import patch_cases, read_patches
from hilum.workflows.train_slices import read_slices, slice_cases
from hilum.workflows.train_xrays import read_xrays, xray_cases


@dataclass(frozen=True)
class Kind:
    """How data of one kind come into a run.

    Attributes:
        read: both splits of a data set.
        cases: how they are shown.
    """

    read: Callable[[Path, TrainConfig], TrainData[Any]]
    cases: Callable[[TrainData[Any], TrainConfig], Cases]


KINDS: Mapping[str, Kind] = {
    XRAY: Kind(read_xrays, xray_cases),
    SLICES: Kind(read_slices, slice_cases),
    CT_PATCHES: Kind(read_patches, patch_cases),
    XRAY_CLASSES: Kind(read_classes, class_cases),
}


def data_hash(data: Path) -> str:
    """SHA-256 of a data set's index, which holds those of its pictures, or of a packed cache.

    Raises:
        InputError: there is neither.
    """
    if data.suffix == PACK and data.is_file():
        return sha256_of(data)
    return sha256_of(read_prepared(data).index)


def read_data(data: Path, config: TrainConfig) -> TrainData[Any]:
    """Both splits, and what else the run learns from.

    Raises:
        InputError: there is no such data set, it is of another kind, or its splits overlap, are not those of its hash,
            or hold somebody who may not be there.
        ConfigError: a packed cache has other pixels or another truth than the configuration.
        TrainError: nothing to learn from.
    """
    _require_kind(data, config)
    return KINDS[config.data.kind].read(data, config)


def _require_kind(data: Path, config: TrainConfig) -> None:
    """Check that a data set is of the kind that the run learns from; those of a kind without a name here are X-rays.

    Raises:
        InputError: it is another.
    """
    wanted = config.data.kind
    if data.suffix == PACK and data.is_file():
        there, known = XRAY, "a packed file of X-rays, or not prepared yet,"
    else:
        kind = read_prepared(data).kind
        there, known = kind if kind in KINDS else XRAY, f"a data set of the kind {kind},"
    if there != wanted:
        raise InputError(
            f"{data} is {known} and the run is on data of the kind {wanted}.",
            "Prepare such data (hilum prepare), or choose a recipe for these (hilum recipes).",
        )


def cases_of(read: TrainData[Any], config: TrainConfig) -> Cases:
    """What has been read, as the run shows it."""
    return KINDS[config.data.kind].cases(read, config)
