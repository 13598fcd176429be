"""Gradient checkpointing of the encoder: its features are computed again on the way back instead of being kept."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.checkpoint import checkpoint

from hilum.models.network import Network


@contextmanager
def computed_again(network: Network, is_wanted: bool) -> Iterator[None]:
    """While the block runs, the encoder's stages keep their inputs only (Chen 2016); gradients are the same."""
    stages = list(network.encoder_stages()) if is_wanted else []
    before = [stage.forward for stage in stages]
    try:
        for stage in stages:
            stage.forward = _Again(stage)
        yield
    finally:
        for stage, forward in zip(stages, before, strict=True):
            stage.forward = forward


class _Again:
    """A stage's forward whose inner features are computed again when the gradient needs them."""

    def __init__(self, stage: nn.Module) -> None:
        self._stage = stage

    def __call__(self, *inputs: Any) -> Any:
        forward = type(self._stage).forward
        if not self._stage.training:
            return forward(self._stage, *inputs)
        return checkpoint(forward, self._stage, *inputs, use_reentrant=False, context_fn=self._contexts)

    def _contexts(self) -> tuple[AbstractContextManager[None], AbstractContextManager[None]]:
        return nullcontext(), _running_means_kept(self._stage)


@contextmanager
def _running_means_kept(stage: nn.Module) -> Iterator[None]:
    """Batch norm normalises by the batch as before, but doesn't count it a second time."""
    norms = [one for one in stage.modules() if isinstance(one, _BatchNorm) and one.track_running_stats]
    momenta = [one.momentum for one in norms]
    try:
        for norm in norms:
            norm.momentum = 0.0
        yield
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
            if norm.num_batches_tracked is not None and norm.training:
                norm.num_batches_tracked -= 1
