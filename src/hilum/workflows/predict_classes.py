"""Chest X-rays by classes (`hilum predict` with such a model): classes, involved lung, labels, a picture each."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from hilum.core import ConfigError, Radiograph
from hilum.core.films import ClassPrediction
from hilum.datasets.frontal_film import require_greys
from hilum.infer.classes import ClassPredictor, load_classes
from hilum.infer.device import resolved_device
from hilum.io.json_file import write_json
from hilum.io.raster import write_png
from hilum.io.text_file import write_bytes
from hilum.measure import LungRoles, percent_of_lungs
from hilum.metrics.probability import STORED_LEVELS
from hilum.report.class_prediction import class_picture
from hilum.workflows.evaluate_films import CLASSES_FILE, SCHEMA
from hilum.workflows.output import Run
from hilum.workflows.predict_left import Predicted, Worker, work_through
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.track import Track


class FilmSource(Protocol):
    """One film to predict."""

    @property
    def key(self) -> str:
        """Names its folder."""

    @property
    def path(self) -> Path:
        """Of the picture."""


def require_for_classes(options: PredictOptions) -> None:
    """Refuse options that models of classes don't have.

    Raises:
        ConfigError: there is one.
    """
    others = {"--threshold": options.threshold is not None, "--tta": options.tta}
    set_ones = (name for name, is_set in others.items() if is_set)
    foreign = [*options.of_xrays, *options.of_slices, *options.of_cts, *set_ones]
    if foreign:
        raise ConfigError(
            f"{' and '.join(foreign)} {'are' if len(foreign) > 1 else 'is'} for models that mark nodules, and "
            f"{options.model} gives pixels their likeliest class.",
            "Leave it out, or name another model.",
        )


def run_films(
    sources: Sequence[FilmSource],
    run: Run,
    out: Path,
    read: Callable[[str], Radiograph],
    options: PredictOptions,
    *,
    force: bool,
    track: Track,
) -> Predicted:
    """Predict films one by one.

    Args:
        sources: with keys that differ.
        run: what determines the result.
        out: folder to fill.
        read: the film of a key.
        options: with the model's name or folder.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        OutputError: `out` holds something else, or can't be written.
    """

    def ready() -> Worker:
        predictor = ClassPredictor(load_classes(options.model), resolved_device(options.device))
        places = {one.key: one.path for one in sources}
        return Worker(predictor.model.loaded.name, lambda key: _film(key, read(key), predictor, out / key), places)

    done = work_through([one.key for one in sources], run, out, ready, force=force, track=track)
    return replace(done, what="films")


def _film(key: str, film: Radiograph, predictor: ClassPredictor, folder: Path) -> dict[str, object]:
    """Predict a film and write its folder; what the index says about it."""
    require_greys(film)
    found = predictor(key, film)
    write_classes(folder, film, found, predictor.model.roles)
    labels = () if found.mask is None else np.unique(found.mask.labels)
    roles = predictor.model.roles
    shown = set(roles.findings or predictor.model.names) & {int(one) for one in labels}
    return {
        "marked": int(bool(shown)),
        "label": found.label or None,
        "involved_percent": found.involved_percent,
        "notes": found.notes,
        "provenance": predictor.provenance,
    }


def write_classes(folder: Path, film: Radiograph, found: ClassPrediction, roles: LungRoles) -> None:
    """Leave `mask.png`, a `probability_N_NAME.png` of each class (16 bit), `classes.json` and `overlay.png`.

    Args:
        folder: made when it isn't there.
        film: that was predicted.
        found: the prediction.
        roles: which classes are lung.
    """
    if found.mask is not None and found.probability is not None:
        write_png(found.mask.labels.astype(np.uint8), folder / "mask.png")
        for number, name in found.mask.names.items():
            levels = (found.probability[number] * STORED_LEVELS).round().astype(np.uint16)
            write_png(levels, folder / f"probability_{number}_{_plain(name)}.png")
    write_json(folder / CLASSES_FILE, _record(film, found, roles))
    write_bytes(folder / "overlay.png", class_picture(film, found))


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", name).strip("_") or "class"


def _record(film: Radiograph, found: ClassPrediction, roles: LungRoles) -> dict[str, object]:
    study = {"key": found.key, "pixel_mm": film.pixel_mm, "notes": found.notes}
    return {
        "schema": SCHEMA,
        "study": study,
        "classes": _of_classes(film, found, roles),
        "involved_percent": found.involved_percent or None,
        "labels": found.labels or None,
        "label": found.label or None,
        "is_unsure": found.is_unsure,
    }


def _of_classes(film: Radiograph, found: ClassPrediction, roles: LungRoles) -> list[Mapping[str, object]]:
    """Of each class how much is marked, and how sure the network is that there is any: its highest probability."""
    if found.mask is None or found.probability is None:
        return []
    side_mm2 = None if film.pixel_mm is None else math.prod(film.pixel_mm)
    entries: list[Mapping[str, object]] = []
    for number, name in found.mask.names.items():
        pixels = int((found.mask.labels == number).sum())
        percent = percent_of_lungs(found.mask.labels, number, roles) if number in roles.lungs else math.nan
        entries.append(
            {
                "number": number,
                "name": name,
                "pixels": pixels,
                "area_mm2": None if side_mm2 is None else pixels * side_mm2,
                "percent_of_lungs": None if math.isnan(percent) else percent,
                "score": float(found.probability[number].max()),
            }
        )
    return entries
