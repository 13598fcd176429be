"""What a model says about a study, and what it said it with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hilum.core.errors import GeometryError
from hilum.core.mask import Mask
from hilum.core.nodule import Nodule


@dataclass(frozen=True)
class Provenance:
    """Which model made a prediction, and how.

    Attributes:
        model: its name.
        weights_hash: SHA-256 of its weights.
        config_hash: SHA-256 of the configuration that it was trained with.
        version: hilum's version.
        thresholds: by name: from which probability a pixel is in the mask, from which score a lesion is listed.
        chosen: where the threshold of the mask was chosen: "chosen_on" in words, and if the model knows them "split",
            "split_hash" and "patients".
        options: everything else that changes the result.
        learnt: from which stored split the model has learnt, "split_hash", and which fold was kept out, "fold"; empty
            of models that have no folds.
    """

    model: str
    weights_hash: str
    config_hash: str
    version: str
    thresholds: Mapping[str, float] = field(default_factory=dict)
    chosen: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    learnt: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class KnownLesion:
    """A lesion known from an earlier X-ray, looked at again.

    Attributes:
        id: among those of its study, from 1.
        centre_px: (row, column) of where it was, on the study's pixels.
        was_mm: equivalent diameter then; None when nobody knows how large pixels are.
        score: the second network's highest probability where it was.
        threshold: below which score it is called gone.
        area: [y, x] where it was, on the study's pixels.
        now_mm: equivalent diameter now; None of one that is gone, or when nobody knows how large pixels are.
    """

    id: str
    centre_px: tuple[float, float]
    was_mm: float | None
    score: float
    threshold: float
    area: NDArray[np.bool_]
    now_mm: float | None = None

    @property
    def is_gone(self) -> bool:
        """Whether it is called gone."""
        return self.score < self.threshold

    def record(self) -> dict[str, object]:
        """As `nodules.json` has it."""
        called = "gone" if self.is_gone else "there"
        numbers = {"was_mm": self.was_mm, "now_mm": self.now_mm, "score": self.score, "threshold": self.threshold}
        return {"id": self.id, "centre_px": self.centre_px, **numbers, "called": called}


@dataclass(frozen=True, eq=False)
class Prediction:
    """Masks and nodules of one study.

    Attributes:
        key: of the study.
        probability: [y, x] or [z, y, x] on the study's own pixels, float32, 0 to 1.
        mask: where the probability reaches the threshold.
        nodules: with scores, the most likely first; those below the threshold too, down to the lowest listed.
        provenance: what it was made with.
        notes: what a person who uses it should know, one line each.
        prior: [y, x] on the same pixels, 0 to 1: an earlier X-ray as the model saw it; None where there was none.
        prior_lesions: [y, x] the lesions known of it; None where the model saw none.
        known: what a second look at each of them says; None where there was none.

    Raises:
        GeometryError: mask and probability are not on the same pixels.
    """

    key: str
    probability: NDArray[np.float32]
    mask: Mask
    nodules: tuple[Nodule, ...]
    provenance: Provenance
    notes: tuple[str, ...] = ()
    prior: NDArray[np.float32] | None = None
    prior_lesions: NDArray[np.bool_] | None = None
    known: tuple[KnownLesion, ...] | None = None

    def __post_init__(self) -> None:
        if self.probability.shape != self.mask.labels.shape:
            raise GeometryError(
                f"the probability's shape {self.probability.shape} is not the mask's {self.mask.labels.shape}."
            )
