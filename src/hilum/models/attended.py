"""What the sources' networks share: a ResNet sees the X-ray, attention on a second image says where to look."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from hilum.core import UnsupportedError
from hilum.models.attention import Attention, AttentionKind, Fusion, NoduleRow
from hilum.models.blocks import conv_unit, expect, initialise
from hilum.models.decoders import ProgressiveDecoder, SkipDecoder, TransposedDecoder
from hilum.models.network import Network, cropped, padded, require_inputs
from hilum.models.output import Segmentation
from hilum.models.parts import load_part
from hilum.models.resnet import ResNetEncoder, ResNetShape
from hilum.models.torchxrayvision import PretrainedResNet, weights_fit


class AttendedResNet(Network):
    """X-ray → ResNet → features f1; second image → attention f2; f1·(1 + α·f2) → decoder → logits.

    Without a second image the X-ray is its own: in the source's published code both inputs were the same image.
    """

    class Config(Network.Config):
        """What all of these networks can be given."""

        resnet: ResNetShape = ResNetShape()
        """The encoder; its default is ResNet-50."""
        attention: tuple[AttentionKind, ...] = ("shallow",)
        """Kinds of attention whose logits add up; [] for none, and then no second image is looked at. shallow: 7×7,
        5×5, 3×3. deep: seven layers with residuals. multiscale: at a quarter, a half and full size."""
        attention_channels: Annotated[int, Field(ge=4)] = 32
        """Channels of the attention's first layers."""
        attention_dropout: Annotated[float, Field(ge=0, lt=1)] = 0.1
        """Probability that a channel of the attention is dropped in training."""
        attention_resize: Literal["bilinear", "area"] = "bilinear"
        """How the attention comes to the features' size. bilinear looks at 2×2 of its 32×32 pixels, area at all."""
        alpha: float = 0.3
        """Strength of the attention to start with; it is learned."""
        nodule_row: bool = False
        """Whether the pretrained classifier's Nodule row adds to the features; needs weights that have one."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of foreground that an untrained network gives."""

        @property
        def prior_channels(self) -> tuple[int, ...]:
            """The image that attention looks at, or none."""
            return (0, 1) if self.attention else (0,)

    config: Config
    stride = ResNetEncoder.STRIDE

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        channels = config.resnet.channels
        self.encoder = ResNetEncoder(config.resnet)
        attends = bool(config.attention)
        kinds = (config.attention, config.attention_channels, config.attention_dropout)
        self.attention = Attention(*kinds) if attends else None
        self.fusion = Fusion(config.alpha, config.attention_resize) if attends else None
        self.adaptation, features = self._adaptation(channels[-1])
        self.nodule = NoduleRow(channels[-1], features) if config.nodule_row else None
        self.decoder = self._decoder(features)
        initialise(self.adaptation)
        initialise(self.decoder)
        self.head = nn.Conv2d(self.decoder.out_channels, 1, 1)
        expect(self.head, config.start_probability)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Segmentation:
        """Logits and attention logits, both [B, 1, H, W], of an X-ray [B, 1, H, W], 0 to 1, dense is bright.

        `prior` [B, 1, H, W] is the image that attention looks at: the X-ray itself when it is None. Without attention
        nothing is multiplied, and there are no attention logits.
        """
        require_inputs(xray, prior)
        image = padded(xray, ResNetEncoder.STRIDE)
        *skips, deepest = self.encoder(image)
        features = self.adaptation(deepest)
        if self.nodule is not None:
            features = features + self.nodule(deepest)
        if self.attention is None or self.fusion is None:
            return Segmentation(cropped(self.head(self.decoder(features, skips)), xray))
        attention = self.attention(image if prior is None else padded(prior, ResNetEncoder.STRIDE))
        fused = self.fusion(features, attention.sigmoid())
        return Segmentation(cropped(self.head(self.decoder(fused, skips)), xray), cropped(attention, xray))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, attention and fusion (α alone), adaptation, nodule where there are any, decoder, head."""
        parts = {
            "encoder": self.encoder,
            "attention": self.attention,
            "fusion": self.fusion,
            "adaptation": self.adaptation,
            "nodule": self.nodule,
            "decoder": self.decoder,
            "head": self.head,
        }
        return {name: part for name, part in parts.items() if part is not None and any(True for _ in part.parameters())}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The ResNet's four stages, finest first."""
        return self.encoder.stages()

    def load_pretrained(self, weights: PretrainedResNet) -> None:
        """Take a pretrained encoder and, with `nodule_row`, its classifier's Nodule row.

        Raises:
            UnsupportedError: the encoder has another shape, or a Nodule row is wanted and the weights have none.
        """
        weights_fit(self.config.resnet)
        if self.nodule is not None:
            if weights.nodule_row is None or weights.nodule_bias is None:
                raise UnsupportedError(
                    f"{weights.origin}: no classifier, so no Nodule row.",
                    "Set `nodule_row` to false, or give all of it.",
                )
            self.nodule.set_row(weights.nodule_row, weights.nodule_bias)
        load_part(self, "encoder", weights.encoder)
        self.weights_origin = weights.origin

    def _adaptation(self, channels: int) -> tuple[nn.Module, int]:
        """Layers between the encoder and the fusion, and the channels that they give."""
        return nn.Identity(), channels

    @abstractmethod
    def _decoder(self, channels: int) -> ProgressiveDecoder | TransposedDecoder | SkipDecoder:
        """The way back to the image's size from fused features of so many channels."""


def adaptation(channels: int, adapted: int) -> nn.Sequential:
    """The source's nodule adaptation: 3×3 to twice the adapted channels, dropout .2, 1×1 to the adapted."""
    return nn.Sequential(
        conv_unit((channels, 2 * adapted)), nn.Dropout2d(0.2), conv_unit((2 * adapted, adapted), kernel=1)
    )
