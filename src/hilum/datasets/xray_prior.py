"""What stands beside an X-ray: nothing, itself, the patient's earlier picture, or another patient's. numpy only."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import ConfigError
from hilum.datasets.sampling import Purpose, generator
from hilum.datasets.xray_sample import XraySample

if TYPE_CHECKING:
    from hilum.datasets.xray_config import XrayDataConfig


def with_wanted_prior(samples: Sequence[XraySample], config: "XrayDataConfig") -> list[XraySample]:
    """The samples with the second image that a configuration wants, and nothing that it doesn't.

    With `shuffled` each still has its own; `shuffled_once` and `shuffled_prior` exchange them.

    Raises:
        ConfigError: a sample lacks what is wanted.
    """
    return [_wanted(sample, config) for sample in samples]


def _wanted(sample: XraySample, config: "XrayDataConfig") -> XraySample:
    prior = {"none": None, "same": sample.image}.get(config.prior, sample.prior)
    lesions = sample.prior_lesions if config.prior_lesions else None
    missing = "earlier picture" if prior is None and config.prior != "none" else ""
    if missing or (config.prior_lesions and lesions is None):
        raise ConfigError(
            f"{sample.key} has no {missing or 'lesions of an earlier picture'}, which data.prior {config.prior} needs.",
            "Train on pairs over time (hilum prepare over-time), or a pack that was made with these settings.",
        )
    return replace(sample, prior=prior, prior_lesions=lesions)


def shuffled_prior(rng: np.random.Generator, samples: Sequence[XraySample], case: int) -> XraySample:
    """A sample with the earlier picture, and its lesions, of another patient drawn at random; middle on middle.

    Args:
        rng: draws one of the other patients' samples.
        samples: all of the split.
        case: which of them.

    Raises:
        ConfigError: there is no other patient.
    """
    own = samples[case]
    others = [one for one in samples if one.patient != own.patient]
    if not others:
        raise ConfigError(f"{own.patient} is the only patient, so there is no other one's picture.")
    other = others[int(rng.integers(len(others)))]
    prior, lesions = other.prior, other.prior_lesions
    return replace(
        own,
        prior=None if prior is None else fitted(prior, own.image.shape, "edge"),
        prior_lesions=None if lesions is None else fitted(lesions, own.image.shape, "constant"),
    )


def shuffled_once(samples: Sequence[XraySample]) -> list[XraySample]:
    """Each sample with another patient's earlier picture, the same in every epoch of every run.

    Raises:
        ConfigError: there is one patient only.
    """
    return [shuffled_prior(generator(0, Purpose.PRIOR, 0, case), samples, case) for case in range(len(samples))]


def fitted(plane: "NDArray[Any]", shape_yx: tuple[int, ...], mode: Any) -> "NDArray[Any]":
    """A plane [y, x] cut or padded (`numpy.pad`'s modes) to another size, middle on middle."""
    for axis, wanted in enumerate(shape_yx):
        missing = wanted - plane.shape[axis]
        if missing > 0:
            margin = [(missing // 2, missing - missing // 2) if one == axis else (0, 0) for one in (0, 1)]
            plane = np.pad(plane, margin, mode=mode)
        else:
            plane = plane.take(range(-missing // 2, -missing // 2 + wanted), axis=axis)
    return plane
