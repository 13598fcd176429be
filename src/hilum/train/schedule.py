"""How large a step is: factors on the peak learning rate, as pure functions of the progress."""

import math

from hilum.train.config import ScheduleConfig


def factor_at(progress: float, epochs: int, config: ScheduleConfig) -> float:
    """The factor on the peak rate after `progress` epochs (of `epochs`), fractions included.

    Cosines as in SGDR (Loshchilov and Hutter 2017, equation 5). A plateau is constant here: `Plateau` lowers it.
    """
    if progress < config.warmup_epochs:
        return config.warmup_from + (1 - config.warmup_from) * progress / config.warmup_epochs
    after = progress - config.warmup_epochs
    if config.kind == "cosine":
        return _cosine(after / max(epochs - config.warmup_epochs, after, 1e-9), config.lowest)
    if config.kind == "restarts":
        return _cosine(_share_of_cycle(after, config), config.lowest)
    return 1.0


def _cosine(share: float, lowest: float) -> float:
    return lowest + (1 - lowest) * (1 + math.cos(math.pi * share)) / 2


def _share_of_cycle(after: float, config: ScheduleConfig) -> float:
    """How far into its cosine an epoch is, 0 to 1."""
    length = config.cycle_epochs
    while after >= length:
        after -= length
        length *= config.cycle_growth
    return after / length


class Plateau:
    """Lowers a factor when a figure, where higher is better, has stood still for longer than the patience."""

    def __init__(self, config: ScheduleConfig) -> None:
        self._config = config
        self.factor, self.best, self.waited = 1.0, -math.inf, 0

    def see(self, figure: float) -> None:
        """Take in an epoch's figure; NaN is no improvement."""
        if figure > self.best:
            self.best, self.waited = figure, 0
            return
        self.waited += 1
        if self.waited > self._config.patience:
            self.factor, self.waited = max(self.factor * self._config.step, self._config.lowest), 0

    def state(self) -> dict[str, float]:
        """What a checkpoint keeps."""
        return {"factor": self.factor, "best": self.best, "waited": self.waited}

    def restore(self, state: dict[str, float]) -> None:
        """Go on from there."""
        self.factor, self.best, self.waited = state["factor"], state["best"], int(state["waited"])
