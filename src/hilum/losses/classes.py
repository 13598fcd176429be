"""What softmax over classes costs: cross entropy and Dice of pixels, cross entropy of a film's label."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Annotated, Protocol

import torch
from pydantic import Discriminator, Field, NonNegativeFloat, PositiveFloat, Tag
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax, one_hot

from hilum.config import FrozenConfig
from hilum.core import ConfigError, GeometryError
from hilum.core.films import UNKNOWN_LABEL
from hilum.losses.base import Output, SegmentationLoss
from hilum.losses.parts import Loss, single, weighted_sum


class ClassOutput(Protocol):
    """What such a loss reads of a network's output; `hilum.models.output.Classes` is one."""

    @property
    def logits(self) -> Tensor | None:
        """[B, C, H, W], background first; None where pixels have no classes."""

    @property
    def labels(self) -> Tensor | None:
        """[B, L]; None where films have no labels."""


class InverseFrequency(FrozenConfig):
    """A class's weight in a batch: all pixels / (classes · its own pixels), so that each class counts alike."""

    cap: Annotated[float, Field(ge=1)] = 20.0
    """The largest weight; 1 / cap is the smallest. A class that the batch lacks has no pixel to weigh."""


def _kind(value: object) -> str:
    return "fixed" if isinstance(value, Sequence) else "inverse"


ClassWeights = Annotated[
    Annotated[tuple[PositiveFloat, ...], Tag("fixed")] | Annotated[InverseFrequency, Tag("inverse")],
    Discriminator(_kind),
]
SOURCE_WEIGHTS = (0.1, 3.0, 10.0, 3.0)
"""Source D's, of background, healthy lung, COVID-19 infection and non-COVID infection."""


class ClassLoss(SegmentationLoss):
    """A loss of classes: it is told each film's label, too."""

    of_classes = True

    def __call__(self, output: Output, target: Tensor, weight: Tensor | None = None) -> Loss:
        """Without labels; as in `SegmentationLoss`, but that the target's numbers are classes.

        Raises:
            ConfigError: nothing of what the network gives has a truth then.
        """
        return self.of(output, target, weight, None)  # type: ignore[arg-type]  # logits are there where pixels count

    @abstractmethod
    def of(self, output: ClassOutput, target: Tensor, weight: Tensor | None, label: Tensor | None) -> Loss:
        """The loss of a batch.

        Args:
            output: logits of classes, of labels, or both.
            target: [B, 1, H, W] each pixel's class by number, 0 for background.
            weight: [B, 1, H, W] 0 where nobody knows the class, which has no influence then; None for 1 everywhere.
            label: [B] each film's label by number, `UNKNOWN_LABEL` where nobody says; None for no film.

        Raises:
            GeometryError: shapes that don't belong together.
            ConfigError: the network's classes are fewer than the truth's, or weights are of other classes.
        """


class CrossEntropyDice(ClassLoss):
    """Cross entropy and Dice over the softmax, and cross entropy of films' labels where the network gives these."""

    class Config(ClassLoss.Config):
        """What counts how much."""

        cross_entropy_weight: NonNegativeFloat = 1.0
        """Of the pixels' cross entropy."""
        dice_weight: NonNegativeFloat = 1.0
        """Of 1 − Dice, the mean over the classes that the batch has, background left out; sums go over the batch."""
        label_weight: NonNegativeFloat = 1.0
        """Of the cross entropy of films' labels."""
        class_weights: ClassWeights | None = None
        """In the pixels' cross entropy, background first: numbers, as source D's [0.1, 3, 10, 3], or {cap: 20} for
        inverse frequency in each batch. Null counts every pixel alike."""
        label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
        """Share of a film's label that is given to all labels alike (Szegedy 2016)."""
        smooth: PositiveFloat = 1.0
        """ε of Dice, in pixels."""

    config: Config

    def of(self, output: ClassOutput, target: Tensor, weight: Tensor | None, label: Tensor | None) -> Loss:
        """As in `ClassLoss`."""
        terms = [] if output.logits is None else self._pixels(output.logits, target, weight)
        if output.labels is not None:
            terms.append((self.config.label_weight, self._label(output.labels, label)))
        return weighted_sum(terms)

    def _pixels(self, logits: Tensor, target: Tensor, weight: Tensor | None) -> list[tuple[float, Loss]]:
        truth, known = _truth(logits, target, weight)
        logs = log_softmax(logits.float(), dim=1)
        weights = self._weights(truth, known)
        return [
            (self.config.cross_entropy_weight, single("cross_entropy", _cross_entropy(logs, truth, known, weights))),
            (self.config.dice_weight, single("dice", self._dice(logs.exp(), truth, known))),
        ]

    def _weights(self, truth: Tensor, known: Tensor) -> Tensor:
        """[C] what a pixel of each class counts."""
        rule, classes = self.config.class_weights, truth.shape[1]
        if rule is None:
            return known.new_ones(classes)
        if isinstance(rule, InverseFrequency):
            pixels = (truth * known).sum((0, 2, 3))
            return (pixels.sum() / (classes * pixels.clamp(min=1))).clamp(min=1 / rule.cap, max=rule.cap)
        if len(rule) != classes:
            raise ConfigError(
                f"loss.options.class_weights has {len(rule)} numbers, and the network {classes} classes.",
                "Give one for each class, background first.",
            )
        return known.new_tensor(rule)

    def _dice(self, probability: Tensor, truth: Tensor, known: Tensor) -> Tensor:
        shared, both = ((known * one).sum((0, 2, 3))[1:] for one in (probability * truth, probability + truth))
        is_there = (known * truth).sum((0, 2, 3))[1:] > 0
        lost = 1 - (2 * shared + self.config.smooth) / (both + self.config.smooth)
        return torch.where(is_there, lost, 0).sum() / is_there.sum().clamp(min=1)

    def _label(self, logits: Tensor, label: Tensor | None) -> Loss:
        if label is None or not bool((label != UNKNOWN_LABEL).any()):
            return single("label", (logits * 0).sum())
        smoothing = self.config.label_smoothing
        return single(
            "label", cross_entropy(logits.float(), label, ignore_index=UNKNOWN_LABEL, label_smoothing=smoothing)
        )


def _truth(logits: Tensor, target: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """[B, C, H, W] 0 or 1, and [B, 1, H, W] what each pixel counts."""
    if target.shape != (logits.shape[0], 1, *logits.shape[2:]):
        raise GeometryError(
            f"classes of shape {list(target.shape)} don't belong to logits of shape {list(logits.shape)}.",
            "Give [B, 1, H, W] for [B, C, H, W].",
        )
    known = target.new_ones(target.shape) if weight is None else weight.broadcast_to(target.shape)
    known = known.to(torch.float32)
    classes = torch.where(known > 0, target, 0).long()[:, 0]
    if classes.numel() and int(classes.max()) >= logits.shape[1]:
        raise ConfigError(
            f"the truth has class {int(classes.max())}, and the network {logits.shape[1]} classes with the background.",
            f"Set model.options.classes to {int(classes.max()) + 1}.",
        )
    return one_hot(classes, logits.shape[1]).movedim(-1, 1).to(torch.float32), known


def _cross_entropy(logs: Tensor, truth: Tensor, known: Tensor, weights: Tensor) -> Tensor:
    """Mean over pixels by what they count; as `torch.nn.CrossEntropyLoss` with weights."""
    counts = known * (truth * weights[None, :, None, None]).sum(1, keepdim=True)
    costs = -(truth * logs).sum(1, keepdim=True)
    return (counts * costs).sum() / counts.sum().clamp(min=torch.finfo(torch.float32).tiny)
