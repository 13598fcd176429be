"""A linear network of two convolutions, so small that its map can be computed by hand."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from hilum.models.network import Network
from hilum.models.output import Segmentation


class Linear(Network):
    """Two 1×1 channels of the picture, and one logit from both; the prior isn't looked at."""

    class Config(Network.Config):
        """Nothing to set."""

    def __init__(self, config: "Linear.Config | None" = None) -> None:
        super().__init__(config or Linear.Config())
        self.encoder = nn.Sequential(nn.Conv2d(1, 2, 1, bias=False))
        self.head = nn.Conv2d(2, 1, 1, bias=False)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:  # noqa: ARG002
        return Segmentation(self.head(self.encoder(xray)))

    def parts(self) -> Mapping[str, nn.Module]:
        return {"encoder": self.encoder, "head": self.head}

    def encoder_stages(self) -> Sequence[nn.Module]:
        return [self.encoder[0]]


class Deaf(Linear):
    """Its features are the picture itself, whatever its weights: a map of it explains nothing."""

    def __init__(self, config: "Linear.Config | None" = None) -> None:
        super().__init__(config)
        self.encoder[0].requires_grad_(False)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:  # noqa: ARG002
        self.encoder[0].weight.data.fill_(1.0)
        features = self.encoder(xray)
        return Segmentation(self.head(features).abs() + features.sum(1, keepdim=True))


def linear(channels: Sequence[float], head: Sequence[float]) -> Linear:
    """With these weights."""
    network = Linear().eval()
    with torch.no_grad():
        network.encoder[0].weight.copy_(torch.tensor(channels).view(2, 1, 1, 1))
        network.head.weight.copy_(torch.tensor(head).view(1, 2, 1, 1))
    return network
