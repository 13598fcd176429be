"""How features of X-rays and of unlabeled films are brought together, and what is said of the films."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from hilum.config import FrozenConfig

AdaptationMethod = Literal["none", "gradient_reversal", "feature_statistics"]


class AdaptationConfig(FrozenConfig):
    """What makes the network's features of films, whose labels are not looked at, like those of its X-rays."""

    method: AdaptationMethod = "none"
    """gradient_reversal: a classifier tells films from X-rays, and the encoder learns to mislead it (Ganin 2016).
    feature_statistics: means and covariances of features are drawn together (Sun and Saenko 2016). Both take films:
    --unlabeled FILMS."""
    weight: NonNegativeFloat = 0.1
    """Strength at the end of the run: of the reversed gradient, or of the statistics' distance in the loss."""
    rise: PositiveFloat = 10.0
    """How fast the strength rises from 0: by 2 / (1 + exp(-rise * progress)) - 1, progress from 0 to 1."""
    stages: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1,)
    """Which stages of the encoder give the features, counted from its last, which is 1."""
    every: PositiveInt = 2
    """A film is shown beside every so many-th X-ray of a batch; 1 shows as many films as X-rays."""
    hidden: PositiveInt = 64
    """gradient_reversal: width of the classifier's hidden layer."""

    @property
    def is_wanted(self) -> bool:
        """Whether films are needed."""
        return self.method != "none"


@dataclass(frozen=True)
class UnlabeledFacts:
    """Films that a model adapted to; what is known of their lesions was not looked at.

    Attributes:
        name: of the data set, without its place on this machine.
        licence: of the films.
        pictures: pictures and patients.
        method: of the adaptation.
    """

    name: str
    licence: str
    pictures: tuple[int, int]
    method: str
