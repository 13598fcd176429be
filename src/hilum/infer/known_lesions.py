"""A second look at each lesion known from an earlier X-ray: is it still there, and what does it look like now?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilum.core import ConfigError, KnownLesion, Mask, Prediction, Radiograph
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.known_lesions import SIDE_PX, Window, known_score, known_views, known_windows
from hilum.datasets.xray_sample import Picture, XraySample
from hilum.infer.lesions import LesionRule, lesions
from hilum.infer.loaded import LoadedModel
from hilum.infer.symmetry import eight_ways
from hilum.infer.xray_domain import XrayInput, XrayStyle, xray_input
from hilum.infer.xray_prior import NEW_ALONE, EarlierXray, SecondImage, second_image
from hilum.measure import disc_diameter_mm
from hilum.metrics.probability import STORED_LEVELS
from hilum.models.network import Network
from hilum.ops import label_parts

_REACHES = "{} marks reach far beyond the known lesions that they meet, and are left as the first model has them"
_AT_ONCE = 64
"""Views."""
_AS_DOUBTFUL = "what is called gone, or still there, is as doubtful as the earlier X-ray"


@dataclass(frozen=True, eq=False)
class Look:
    """A known lesion, and what the second network says of its view.

    Attributes:
        lesion: the call, and where it was.
        probability: [y, x] on the study's pixels, the second network's; 0 beyond the view.
        mask: [y, x] where that reaches the second network's threshold; where it does nowhere, what was known. Nothing
            of a lesion that is gone.
    """

    lesion: KnownLesion
    probability: Picture
    mask: Selection

    @classmethod
    def of(cls, lesion: KnownLesion, probability: Picture, threshold: float) -> "Look":
        """By what the second network says, and its threshold: components that meet the known lesion, and no others."""
        if lesion.is_gone:
            return cls(lesion, probability, np.zeros_like(lesion.area))
        mask = meeting(probability >= threshold, lesion.area)
        return cls(lesion, probability, mask if mask.any() else lesion.area)


class SecondLook:
    """A model of known lesions, ready for one prediction after another.

    Args:
        model: learnt with `data.view` known_lesions.
        style: what the pictures' grey levels are.
        device: "cpu" or "cuda".

    Raises:
        ConfigError: it is another model, or it has no threshold for what is gone.
    """

    def __init__(self, model: LoadedModel, style: XrayStyle = XrayStyle.FILM, device: str = "cpu") -> None:
        require_known_lesions(model)
        self.model, self._style, self._device = model, style, device
        self._network = model.network.to(device)

    @property
    def stated(self) -> dict[str, object]:
        """What predictions are made with, for their provenance."""
        model = self.model
        hashes = {"weights_hash": model.weights_hash, "config_hash": model.config_hash}
        thresholds = {"mask": model.threshold, "gone": model.gone_threshold}
        return {"model": model.name, **hashes, "thresholds": thresholds, "threshold_chosen": model.threshold_chosen}

    def __call__(self, prediction: Prediction, xray: Radiograph, earlier: EarlierXray, rule: LesionRule) -> Prediction:
        """The prediction with what is said of known lesions: calls, mask, scores and nodules.

        Args:
            prediction: the first network's.
            xray: that was predicted.
            earlier: with known lesions.
            rule: by which the first network's lesions were read.

        Raises:
            HilumError: as `hilum.infer.xray_prior.second_image`.
        """
        made = xray_input(xray, self.model.pixel_mm, self._style)
        second = second_image(made, earlier, self.model)
        if second is None or second.lesions is None:
            return prediction
        looks = self._looks(made, second.picture, second.lesions)
        both = merged(prediction, looks, rule.threshold, self.model.threshold)
        probability = both.probability
        options = {**prediction.provenance.options, "prior_files": dict(earlier.hashes), "known_lesions": self.stated}
        return replace(
            prediction,
            probability=probability,
            mask=Mask((probability >= rule.threshold).astype(np.uint8), pixel_mm=xray.pixel_mm, names={1: "nodule"}),
            nodules=tuple(lesions(probability, made.step_mm, rule, knows_mm=made.knows_mm)),
            notes=(*_notes(prediction, second, looks), *both.notes),
            provenance=replace(prediction.provenance, options=options),
            prior=made.back(second.picture),
            prior_lesions=np.any([np.zeros(made.shape_yx, bool), *(look.lesion.area for look in looks)], axis=0),
            known=tuple(look.lesion for look in looks),
        )

    def _looks(self, made: XrayInput, earlier: Picture, known: Selection) -> list[Look]:
        ones = np.ones_like(made.image)
        sample = XraySample("", "", made.image, ones < 0, ones, made.pixel_mm, prior=earlier, prior_lesions=known)
        windows, views = known_windows(sample), known_views(sample)
        if not views:
            return []
        each = zip(windows, views, self._probabilities(views), strict=True)
        return [
            self._look(str(number), made, window, lesion, known_score(one, view.prior_lesions), one)
            for number, ((window, lesion), view, one) in enumerate(each, start=1)
        ]

    def _look(self, name: str, made: XrayInput, window: Window, lesion: Selection, score: float, one: Picture) -> Look:
        area = _on_study(lesion, window, made)
        row, column = (float(place) for place in np.argwhere(area).mean(axis=0))
        was_mm = disc_diameter_mm(int(lesion.sum()) * made.pixel_mm**2) if made.knows_mm else None
        known = KnownLesion(name, (row, column), was_mm, score, self.model.gone_threshold or 0.0, area)
        back = np.clip(window.back(one, *_places(made)), 0, 1)
        look = Look.of(known, back, self.model.threshold)
        if not made.knows_mm or known.is_gone:
            return look
        now_mm = disc_diameter_mm(int(look.mask.sum()) * math.prod(made.step_mm))
        return replace(look, lesion=replace(known, now_mm=now_mm))

    def _probabilities(self, views: Sequence[XraySample]) -> Picture:
        """[views, SIDE_PX, SIDE_PX]."""
        return view_probabilities(self._network, views, self._device)


def view_probabilities(network: Network, views: Sequence[XraySample], device: str = "cpu") -> Picture:
    """[views, SIDE_PX, SIDE_PX] what a network of known lesions says of views, each seen in all eight ways of a square.

    A view has no up and down. Views are shown a few dozen at a time.
    """

    def says(some: Tensor) -> Tensor:
        return torch.sigmoid(network(some[:, :1], some[:, 1:]).logits.float())

    found = np.zeros((len(views), SIDE_PX, SIDE_PX), np.float32)
    with torch.inference_mode():
        for first in range(0, len(views), _AT_ONCE):
            some = slice(first, first + _AT_ONCE)
            batch = torch.from_numpy(np.stack([_planes(view) for view in views[some]])).to(device)
            found[some] = eight_ways(says, batch)[:, 0].cpu().numpy()
    return found


def _planes(view: XraySample) -> Picture:
    """[3, SIDE_PX, SIDE_PX] as the network takes a view."""
    seen = [view.image, *(one for one in (view.prior, view.prior_lesions) if one is not None)]
    return np.stack(seen, dtype=np.float32)


def _notes(prediction: Prediction, second: SecondImage, looks: Sequence[Look]) -> tuple[str, ...]:
    """With what is doubted; of the earlier X-ray all that either registration has to say."""
    doubt = (_AS_DOUBTFUL,) if second.is_doubted and looks else ()
    of_first = (note for note in prediction.notes if note != NEW_ALONE)
    return tuple(dict.fromkeys((*of_first, *second.notes, *doubt)))


def require_known_lesions(model: LoadedModel) -> None:
    """Check that a model looks at known lesions one by one, and can say what is gone.

    Raises:
        ConfigError: it doesn't, or can't.
    """
    if not model.prior.one_by_one:
        raise ConfigError(
            f"the model {model.name} looks at whole pictures, not at one known lesion at a time.",
            "Give one that was trained with data.view=known_lesions (hilum train xray_known_lesions).",
        )
    if model.gone_threshold is None:
        raise ConfigError(
            f"the model {model.name} has no threshold below which a lesion is gone.",
            "Its run isn't finished, or its validation patients have no lesion that is still there: train it again.",
        )


def meeting(mask: Selection, place: Selection) -> Selection:
    """[y, x] the connected parts (8 neighbours) of a mask that share a pixel with a place."""
    parts = label_parts(mask)
    met = np.unique(parts[place])
    return np.asarray(np.isin(parts, met[met > 0]))


@dataclass(frozen=True, eq=False)
class Merged:
    """Both networks' answers in one picture.

    Attributes:
        probability: [y, x]; the mask is where it reaches the first network's threshold.
        notes: on marks that are no known lesion's alone.
    """

    probability: Picture
    notes: tuple[str, ...] = ()


def merged(first: Prediction, looks: Sequence[Look], threshold: float, second_threshold: float) -> Merged:
    """The first network's probability, and the second's where that decides.

    Components of the first mask that meet known lesions go: these are for the second look. One that reaches beyond its
    views is more than a known lesion, which it doesn't see whole: it stays, and that is said. Then the second look's
    masks are put in, but for what lies on lesions that are gone. Its probabilities are stretched
    so that its threshold lies at the first network's (piecewise linear: 0, the threshold and 1 go to 0, the threshold
    and 1), so that the mask is still where the probability reaches one threshold, also as it is stored.

    Args:
        first: the first network's prediction.
        looks: at its known lesions.
        threshold: of the first network's mask.
        second_threshold: of the second's.
    """
    probability = first.probability.copy()
    there = [look for look in looks if not look.lesion.is_gone]
    known, present = (_union(probability.shape, some) for some in (looks, there))
    removed, kept = _given_up(label_parts(probability >= threshold), looks)
    least = np.float32(math.ceil(threshold * STORED_LEVELS) / STORED_LEVELS)
    below = np.float32(max((math.ceil(threshold * STORED_LEVELS) - 1) / STORED_LEVELS, 0))
    stretched = [(look, _stretched(look.probability, second_threshold, threshold)) for look in looks]
    seen = np.max([np.zeros_like(probability), *(one for _, one in stretched)], axis=0)
    lowered = np.minimum(np.minimum(probability, seen), below)
    probability[removed] = lowered[removed]
    gone = known & ~present
    for look, own in stretched:
        place = look.mask & ~gone
        probability[place] = np.maximum(own[place], least)
    return Merged(probability, (_REACHES.format(kept),) if kept else ())


def _union(shape: tuple[int, ...], looks: Sequence[Look]) -> Selection:
    """[y, x] where any of the known lesions was."""
    return np.asarray(np.any([np.zeros(shape, bool), *(look.lesion.area for look in looks)], axis=0))


def _given_up(parts: "NDArray[np.integer[Any]]", looks: Sequence[Look]) -> tuple[Selection, int]:
    """[y, x] of the first mask's numbered parts what the second look answers for, and how many it doesn't.

    It answers for parts that meet known lesions and lie within the views of these.
    """
    removed, kept = np.zeros(parts.shape, bool), 0
    for number in set(np.unique(parts[_union(parts.shape, looks)])) - {0}:
        part = parts == number
        views = [look.probability > 0 for look in looks if (part & look.lesion.area).any()]
        if (part & ~np.any(views, axis=0)).any():
            kept += 1
        else:
            removed |= part
    return removed, kept


def _stretched(values: Picture, own: float, wanted: float) -> Picture:
    return np.interp(values, (0.0, own, 1.0), (0.0, wanted, 1.0)).astype(np.float32)


def _places(made: XrayInput) -> tuple[Floats, Floats]:
    """Where the original's rows and columns lie on the image's pixels."""
    rows, columns = (
        (np.arange(size) + 0.5) * step / made.pixel_mm - 0.5
        for size, step in zip(made.shape_yx, made.step_mm, strict=True)
    )
    return np.asarray(rows), np.asarray(columns)


def _on_study(lesion: Selection, window: Window, made: XrayInput) -> Selection:
    """A known lesion on the original's pixels, by the nearest one; at least the one at its centre."""
    places = _places(made)
    rows, columns = (
        np.clip(np.floor(one + 0.5).astype(np.intp), 0, size - 1)
        for one, size in zip(places, lesion.shape, strict=True)
    )
    area: Selection = lesion[np.ix_(rows, columns)]
    if not area.any():
        row, column = (int(np.abs(one - at).argmin()) for one, at in zip(places, window.centre_px, strict=True))
        area[row, column] = True
    return area
