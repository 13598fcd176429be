"""The sources' claims about X-ray data, measured on the published DRR pairs and on chest X-rays with lung masks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from claims_arithmetic import Selection, positive_weight
from claims_facts import Fact, factor, number, percentage, plain
from PIL import Image
from scipy import ndimage

from hilum.core.geometry import Floats
from hilum.datasets.drr_pairs import MASK, PICTURE, pair_name
from hilum.datasets.splits import Role, role
from hilum.evaluate.rivals import prior_map
from hilum.metrics.overlap import Ratio, confusion, pooled

ON = "published DRR pairs · all but the held-out patients · union"
ON_VALIDATION = "published DRR pairs · validation, map and threshold from training · union"
SIDE, COARSE = 512, 16
"""Pixels a side of what source C feeds its model, and of its features."""
SEED = 0


@dataclass(frozen=True, eq=False)
class PairMask:
    """A published mask, [row, column], and whose it is."""

    patient: str
    role: Role
    mask: Selection

    @property
    def share(self) -> float:
        """Of the pixels, how many are foreground."""
        return float(self.mask.mean())

    def squashed(self) -> Selection:
        """On 512 × 512, as source C resizes it, by the nearest pixel."""
        rows, columns = (np.arange(SIDE) * length // SIDE for length in self.mask.shape)
        return np.asarray(self.mask[np.ix_(rows, columns)])


def pair_masks(folder: Path) -> list[PairMask]:
    """All masks but those of held-out patients."""
    found = []
    for path in sorted(folder.rglob(f"*{MASK}")):
        patient = pair_name(path.name).patient
        if role(patient) is not Role.HELD_OUT:
            with Image.open(path) as picture:
                found.append(PairMask(patient, role(patient), np.asarray(picture.convert("L")) > 0))
    return found


def pair_facts(data: Path) -> list[Fact]:
    masks = pair_masks(data / "lidc-drr")
    return [
        *_collection(data / "lidc-drr", masks),
        *_foreground(masks),
        *_chance(masks),
        *_weights(masks),
        *_coarse(masks),
        *_prior(masks),
    ]


def _collection(folder: Path, masks: Sequence[PairMask]) -> list[Fact]:
    patients = Counter(one.patient for one in masks)
    others = [p for p in folder.rglob("*") if p.is_file() and not p.name.endswith((PICTURE, MASK))]
    heights = np.array([one.mask.shape[0] for one in masks])
    n, validation = len(masks), [one for one in masks if one.role is Role.VALIDATION]
    empty, empty_there = sum(not one.share for one in masks), sum(not one.share for one in validation)
    return [
        number("pairs-images", "pairs", n, 0, n, ON),
        number("pairs-patients", "patients", len(patients), 0, n, ON),
        number("pairs-most", "most pictures of one patient", max(patients.values()), 0, len(patients), ON),
        number("pairs-xrays", "files beside pictures and masks: X-rays", len(others), 0, n, ON),
        number("pairs-empty", "empty masks", empty, 0, n, ON),
        percentage("pairs-empty-share", "share of empty masks", empty / n, 1, n, ON),
        number(
            "pairs-nothing",
            "mean Dice of all-background if empty against empty counts as 1",
            empty_there / len(validation),
            3,
            len(validation),
            "published DRR pairs · validation · union",
        ),
        number("pairs-square", "pictures that are 512 rows high", int((heights == SIDE).sum()), 0, n, ON),
        number("pairs-flattest", "rows / columns, lowest", heights.min() / SIDE, 2, n, ON),
        number("pairs-usual", "rows / columns, median", float(np.median(heights)) / SIDE, 2, n, ON),
        number("pairs-tallest", "rows / columns, highest", heights.max() / SIDE, 2, n, ON),
    ]


def _foreground(masks: Sequence[PairMask]) -> list[Fact]:
    shares = np.array([one.share for one in masks])
    n = len(shares)
    return [
        percentage("pairs-share", "foreground share, mean of images", shares.mean(), 3, n, ON),
        percentage("pairs-share-median", "median", float(np.median(shares)), 3, n, ON),
        percentage("pairs-share-max", "highest", shares.max(), 2, n, ON),
        number("pairs-above-1", "images with 1 % or more", int((shares >= 0.01).sum()), 0, n, ON),
        number("pairs-above-5", "images with 5 % or more", int((shares >= 0.05).sum()), 0, n, ON),
    ]


def _chance(masks: Sequence[PairMask]) -> list[Fact]:
    everything = [confusion(np.ones_like(one.mask), one.mask) for one in masks]
    rng = np.random.default_rng(SEED)
    coin = [confusion(rng.random(one.mask.shape) < 0.5, one.mask) for one in masks]
    precision = Ratio.PRECISION(pooled(everything))
    found = []
    for name, what, counts in (("all", "all-foreground", everything), ("coin", "a fair coin for each pixel", coin)):
        both = pooled(counts)
        with_truth = [one for one in counts if one.tp + one.fn]
        found += [
            number(f"pairs-{name}-{key}", f"{what}: {ratio.name}, pooled", ratio(both), 4, len(counts), ON)
            for key, ratio in (
                ("precision", Ratio.PRECISION),
                ("recall", Ratio.RECALL),
                ("dice", Ratio.DICE),
                ("iou", Ratio.IOU),
            )
        ]
        mean = float(np.mean([Ratio.DICE(one) for one in with_truth]))
        text = f"{what}: mean Dice of images with truth"
        found.append(number(f"pairs-{name}-mean", text, mean, 4, len(with_truth), ON))
    n, n_truth = len(masks), sum(bool(one.share) for one in masks)
    mean = next(one.value for one in found if one.name == "pairs-all-mean")
    return [
        *found,
        factor(
            "pairs-above-chance",
            "source A's precision .006 / all-foreground's",
            0.006 / precision,
            1,
            n,
            ON,
        ),
        percentage(
            "pairs-predicted",
            "share of pixels that A's model calls nodule",
            0.813 * precision / 0.006,
            0,
            n,
            ON,
        ),
        factor("pairs-c-chance", "source C's Dice .0426 / all-foreground's mean", 0.0426 / mean, 1, n_truth, ON),
    ]


def _weights(masks: Sequence[PairMask]) -> list[Fact]:
    shares = np.array([one.share for one in masks if one.share])
    ratio = (1 - shares) / shares
    capped = sum(positive_weight(one) == 1000 for one in shares)
    n = len(shares)
    where = "images with a nodule"
    found = [
        number(
            f"pairs-ratio-{p}",
            f"background / foreground, {p} %, {where}",
            np.percentile(ratio, p),
            0,
            n,
            ON,
        )
        for p in (5, 50, 95)
    ]
    return [
        *found,
        number("pairs-ratio-min", f"the same, lowest, {where}", ratio.min(), 0, n, ON),
        number("pairs-capped", f"{where} on which A's weight is 1000", capped, 0, n, ON),
        number("pairs-below-20", f"{where} that weight 20 balances", int((ratio <= 20).sum()), 0, n, ON),
        number(
            "pairs-cap-50",
            f"{where} on which neg/pos capped at 50 is 50",
            int((ratio >= 50).sum()),
            0,
            n,
            ON,
        ),
    ]


# --- 512 pixels on 16 ---------------------------------------------------------------------------------------------


def bilinear_matrix(side: int = SIDE, coarse: int = COARSE) -> Floats:
    """[side, coarse]: bilinear upsampling along one axis, pixel centres aligned (`align_corners=False`)."""
    at = np.clip((np.arange(side) + 0.5) * coarse / side - 0.5, 0, coarse - 1)
    low = np.minimum(np.floor(at).astype(int), coarse - 2)
    matrix = np.zeros((side, coarse))
    matrix[np.arange(side), low] = 1 - (at - low)
    matrix[np.arange(side), low + 1] = at - low
    return matrix


def best_dice(values: Floats, truth: Selection) -> float:
    """The highest Dice of any threshold above 0 on `values`."""
    positive = values > 0
    flat, hits = values[positive], truth[positive]
    order = np.argsort(-flat, kind="stable")
    found = np.cumsum(hits[order])
    scores = 2 * found / (np.arange(1, len(flat) + 1) + truth.sum())
    last_of_ties = np.append(np.diff(flat[order]) != 0, True)
    return float(scores[last_of_ties].max())


def through_bottleneck(truth: Selection) -> float:
    """Best Dice of a mask that was averaged to 16 × 16 and brought back bilinearly."""
    block = SIDE // COARSE
    small = truth.reshape(COARSE, block, COARSE, block).mean(axis=(1, 3))
    up = bilinear_matrix()
    return best_dice(up @ small @ up.T, truth)


def _coarse(masks: Sequence[PairMask]) -> list[Fact]:
    squashed = [one.squashed() for one in masks if one.mask.any()]
    lesions = missed = blind = 0
    for mask in squashed:
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        seen = set(np.unique(labels[:: SIDE // COARSE, :: SIDE // COARSE])) - {0}
        lesions, missed, blind = lesions + count, missed + count - len(seen), blind + (not seen)
    scores = [through_bottleneck(one) for one in squashed]
    on, n = ON.replace("union", "union, squashed to 512²"), len(squashed)
    return [
        number("pairs-lesions", "components of the masks (8-connected)", lesions, 0, n, on),
        percentage("pairs-unseen", "share with none of the 16² sampled pixels", missed / lesions, 0, lesions, on),
        percentage("pairs-blind", "share of images with a nodule without one", blind / n, 0, n, on),
        number("pairs-bottleneck", "mean Dice of the truth, 16² and back", float(np.mean(scores)), 3, n, on),
        number("pairs-bottleneck-median", "median", float(np.median(scores)), 3, n, on),
    ]


# --- a rival that doesn't look ------------------------------------------------------------------------------------


def _prior(masks: Sequence[PairMask]) -> list[Fact]:
    """The rival of `hilum evaluate`, on the masks as published."""
    training = [one.mask for one in masks if one.role is Role.TRAIN]
    rival = prior_map(training)
    validation = [one.mask for one in masks if one.role is Role.VALIDATION and one.mask.any()]
    counts = [confusion(rival.predict(truth.shape), truth) for truth in validation]
    mean, both = float(np.mean([Ratio.DICE(one) for one in counts])), Ratio.DICE(pooled(counts))
    level = rival.threshold / float(rival.frequency.max())
    return [
        number("pairs-prior", "prior map: mean Dice of images with truth", mean, 4, len(counts), ON_VALIDATION),
        number("pairs-prior-pooled", "prior map: Dice, pooled over them", both, 4, len(counts), ON_VALIDATION),
        Fact(
            "pairs-prior-level",
            "its threshold, of its highest value",
            level,
            plain(level, 2),
            len(training),
            ON_VALIDATION,
        ),
    ]


# --- chest X-rays -------------------------------------------------------------------------------------------------

LUNG_BITS = 1 | 2


def background_shares(folder: Path, bits: int = LUNG_BITS) -> Floats:
    """For each mask of a folder the share of pixels outside both lungs; images without lungs are left out."""
    shares = []
    for path in sorted(folder.glob("*.png")):
        with Image.open(path) as picture:
            lungs = (np.asarray(picture) & bits) > 0
        if lungs.any():
            shares.append(1 - float(lungs.mean()))
    return np.array(shares)


def lung_facts(data: Path) -> list[Fact]:
    found = []
    for name, folder, what in (
        ("jsrt", "jsrt", "JSRT, chest X-rays"),
        ("infection", "cxr-infection", "chest X-rays with infections"),
    ):
        shares = background_shares(data / folder / "masks")
        on = f"{what} · all · lung masks"
        text = "pixel accuracy of all-background, mean"
        found.append(number(f"lungs-{name}", text, float(shares.mean()), 3, len(shares), on))
    return found
