"""The network while it learns: a batch in, a loss out, everything else in callbacks."""

from dataclasses import dataclass, field
from typing import cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from hilum.losses.base import Output as Logits
from hilum.losses.classes import ClassLoss
from hilum.losses.parts import Loss
from hilum.models.network import Network
from hilum.models.output import Classes, Output
from hilum.train.adaptation import adaptation_of, features_of, strength_at
from hilum.train.config import TrainConfig
from hilum.train.data import Batch, without_padding
from hilum.train.optimiser import PEAK, adamw


@dataclass
class Means:
    """Running means of what a loss is made of, weighted by pictures."""

    sums: dict[str, float] = field(default_factory=dict)
    pictures: int = 0

    def add(self, loss: Loss, pictures: int) -> None:
        """Take in one batch."""
        for name, value in {"loss": loss.total, **loss.parts}.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach()) * pictures
        self.pictures += pictures

    def mean(self) -> float:
        """Of the loss so far."""
        return self.sums["loss"] / self.pictures

    def take(self) -> dict[str, float]:
        """The means, and begin anew."""
        means = {name: total / self.pictures for name, total in self.sums.items()}
        self.sums, self.pictures = {}, 0
        return means


class Learner(pl.LightningModule):
    """A network, its loss and its optimiser.

    Attributes:
        network: what learns.
        config: of the run.
        phase: which of the configuration's phases it is in, counted from 0.
        learnt: means of the loss and its parts since the epoch began.
        judged: the same on validation.
        probabilities: [y, x] of each validation case, by its number, since validation began; of films by classes
            [C, y, x].
        labels: [L] probability of each label of such films, likewise; empty where the network gives none.
        figures: what the last validation gave, by name.
        adaptation: what the difference of X-rays and unlabeled films costs; None where there are no films.
    """

    def __init__(self, network: Network, config: TrainConfig) -> None:
        super().__init__()
        self.network = network
        self.network.to(memory_format=network.memory_format)  # type: ignore[call-overload]  # the stubs lack it
        self.config = config
        self.phase = 0
        self.learnt, self.judged = Means(), Means()
        self.probabilities: dict[int, Tensor] = {}
        self.labels: dict[int, Tensor] = {}
        self.figures: dict[str, float] = {}
        self.adaptation = adaptation_of(network, config.adaptation, config.trainer.seed)
        self._losses = [config.loss_of(phase).build() for phase in range(len(config.phases))]

    def forward(self, image: Tensor, prior: Tensor | None = None) -> Output:
        """What the network says, in 32 bits, of images [B, 1, H, W] and, if any, priors [B, 1 or 2, H, W]."""
        return answered(self.network, image, prior)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        loss = self._adapted(batch, batch_idx) if self.adaptation is not None else self._segmented(batch)
        self.learnt.add(loss, len(batch.image))
        return loss.total

    def _segmented(self, batch: Batch) -> Loss:
        return self._cost(self(batch.image, batch.prior), batch)

    def _cost(self, output: Output, batch: Batch) -> Loss:
        loss = self._losses[self.phase]
        if isinstance(loss, ClassLoss) and isinstance(output, Classes):
            return loss.of(output, batch.target, batch.weight, batch.label)
        return loss(cast("Logits", output), batch.target, batch.weight)

    def _adapted(self, batch: Batch, batch_idx: int) -> Loss:
        """X-rays and films in one pass: the lesions' loss of the X-rays, and what the domains' difference costs."""
        if self.adaptation is None or batch.film is None:
            return self._segmented(batch)
        xrays, films = len(batch.image), len(batch.film)
        with features_of(self.network, self.config.adaptation.stages) as features:
            output = self(torch.cat((batch.image, batch.film)))
        loss = self._losses[self.phase](output.first(xrays), batch.target, batch.weight)
        progress = (self.current_epoch + batch_idx / self.trainer.num_training_batches) / self.config.trainer.epochs
        strength = strength_at(progress, self.config.adaptation)
        extra = self.adaptation(features, films, strength)
        parts = {**loss.parts, **extra.parts, "adaptation_strength": torch.tensor(strength)}
        return Loss(loss.total + extra.total, parts)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keeps probabilities and the loss for whoever judges them."""
        del batch_idx
        output = self(batch.image, batch.prior)
        self.judged.add(self._cost(output, batch), len(batch.image))
        if isinstance(output, Classes):
            self._keep(output, batch)
            return
        for case, plane in without_padding(batch, output.probability()[:, 0].cpu()).items():
            self.probabilities[case] = plane.clone()

    def _keep(self, output: Classes, batch: Batch) -> None:
        if output.logits is not None:
            for case, planes in without_padding(batch, output.probability().cpu()).items():
                self.probabilities[case] = planes.clone()
        if (labels := output.label_probability()) is not None:
            self.labels |= dict(zip(batch.case.tolist(), labels.cpu(), strict=True))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW over all parts; those that don't learn at present have no gradient, and stay."""
        optimiser = adamw(self.network, self.config.optimiser)
        if self.adaptation is not None and (own := list(self.adaptation.parameters())):
            rate = self.config.optimiser.lr
            optimiser.add_param_group({"name": "domain", "params": own, "lr": rate, PEAK: rate, "weight_decay": 0.0})
        return optimiser


def answered(network: Network, image: Tensor, prior: Tensor | None) -> Output:
    """What a network says, in 32 bits, of images [B, 1, H, W] and priors [B, 1 or 2, H, W] or None."""
    image = image.contiguous(memory_format=network.memory_format)
    if prior is not None:
        prior = prior.contiguous(memory_format=network.memory_format)
    output: Output = network(image, prior)
    return output.in_32_bits()
