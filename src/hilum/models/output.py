"""What networks give: logits of every pixel, of one class or several, or boxes."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from hilum.core import ConfigError
from hilum.core.geometry import Shape3
from hilum.models.boxes import decoded, drawn, encoded, middles, suppressed

_LOOKED_AT = 500
"""Boxes of the highest scores that are compared with each other; a piece of a CT never has so many nodules."""


class Output(ABC):
    """What training and judging ask of every network's output.

    Attributes:
        attention: [B, 1, h, w] logits of where the network looks, for those that are taught it; None for others.
    """

    attention: Tensor | None

    @abstractmethod
    def probability(self) -> Tensor:
        """[B, C, H, W] or [B, C, D, H, W], 0 to 1, at the size of the input."""

    @abstractmethod
    def first(self, count: int) -> Self:
        """Of the batch's first pictures alone."""

    @abstractmethod
    def in_32_bits(self) -> Self:
        """The same as float32: a sigmoid and a sum over a picture need more than bfloat16's eight bits."""


@dataclass(frozen=True, eq=False)
class Segmentation(Output):
    """Named logits; a sigmoid or softmax makes probabilities of them.

    Attributes:
        logits: [B, C, H, W] at the size of the input; C = 1 for one class against background.
        attention: [B, 1, h, w] logits of where the network looks, for those that are taught it; None for others.
        deep: logits [B, C, h, w] of coarser stages, finest first, for deep supervision; empty without it.
    """

    logits: Tensor
    attention: Tensor | None = None
    deep: tuple[Tensor, ...] = ()

    def probability(self) -> Tensor:
        """[B, C, H, W] the sigmoid of the logits."""
        return self.logits.sigmoid()

    def first(self, count: int) -> "Segmentation":
        """Of the batch's first pictures alone."""
        attention = None if self.attention is None else self.attention[:count]
        return Segmentation(self.logits[:count], attention, tuple(one[:count] for one in self.deep))

    def in_32_bits(self) -> "Segmentation":
        """The same logits as float32."""
        attention = None if self.attention is None else self.attention.float()
        return Segmentation(self.logits.float(), attention, tuple(one.float() for one in self.deep))


@dataclass(frozen=True, eq=False)
class Classes(Output):
    """Logits of several classes of which each pixel has one, and of several labels of which each film has one.

    Attributes:
        logits: [B, C, H, W], background first; None for a network that gives films a label alone.
        labels: [B, L]; None for a network that gives none.
        attention: none.
        deep: none.
    """

    logits: Tensor | None
    labels: Tensor | None = None
    attention: Tensor | None = None
    deep: tuple[Tensor, ...] = ()

    def probability(self) -> Tensor:
        """[B, C, H, W] the softmax over classes.

        Raises:
            ConfigError: the network gives pixels no class.
        """
        if self.logits is None:
            raise ConfigError("this network labels films and gives pixels no class.", "Take one that finds classes.")
        return self.logits.softmax(dim=1)

    def label_probability(self) -> Tensor | None:
        """[B, L] the softmax over labels; None where there are none."""
        return None if self.labels is None else self.labels.softmax(dim=1)

    def first(self, count: int) -> "Classes":
        """Of the batch's first pictures alone."""
        logits, labels = (None if one is None else one[:count] for one in (self.logits, self.labels))
        return Classes(logits, labels)

    def in_32_bits(self) -> "Classes":
        """The same logits as float32."""
        logits, labels = (None if one is None else one.float() for one in (self.logits, self.labels))
        return Classes(logits, labels)


@dataclass(frozen=True)
class KeepRule:
    """Which of all boxes are said to be nodules.

    Attributes:
        least_score: probability.
        iou: intersection over union that two nodules may have.
        most: nodules of one picture.
    """

    least_score: float = 0.02
    iou: float = 0.1
    most: int = 100


@dataclass(frozen=True, eq=False)
class Boxes:
    """What a detector found on one picture, highest score first.

    Attributes:
        places: [n, 6] as in `hilum.models.boxes`.
        scores: [n] probabilities.
    """

    places: Tensor
    scores: Tensor


@dataclass(frozen=True, eq=False)
class Detection(Output):
    """Anchors, and what the network says of each: whether it lies on a nodule, and the nodule's box.

    Attributes:
        class_logits: [B, N] one class against background; of each level all places, at a place all anchors.
        codes: [B, N, 6] of the box that each anchor stands for, as `hilum.models.boxes.encoded` makes them.
        anchors: [N, 6] boxes, float32.
        positions: places of each level, finest first.
        size: of the input; anchors of padding lie beyond it.
        rule: which boxes are kept.
        attention: none.
    """

    class_logits: Tensor
    codes: Tensor
    anchors: Tensor
    positions: tuple[int, ...]
    size: Shape3
    rule: KeepRule = KeepRule()
    attention: Tensor | None = None

    def encoded(self, boxes: Tensor, which: Tensor) -> Tensor:
        """[n, 6] codes of boxes [n, 6] for the anchors of these numbers [n]."""
        return encoded(boxes, self.anchors[which])

    def decoded(self, codes: Tensor, which: Tensor) -> Tensor:
        """[n, 6] boxes of codes [n, 6] of the anchors of these numbers [n]."""
        return decoded(codes, self.anchors[which])

    def found(self) -> list[Boxes]:
        """The boxes that are kept, of each picture."""
        return [self._found(logits, codes) for logits, codes in zip(self.class_logits, self.codes, strict=True)]

    def _found(self, logits: Tensor, codes: Tensor) -> Boxes:
        scores, which = logits.detach().float().sigmoid().sort(descending=True, stable=True)
        count = min(int((scores >= self.rule.least_score).sum()), _LOOKED_AT)
        scores, which = scores[:count], which[:count]
        boxes = self.decoded(codes.detach().float()[which], which)
        centres = middles(boxes)
        within = ((centres >= 0) & (centres <= torch.tensor(self.size, device=boxes.device))).all(1)
        boxes, scores = boxes[within], scores[within]
        stays = suppressed(boxes, scores, self.rule.iou, self.rule.most)
        return Boxes(boxes[stays], scores[stays])

    def probability(self) -> Tensor:
        """[B, 1, D, H, W] the scores of what is kept, each in the ellipsoid that fits into its box; 0 elsewhere."""
        return torch.stack([drawn(one.places, one.scores, self.size)[None] for one in self.found()])

    def first(self, count: int) -> "Detection":
        """Of the batch's first pictures alone."""
        return replace(self, class_logits=self.class_logits[:count], codes=self.codes[:count])

    def in_32_bits(self) -> "Detection":
        """The same as float32."""
        return replace(self, class_logits=self.class_logits.float(), codes=self.codes.float())
