"""A network on one axial CT slice: probability, mask and nodules on the slice's own pixels."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hilum.core import ConfigError, Mask, Prediction, Provenance
from hilum.core.radiograph import PixelMm
from hilum.datasets.data_kind import SLICES
from hilum.datasets.slice_point import point_map
from hilum.datasets.slice_scale import canonical
from hilum.datasets.xray_grid import PixelGrid
from hilum.infer.at_point import parts_at
from hilum.infer.crf import CrfConfig, refined
from hilum.infer.lesions import LesionRule, lesions
from hilum.infer.loaded import LoadedModel

_VIEWS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))
"""Axes that are turned round, and turned back: all four are exact."""
DEFAULT_WINDOW = "lung"
_SQUARE = 0.01
"""Sides of a pixel that differ by less are taken to be one."""
NO_MM = "the slice doesn't say how large its pixels are: no millimetres are given"
NO_POINT = "nobody says where the nodule is: whatever looks like one is marked"
_USUAL_MM = 0.7
"""Side of a pixel where nobody knows it, for what the network is told of a point: the published slices' median."""


@dataclass(frozen=True)
class SliceOptions:
    """How a network is used.

    Attributes:
        threshold: from which probability a pixel is in the mask; the model's own, chosen on validation, when None.
        tta: average over the slice and its mirror images along both axes.
        crf: conditional random field after the network; None for none.
        device: "cpu" or "cuda".
    """

    threshold: float | None = None
    tta: bool = False
    crf: CrfConfig | None = None
    device: str = "cpu"


class SlicePredictor:
    """A loaded model, ready for one slice after another.

    Attributes:
        rule: threshold, and which peaks below it are listed.
        window: of HU, that the model has learnt (`hilum.datasets.slice_scale.WINDOWS`).
        takes_point: whether the model has learnt to be told where the nodule is.

    Args:
        model: of CT slices.
        options: see there.

    Raises:
        ConfigError: the model is of something else.
    """

    def __init__(self, model: LoadedModel, options: SliceOptions | None = None) -> None:
        if model.kind != SLICES:
            raise ConfigError(
                f"the model {model.name} marks nodules on data of the kind {model.kind}, not on CT slices.",
                "Take one that was trained on slices: --model FOLDER",
            )
        self.model = model
        self.options = options or SliceOptions()
        self.rule = LesionRule(self.options.threshold or model.threshold)
        self.window = str(model.config["config"]["data"].get("window", DEFAULT_WINDOW))
        self.takes_point = bool(model.config["config"]["data"].get("point_share", 0))
        self._network = model.network.to(self.options.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(
        self,
        key: str,
        image: NDArray[np.generic],
        step_mm: PixelMm | None = None,
        point_px: tuple[float, float] | None = None,
    ) -> Prediction:
        """What the model says about a slice.

        Args:
            key: of the slice.
            image: [y, x] HU, or a picture of unsigned integers; front of the patient up, right on the left.
            step_mm: row and column step; None when nobody knows.
            point_px: (row, column) where the nodule is; None when nobody says. Of what is marked, parts that don't come
                near the point are not the nodule that is meant: there, mask and probability are 0.

        Raises:
            InputError: it can't be brought to the scale that the model has learnt (`hilum.datasets.slice_scale`).
        """
        probability = self.probability(image, step_mm, point_px)
        if point_px is not None:
            marked = probability >= self.rule.threshold
            meant = parts_at(marked, point_px, step_mm or (_USUAL_MM, _USUAL_MM))
            probability = np.where(marked & ~meant, np.float32(0), probability)
        mask = Mask((probability >= self.rule.threshold).astype(np.uint8), pixel_mm=step_mm, names={1: "nodule"})
        found = lesions(probability, step_mm or (1.0, 1.0), self.rule, knows_mm=step_mm is not None)
        notes = self.notes(step_mm, point_px)
        return Prediction(key, probability, mask, tuple(found), self.provenance, notes)

    def notes(self, step_mm: PixelMm | None, point_px: tuple[float, float] | None) -> tuple[str, ...]:
        """What a person should know of a slice of which this is known."""
        unsaid = {NO_MM: step_mm is None, NO_POINT: self.takes_point and point_px is None}
        return tuple(note for note, is_so in unsaid.items() if is_so)

    @property
    def provenance(self) -> Provenance:
        """What predictions are made with."""
        options = self.options
        thresholds = {"mask": self.rule.threshold, "listed": self.rule.peaks.lowest}
        used: dict[str, object] = {"tta": options.tta}
        if options.crf is not None:
            used["crf"] = options.crf.plain()
        return self.model.provenance(thresholds, used, is_stated=options.threshold is not None)

    def probability(
        self,
        image: NDArray[np.generic],
        step_mm: PixelMm | None = None,
        point_px: tuple[float, float] | None = None,
    ) -> NDArray[np.float32]:
        """[y, x] of a slice; arguments and errors as of a call."""
        shown, grid = self.shown(image, step_mm, point_px)
        found = self.seen(shown)
        if self.options.crf is not None:
            found = refined(found, shown[0], self.options.crf)
        return found if grid is None else np.clip(grid.back(found), 0, 1).astype(np.float32)

    def shown(
        self,
        image: NDArray[np.generic],
        step_mm: PixelMm | None = None,
        point_px: tuple[float, float] | None = None,
    ) -> tuple[NDArray[np.float32], PixelGrid | None]:
        """What the network sees, [1 or 2, y, x] from 0 to 1: the slice and, where it is told of points, the point.

        Returns:
            The planes, and the way back; None where the network sees the slice's own pixels.
        """
        shown = canonical(image, self.window)
        grid = self._grid((shown.shape[0], shown.shape[1]), step_mm)
        if grid is not None:
            shown = grid.mean(shown).astype(np.float32)
            point_px = None if point_px is None else grid.moved(point_px)
        planes = [shown]
        if self.takes_point:
            planes.append(point_map(shown.shape, point_px, self._seen_mm(step_mm)))
        return np.stack(planes), grid

    def _seen_mm(self, step_mm: PixelMm | None) -> PixelMm:
        """Row and column step of what the network sees."""
        if not math.isnan(self.model.pixel_mm):
            return (self.model.pixel_mm,) * 2
        return (_USUAL_MM if step_mm is None else min(step_mm),) * 2

    def _grid(self, shape_yx: tuple[int, int], step_mm: PixelMm | None) -> PixelGrid | None:
        """To square pixels, of the side that the model has learnt where it has one; None where nothing changes."""
        if step_mm is None:
            return None
        wanted = min(step_mm) if math.isnan(self.model.pixel_mm) else self.model.pixel_mm
        if all(abs(step / wanted - 1) < _SQUARE for step in step_mm):
            return None
        return PixelGrid(shape_yx, step_mm, wanted)

    def seen(self, planes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probability [y, x] of planes [1 or 2, y, x] from 0 to 1."""
        batch = torch.from_numpy(planes)[None].to(self.options.device)
        with torch.inference_mode():
            views = _VIEWS if self.options.tta else _VIEWS[:1]
            turned = [batch.flip(view).contiguous(memory_format=torch.channels_last) for view in views]
            logits = [self._network(one[:, :1], one[:, 1:] if self.takes_point else None).logits for one in turned]
            seen = [one.float().sigmoid().flip(view) for one, view in zip(logits, views, strict=True)]
            mean = torch.stack(seen).mean(dim=0)
        found: NDArray[np.float32] = mean[0, 0].cpu().numpy()
        return found
