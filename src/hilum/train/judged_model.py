"""The kept model, judged on validation as any prediction is: every figure with its interval."""

from collections.abc import Sequence

import numpy as np
import torch

from hilum.core.evaluation import Evaluation
from hilum.core.geometry import Floats
from hilum.datasets.xray_sample import XraySample
from hilum.evaluate.cases import CaseResult, Pair, judge_case
from hilum.evaluate.evaluation import Judged, evaluation
from hilum.models.network import Network
from hilum.train.data import Batch, judged_batches
from hilum.train.module import answered


def judged_model(
    network: Network, samples: Sequence[XraySample], about: Judged, *, batch_size: int, device: str
) -> Evaluation:
    """Every figure of a network's predictions, in 32 bits, on the samples' own pixels.

    Args:
        network: with the weights to judge.
        samples: whole pictures.
        about: which data and split these are, and the threshold.
        batch_size: pictures at a time.
        device: "cpu" or "cuda".
    """
    maps = probabilities(network, samples, batch_size, device)
    judged = [_judged(sample, one, about) for sample, one in zip(samples, maps, strict=True)]
    return evaluation(judged, about)


def probabilities(network: Network, samples: Sequence[XraySample], batch_size: int, device: str) -> list[Floats]:
    """[y, x] of each sample."""
    network = network.to(device).eval()
    found: dict[int, Floats] = {}
    with torch.inference_mode():
        for batch in judged_batches(samples, batch_size):
            found |= _of_batch(network, batch, device)
    return [found[case] for case in range(len(samples))]


def _of_batch(network: Network, batch: Batch, device: str) -> dict[int, Floats]:
    prior = None if batch.prior is None else batch.prior.to(device)
    planes = answered(network, batch.image.to(device), prior).logits.sigmoid()[:, 0].cpu().numpy().astype(np.float64)
    each = zip(batch.case.tolist(), planes, batch.size.tolist(), strict=True)
    return {case: plane[:rows, :columns] for case, plane, (rows, columns) in each}


def _judged(sample: XraySample, probability: Floats, about: Judged) -> CaseResult:
    pred = (probability >= about.threshold.value).astype(np.uint8)
    step = (sample.pixel_mm, sample.pixel_mm)
    pair = Pair(sample.key, sample.patient, pred, sample.truth.astype(np.uint8), step, probability)
    return judge_case(pair, about.rule)
