"""The kept model, judged on validation as any prediction is: every figure with its interval."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch

from hilum.core.evaluation import Evaluation, Group
from hilum.core.geometry import Floats
from hilum.core.mask import Labels, Selection
from hilum.datasets.known_lesions import known_score
from hilum.datasets.xray_sample import XraySample
from hilum.evaluate.cases import CaseResult, Pair, judge_case
from hilum.evaluate.evaluation import Judged, basic_figures, evaluation, resamples_of
from hilum.evaluate.gone import GoneThreshold, choose_gone_threshold
from hilum.evaluate.rivals import EVERYTHING, MAP, all_foreground, prior_map
from hilum.infer.known_lesions import view_probabilities
from hilum.models.network import Network
from hilum.train.data import Batch, JudgedSample, judged_batches, without_padding
from hilum.train.module import answered


def judged_model(
    network: Network, samples: Sequence[JudgedSample], about: Judged, *, batch_size: int, device: str
) -> Evaluation:
    """Every figure of a network's predictions, in 32 bits, on the samples' own pixels.

    Args:
        network: with the weights to judge.
        samples: whole pictures.
        about: which data and split these are, and the threshold.
        batch_size: pictures at a time.
        device: "cpu" or "cuda".
    """
    maps = alone(network, samples, batch_size, device)
    judged = [_judged(sample, one, about) for sample, one in zip(samples, maps, strict=True)]
    return evaluation(judged, about)


def gone_threshold(network: Network, views: Sequence[XraySample], *, device: str) -> GoneThreshold | None:
    """Below which score a known lesion is called gone, chosen on views of known lesions.

    A lesion's score is the network's highest probability where it was, as prediction finds it; it is gone when its
    view's truth is empty.

    Args:
        network: with the weights to judge.
        views: of `hilum.datasets.known_lesions`.
        device: "cpu" or "cuda".
    """
    network = network.to(device).eval()
    maps = view_probabilities(network, views, device)
    scores = [known_score(one, view.prior_lesions) for one, view in zip(maps, views, strict=True)]
    is_gone = np.array([not view.has_lesion for view in views], dtype=bool)
    return choose_gone_threshold(np.array(scores), is_gone, [view.patient for view in views])


def trivial_rivals(learnt: Sequence[JudgedSample], judged: Sequence[JudgedSample], about: Judged) -> tuple[Group, ...]:
    """What marking everything, and the same likely places on every picture, reach on the judged samples.

    Args:
        learnt: training samples, of whose masks the places are the average.
        judged: validation samples.
        about: as in `judged_model`.
    """
    masks: dict[str, Callable[[tuple[int, ...]], Selection]] = {EVERYTHING: all_foreground}
    if any(sample.truth.any() for sample in learnt):
        masks[MAP] = prior_map(sample.truth for sample in learnt).predict
    rule = replace(about.rule, with_surfaces=False)
    groups = []
    for name, mask in masks.items():
        pairs = [_pair(sample, mask(sample.truth.shape).astype(np.uint8)) for sample in judged]
        results = [judge_case(pair, rule) for pair in pairs]
        groups.append(Group(name, basic_figures(results, resamples_of(results, about.samples, about.seed))))
    return tuple(groups)


def _pair(sample: JudgedSample, pred: Labels, probability: Floats | None = None) -> Pair:
    return Pair(sample.key, sample.patient, pred, sample.truth.astype(np.uint8), sample.step_mm, probability)


def probabilities(network: Network, samples: Sequence[JudgedSample], batch_size: int, device: str) -> list[Floats]:
    """[y, x] of each sample, or [z, y, x]; in a batch of several sizes the smaller ones are padded, as in training."""
    network = network.to(device).eval()
    found: dict[int, Floats] = {}
    with torch.inference_mode():
        for batch in judged_batches(samples, batch_size):
            found |= _of_batch(network, batch, device)
    return [found[case] for case in range(len(samples))]


def alone(network: Network, samples: Sequence[JudgedSample], batch_size: int, device: str) -> list[Floats]:
    """[y, x] of each sample, none of them padded: only pictures of one size share a batch.

    What lies beyond a picture's edge changes what a network says before it, and `hilum predict` sees one at a time.
    """
    places: dict[tuple[int, ...], list[int]] = {}
    for place, sample in enumerate(samples):
        places.setdefault(sample.image.shape, []).append(place)
    found: dict[int, Floats] = {}
    for some in places.values():
        maps = probabilities(network, [samples[place] for place in some], batch_size, device)
        found |= dict(zip(some, maps, strict=True))
    return [found[place] for place in range(len(samples))]


def _of_batch(network: Network, batch: Batch, device: str) -> dict[int, Floats]:
    prior = None if batch.prior is None else batch.prior.to(device)
    planes = answered(network, batch.image.to(device), prior).probability()[:, 0].cpu()
    return {case: plane.numpy().astype(np.float64) for case, plane in without_padding(batch, planes).items()}


def _judged(sample: JudgedSample, probability: Floats, about: Judged) -> CaseResult:
    pred = (probability >= about.threshold.value).astype(np.uint8)
    return judge_case(_pair(sample, pred, probability), about.rule)
