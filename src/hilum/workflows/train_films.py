"""Unlabeled films of a prepared data set, brought to a run's domain; what is known of lesions is not looked at."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import ConfigError, Failure, Failures, HilumError, InputError, Radiograph, SpacingPlane, UnreadableError
from hilum.core.radiograph import PixelMm
from hilum.datasets.prepared import Prepared, index_of, read_prepared
from hilum.datasets.splits import Role, role
from hilum.datasets.xray_sample import XraySample
from hilum.infer.xray_domain import XrayStyle, xray_input
from hilum.io import read_radiograph
from hilum.train.adaptation_config import UnlabeledFacts
from hilum.train.config import TrainConfig, xrays_of

JSRT, JSRT_LICENCE = "jsrt", "JSRT: research use"
UNKNOWN_LICENCE = "unknown; as the data set's source says"


@dataclass(frozen=True, eq=False)
class Films:
    """What a run adapts to.

    Attributes:
        samples: pictures in the published style on the run's pixels, their truth empty.
        facts: for the card.
        failures: pictures that could not be read.
    """

    samples: Sequence[XraySample]
    facts: UnlabeledFacts
    failures: tuple[Failure, ...] = ()


def read_films(data: Path, config: TrainConfig, judged: Collection[str]) -> Films:
    """The pictures of a data set's split "train", or all of them where nobody is in it.

    Of all of them figures flatter later: the network has seen the very pictures that it is judged on. Masks and
    `nodules.json` are not opened, and need not be there.

    Args:
        data: a prepared data set.
        config: of the run.
        judged: patients on whom the run is judged; none of them may be among the films.

    Raises:
        InputError: no such data set, no picture in it, or somebody who is judged or held out.
        TooManyFailuresError: more pictures can't be read than the configuration allows.
    """
    prepared = read_prepared(data)
    if not prepared.records:
        raise InputError(f"{data} has no pictures.", "Name a data set of films: --unlabeled FILMS")
    wants = xrays_of(config)
    failures, samples, wanted = Failures(wants.max_failures), [], set(prepared.splits["train"])
    for record in prepared.records:
        try:
            key, patient = str(record["key"]), str(record["patient"])
            picture, steps = index_of(data).parent / record["image"], record.get("pixel_mm")
        except (KeyError, TypeError) as error:
            raise UnreadableError(f"{prepared.index} lacks {error}.", "Prepare the data set again.") from error
        if wanted and patient not in wanted:
            continue
        _require_learnable(patient, judged)
        try:
            step = (float(steps[0]), float(steps[1])) if steps else None
            samples.append(_film(key, patient, _radiograph(picture, step), wants.pixel_mm))
        except HilumError as error:
            failures.add(key, error)
    return Films(samples, _facts(prepared, samples, config), tuple(failures))


def _require_learnable(patient: str, judged: Collection[str]) -> None:
    """Nothing may be learnt, not even without labels, from patients who are there to be judged on."""
    is_lidc = patient.startswith("LIDC-IDRI-")
    if patient in judged or (is_lidc and role(patient) is not Role.TRAIN):
        raise InputError(
            f"{patient} is there to be judged on, and stands among the films to adapt to.",
            "Leave such patients out of --unlabeled.",
        )


def _radiograph(path: Path, step: PixelMm | None) -> Radiograph:
    found = read_radiograph(path)
    return found if step is None else replace(found, pixel_mm=step, plane=SpacingPlane.PATIENT)


def _film(key: str, patient: str, picture: Radiograph, pixel_mm: float) -> XraySample:
    """A film as `hilum predict` shows it to the network."""
    image = xray_input(picture, pixel_mm, XrayStyle.FILM).image
    nothing = np.zeros(image.shape, dtype=np.bool_)
    return XraySample(key, patient, image, nothing, np.ones(image.shape, dtype=np.float32), pixel_mm)


def _facts(prepared: Prepared, samples: Sequence[XraySample], config: TrainConfig) -> UnlabeledFacts:
    name = f"{prepared.kind} {prepared.index.parent.resolve().name}"
    return UnlabeledFacts(
        name=f"{name}, split train" if prepared.splits["train"] else name,
        licence=JSRT_LICENCE if prepared.kind == JSRT else UNKNOWN_LICENCE,
        pictures=(len(samples), len({one.patient for one in samples})),
        method=config.adaptation.method,
    )


def require_films(config: TrainConfig, films: Path | None) -> None:
    """Check that films are given where they are learnt from, and nowhere else.

    Raises:
        ConfigError: they aren't.
    """
    if config.adaptation.is_wanted and films is None:
        raise ConfigError(
            f"adaptation.method is {config.adaptation.method}, and there are no films.", "Name them: --unlabeled FILMS"
        )
    if films is not None and not config.adaptation.is_wanted:
        raise ConfigError(
            "unlabeled films are given, and nothing is made of them.",
            "Set adaptation.method to gradient_reversal or feature_statistics, or leave --unlabeled out.",
        )


def films_seen(stored: Mapping[str, Any]) -> tuple[UnlabeledFacts, ...]:
    """The films that a model has seen: in its own run, or in one that it began with.

    Args:
        stored: all of its `config.json`.

    Raises:
        ConfigError: it adapted to films, and doesn't say to which.
    """
    said = stored.get("data", {}).get("unlabeled") or []
    every = [said] if isinstance(said, Mapping) else said  # one, before a model could inherit others
    if not every and stored["config"].get("adaptation", {}).get("method", "none") != "none":
        raise ConfigError("the model has adapted to films, and doesn't say to which.", "Let its run finish first.")
    return tuple(UnlabeledFacts(**{**one, "pictures": tuple(one["pictures"])}) for one in every)
