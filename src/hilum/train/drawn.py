"""What all training cases have in common: which of them an epoch shows, and what the last pass over them told."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from hilum.datasets.sampling import Traits, drawn_order
from hilum.train.config import TrainConfig

if TYPE_CHECKING:  # batches know films, films are drawn cases
    from hilum.train.data import JudgedSample

S = TypeVar("S", bound="JudgedSample")


class DrawnCases(ABC, Generic[S]):
    """Training cases of one kind; everything drawn follows from seed, epoch and place.

    Attributes:
        samples: as loaded.
        hard: [n] false positives of each in the last pass over the training cases; 0 before there was one.
        whole: as the network is shown them where nothing is changed.

    Args:
        samples: as loaded.
        traits: of theirs, which decide how often each is shown.
        config: of the run.
    """

    def __init__(self, samples: Sequence[S], traits: Traits, config: TrainConfig) -> None:
        self.samples = samples
        self.whole = samples
        self.hard = np.zeros(len(samples))
        self._traits, self._config, self._seed = traits, config, config.trainer.seed

    def order(self, epoch: int) -> Sequence[int]:
        """Which samples an epoch, counted from 0, shows at its places."""
        chosen = drawn_order(self._traits, self._config.sampling, self._seed, epoch, self.hard)
        return [int(one) for one in chosen]

    @abstractmethod
    def draw(self, epoch: int, place: int, case: int) -> S:
        """A sample as it is shown at a place of an epoch."""
