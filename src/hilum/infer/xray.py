"""A network on a whole chest X-ray: probability, mask and nodules on the picture's own pixels."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilum.core import Mask, Prediction, Provenance, Radiograph
from hilum.infer.lesions import LesionRule, lesions
from hilum.infer.loaded import LoadedModel
from hilum.infer.xray_domain import XrayInput, XrayStyle, xray_input
from hilum.infer.xray_prior import EarlierXray, SecondImage, of_new_alone, require_whole_pictures, second_image


@dataclass(frozen=True)
class XrayOptions:
    """How a network is used.

    Attributes:
        style: what the pictures' grey levels are.
        threshold: from which probability a pixel is in the mask; the model's own, chosen on validation, when None.
        tta: average over the picture, its mirror image, and both a little smaller and larger.
        device: "cpu" or "cuda".
    """

    style: XrayStyle = XrayStyle.FILM
    threshold: float | None = None
    tta: bool = False
    device: str = "cpu"


class XrayPredictor:
    """A loaded model, ready for one radiograph after another.

    Args:
        model: an X-ray model.
        options: see there.

    Raises:
        ConfigError: the model looks at no whole picture.
    """

    def __init__(self, model: LoadedModel, options: XrayOptions | None = None) -> None:
        require_whole_pictures(model.name, model.prior)
        self.model = model
        self.options = options or XrayOptions()
        self.rule = LesionRule(self.options.threshold or model.threshold)
        self._network = model.network.to(self.options.device, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def __call__(self, key: str, xray: Radiograph, earlier: EarlierXray | None = None) -> Prediction:
        """What the model says about a radiograph.

        Args:
            key: of the study.
            xray: frontal, upright, dense is bright.
            earlier: of the same patient, for a model that looks at one.

        Raises:
            UnsupportedError: one of them shows no frontal chest.
            ConfigError: the model needs an earlier one and there is none, or looks at none and there is one.
            InputError: the earlier one can't be registered.
        """
        made = xray_input(xray, self.model.pixel_mm, self.options.style)
        second = second_image(made, earlier, self.model)
        probability = made.back(self.probability(made.image, second))
        mask = Mask((probability >= self.rule.threshold).astype(np.uint8), pixel_mm=xray.pixel_mm, names={1: "nodule"})
        found = lesions(probability, made.step_mm, self.rule, knows_mm=made.knows_mm)
        notes = (*made.notes, *of_new_alone(self.model))
        prediction = Prediction(key, probability, mask, tuple(found), self.provenance, notes)
        return prediction if second is None or earlier is None else _beside(prediction, made, second, earlier)

    @property
    def provenance(self) -> Provenance:
        """What predictions are made with."""
        thresholds = {"mask": self.rule.threshold, "listed": self.rule.peaks.lowest}
        options: dict[str, object] = {"style": str(self.options.style), "tta": self.options.tta}
        if self.model.prior.kind != "none":
            options["prior"] = self.model.prior.kind
        return self.model.provenance(thresholds, options, is_stated=self.options.threshold is not None)

    def probability(self, image: NDArray[np.float32], second: SecondImage | None = None) -> NDArray[np.float32]:
        """[y, x] of an image [y, x] in the network's domain, and of what the network sees beside it."""
        planes = image[None] if second is None else np.concatenate((image[None], second.planes))
        batch = torch.from_numpy(planes)[None].to(self.options.device)
        with torch.inference_mode():
            views = _VIEWS if self.options.tta else _VIEWS[:1]
            mean = torch.stack([self._seen(batch, *view) for view in views]).mean(dim=0)
        found: NDArray[np.float32] = mean[0, 0].cpu().numpy()
        return found

    def _seen(self, batch: Tensor, mirrored: bool, scale: float) -> Tensor:
        """Probability of a view, brought back to the batch's pixels."""
        size = batch.shape[-2:]
        view = batch.flip(-1) if mirrored else batch
        if scale != 1:
            view = torch.nn.functional.interpolate(view, scale_factor=scale, mode="bilinear", antialias=True)
        view = view.contiguous(memory_format=torch.channels_last)
        prior = view[:, 1:] if view.shape[1] > 1 else None
        found = torch.sigmoid(self._network(view[:, :1], prior).logits)
        if scale != 1:
            found = torch.nn.functional.interpolate(found, size=size, mode="bilinear", antialias=True)
        return found.flip(-1) if mirrored else found


def _beside(prediction: Prediction, made: XrayInput, second: SecondImage, earlier: EarlierXray) -> Prediction:
    """A prediction with what was seen beside the X-ray, on the X-ray's own pixels."""
    options = {**prediction.provenance.options, "prior_files": dict(earlier.hashes)}
    known = None if second.lesions is None else made.back(second.lesions.astype(np.float32)) >= _HALF
    return replace(
        prediction,
        provenance=replace(prediction.provenance, options=options),
        notes=(*prediction.notes, *second.notes),
        prior=made.back(second.picture),
        prior_lesions=known,
    )


_HALF = 0.5
_VIEWS = ((False, 1.0), (True, 1.0), (False, 0.9), (True, 0.9), (False, 1.1), (True, 1.1))
