"""A model of CT slices that is told where the nodule is: how well it outlines it, and what the click is worth.

    python benchmarks/slice_points.py SLICES [MODEL]

SLICES is a data set from `hilum prepare slices`, MODEL one of it (the shipped one by default). Every validation slice
with truth of a nodule of three readers and more is a case, at the model's own threshold, which was chosen on these
patients. Printed: Dice per slice, mean (95 % by bootstrap over patients) and median, and of all pixels; for the point
at the middle of the nodule's box, for clicks that miss it in a random direction, without a point, and with what can be
added afterwards. At the end apart by the area of the truth on the slice.
"""

import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.slice_load import load_slices
from hilum.datasets.slice_point import point_map
from hilum.evaluate.bootstrap import resample_patients
from hilum.evaluate.lesion_figures import mean_of
from hilum.infer.crf import CrfConfig, refined
from hilum.infer.loaded import load_model
from hilum.infer.slices import SliceOptions, SlicePredictor
from hilum.metrics.overlap import Ratio, confusion

MISSED_MM = (2.0, 4.0, 8.0)
QUARTERS = 4
SEED = 0


def clicked(sample, off_mm, rng):
    """The same slice with a click that misses the middle by so much; None for no click."""
    point = None
    if off_mm is not None:
        angle = rng.uniform(0, 2 * np.pi)
        off = off_mm / sample.pixel_mm
        point = (sample.point_px[0] + off * np.sin(angle), sample.point_px[1] + off * np.cos(angle))
    step = (sample.pixel_mm,) * 2
    return replace(sample, point_px=point, prior=point_map(sample.truth.shape, point, step))


def judged(samples, predictor, crf=None):
    """Counts of each slice."""
    counts = []
    for sample in samples:
        planes = np.stack([sample.image, sample.prior]) if predictor.takes_point else sample.image[None]
        probability = predictor.seen(planes)
        if crf is not None:
            probability = refined(probability, sample.image, crf)
        counts.append(confusion(probability >= predictor.rule.threshold, sample.truth))
    return counts


def line(name, samples, counts):
    """One way of using the model, in words."""
    dice = np.array([Ratio.DICE(one) for one in counts])
    draw = resample_patients([one.patient for one in samples], np.random.default_rng(SEED))
    mean, pooled = mean_of("dice", dice, draw), Ratio.DICE(sum(counts[1:], counts[0]))
    print(
        f"{name:<30} {mean.value:.3f} ({mean.low:.3f} to {mean.high:.3f}), median {np.median(dice):.3f}, "
        f"pooled {pooled:.3f}, nothing of it {np.mean(dice == 0):.3f}",
        flush=True,
    )
    return dice


def by_area(samples, dice):
    """Quarters of the slices, by how large the truth is."""
    area_mm2 = np.array([one.truth.sum() * one.pixel_mm**2 for one in samples])
    edges = np.quantile(area_mm2, np.linspace(0, 1, QUARTERS + 1))
    for number, (low, high) in enumerate(pairwise(edges)):
        own = (area_mm2 >= low) & ((area_mm2 < high) | (number == QUARTERS - 1))
        print(f"truth of {low:.0f} to {high:.0f} mm2: mean {dice[own].mean():.3f}, {own.sum()} slices")


if __name__ == "__main__":
    name = sys.argv[2] if len(sys.argv) > 2 else "slices"
    model = load_model(name)
    every, _ = load_slices(Path(sys.argv[1]), "validation", SliceDataConfig(point_share=1.0))
    samples = [one for one in every if one.has_lesion]
    plain = SlicePredictor(model)
    print(f"{name}, {len(samples)} slices of {len({one.patient for one in samples})} patients")
    middle = line("as told", samples, judged(samples, plain))
    if plain.takes_point:
        for off_mm in (*MISSED_MM, None):
            rng = np.random.default_rng(SEED)
            moved = [clicked(one, off_mm, rng) for one in samples]
            words = "no point" if off_mm is None else f"{off_mm:g} mm off"
            line(words, samples, judged(moved, plain))
    line("with mirror images (--tta)", samples, judged(samples, SlicePredictor(model, SliceOptions(tta=True))))
    line("with a random field (--crf)", samples, judged(samples, plain, CrfConfig()))
    by_area(samples, middle)
