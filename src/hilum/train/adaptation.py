"""Domain adaptation: features of unlabeled films are made like those of the X-rays that are learnt from.

Films and X-rays go through the network in one batch, so that batch norm knows both at once, as it does when it is used;
the segmentation's loss sees the X-rays alone.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, layer_norm
from torch.nn.utils import skip_init

from hilum.core import ConfigError
from hilum.losses.parts import Loss
from hilum.models.network import Network
from hilum.train.adaptation_config import AdaptationConfig

_PROBE_PX = 64
"""Side of a picture on which a network's channels are counted."""


class Adaptation(nn.Module, ABC):
    """What features of two domains cost."""

    @abstractmethod
    def forward(self, features: Sequence[Tensor], films: int, strength: float) -> Loss:
        """The loss that is added to the segmentation's, with its parts.

        Args:
            features: [B, C, h, w] of each stage.
            films: how many of the B, the last ones, are films; at least one is, and at least one isn't.
            strength: how strong the adaptation is at this step.
        """


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.strength * gradients[0], None


def reversed_gradient(features: Tensor, strength: float) -> Tensor:
    """The same features, whose gradient is turned round and multiplied by the strength (Ganin 2016, section 4.2)."""
    reversed_: Tensor = _Reversal.apply(features, strength)  # type: ignore[no-untyped-call]  # torch's stub
    return reversed_


class GradientReversal(Adaptation):
    """A small classifier learns to tell films from X-rays; what comes back to the encoder is turned round.

    Both domains weigh the same, however many pictures of each there are. The classifier sees each picture's features
    without their mean and scale (Ba 2016): else the encoder misleads it by ever larger features, and both run away.
    """

    def __init__(self, channels: int, hidden: int, seed: int) -> None:
        super().__init__()
        sizes = ((channels, hidden), (hidden, 1))
        layers: list[nn.Module] = [skip_init(nn.Linear, *one) for one in sizes]  # type: ignore[no-untyped-call]  # torch's stub
        self.classifier = nn.Sequential(layers[0], nn.ReLU(), layers[1])
        _initialise(self.classifier, seed)

    def forward(self, features: Sequence[Tensor], films: int, strength: float) -> Loss:
        """The classifier's cross entropy, of features averaged over the picture; parts: that, and its accuracy."""
        pooled = torch.cat([stage.float().mean((2, 3)) for stage in features], 1)
        with torch.autocast(pooled.device.type, enabled=False):
            even = layer_norm(pooled, pooled.shape[1:])
            logits = self.classifier(reversed_gradient(even, strength))[:, 0]
        xrays, shown = logits[:-films], logits[-films:]
        costs = [
            binary_cross_entropy_with_logits(xrays, torch.zeros_like(xrays)),
            binary_cross_entropy_with_logits(shown, torch.ones_like(shown)),
        ]
        loss = (costs[0] + costs[1]) / 2
        right = ((xrays < 0).float().mean() + (shown >= 0).float().mean()) / 2
        return Loss(loss, {"domain": loss.detach(), "domain_accuracy": right.detach()})


class FeatureStatistics(Adaptation):
    """Means and covariances of features, place by place, of both domains are drawn together."""

    def forward(self, features: Sequence[Tensor], films: int, strength: float) -> Loss:
        """Strength times the sum over stages of both distances; parts: the distances."""
        with torch.autocast(features[0].device.type, enabled=False):
            pairs = [(_by_place(stage[:-films]), _by_place(stage[-films:])) for stage in features]
            covariances = torch.stack([covariance_distance(*pair) for pair in pairs]).sum()
            means = torch.stack([mean_distance(*pair) for pair in pairs]).sum()
        return Loss(strength * (covariances + means), {"coral": covariances.detach(), "mean_shift": means.detach()})


def _by_place(features: Tensor) -> Tensor:
    """[B, C, h, w] to [B·h·w, C] in 32 bits."""
    return features.float().permute(0, 2, 3, 1).flatten(0, 2)


def covariance_distance(source: Tensor, target: Tensor) -> Tensor:
    """‖C_source − C_target‖² / 4d², Frobenius (Deep CORAL, Sun and Saenko 2016, equations 1 to 3).

    Args:
        source: [n, d] features of one domain.
        target: [m, d] of the other.
    """
    difference = _covariance(source) - _covariance(target)
    return difference.square().sum() / (4 * source.shape[1] ** 2)


def _covariance(features: Tensor) -> Tensor:
    centred = features - features.mean(0)
    return centred.T @ centred / max(len(features) - 1, 1)


def mean_distance(source: Tensor, target: Tensor) -> Tensor:
    """‖mean(source) − mean(target)‖² / d of features [n, d] and [m, d]; CORAL leaves the means to batch norm."""
    return (source.mean(0) - target.mean(0)).square().mean()


def strength_at(progress: float, config: AdaptationConfig) -> float:
    """The adaptation's strength at a share of the run, from 0 to 1 (Ganin 2016, section 5.2.2: λ_p)."""
    return config.weight * (2 / (1 + math.exp(-config.rise * progress)) - 1)


@contextmanager
def features_of(network: Network, stages: Sequence[int]) -> Iterator[list[Tensor]]:
    """A list that fills with the features of these stages while the network works within the block.

    Args:
        network: any.
        stages: counted from the encoder's last, which is 1.

    Raises:
        ConfigError: the encoder has no such stage.
    """
    every = network.encoder_stages()
    if max(stages) > len(every):
        raise ConfigError(
            f"adaptation.stages names stage {max(stages)} from the last; {type(network).__name__} has {len(every)}."
        )
    seen: list[Tensor] = []

    def keep(_: nn.Module, __: object, features: Tensor) -> None:
        seen.append(features)

    handles = [every[-stage].register_forward_hook(keep) for stage in sorted(set(stages), reverse=True)]
    try:
        yield seen
    finally:
        for handle in handles:
            handle.remove()


def adaptation_of(network: Network, config: AdaptationConfig, seed: int) -> Adaptation | None:
    """What the configuration asks for, for this network; None for nothing. Draws nothing from torch's own generator.

    Raises:
        ConfigError: the encoder has no such stage.
    """
    if config.method == "none":
        return None
    channels = _channels(network, config.stages)
    if config.method == "feature_statistics":
        return FeatureStatistics()
    return GradientReversal(channels, config.hidden, seed)


def _channels(network: Network, stages: Sequence[int]) -> int:
    """Channels of all these stages together, counted on an empty picture."""
    was_training = {module: module.training for module in network.modules()}
    device = next(network.parameters()).device
    try:
        network.eval()
        with torch.no_grad(), features_of(network, stages) as features:
            network(torch.zeros(1, 1, _PROBE_PX, _PROBE_PX, device=device))
    finally:
        for module, training in was_training.items():
            module.training = training
    return sum(stage.shape[1] for stage in features)


def _initialise(classifier: nn.Sequential, seed: int) -> None:
    """He 2015, from numbers of its own, so that the network's dropout draws what it would without a classifier."""
    generator = torch.Generator().manual_seed(seed)
    for layer in classifier:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
