"""The sanity check by weight randomisation (Adebayo 2018): does a map depend on what the network has learnt?

From the head to the input, part after part gets new random weights, as its own architecture begins with, and all
before it stay random. A map that still looks the same afterwards shows the picture, or the architecture, and explains
no network: an edge detector would do.

The target stays the same pixels throughout, so that a map can't change only because another place is asked about. Maps
are not negative, so no signs need to be dropped.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from skimage.metrics import structural_similarity
from torch import Tensor, nn

from hilum.core import Sanity, SanityStep
from hilum.core.mask import Selection
from hilum.explain.gradcam import LayerMap, Shown, grad_cam
from hilum.models.network import Network


@dataclass(frozen=True)
class SanityRule:
    """How the check is made.

    Attributes:
        draws: of random weights; one alone says little, since a map's sign is a matter of luck.
        most: Spearman's correlation that may be left when all weights are random. The paper fixes none. At .5 a
            quarter of the ranks' variance is shared (.5²): most of the map then comes from the weights.
        seed: of the draws.
    """

    draws: int = 5
    most: float = 0.5
    seed: int = 0


def sanity_check(network: Network, shown: Shown, layer: str, target: Selection, rule: SanityRule) -> Sanity:
    """How a map changes while the network forgets.

    Args:
        network: the trained one, which stays as it is.
        shown: the picture.
        layer: whose features are looked at.
        target: [H, W] the pixels that are explained.
        rule: see there.
    """
    trained = grad_cam(network, shown, layer, target)
    names = tuple(cascade(network))
    rng = np.random.default_rng(rule.seed)
    draws = [
        [grad_cam(one, shown, layer, target) for one in forgetting(network, int(seed))]
        for seed in rng.integers(2**31, size=rule.draws)
    ]
    steps = tuple(
        SanityStep(
            name,
            tuple(rank_correlation(trained, maps[number]) for maps in draws),
            tuple(likeness(trained, maps[number]) for maps in draws),
        )
        for number, name in enumerate(names)
    )
    at_random = [maps[-1] for maps in draws]
    among = tuple(rank_correlation(one, other) for one, other in combinations(at_random, 2))
    return Sanity(steps, among, rule.most, rule.seed)


def cascade(network: Network) -> Mapping[str, nn.Module]:
    """What is made random one after the other: the parts from the head on, the encoder's stages, its stem.

    Attention works on the encoder's features, so it comes right before the encoder wherever the network names it.
    """
    parts = dict(reversed(list(network.parts().items())))
    encoder = parts.pop("encoder", network)
    if (attention := parts.pop("attention", None)) is not None:
        parts["attention"] = attention
    names = {module: name for name, module in network.named_modules()}
    stages = {names[stage]: stage for stage in reversed(network.encoder_stages())}
    return {**parts, **stages, "all of the encoder": encoder}


def forgetting(network: Network, seed: int) -> Iterator[Network]:
    """The network with one more part at random each time; the same object, so use each before the next.

    Args:
        network: stays as it is.
        seed: of the random weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = type(network)(network.config)
    changed = copy.deepcopy(network)
    for new, old in zip(cascade(fresh).values(), cascade(changed).values(), strict=True):
        old.load_state_dict(_copied(new))
        yield changed


def _copied(module: nn.Module) -> Mapping[str, Tensor]:
    return {name: value.clone() for name, value in module.state_dict().items()}


def rank_correlation(one: LayerMap, other: LayerMap) -> float:
    """Spearman's, of two maps on the same cells; NaN when one is the same everywhere, which has no ranks."""
    if not (one.varies and other.varies):
        return float("nan")
    return float(spearmanr(one.values.ravel(), other.values.ravel()).statistic)


def likeness(one: LayerMap, other: LayerMap) -> float:
    """SSIM (Wang 2004, Gaussian windows) of two maps on the picture's pixels, each scaled to its highest value.

    NaN when one is the same everywhere. Where both maps are 0 it is 1, so it is high for any two sparse maps: the
    verdict goes by ranks.
    """
    if not (one.varies and other.varies):
        return float("nan")
    settings: dict[str, Any] = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    pair = one.on_picture(), other.on_picture()
    return float(structural_similarity(*pair, data_range=1.0, **settings))  # type: ignore[no-untyped-call]
