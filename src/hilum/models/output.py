"""What a segmentation network gives."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Segmentation:
    """Named logits; a sigmoid or softmax makes probabilities of them.

    Attributes:
        logits: [B, C, H, W] at the size of the input; C = 1 for one class against background.
        attention: [B, 1, h, w] logits of where the network looks, for those that are taught it; None for others.
        deep: logits [B, C, h, w] of coarser stages, finest first, for deep supervision; empty without it.
    """

    logits: Tensor
    attention: Tensor | None = None
    deep: tuple[Tensor, ...] = ()

    def first(self, count: int) -> "Segmentation":
        """Of the batch's first pictures alone."""
        attention = None if self.attention is None else self.attention[:count]
        return Segmentation(self.logits[:count], attention, tuple(one[:count] for one in self.deep))
