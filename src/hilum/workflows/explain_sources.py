"""What `hilum explain` is asked about: X-rays or CT slices, as the model's kind of data says."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.core import ConfigError, Explanation, Provenance
from hilum.core.radiograph import PixelMm
from hilum.datasets.data_kind import SLICES, XRAY
from hilum.datasets.slice_scale import canonical
from hilum.explain.explained import ExplainOptions
from hilum.explain.slices import SliceExplainer
from hilum.explain.xray import XrayExplainer
from hilum.infer.device import resolved_device
from hilum.infer.loaded import load_model, model_kind
from hilum.infer.slices import SliceOptions
from hilum.infer.xray import XrayOptions
from hilum.workflows.output import Run
from hilum.workflows.predict import model_for, predict_run, read_source, xray_sources
from hilum.workflows.predict_case import hash_of
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.predict_point import slices_run
from hilum.workflows.predict_prior import with_priors
from hilum.workflows.predict_slices import read_slice, slice_files


@dataclass(frozen=True, eq=False)
class Explained:
    """One picture and its explanation.

    Attributes:
        image: [y, x] grey levels, to be shown.
        step_mm: row and column step; None when nobody knows.
        found: the explanation.
    """

    image: NDArray[np.generic]
    step_mm: PixelMm | None
    found: Explanation


@dataclass(frozen=True)
class Ready:
    """A loaded model that explains.

    Attributes:
        layer: whose features are looked at.
        provenance: what explanations are made with.
        one: reads the picture of a key and explains it.
    """

    layer: str
    provenance: Provenance
    one: Callable[[str], Explained]


@dataclass(frozen=True)
class Asked:
    """Pictures that are to be explained, before the model is loaded.

    Attributes:
        what: they are, in words.
        places: each picture by its key.
        run: what determines a prediction of them.
        ready: loads the model.
    """

    what: str
    places: Mapping[str, Path]
    run: Run
    ready: Callable[[], Ready]


def asked(inputs: Sequence[Path], predict: PredictOptions, options: ExplainOptions) -> Asked:
    """The pictures that the inputs name, for the model.

    Raises:
        InputError: there is nothing, no such split, or nothing of the model's kind.
        MissingError: there is no such model.
        ConfigError: an option is for another kind, or an earlier X-ray is missing.
    """
    name = model_for(inputs, predict)
    if (kind := model_kind(name)) not in _ASKED:
        raise ConfigError(f"the model {name} is of {kind}, and of such none is explained.", "Name another: --model.")
    return _ASKED[kind](inputs, replace(predict, model=name), options)


def _xrays(inputs: Sequence[Path], predict: PredictOptions, options: ExplainOptions) -> Asked:
    sources = {one.key: one for one in with_priors(xray_sources(inputs, predict), predict.model)}

    def ready() -> Ready:
        model, device = load_model(predict.model), resolved_device(predict.device)
        styles = dict.fromkeys(source.style for source in sources.values())
        explainers = {
            style: XrayExplainer(model, XrayOptions(style, predict.threshold, device=device), options)
            for style in styles
        }

        def one(key: str) -> Explained:
            xray, earlier = read_source(sources[key])
            return Explained(xray.array, xray.pixel_mm, explainers[sources[key].style](key, xray, earlier))

        first = next(iter(explainers.values()))
        return Ready(first.layer, first.provenance, one)

    places = {key: source.path for key, source in sources.items()}
    return Asked("X-rays", places, predict_run(tuple(sources.values()), predict.model, predict), ready)


def _slices(inputs: Sequence[Path], predict: PredictOptions, options: ExplainOptions) -> Asked:
    if predict.of_xrays:
        raise ConfigError(f"{predict.of_xrays[0]} is for X-rays, and the model {predict.model} is of CT slices.")
    files = {one.key: one for one in slice_files(inputs, predict)}

    def ready() -> Ready:
        use = SliceOptions(predict.threshold, device=resolved_device(predict.device))
        explainer = SliceExplainer(load_model(predict.model), use, options)

        def one(key: str) -> Explained:
            image, step_mm = read_slice(files[key]), files[key].pixel_mm
            found = explainer(key, image, step_mm, files[key].point_px)
            return Explained(canonical(image, explainer.predictor.window), step_mm, found)

        return Ready(explainer.layer, explainer.provenance, one)

    places = {key: file.path for key, file in files.items()}
    run = slices_run({key: hash_of(path) for key, path in places.items()}, predict)
    return Asked("slices", places, run, ready)


_ASKED = {XRAY: _xrays, SLICES: _slices}
"""By the kind of data that the model has learnt."""
