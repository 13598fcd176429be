"""Deep supervision: the decoder's coarser stages are taught too."""

from typing import Annotated

from pydantic import Field, PositiveFloat
from torch import Tensor

from hilum.losses.base import Head, Output, SegmentationLoss
from hilum.losses.choice import LossConfig
from hilum.losses.parts import Loss, single, weighted_sum
from hilum.losses.pooling import Pooling, pooled


class DeepSupervision(SegmentationLoss):
    """Σ wᵢ·Lᵢ over the output (i = 0) and its coarser stages (Lee 2015; weights as in Isensee 2021).

    Parts are those of the output's own loss, and the loss of each coarser stage as "deep_1", "deep_2". Where a network
    gives no coarser logits, it is the output's own loss.
    """

    class Config(SegmentationLoss.Config):
        """What is taught to the stages, and how much each counts."""

        loss: LossConfig = Field(default_factory=LossConfig)
        """Of the logits alone; `attention` goes beside this one, in `combined`."""
        decay: Annotated[float, Field(gt=0, le=1)] = 0.5
        """wᵢ = decay^i, divided by their sum."""
        coarser: PositiveFloat | None = None
        """None: as above. A number: w₀ = 1 and wᵢ = coarser · decay^(i − 1), nothing divided, as source B has it with
        .3."""
        pooling: Pooling = "max"
        """How truth comes to a coarser size: max keeps every nodule; area gives the share of each cell."""

    config: Config

    def __init__(self, config: Config | None = None) -> None:
        super().__init__(config)
        self._loss = self.config.loss.build()

    def __call__(self, output: Output, target: Tensor, weight: Tensor | None = None) -> Loss:
        """As in `SegmentationLoss`."""
        weights = self.weights(len(output.deep))
        terms = [(weights[0], self._loss(Head(output.logits), target, weight))]
        for level, logits in enumerate(output.deep, start=1):
            total = self._loss(Head(logits), *pooled(target, weight, logits.shape[2:], self.config.pooling)).total
            terms.append((weights[level], single(f"deep_{level}", total)))
        return weighted_sum(terms)

    def weights(self, coarser: int) -> list[float]:
        """w₀, w₁, … of the output and so many coarser stages."""
        decay, share = self.config.decay, self.config.coarser
        if share is not None:
            return [1.0, *(share * decay**level for level in range(coarser))]
        powers = [decay**level for level in range(coarser + 1)]
        return [power / sum(powers) for power in powers]
