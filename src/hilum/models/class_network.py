"""Networks for chest X-rays by classes: one class a pixel (softmax), a label for the film as a whole, or both."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from hilum.models.blocks import evened, initialise, unfolded
from hilum.models.decoders import NarrowDecoder
from hilum.models.network import Network, cropped, normalised, padded, require_inputs
from hilum.models.output import Classes
from hilum.models.parts import load_part
from hilum.models.resnet import ResNetEncoder, ResNetShape
from hilum.models.slim_unet import SlimDecoder, SlimEncoder, SlimUNet
from hilum.models.torchxrayvision import PretrainedResNet, weights_fit


class ClassNetwork(Network):
    """A network that gives each pixel one of several classes, and each film one of several labels."""

    class Config(Network.Config):
        """What is found, and whether film and pixels are looked at by the same features."""

        classes: Annotated[int, Field(ge=2)] = 4
        """Classes of a pixel, background included; as many as the data set declares, and one."""
        labels: PositiveInt = 3
        """Labels of a film: healthy, covid, non-covid."""
        finds: Literal["classes", "labels", "both"] = "classes"
        """Classes of pixels, the label of the film, or both of them."""
        own_classifier: bool = False
        """Whether the film's label has an encoder of its own; else pixels and film share one."""
        gates: bool = False
        """Whether the film's label decides if a finding is marked: none on a film that is surely healthy. Where the
        classifier is unsure no label is given, and what is marked stays. Both limits are chosen on validation."""

        @model_validator(mode="after")
        def _makes_sense(self) -> Self:
            if self.gates and self.finds != "both":
                raise ValueError("a gate needs both the film's label and classes of pixels; set finds to both")
            if self.own_classifier and self.finds != "both":
                raise ValueError("one encoder is enough for one thing; set own_classifier to false, or finds to both")
            return self

        @property
        def has_pixels(self) -> bool:
            """Whether pixels have classes."""
            return self.finds != "labels"

        @property
        def has_labels(self) -> bool:
            """Whether films have labels."""
            return self.finds != "classes"

    config: Config
    gives_classes = True
    encoder: nn.Module
    decoder: nn.Module | None
    head: nn.Module | None
    own_encoder: nn.Module | None
    classifier: nn.Module | None

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Classes:
        """Logits of each class [B, classes, H, W] and of each label [B, labels] of a film [B, 1, H, W], 0 to 1.

        Raises:
            GeometryError: the input is not of that shape.
        """
        require_inputs(xray, prior)
        image = self._image(xray)
        features = list(self.encoder(image))
        logits = cropped(self._decoded(features), xray) if self.config.has_pixels else None
        if self.classifier is None:
            return Classes(logits)
        seen = features if self.own_encoder is None else list(self.own_encoder(image))
        return Classes(logits, self.classifier(seen[-1].mean(dim=(2, 3))))

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder; decoder and head where pixels have classes; classifier, and its own_encoder, where films do."""
        parts = {
            "encoder": self.encoder,
            "decoder": self.decoder,
            "head": self.head,
            "own_encoder": self.own_encoder,
            "classifier": self.classifier,
        }
        return {name: part for name, part in parts.items() if part is not None}

    def _classifier(self, channels: int) -> nn.Module | None:
        return nn.Linear(channels, self.config.labels) if self.config.has_labels else None

    @abstractmethod
    def _image(self, xray: Tensor) -> Tensor:
        """What the encoder takes."""

    @abstractmethod
    def _decoded(self, features: Sequence[Tensor]) -> Tensor:
        """Logits of the padded image, of the encoder's features, finest first."""


class ClassUNet(ClassNetwork):
    """A U-Net with the encoder of ResNet-50, for which torchxrayvision has weights; softmax over classes."""

    class Config(ClassNetwork.Config):
        """What the network is made of."""

        resnet: ResNetShape = ResNetShape()
        """The encoder; its default is ResNet-50."""
        widths: Annotated[tuple[PositiveInt, ...], Field(min_length=5, max_length=5)] = (256, 128, 64, 32, 16)
        """Channels of the decoder's five stages, coarsest first."""

    config: Config
    encoder: ResNetEncoder
    stride = ResNetEncoder.STRIDE

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        channels = config.resnet.channels
        self.encoder = ResNetEncoder(config.resnet)
        self.decoder = NarrowDecoder(channels, config.widths) if config.has_pixels else None
        self.head = nn.Conv2d(config.widths[-1], config.classes, 1) if config.has_pixels else None
        self.own_encoder = ResNetEncoder(config.resnet) if config.own_classifier else None
        self.classifier = self._classifier(channels[-1])
        if self.decoder is not None:
            initialise(self.decoder)

    def _image(self, xray: Tensor) -> Tensor:
        return padded(xray, ResNetEncoder.STRIDE)

    def _decoded(self, features: Sequence[Tensor]) -> Tensor:
        logits: Tensor = self.head(self.decoder(features))  # type: ignore[misc]  # only called where both are there
        return logits

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The ResNet's four stages, finest first."""
        return self.encoder.stages()

    def load_pretrained(self, weights: PretrainedResNet) -> None:
        """Take a pretrained encoder, twice where the classifier has its own.

        Raises:
            UnsupportedError: the encoder has another shape.
        """
        weights_fit(self.config.resnet)
        for name in ("encoder", "own_encoder"):
            if name in self.parts():
                load_part(self, name, weights.encoder)
        self.weights_origin = weights.origin


class ClassSlim(ClassNetwork):
    """The slim U-Net of the CT slices with a softmax over classes: small enough for a CPU."""

    class Config(ClassNetwork.Config):
        """What the network is made of."""

        slim: SlimUNet.Config = SlimUNet.Config(dropout=0.1)
        """Encoder and decoder."""
        evens_out: bool = False
        """Whether logits are averaged over the pixels that are one in the network; else there may be a checkerboard."""

        @model_validator(mode="after")
        def _one_input(self) -> Self:
            if self.slim.inputs != 1:
                raise ValueError("films by classes have no second image; set slim.inputs to 1")
            return self

    config: Config
    encoder: SlimEncoder

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        slim = config.slim
        self.stride = slim.fold * 2 ** (len(slim.widths) - 1)
        self.encoder = SlimEncoder(slim)
        self.decoder = SlimDecoder(slim) if config.has_pixels else None
        self.head = nn.Conv2d(slim.widths[0], config.classes * slim.fold**2, 1) if config.has_pixels else None
        self.own_encoder = SlimEncoder(slim) if config.own_classifier else None
        self.classifier = self._classifier(slim.widths[-1])
        initialise(self)

    def _image(self, xray: Tensor) -> Tensor:
        return normalised(xray, None, 1, self.stride)

    def _decoded(self, features: Sequence[Tensor]) -> Tensor:
        fold = self.config.slim.fold
        logits = unfolded(self.head(self.decoder(features)), fold)  # type: ignore[misc]  # both are there
        return evened(logits, fold) if self.config.evens_out else logits

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder.stages)
