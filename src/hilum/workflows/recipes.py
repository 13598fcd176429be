"""What there is to train (`hilum recipes`)."""

from collections.abc import Sequence
from dataclasses import dataclass

from hilum.recipes.catalogue import RECIPES, recipe
from hilum.train.config import TrainConfig


@dataclass(frozen=True)
class RecipeListing:
    """A recipe at a glance.

    Attributes:
        name: of the recipe.
        summary: the first sentence of its description.
        description: all of it.
        config: complete.
    """

    name: str
    summary: str
    description: str
    config: TrainConfig


def list_recipes(names: Sequence[str] = ()) -> tuple[RecipeListing, ...]:
    """These recipes; all of them, in the catalogue's order, when none is named.

    Raises:
        ConfigError: there is no such recipe.
    """
    return tuple(_listing(name) for name in names or RECIPES)


def _listing(name: str) -> RecipeListing:
    config = recipe(name)
    summary, _, rest = (RECIPES[name].__doc__ or "").partition("\n")
    return RecipeListing(name, summary, " ".join((summary + rest).split()), config)
