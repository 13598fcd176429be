"""The network while it learns: a batch in, a loss out, everything else in callbacks."""

from dataclasses import dataclass, field

import pytorch_lightning as pl
import torch
from torch import Tensor

from hilum.losses.parts import Loss
from hilum.models.network import Network
from hilum.models.output import Segmentation
from hilum.train.config import TrainConfig
from hilum.train.data import Batch
from hilum.train.optimiser import adamw


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
        probabilities: [y, x] of each validation case, by its number, since validation began.
        figures: what the last validation gave, by name.
    """

    def __init__(self, network: Network, config: TrainConfig) -> None:
        super().__init__()
        self.network = network
        self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it
        self.config = config
        self.phase = 0
        self.learnt, self.judged = Means(), Means()
        self.probabilities: dict[int, Tensor] = {}
        self.figures: dict[str, float] = {}
        self._losses = [config.loss_of(phase).build() for phase in range(len(config.phases))]

    def forward(self, image: Tensor) -> Segmentation:
        """Logits in 32 bits of images [B, 1, H, W]."""
        return in_32_bits(self.network(image.contiguous(memory_format=torch.channels_last)))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """The loss of one batch."""
        del batch_idx
        loss = self._losses[self.phase](self(batch.image), batch.target, batch.weight)
        self.learnt.add(loss, len(batch.image))
        return loss.total

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Keeps probabilities and the loss for whoever judges them."""
        del batch_idx
        output = self(batch.image)
        self.judged.add(self._losses[self.phase](output, batch.target, batch.weight), len(batch.image))
        probability = output.logits.sigmoid()[:, 0].cpu()
        for plane, (rows, columns), case in zip(probability, batch.size.tolist(), batch.case.tolist(), strict=True):
            self.probabilities[case] = plane[:rows, :columns].clone()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """AdamW over all parts; those that don't learn at present have no gradient, and stay."""
        return adamw(self.network, self.config.optimiser)


def in_32_bits(output: Segmentation) -> Segmentation:
    """The same logits as float32: a sigmoid and a sum over a picture need more than bfloat16's eight bits."""
    attention = None if output.attention is None else output.attention.float()
    return Segmentation(output.logits.float(), attention, tuple(one.float() for one in output.deep))
