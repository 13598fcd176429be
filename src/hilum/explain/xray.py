"""What a network marks on a chest X-ray, explained on the X-ray's own pixels."""

from dataclasses import replace

import torch

from hilum.core import Explanation, Provenance, Radiograph
from hilum.explain.explained import ExplainOptions, OwnPixels, checked_layer, explained
from hilum.explain.gradcam import Shown
from hilum.infer.loaded import LoadedModel
from hilum.infer.xray import XrayOptions, XrayPredictor
from hilum.infer.xray_domain import xray_input
from hilum.infer.xray_prior import EarlierXray, second_image


class XrayExplainer:
    """A loaded model, ready to be explained on one radiograph after another.

    Args:
        model: an X-ray model.
        use: how it is used; one view is explained, so without averaging over views.
        options: see there.

    Raises:
        ConfigError: the network has no such layer, or it can't be explained.
    """

    def __init__(self, model: LoadedModel, use: XrayOptions, options: ExplainOptions) -> None:
        self._predictor = XrayPredictor(model, replace(use, tta=False))
        self._options = replace(options, layer=checked_layer(model.network, options.layer))

    @property
    def layer(self) -> str:
        """Whose features are looked at."""
        return self._options.layer or ""

    @property
    def provenance(self) -> Provenance:
        """What explanations are made with."""
        return self._predictor.provenance

    def __call__(self, key: str, xray: Radiograph, earlier: EarlierXray | None = None) -> Explanation:
        """Where the features lie that made the model mark what it does.

        Args:
            key: of the study.
            xray: frontal, upright, dense is bright.
            earlier: of the same patient, for a model that looks at one.

        Raises:
            UnsupportedError: one of them shows no frontal chest.
            ConfigError: the model needs an earlier one and there is none, or looks at none and there is one.
            InputError: the earlier one can't be registered.
        """
        predictor, model = self._predictor, self._predictor.model
        made = xray_input(xray, model.pixel_mm, predictor.options.style)
        second = second_image(made, earlier, model)
        scores = predictor.probability(made.image, second)
        device = predictor.options.device
        prior = None if second is None else torch.from_numpy(second.planes)[None].to(device)
        shown = Shown(torch.from_numpy(made.image)[None, None].to(device), prior)
        found = explained(model.network, shown, scores, predictor.rule.threshold, self._options)
        rows, columns = (made.pixel_mm / step for step in made.step_mm)
        notes = (*made.notes, *(() if second is None else second.notes))
        return found.on_study(key, scores, OwnPixels(made.back, (rows, columns), notes), self.provenance)
