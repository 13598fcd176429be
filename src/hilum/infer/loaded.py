"""A trained model from its folder: `weights.safetensors` and `config.json`, or one of those that hilum ships."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hilum import __version__
from hilum.core import ConfigError, MissingError, Provenance, UnreadableError
from hilum.core.evaluation import STATED
from hilum.datasets.data_kind import CT_PATCHES, XRAY, kind_of
from hilum.datasets.xray_config import KNOWN_LESIONS, NEW_LESIONS, PICTURE
from hilum.io.inputs import open_input
from hilum.io.json_file import read_json
from hilum.models.catalogue import build_model
from hilum.models.network import Network
from hilum.models.parts import require_fit

WEIGHTS, CONFIG, CARD = "weights.safetensors", "config.json", "card.md"
SCHEMA = "hilum.model/1"
SHIPPED = Path(__file__).parent.parent / "weights"
"""Where the models lie that come with hilum, a folder each."""


@dataclass(frozen=True, eq=False)
class LoadedNetwork:
    """A network with its weights.

    Attributes:
        name: of the shipped model, or of the folder; of a run's `model/` the run's.
        network: in evaluation mode, on the CPU, float32.
        weights_hash: SHA-256 of the file.
        config_hash: of the run's configuration.
        config: all of `config.json`.
        is_pretext: whether it redraws pictures instead of marking lesions.
    """

    name: str
    network: Network
    weights_hash: str
    config_hash: str
    config: Mapping[str, Any]
    is_pretext: bool


@dataclass(frozen=True)
class PriorWanted:
    """What a model looks at beside the current X-ray, as it has learnt it.

    Attributes:
        kind: as `data.prior` of its run: "none", "same", "shuffled" or "earlier".
        lesions: whether it looks at the lesions known of an earlier X-ray.
        one_by_one: whether it looks at these alone, one at a time, and so is no model of whole pictures.
        new_alone: whether it marks new lesions alone, and leaves those to another.
    """

    kind: str = "none"
    lesions: bool = False
    one_by_one: bool = False
    new_alone: bool = False

    @property
    def picture(self) -> bool:
        """Whether it has to be given an earlier X-ray."""
        return self.kind in ("shuffled", "earlier") or self.lesions

    @property
    def is_xray(self) -> bool:
        """Whether it sees the current X-ray in the earlier one's place."""
        return self.kind == "same"

    @property
    def is_anothers(self) -> bool:
        """Whether it has learnt with other patients' pictures, to measure what that is worth."""
        return self.kind == "shuffled"


@dataclass(frozen=True, eq=False)
class LoadedModel(LoadedNetwork):
    """A network that marks lesions, and what its user has to know.

    Attributes:
        pixel_mm: side of the pixels, or voxels, that it was trained on; NaN where each picture kept its own.
        threshold: from which probability a pixel is in; chosen on validation.
        prior: what it looks at beside the X-ray.
        kind: what it marks lesions on: "xray", "slices" or "ct-patches".
        gone_threshold: below which score a known lesion is called gone; None for models of whole pictures.
    """

    pixel_mm: float
    threshold: float
    prior: PriorWanted = PriorWanted()
    kind: str = XRAY
    gone_threshold: float | None = None

    @property
    def threshold_chosen(self) -> Mapping[str, Any]:
        """Where the threshold was chosen: in words, and on which patients of which split, if the model says."""
        return {name: value for name, value in self.config["threshold"].items() if name != "value"}

    def provenance(self, thresholds: Mapping[str, float], used: Mapping[str, object], *, is_stated: bool) -> Provenance:
        """What predictions are made with.

        Args:
            thresholds: by what they decide.
            used: how the model is used, by option.
            is_stated: whether the user stated the threshold; else it is the model's own.
        """
        chosen = {"chosen_on": STATED} if is_stated else self.threshold_chosen
        return Provenance(
            self.name, self.weights_hash, self.config_hash, __version__, dict(thresholds), chosen, dict(used)
        )


def shipped_models() -> tuple[str, ...]:
    """Names of the models that come with hilum."""
    return tuple(sorted(path.parent.name for path in SHIPPED.glob(f"*/{CONFIG}")))


def model_folder(model: str) -> Path:
    """The folder of a model: a shipped one's name, a folder with a model, or a training run's folder.

    Raises:
        MissingError: there is none of that name.
    """
    places = [Path(model), Path(model) / "model"]
    if model in shipped_models():
        places.append(SHIPPED / model)
    for place in places:
        if (place / CONFIG).is_file() and (place / WEIGHTS).is_file():
            return place
    raise MissingError(
        f"there is no model {model!r}.",
        f"Give a folder with {WEIGHTS} and {CONFIG}, or one of: {', '.join(shipped_models()) or '(none shipped)'}.",
    )


def load_network(model: str) -> LoadedNetwork:
    """A network with its weights, whatever it was trained for, by its name or folder.

    Raises:
        MissingError: there is none.
        UnreadableError: its configuration or weights are damaged.
        ConfigError: the configuration names no known network.
        UnsupportedError: the weights are another architecture's.
    """
    folder = model_folder(model)
    config = read_json(folder / CONFIG)
    try:
        settings = config["config"]
        name, options = settings["model"]["name"], settings["model"]["options"]
        schema, config_hash = config["schema"], str(config["hash"])
        is_pretext = settings.get("pretext") is not None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _not_said(folder, error) from error
    if schema != SCHEMA:
        raise ConfigError(f"{folder / CONFIG} is {schema!r}; {SCHEMA!r} was expected.")
    network = build_model(name, options)
    weights_hash = _fill(network, folder / WEIGHTS)
    own_name = model if folder.parent == SHIPPED else _run_name(folder)
    return LoadedNetwork(own_name, network.eval(), weights_hash, config_hash, config, is_pretext)


def _run_name(folder: Path) -> str:
    """A folder's own name; of a run's `model/` the run's."""
    place = folder.resolve()
    return place.parent.name if place.name == "model" else place.name


def load_model(model: str) -> LoadedModel:
    """A model that marks lesions, by its name or folder, ready to be used.

    Raises:
        MissingError: there is none.
        UnreadableError: its configuration or weights are damaged.
        ConfigError: the configuration names no known network, or the model marks no lesions.
        UnsupportedError: the weights are another architecture's.
    """
    given = load_network(model)
    if given.is_pretext:
        raise ConfigError(
            f"the model {model!r} was pretrained: it redraws pictures and marks no lesions.",
            "Begin a run with its encoder: hilum train RECIPE OUT --from MODEL --set start.parts=[encoder]",
        )
    config = given.config
    if given.network.gives_classes:
        raise ConfigError(
            f"the model {model!r} gives the pixels of a chest X-ray classes, and marks no lesions.",
            "hilum predict and hilum evaluate take it; for nodules name another.",
        )
    try:
        data, threshold = config["config"]["data"], float(config["threshold"]["value"])
        side_mm = data["voxel_mm" if kind_of(data) == CT_PATCHES else "pixel_mm"]
        pixel_mm = math.nan if side_mm is None else float(side_mm)
        gone = float(config["gone_threshold"]["value"]) if "gone_threshold" in config else None
    except (KeyError, TypeError, ValueError) as error:
        raise _not_said(model_folder(model), error) from error
    about: dict[str, Any] = {"prior": _prior_of(config), "kind": kind_of(data), "gone_threshold": gone}
    return LoadedModel(**vars(given), pixel_mm=pixel_mm, threshold=threshold, **about)


def model_kind(model: str) -> str:
    """What a model looks at, by its name or folder: "xray", "slices", "ct-patches" or "xray-classes"; loads no weights.

    Raises:
        MissingError: there is none.
        ConfigError: its configuration says nothing.
    """
    folder = model_folder(model)
    try:
        return kind_of(read_json(folder / CONFIG)["config"]["data"])
    except (AttributeError, KeyError, TypeError) as error:
        raise _not_said(folder, error) from error


def prior_wanted(model: str) -> PriorWanted:
    """What a model looks at beside the current X-ray, by its name or folder; without loading its weights.

    Raises:
        MissingError: there is none.
        ConfigError: its configuration says nothing.
    """
    folder = model_folder(model)
    try:
        return _prior_of(read_json(folder / CONFIG))
    except (AttributeError, KeyError, TypeError) as error:
        raise _not_said(folder, error) from error


def _prior_of(config: Mapping[str, Any]) -> PriorWanted:
    """Of all of `config.json`; models of a time before there were priors say nothing of them."""
    data = config["config"]["data"]
    view = data.get("view", PICTURE)
    return PriorWanted(
        str(data.get("prior", "none")),
        bool(data.get("prior_lesions", False)),
        one_by_one=view == KNOWN_LESIONS,
        new_alone=view == NEW_LESIONS,
    )


def _not_said(folder: Path, error: Exception) -> ConfigError:
    return ConfigError(
        f"{folder / CONFIG} doesn't say what the model is: {error} is missing or wrong.",
        "Give the folder model/ of a training run, or a shipped model (hilum models).",
    )


def _fill(network: Network, path: Path) -> str:
    """Give a network the weights in a file, whatever precision they are stored in; the file's SHA-256."""
    from safetensors import SafetensorError
    from safetensors.torch import load

    with open_input(path) as stream:
        content = stream.read()
    try:
        state = load(content)
    except SafetensorError as error:
        raise UnreadableError(f"{path} holds no weights: {str(error).splitlines()[0]}.") from error
    require_fit(network.state_dict(), state, str(path))
    network.load_state_dict(state)
    return hashlib.sha256(content).hexdigest()
