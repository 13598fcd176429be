"""What a network marks on a CT slice, explained on the slice's own pixels."""

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from hilum.core import Explanation, Provenance
from hilum.core.radiograph import PixelMm
from hilum.datasets.xray_grid import PixelGrid
from hilum.explain.explained import ExplainOptions, OwnPixels, checked_layer, explained
from hilum.explain.gradcam import Shown
from hilum.infer.loaded import LoadedModel
from hilum.infer.slices import SliceOptions, SlicePredictor


class SliceExplainer:
    """A loaded model, ready to be explained on one slice after another.

    Attributes:
        predictor: the model, as it is used.

    Args:
        model: of CT slices.
        use: how it is used; the network alone is explained, without averaging over views and without a random field.
        options: see there.

    Raises:
        ConfigError: the model is of something else, has no such layer, or it can't be explained.
    """

    def __init__(self, model: LoadedModel, use: SliceOptions, options: ExplainOptions) -> None:
        self.predictor = SlicePredictor(model, replace(use, tta=False, crf=None))
        self._options = replace(options, layer=checked_layer(model.network, options.layer))

    @property
    def layer(self) -> str:
        """Whose features are looked at."""
        return self._options.layer or ""

    @property
    def provenance(self) -> Provenance:
        """What explanations are made with."""
        return self.predictor.provenance

    def __call__(
        self,
        key: str,
        image: NDArray[np.generic],
        step_mm: PixelMm | None = None,
        point_px: tuple[float, float] | None = None,
    ) -> Explanation:
        """Where the features lie that made the model mark what it does.

        Args:
            key: of the slice.
            image: [y, x] HU, or a picture of unsigned integers.
            step_mm: row and column step; None when nobody knows.
            point_px: (row, column) where the nodule is; None when nobody says.

        Raises:
            InputError: it can't be brought to the scale that the model has learnt.
        """
        predictor = self.predictor
        threshold, device = predictor.rule.threshold, predictor.options.device
        seen, grid = predictor.shown(image, step_mm, point_px)
        planes = torch.from_numpy(seen)[None].to(device)
        shown = Shown(planes[:, :1], planes[:, 1:] if predictor.takes_point else None)
        with torch.inference_mode():
            scores = predictor.model.network(shown.image, shown.prior).logits.float().sigmoid()[0, 0].cpu().numpy()
        found = explained(predictor.model.network, shown, scores, threshold, self._options)
        rows, columns = (own / seen for own, seen in zip(_back(scores, grid).shape, scores.shape, strict=True))
        study = OwnPixels(lambda values: _back(values, grid), (rows, columns), predictor.notes(step_mm, point_px))
        return found.on_study(key, scores, study, self.provenance)


def _back(values: NDArray[np.float32], grid: PixelGrid | None) -> NDArray[np.float32]:
    return values if grid is None else np.clip(grid.back(values), 0, 1).astype(np.float32)
