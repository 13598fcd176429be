"""hilum's two cheap networks and its usual losses where only PyTorch is: twins of `hilum.models` and `hilum.losses`.

Those are built from configurations, which need pydantic. State dicts have the same keys, the same seed gives the same
numbers, and `tests/experiments` holds both to it.
"""

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn.functional import (
    binary_cross_entropy_with_logits,
    interpolate,
    pad,
    pixel_shuffle,
    pixel_unshuffle,
)

MIDDLE, SPREAD = 0.5, 0.25
STEM_STRIDE = {"full": 1, "stride2": 2, "unshuffle2": 2, "unshuffle4": 4}


def normalisation(kind, channels):
    if kind == "batch":
        return nn.BatchNorm2d(channels)
    if kind == "instance":
        return nn.InstanceNorm2d(channels, affine=True)
    if kind != "group":
        raise SystemExit(f"model.options.norm={kind} is not among what this machine's twin can do")
    return nn.GroupNorm(math.gcd(8, channels), channels)


def initialise(module, heads, probability):
    """Kaiming's numbers; the layers of logits start near a probability."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
    for head in heads:
        nn.init.normal_(head.weight, std=0.01)
        nn.init.constant_(head.bias, math.log(probability / (1 - probability)))


def fitted(image, stride):
    """Normalised, its last row and column repeated until both sizes are multiples of the stride."""
    below, right = (-image.shape[-2]) % stride, (-image.shape[-1]) % stride
    padded = pad(image, (0, right, 0, below), mode="replicate") if below or right else image
    return (padded - MIDDLE) / SPREAD


class ResBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut."""

    def __init__(self, first, width, norm):
        super().__init__()
        self.conv1 = nn.Conv2d(first, width, 3, padding=1, bias=False)
        self.norm1 = normalisation(norm, width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = normalisation(norm, width)
        self.shortcut = nn.Identity() if first == width else nn.Conv2d(first, width, 1, bias=False)

    def forward(self, x):
        """Features of features."""
        inner = self.norm1(self.conv1(x)).relu_()
        return (self.norm2(self.conv2(inner)) + self.shortcut(x)).relu_()


class ResEncoder(nn.Module):
    """The way down of `ResUNet`."""

    def __init__(self, widths, blocks, fold, norm):
        super().__init__()
        self.fold = fold
        self.stem = nn.Conv2d(fold**2, widths[0], 3, padding=1, bias=False)
        self.stages = nn.ModuleList()
        for first, width, count in zip((widths[0], *widths[:-1]), widths, blocks, strict=True):
            rest = [ResBlock(width, width, norm) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(ResBlock(first, width, norm), *rest))
        self.pool = nn.MaxPool2d(2)

    def forward(self, image):
        """Features of every stage, finest first."""
        features = [self.stages[0](self.stem(pixel_unshuffle(image, self.fold)))]
        for stage in self.stages[1:]:
            features.append(stage(self.pool(features[-1])))
        return features


class ResUNet(nn.Module):
    """Twin of `hilum.models.res_unet.ResUNet` with one input."""

    def __init__(self, widths, blocks, fold, norm, inputs, start_probability, fusion="concatenate"):
        super().__init__()
        del fusion  # of one input with nothing
        require_one_input(inputs)
        self.fold, self.stride = fold, fold * 2 ** (len(widths) - 1)
        self.encoder = ResEncoder(widths, blocks, fold, norm)
        pairs = pairwise(widths)
        self.decoder = nn.ModuleList(ResBlock(fine + coarse, fine, norm) for fine, coarse in pairs)
        self.head = nn.Conv2d(widths[0], fold**2, 1)
        initialise(self, [self.head], start_probability)

    def forward(self, image):
        """Logits [B, 1, H, W] of [B, 1, H, W], 0 to 1."""
        features = self.encoder(fitted(image, self.stride))
        below = features[-1]
        for block, skip in reversed(list(zip(self.decoder, features[:-1], strict=True))):
            below = block(torch.cat((interpolate(below, scale_factor=2, mode="nearest"), skip), 1))
        return pixel_shuffle(self.head(below), self.fold)[..., : image.shape[-2], : image.shape[-1]]


def conv_unit(first, width, norm, stride=1):
    conv = nn.Conv2d(first, width, 3, stride=stride, padding=1, bias=False)
    return nn.Sequential(conv, normalisation(norm, width), nn.ReLU(inplace=True))


def double_conv(first, width, norm):
    return nn.Sequential(conv_unit(first, width, norm), conv_unit(width, width, norm))


class UNetEncoder(nn.Module):
    """The way down of `UNet`."""

    def __init__(self, widths, stem, norm, dropout):
        super().__init__()
        channels, factor = 1, STEM_STRIDE[stem]
        self.stem = nn.Identity()
        if stem == "stride2":
            self.stem, channels = conv_unit(1, widths[0], norm, stride=2), widths[0]
        elif factor > 1:
            self.stem, channels = nn.PixelUnshuffle(factor), factor**2
        ins = (channels, *widths[:-1])
        self.stages = nn.ModuleList(double_conv(first, width, norm) for first, width in zip(ins, widths, strict=True))
        self.pool, self.dropout = nn.MaxPool2d(2), nn.Dropout2d(dropout)

    def forward(self, image):
        """Features of every stage, finest first."""
        features = [self.stages[0](self.stem(image))]
        for stage in self.stages[1:]:
            features.append(stage(self.pool(features[-1])))
        return [*features[:-1], self.dropout(features[-1])]


class UNetDecoder(nn.Module):
    """The way up of `UNet`."""

    def __init__(self, widths, norm):
        super().__init__()
        pairs = list(zip(widths[1:], widths[:-1], strict=True))
        self.ups = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for coarse, fine in pairs)
        self.stages = nn.ModuleList(double_conv(2 * fine, fine, norm) for _, fine in pairs)

    def forward(self, features):
        """The finest decoded features."""
        below = features[-1]
        for up, stage, skip in reversed(list(zip(self.ups, self.stages, features[:-1], strict=True))):
            below = stage(torch.cat((up(below), skip), 1))
        return below


class UNet(nn.Module):
    """Twin of `hilum.models.unet.UNet` with one input, without deep supervision."""

    def __init__(self, widths, stem, norm, up, deep_supervision, inputs, dropout, start_probability):
        super().__init__()
        require_one_input(inputs)
        for option, is_asked in (("deep_supervision", deep_supervision), (f"up={up}", up != "transposed")):
            if is_asked:
                raise SystemExit(f"model.options.{option} is not among what this machine's twin can do")
        factor = STEM_STRIDE[stem]
        self.stride = factor * 2 ** (len(widths) - 1)
        self.encoder = UNetEncoder(widths, stem, norm, dropout)
        self.decoder = UNetDecoder(widths, norm)
        folded = factor**2 if stem.startswith("unshuffle") else 1
        self.head = nn.Sequential(nn.Conv2d(widths[0], folded, 1))
        if folded > 1:
            self.head.append(nn.PixelShuffle(factor))
        elif factor > 1:
            self.head.append(nn.Upsample(scale_factor=factor, mode="bilinear", align_corners=False))
        initialise(self, [self.head[0]], start_probability)

    def forward(self, image):
        """Logits [B, 1, H, W] of [B, 1, H, W], 0 to 1."""
        logits = self.head(self.decoder(self.encoder(fitted(image, self.stride))))
        return logits[..., : image.shape[-2], : image.shape[-1]]


NETWORKS = {"res_unet": ResUNet, "unet": UNet}


def require_one_input(inputs):
    if inputs != 1:
        raise SystemExit("model.options.inputs is 1 on this machine: there are no priors in a packed cache")


def build(model):
    """The network of a configuration's `model`; `torch.manual_seed` decides its numbers."""
    if model["name"] not in NETWORKS:
        raise SystemExit(f"there is no twin of the network {model['name']}; there are: {', '.join(NETWORKS)}")
    return NETWORKS[model["name"]](**model["options"])


def bce(logits, truth, weight, options):
    if isinstance(options["pos_weight"], dict):
        raise SystemExit("the loss's pos_weight is a number on this machine, not a rule for each batch")
    values = binary_cross_entropy_with_logits(
        logits, truth, pos_weight=logits.new_full((), options["pos_weight"]), reduction="none"
    )
    return (weight * values).sum() / weight.sum()


def tversky_losses(logits, truth, weight, options, errors, smooth):
    """1 − T of each picture, or of the batch."""
    over = (0, 1, 2, 3) if options["over"] == "batch" else (1, 2, 3)
    right = (weight * logits.sigmoid() * truth).sum(over)
    wrong = errors[0] * (weight * logits.sigmoid() * (1 - truth)).sum(over)
    wrong = wrong + errors[1] * (weight * (-logits).sigmoid() * truth).sum(over)
    return wrong / (right + wrong + smooth)


def dice(logits, truth, weight, options):
    return tversky_losses(logits, truth, weight, options, (0.5, 0.5), options["smooth"] / 2).mean()


def tversky(logits, truth, weight, options):
    errors = options["fp_weight"], options["fn_weight"]
    losses = tversky_losses(logits, truth, weight, options, errors, options["smooth"])
    if "gamma" in options:
        losses = losses.clamp(min=torch.finfo(losses.dtype).eps) ** options["gamma"]
    return losses.mean()


def bce_dice(logits, truth, weight, options):
    parts = bce(logits, truth, weight, options["bce"]), dice(logits, truth, weight, options["dice"])
    return options["bce_weight"] * parts[0] + options["dice_weight"] * parts[1]


LOSSES = {"bce": bce, "dice": dice, "bce_dice": bce_dice, "tversky": tversky, "focal_tversky": tversky}


def combined(logits, truth, weight, options):
    losses = (term["weight"] * loss_of(term)(logits, truth, weight) for term in options["terms"])
    return sum(losses)


def loss_of(loss):
    """The loss of a configuration's `loss`: logits, truth and weight [B, 1, H, W] to a number, in 32 bits."""
    name, options = loss["name"], loss["options"]
    if name == "combined":
        return lambda logits, truth, weight: combined(logits.float(), truth, weight, options)
    if name not in LOSSES:
        raise SystemExit(f"there is no twin of the loss {name}; there are: combined, {', '.join(LOSSES)}")
    return lambda logits, truth, weight: LOSSES[name](
        logits.float(), torch.where(weight > 0, truth, torch.zeros_like(truth)), weight, options
    )
