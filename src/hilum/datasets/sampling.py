"""Which pictures an epoch shows. Pure functions, numpy only.

Everything drawn follows from (seed, epoch, place in the epoch's order) alone: it doesn't matter how many processes
draw, or in which order, and a run that goes on after it was killed sees what it would have seen.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import TrainError
from hilum.core.geometry import Floats
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.patch_sample import HARD, PatchSample
from hilum.datasets.slice_sample import SliceSample
from hilum.datasets.xray_sample import NoduleInfo, XraySample
from hilum.drr.visibility_score import contrast_score, size_score
from hilum.measure import disc_diameter_mm, equivalent_diameter_mm

if TYPE_CHECKING:
    from hilum.datasets.xray_config import CurriculumStep, SamplingConfig

Places: TypeAlias = NDArray[np.intp]


class Purpose(IntEnum):
    """What is drawn; so that one more draw for one thing changes no other."""

    ORDER = 0
    INSERT = 1
    AUGMENT = 2
    HIDE = 3
    STYLE = 4
    FILM = 5
    PRIOR = 6
    POINT = 7


def generator(seed: int, purpose: Purpose, epoch: int, place: int = 0) -> np.random.Generator:
    """The randomness of one place of one epoch, for one purpose; epochs and places count from 0."""
    return np.random.default_rng((seed, int(purpose), epoch, place))


@dataclass(frozen=True, eq=False)
class Traits:
    """What decides how often each of n pictures is shown.

    Attributes:
        difficulty: [n] 0 to 1; NaN for a picture without a lesion.
        has_lesion: [n].
        share: [n] how often each comes beside the others before anything else is looked at.
    """

    difficulty: Floats
    has_lesion: NDArray[np.bool_]
    share: Floats


def xray_traits(samples: Sequence[XraySample]) -> Traits:
    """Those of X-rays; each picture comes as often as any other."""
    return Traits(
        np.array([difficulty(sample) for sample in samples], dtype=np.float64),
        np.array([sample.has_lesion for sample in samples], dtype=bool),
        np.ones(len(samples)),
    )


def slice_traits(samples: Sequence[SliceSample], *, nodules_alike: bool) -> Traits:
    """Those of CT slices; a slice is the harder, the smaller its nodule is where it is largest.

    Args:
        samples: slices; several may be of one nodule.
        nodules_alike: whether each nodule comes as often as any other, however many slices it is on.
    """
    has_lesion = np.array([sample.has_lesion for sample in samples], dtype=bool)
    areas_mm2: dict[tuple[str, str], list[float]] = {}
    for one in samples:
        if one.has_lesion:
            areas_mm2.setdefault((one.patient, one.nodule), []).append(float(one.truth.sum()) * one.pixel_mm**2)
    hard, share = np.full(len(samples), math.nan), np.ones(len(samples))
    for place in np.flatnonzero(has_lesion).tolist():
        areas = areas_mm2[samples[place].patient, samples[place].nodule]
        hard[place] = 1 - size_score(disc_diameter_mm(max(areas)))
        if nodules_alike:
            share[place] = has_lesion.sum() / len(areas_mm2) / len(areas)
    return Traits(hard, has_lesion, share)


def patch_traits(samples: Sequence[PatchSample], *, nodules_alike: bool, hard_share: float | None) -> Traits:
    """Those of pieces of a CT; a piece is the harder, the smaller its nodule.

    Args:
        samples: pieces; several may show one nodule, or a part of it.
        nodules_alike: whether each nodule comes as often as any other, however many pieces it is in.
        hard_share: share of hard negatives among the draws without a nodule; None leaves it as it is.
    """
    has_lesion = np.array([sample.has_lesion for sample in samples], dtype=bool)
    volumes_mm3: dict[tuple[str, str], list[float]] = {}
    for one in samples:
        if one.has_lesion:
            volume = float(one.truth.sum()) * math.prod(one.voxel_mm)
            volumes_mm3.setdefault((one.patient, one.nodule), []).append(volume)
    hard, share = np.full(len(samples), math.nan), np.ones(len(samples))
    for place in np.flatnonzero(has_lesion).tolist():
        volumes = volumes_mm3[samples[place].patient, samples[place].nodule]
        hard[place] = 1 - size_score(equivalent_diameter_mm(max(volumes)))
        if nodules_alike:
            share[place] = has_lesion.sum() / len(volumes_mm3) / len(volumes)
    if hard_share is not None:
        is_hard = np.array([sample.kind == HARD for sample in samples], dtype=bool)
        empty = ~has_lesion
        share[empty] = balanced(share[empty], is_hard[empty], hard_share) * empty.sum()
    return Traits(hard, has_lesion, share)


def class_traits(samples: Sequence[ClassSample], findings: Sequence[int]) -> Traits:
    """Those of films by classes; none is harder than another. One with a finding counts as a lesion's.

    So `lesion_share` says how often a film comes that shows something in its lungs.

    Args:
        samples: films.
        findings: numbers of the classes that are involved lung, as the data set declares them.
    """
    shows = np.array([bool(np.isin(sample.labels, findings).any()) for sample in samples], dtype=bool)
    return Traits(np.full(len(samples), math.nan), shows, np.ones(len(samples)))


def epoch_order(samples: Sequence[XraySample], config: "SamplingConfig", seed: int, epoch: int, hard: Floats) -> Places:
    """Which X-ray is shown at each place of an epoch, as `drawn_order` says it."""
    return drawn_order(xray_traits(samples), config, seed, epoch, hard)


def drawn_order(traits: Traits, config: "SamplingConfig", seed: int, epoch: int, hard: Floats) -> Places:
    """Which sample is shown at each place of an epoch.

    Args:
        traits: of all samples of the split.
        config: how they are chosen.
        seed: of the run.
        epoch: counted from 0.
        hard: each sample's false positives in the last pass over the training pictures; zeros before there was one.

    Returns:
        [draws] indices into the samples; as many in every epoch.
    """
    shown = shown_at(traits.difficulty, config.curriculum, epoch)
    weights = shown * traits.share * hard_weights(hard, config.hard_negatives)
    if config.lesion_share is not None:
        weights = balanced(weights, traits.has_lesion, config.lesion_share)
    return drawn_by(weights, config.draws or len(hard), generator(seed, Purpose.ORDER, epoch))


def drawn_by(weights: Floats, draws: int, rng: np.random.Generator) -> Places:
    """Indices in random order, each as often as its weight says: its share of the draws, rounded up or down.

    Systematic sampling (Madow 1949): the chance decides on the rounding only, so equal weights give each index once.

    Raises:
        TrainError: no weight is positive.
    """
    if not weights.sum() > 0:
        raise TrainError("no picture may be shown: all weights are 0.", "Check lesion_share and the data's split.")
    shuffled = rng.permutation(len(weights))
    until = np.cumsum(weights[shuffled] / weights.sum()) * draws
    marks = np.arange(draws) + rng.random()
    # Rounding may leave the last sum a hair below the last mark.
    chosen = np.minimum(np.searchsorted(until, marks, side="right"), np.flatnonzero(weights[shuffled] > 0)[-1])
    return np.asarray(rng.permutation(shuffled[chosen]), dtype=np.intp)


def balanced(weights: Floats, lesions: NDArray[np.bool_], lesion_share: float) -> Floats:
    """The same weights, scaled so that pictures with lesions make a share of all draws.

    Args:
        weights: [n] at least 0.
        lesions: [n] which pictures have one.
        lesion_share: 0 to 1. Where one kind has no weight at all, the other makes all.
    """
    with_lesion, without = weights[lesions].sum(), weights[~lesions].sum()
    if not (with_lesion > 0 and without > 0):
        return weights
    return np.asarray(np.where(lesions, weights * (lesion_share / with_lesion), weights * (1 - lesion_share) / without))


def hard_weights(false_positives: Floats, boost: float) -> Floats:
    """Weights from false positives: 1 + boost · f / (f + 1).

    So a picture with one false lesion gets half of the boost, one with many not much more than the whole.

    Args:
        false_positives: [n] lesions that were marked and are none, from the last pass over the training pictures.
        boost: 0 for equal weights.
    """
    return np.asarray(1 + boost * false_positives / (false_positives + 1))


def shown_at(difficulties: Floats, curriculum: Sequence["CurriculumStep"], epoch: int) -> NDArray[np.bool_]:
    """Which pictures the curriculum shows in an epoch.

    Args:
        difficulties: [n] 0 to 1; NaN for a picture without a lesion, which is always shown.
        curriculum: steps, from the easiest on.
        epoch: counted from 0.
    """
    everything = np.ones(len(difficulties), dtype=bool)
    step = next((step for step in curriculum if epoch < step.until_epoch), None)
    known = ~np.isnan(difficulties)
    if step is None or not known.any():
        return everything
    ranked = np.sort(difficulties[known])
    hardest = ranked[math.ceil(step.easiest * len(ranked) - 1e-9) - 1]
    return np.asarray(~known | (difficulties <= hardest))


def difficulty(sample: XraySample) -> float:
    """How hard a picture's lesions are to see, 0 to 1: the mean over its nodules; NaN without a lesion.

    A lesion of which no nodule is known is as hard as can be.
    """
    if not sample.has_lesion:
        return math.nan
    return float(np.mean([nodule_difficulty(nodule) for nodule in sample.nodules])) if sample.nodules else 1.0


def nodule_difficulty(nodule: NoduleInfo) -> float:
    """1 less the mean of three ease scores from 0 to 1: size, contrast, visibility; 1 when none is known.

    Size and contrast count as in `hilum.drr.visibility`; what is unknown is left out of the mean.
    """
    ease = (size_score(nodule.size_mm), contrast_score(nodule.contrast), nodule.visibility)
    known = [one for one in ease if not math.isnan(one)]
    return 1 - sum(known) / len(known) if known else 1.0
