"""A loss by name, with all its options, as a configuration holds it."""

from typing import TYPE_CHECKING, Any, Self

from pydantic import Field, model_validator

from hilum.config import FrozenConfig

if TYPE_CHECKING:
    from hilum.losses.base import SegmentationLoss


class LossConfig(FrozenConfig):
    """Which loss, with every option; options that were left out are filled with their defaults."""

    name: str = "bce_dice"
    """A name in the catalogue."""
    options: dict[str, Any] = Field(default_factory=dict)
    """The loss's own settings by name."""

    @model_validator(mode="after")
    def _complete(self) -> Self:
        # Sums of losses hold choices of losses, so the catalogue, which has the sums, can only be asked when used.
        from hilum.losses.catalogue import options_of

        # A frozen model's field is set past the guard: what is stored and hashed has to be the complete options.
        object.__setattr__(self, "options", options_of(self.name, self.options).plain())
        return self

    def build(self) -> "SegmentationLoss":
        """The loss."""
        from hilum.losses.catalogue import build_loss

        return build_loss(self.name, self.options)
