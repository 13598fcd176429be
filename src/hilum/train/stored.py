"""A model on disk: weights.safetensors and config.json, each whole or absent (`card.md` comes at the end)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from hilum import __version__
from hilum.core.evaluation import Threshold
from hilum.evaluate.gone import MOST_FALSE_GONE, GoneThreshold
from hilum.infer.loaded import CONFIG, SCHEMA, WEIGHTS
from hilum.io.json_file import write_json
from hilum.io.text_file import write_bytes
from hilum.models.network import Network
from hilum.train.config import TrainConfig

MODEL = "model"
"""Folder of a run's model."""
VALIDATION = "validation"
"""The split on which the best epoch and the threshold are chosen."""


def write_model(folder: Path, network: Network, config: TrainConfig, found: Mapping[str, Any]) -> None:
    """Write weights and configuration.

    Args:
        folder: made when it isn't there.
        network: of any device; bfloat16 is not changed.
        config: the complete run; its `trainer.store` says how kernels are rounded.
        found: what else a user of the weights needs, such as the threshold and where it was chosen.

    Raises:
        OutputError: the place can't be written to.
    """
    from safetensors.torch import save

    kept = {name: _stored(value, config.trainer.store) for name, value in network.state_dict().items()}
    # Through bytes: the library's own files may be read by their owner alone.
    # One key of metadata: the library writes several in any order, and equal weights would have another hash each time.
    write_bytes(folder / WEIGHTS, save(kept, {"model": config.model.name}))
    write_config(folder, config, found)


def _stored(value: Tensor, store: Literal["float32", "float16"]) -> Tensor:
    """As it is stored: kernels rounded, norms and biases as they are (a small variance would be lost in float16)."""
    is_kernel = value.ndim > 1 and value.dtype is torch.float32
    return value.detach().cpu().contiguous().to(torch.float16 if is_kernel and store == "float16" else value.dtype)


def write_config(folder: Path, config: TrainConfig, found: Mapping[str, Any]) -> None:
    """Write the configuration alone, with what else is known by now."""
    head = {"schema": SCHEMA, "version": __version__, "hash": config.hash}
    write_json(folder / CONFIG, {**head, **found, "config": config.plain()})


def threshold_record(threshold: Threshold, split_hash: str, patients: Iterable[str]) -> dict[str, Any]:
    """A threshold as `config.json` has it: with the patients on whom it was chosen, so that flattering is told.

    Args:
        threshold: the number, and in words where it comes from.
        split_hash: of the stored split; "" when there is none.
        patients: whose validation cases they were.
    """
    chosen = {"split": VALIDATION, "split_hash": split_hash, "patients": sorted(set(patients))}
    return {"value": threshold.value, "chosen_on": threshold.chosen_on, **chosen}


def gone_record(gone: GoneThreshold, threshold: Mapping[str, Any]) -> dict[str, Any]:
    """The threshold below which a known lesion is called gone, as `config.json` has it, with what it notices.

    Args:
        gone: the number, and its figures.
        threshold: what `threshold_record` made: it was chosen on the same patients.
    """
    chosen = {name: value for name, value in threshold.items() if name != "value"}
    counts = {"gone": gone.gone, "there": gone.there, "most_false_gone": MOST_FALSE_GONE}
    return {"value": gone.value, **chosen, **counts, "figures": gone.figures}
