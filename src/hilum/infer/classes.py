"""A network on a chest X-ray by classes: the class of each pixel, how much of each lung is involved, and a label."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from hilum import __version__
from hilum.core import ConfigError, Mask, Provenance, Radiograph, UnsupportedError
from hilum.core.films import ClassPrediction
from hilum.core.geometry import Floats
from hilum.datasets.chest import fit_chest, layout_doubts
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.class_source import LABELS
from hilum.datasets.classes_load import grid_of_height, shown_as
from hilum.datasets.data_kind import XRAY_CLASSES, kind_of
from hilum.datasets.xray_grid import PixelGrid
from hilum.datasets.xray_load import brightness
from hilum.drr.source_style import published_look
from hilum.evaluate.films import BACKGROUND
from hilum.evaluate.gate import Gate, decided
from hilum.evaluate.presence import Limit, believed
from hilum.infer.loaded import LoadedNetwork, load_network
from hilum.infer.xray_domain import require_frontal
from hilum.measure import LungRoles, involved_percent
from hilum.metrics.softmax import tempered_softmax
from hilum.models.output import Classes
from hilum.report.figures import percent_words

UNSURE = "unsure: no label is given"
UNCALIBRATED = "probabilities are not calibrated: validation had nothing to do it on"
LOOKS_LIKE = "no network has learnt to tell a chest from anything else; what is marked on another picture means nothing"


@dataclass(frozen=True, eq=False)
class LoadedClasses:
    """A model of films by classes, and what its user has to know.

    Attributes:
        loaded: the network with its weights.
        data: on which pixels it has learnt.
        names: of the classes by number.
        roles: which are lung, and which findings.
        temperature: of classes of pixels; NaN where they are not calibrated.
        label_temperature: of labels; NaN likewise.
        gate: whether a label decides what is marked; None for a network without one.
        limits: from how much of it each finding is believed; a finding without an entry always is.
    """

    loaded: LoadedNetwork
    data: ClassDataConfig
    names: Mapping[int, str]
    roles: LungRoles
    temperature: float = math.nan
    label_temperature: float = math.nan
    gate: Gate | None = None
    limits: Mapping[int, Limit] = field(default_factory=dict)


def load_classes(model: str) -> LoadedClasses:
    """A model of films by classes, by its name or folder.

    Raises:
        MissingError: there is none.
        UnreadableError: its configuration or weights are damaged.
        ConfigError: it gives no classes.
    """
    given = load_network(model)
    config = given.config
    if kind_of(config["config"]["data"]) != XRAY_CLASSES:
        raise ConfigError(f"the model {model!r} gives no classes.", "Name one that hilum train made of such films.")
    try:
        said = config["classes"]
        names = {int(number): str(name) for number, name in said["names"].items()}
        bound = {int(number): str(label) for number, label in said.get("label_of", {}).items()}
        roles = LungRoles(tuple(said["lungs"]), tuple(said["findings"]), bound)
        pixels_t, labels_t = (math.nan if said[one] is None else float(said[one]) for one in _TEMPERATURES)
        gate = None if said["gate"] is None else Gate.of_record(said["gate"])
        limits = {int(number): Limit.of_record(one) for number, one in said.get("limits", {}).items()}
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"the model {model!r} doesn't say what its classes are: {error} is missing or wrong.",
            "Let its run finish.",
        ) from error
    data = ClassDataConfig.of(config["config"]["data"])
    return LoadedClasses(given, data, names, roles, pixels_t, labels_t, gate, limits)


_TEMPERATURES = ("temperature", "label_temperature")


class ClassPredictor:
    """A loaded model, ready for one film after another.

    Args:
        model: see there.
        device: "cpu" or "cuda".
    """

    def __init__(self, model: LoadedClasses, device: str = "cpu") -> None:
        self.model, self._device = model, device
        network = model.loaded.network
        self._network = network.to(device, memory_format=network.memory_format)  # type: ignore[call-overload]  # the stubs lack it

    def __call__(self, key: str, film: Radiograph) -> ClassPrediction:
        """What the model says of a film.

        Args:
            key: of the study.
            film: frontal, upright, dense is bright.

        Raises:
            UnsupportedError: it shows no frontal chest.
        """
        require_frontal(film)
        image, grid, doubts = self._input(film)
        planes, labels = self._said(image)
        notes = [*doubts, *([UNCALIBRATED] if self._is_uncalibrated(planes, labels) else [])]
        unsure = False
        if labels is not None and self.model.gate is not None:
            unsure = self.model.gate.is_unsure(labels)
            notes += [UNSURE] if unsure else []
        if planes is None:
            return ClassPrediction(key, None, None, {}, *_label(labels, unsure), tuple(notes))
        own = np.stack([np.clip(grid.back(one), 0, 1) for one in planes.astype(np.float32)]).astype(np.float32)
        if labels is not None and self.model.gate is not None:
            own, why = decided(own, labels, self.model.gate, self.model.roles)
            notes += [why] if why else []
        classes, too_little = believed(own, self.model.limits, self.model.roles)
        notes += [self._too_little(number, percent) for number, percent in too_little.items()]
        percent = involved_percent(classes, self.model.roles) if self.model.roles.findings else {}
        mask = Mask(classes, pixel_mm=film.pixel_mm, names=dict(self.model.names))
        return ClassPrediction(key, mask, own, percent, *_label(labels, unsure), tuple(notes))

    @property
    def provenance(self) -> Provenance:
        """What predictions are made with."""
        given = self.model.loaded
        used: dict[str, object] = {
            "classes": {0: BACKGROUND, **self.model.names},
            "temperature": self.model.temperature,
            "label_temperature": self.model.label_temperature,
        }
        learnt = {"split_hash": given.config["data"]["split_hash"], "fold": self.model.data.fold}
        return Provenance(given.name, given.weights_hash, given.config_hash, __version__, {}, {}, used, learnt)

    def _input(self, film: Radiograph) -> tuple[NDArray[np.float32], PixelGrid, tuple[str, ...]]:
        """[y, x] as the network has learnt to see films, the way back, and what is doubted of the film."""
        data, shape = self.model.data, (film.array.shape[0], film.array.shape[1])
        if data.height_px is None:
            if film.pixel_mm is None or data.pixel_mm is None:
                raise UnsupportedError(f"nobody knows how large the pixels of {film.source} are.", "Say: --pixel-mm")
            grid = PixelGrid(shape, film.pixel_mm, data.pixel_mm)
        else:
            grid, _ = grid_of_height(shape, film.pixel_mm, data.height_px)
        picture = grid.mean(brightness_of(film))
        look = published_look(picture)
        doubts = tuple(layout_doubts(look, fit_chest(look).step_mm))
        return shown_as(picture, data.look), grid, (*doubts, *([LOOKS_LIKE] if doubts else []))

    def _said(self, image: NDArray[np.float32]) -> tuple[Floats | None, Floats | None]:
        """Calibrated probabilities [C, y, x] of the network's pixels, and [L] of labels."""
        with torch.inference_mode():
            output = self._network(torch.from_numpy(image)[None, None].to(self._device))
        if not isinstance(output, Classes):
            raise ConfigError(f"the network {type(self._network).__name__} gives no classes.")
        planes = None if output.logits is None else output.probability()[0].cpu().numpy()
        rows = output.label_probability()
        labels = None if rows is None else rows[0].cpu().numpy().astype(np.float64)
        pixels_t, labels_t = self.model.temperature, self.model.label_temperature
        if planes is not None and not math.isnan(pixels_t):
            planes = tempered_softmax(planes, pixels_t, axis=0)
        if labels is not None and not math.isnan(labels_t):
            labels = tempered_softmax(labels, labels_t)
        return planes, labels

    def _too_little(self, finding: int, percent: float) -> str:
        least = self.model.limits[finding].percent
        return (
            f"{self.model.names[finding]} on {percent_words(percent)} of the lungs is not marked: it is believed from "
            f"{percent_words(least)} on"
        )

    def _is_uncalibrated(self, planes: Floats | None, labels: Floats | None) -> bool:
        pairs = ((planes, self.model.temperature), (labels, self.model.label_temperature))
        return any(said is not None and math.isnan(temperature) for said, temperature in pairs)


def brightness_of(film: Radiograph) -> Floats:
    """[y, x] 0 to 1: of whole numbers by their type, as samples have it; of others between the film's extremes."""
    if film.array.dtype.kind == "u":
        return brightness(film.array).astype(np.float64)
    grey = film.array.astype(np.float64)
    return np.asarray((grey - grey.min()) / (grey.max() - grey.min()))


def _label(labels: Floats | None, unsure: bool) -> tuple[dict[str, float], str, bool]:
    if labels is None:
        return {}, "", False
    named = {str(label): float(value) for label, value in zip(LABELS, labels, strict=True)}
    return named, "" if unsure else str(LABELS[int(labels.argmax())]), unsure
