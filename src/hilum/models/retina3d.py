"""A detector of nodules in pieces of a CT: RetinaNet (Lin 2017, focal loss) in three dimensions, on MONAI's parts."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import interpolate

from hilum.models.blocks import conv_unit, initialise
from hilum.models.boxes import anchors_of
from hilum.models.network import Network, normalised
from hilum.models.output import Detection, KeepRule
from hilum.models.slim_unet import SlimEncoder
from hilum.models.slim_unet3d import SlimUNet3D


class RetinaNet3D(Network):
    """The encoder of `slim_unet3d`, a feature pyramid (Lin 2017), and at each level heads for class and box.

    Source B's RetinaNet-style detector on MONAI's anchors, codes and heads. Two things are not MONAI's: each level has
    heads of its own, and these normalise as the encoder does. One normalisation for all levels can't be taken over the
    batch, since levels differ, and MONAI's group norm is taken over the whole piece: a place would be judged by what
    else is on the piece, and by how large it is; this network is trained on smaller pieces than it is used on.
    """

    class Config(SlimUNet3D.Config):
        """What the network is made of."""

        channels: Annotated[int, Field(ge=8, multiple_of=8)] = 32
        """Of the pyramid and the heads; MONAI's heads want a multiple of 8."""
        convolutions: PositiveInt = 2
        """Of each head, before its last one."""
        anchors_px: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (4, 6, 10)
        """Sides in voxels of the cubes at each place of the pyramid's finest level, whose places are 2 · `fold` voxels
        apart."""
        anchor_scales: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 4)
        """How many times larger they are at each level; so many levels there are, each twice as coarse. Half of each
        side has to be a whole number of voxels, since MONAI rounds it."""
        least_score: Annotated[float, Field(ge=0, lt=1)] = 0.02
        """Probability below which nothing is said to be a nodule."""
        nms_iou: Annotated[float, Field(ge=0, le=1)] = 0.1
        """Of two boxes that share more than this (intersection over union) the one with the higher score is kept."""
        most: PositiveInt = 100
        """Nodules of one piece."""
        start_probability: Annotated[float, Field(gt=0, lt=1)] = 0.01
        """Probability of a nodule that an untrained network gives at each anchor."""

        @model_validator(mode="after")
        def _anchors_fit(self) -> Self:
            if len(self.anchor_scales) >= len(self.widths):
                raise ValueError(
                    f"{len(self.anchor_scales)} levels need more stages than that, and widths are {len(self.widths)}"
                )
            if odd := [side for own in self.sides for side in own if side % 2]:
                raise ValueError(f"half an anchor's side is a whole number of voxels, and sides of {odd} are not")
            return self

        @property
        def sides(self) -> tuple[tuple[int, ...], ...]:
            """Of the anchors of each level, in voxels."""
            return tuple(tuple(scale * side for side in self.anchors_px) for scale in self.anchor_scales)

    config: Config
    axes = 3
    finds_boxes = True

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.stride = config.fold * 2 ** (len(config.widths) - 1)
        self.encoder = SlimEncoder(config, self.axes)
        self.decoder = Pyramid(config)
        initialise(self)
        self.head = nn.ModuleList(LevelHead(config) for _ in config.anchor_scales)
        self._strides = tuple(config.fold * 2**level for level in range(1, 1 + len(config.anchor_scales)))
        self._rule = KeepRule(config.least_score, config.nms_iou, config.most)

    def forward(self, xray: Tensor, prior: Tensor | None = None) -> Detection:
        """Boxes on a piece [B, 1, D, H, W], 0 to 1, dense is bright.

        With `inputs` 2, `prior` [B, 1, D, H, W] is a second channel, and the piece itself when it is None; with 3 it is
        [B, 2, D, H, W].
        """
        image = normalised(xray, prior, self.config.inputs, self.stride, self.axes)
        levels = self.decoder(self.encoder(image))
        logits, codes = zip(*(head(level) for head, level in zip(self.head, levels, strict=True)), strict=True)
        depth, height, width = image.shape[2:]
        anchors = anchors_of((depth, height, width), self._strides, self.config.sides).to(image.device)
        positions = tuple(level[0, 0].numel() for level in levels)
        _, _, d, h, w = xray.shape
        return Detection(torch.cat(logits, 1), torch.cat(codes, 1), anchors, positions, (d, h, w), self._rule)

    def parts(self) -> Mapping[str, nn.Module]:
        """encoder, decoder (the pyramid) and head."""
        return {"encoder": self.encoder, "decoder": self.decoder, "head": self.head}

    def encoder_stages(self) -> Sequence[nn.Module]:
        """The encoder's stages, finest first."""
        return list(self.encoder.stages)


class Pyramid(nn.Module):
    """Features of all coarser stages in as many channels, each with what the stages below it see."""

    def __init__(self, config: RetinaNet3D.Config) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(nn.Conv3d(width, config.channels, 1) for width in config.widths[1:])
        self.smooth = nn.ModuleList(
            nn.Conv3d(config.channels, config.channels, 3, padding=1) for _ in config.anchor_scales
        )

    def forward(self, features: Sequence[Tensor]) -> list[Tensor]:
        """[B, channels, d, h, w] of each level, finest first, of the encoder's stages."""
        levels: list[Tensor] = []
        for narrow, stage in reversed(list(zip(self.narrow, features[1:], strict=True))):
            own = narrow(stage)
            levels.insert(0, own + interpolate(levels[0], scale_factor=2, mode="nearest") if levels else own)
        return [smooth(level) for smooth, level in zip(self.smooth, levels, strict=False)]


class LevelHead(nn.Module):
    """MONAI's heads for class and box at one level, with this house's convolutions before their last one."""

    def __init__(self, config: RetinaNet3D.Config) -> None:
        from monai.apps.detection.networks.retinanet_network import (
            RetinaNetClassificationHead,
            RetinaNetRegressionHead,
        )

        super().__init__()
        channels, anchors, axes = config.channels, len(config.anchors_px), RetinaNet3D.axes
        self.of_class = RetinaNetClassificationHead(channels, anchors, 1, axes, config.start_probability)
        self.of_box = RetinaNetRegressionHead(channels, anchors, axes)
        for head in (self.of_class, self.of_box):
            units = [conv_unit((config.channels,) * 2, config.norm, axes=axes) for _ in range(config.convolutions)]
            head.conv = nn.Sequential(*units)
            initialise(head.conv)

    def forward(self, level: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [B, n] and codes [B, n, 6] of features: place after place, at each place anchor after anchor."""
        # Not by MONAI's own forward, which reads numbers to look for NaN: shapes alone have none (`hilum.models.macs`).
        logits = self.of_class.cls_logits(self.of_class.conv(level))
        codes = self.of_box.bbox_reg(self.of_box.conv(level))
        batch, _, *cells = codes.shape
        by_place = codes.reshape(batch, -1, 6, *cells).permute(0, 3, 4, 5, 1, 2)
        return logits.permute(0, 2, 3, 4, 1).reshape(batch, -1), by_place.reshape(batch, -1, 6)
