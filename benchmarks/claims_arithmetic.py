"""What the sources' own figures say about each other: no data needed."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from claims_facts import Fact, factor, number, percentage
from numpy.typing import NDArray

Selection = NDArray[np.bool_]


# --- overlap ------------------------------------------------------------------------------------------------------


def dice_of_iou(iou: float) -> float:
    """Of one case, or pooled."""
    return 2 * iou / (1 + iou)


def iou_of_dice(dice: float) -> float:
    return dice / (2 - dice)


def dice_of(precision: float, recall: float) -> float:
    """The harmonic mean: exact for one case or a pool, not for means over cases."""
    return 2 * precision * recall / (precision + recall)


def mean_iou_bounds(mean_dice: float) -> tuple[float, float]:
    """Between which values the mean IoU of any cases with this mean Dice lies.

    IoU = Dice / (2 − Dice) is convex and at most Dice; so the mean is at least that of the mean (Jensen), at most it.
    """
    return iou_of_dice(mean_dice), mean_dice


class TableRow(NamedTuple):
    """A row of source E's tables."""

    name: str
    dice: float
    precision: float
    recall: float
    iou: float


UNET = TableRow("U-Net", 0.874775, 0.881955, 0.867711, 0.777422)
CBAM_BCE = TableRow("ENet, CBAM, skips, BCE", 0.861609, 0.854944, 0.86838, 0.756866)
CBAM_DICE = TableRow("ENet, CBAM, skips, Dice loss", 0.838374, 0.846831, 0.830083, 0.721724)
BCE_HALF = TableRow("BCE at .5", 0.90812, 0.917452, 0.898976, 0.831703)
BCE_HIGH = TableRow("BCE at .8", 0.871632, 0.979533, 0.785144, 0.772471)
ROWS_E = (
    UNET,
    TableRow("SegNet", 0.860848, 0.859121, 0.862581, 0.755691),
    TableRow("ENet", 0.796514, 0.811199, 0.782351, 0.661839),
    TableRow("ENet, skips", 0.806953, 0.806858, 0.807049, 0.67638),
    CBAM_BCE,
    CBAM_DICE,
    TableRow("Dice loss at .5", 0.838498, 0.846927, 0.830235, 0.721908),
    TableRow("Dice loss at .8", 0.839248, 0.853021, 0.825912, 0.723021),
    BCE_HALF,
    BCE_HIGH,
)
"""Each row once; source E prints the first ENet and the two probability rows twice, with the same figures."""

IOUS_D = (0.9556, 0.6601, 1.0, 0.5623)
"""Background, healthy lung, COVID-19, non-COVID of source D's second iteration."""
DICE_D = 0.5930
IOUS_D3 = (0.9, 0.55)
"""Lowest IoU of background and healthy lung that its third iteration's text allows."""
DICE_D3 = 0.44


def overlap_facts() -> list[Fact]:
    return [*_overlap_a(), *_overlap_d(), *_overlap_e()]


def _overlap_a() -> Iterator[Fact]:
    dice = dice_of(0.006, 0.813)
    yield number("overlap-a-dice", "Dice of source A's precision .006 and recall .813", dice, 4)
    iou = iou_of_dice(0.012)
    yield number("overlap-a-iou", "IoU of its Dice .012", iou, 4)
    iou = iou_of_dice(0.6)
    yield number("overlap-a-target", "IoU of its target Dice .6", iou, 3)
    yield factor("overlap-a-missed", "share missed at recall .7 / at .813", 0.3 / 0.187, 1)


def _overlap_d() -> Iterator[Fact]:
    mean = float(np.mean(IOUS_D))
    yield number("overlap-d-iou", "source D: mean of the four IoU", mean, 4, 4)
    present = float(np.mean([one for one in IOUS_D if one < 1]))
    yield number("overlap-d-present", "the same without the class that scores 1", present, 4, 3)
    low, high = mean_iou_bounds(DICE_D)
    yield number("overlap-d-low", "lowest mean IoU possible at mean Dice .5930", low, 4)
    yield number("overlap-d-high", "highest mean IoU possible at mean Dice .5930", high, 4)
    implied = [dice_of_iou(one) for one in IOUS_D]
    both = float(np.mean(implied))
    yield number("overlap-d-dice", "mean Dice of the four IoU", both, 4, 4)
    split = float(np.mean([*implied[:2], 0.0, implied[3]]))
    yield number("overlap-d-split", "the same if Dice gives the absent class 0", split, 4, 4)
    floor = float(np.mean([dice_of_iou(one) for one in IOUS_D3]) / 2)
    yield number("overlap-d3-dice", "iteration 3: mean Dice of its text, both infections at 0", floor, 3, 4)
    rest = 4 * DICE_D3 - sum(dice_of_iou(one) for one in IOUS_D3)
    yield number("overlap-d3-rest", "largest non-COVID IoU that Dice .44 leaves room for", iou_of_dice(rest), 3)
    rise = 0.6934 / 0.5418 - 1
    yield percentage("overlap-d-loss", "rise of the test loss from iteration 1 to 2", rise, 0)


def _overlap_e() -> Iterator[Fact]:
    n = len(ROWS_E)
    apart = max(abs(dice_of(one.precision, one.recall) - one.dice) for one in ROWS_E)
    yield number("overlap-e-dice", "source E: F1 of precision and recall from Dice, largest", apart, 7, n)
    apart = max(abs(iou_of_dice(one.dice) - one.iou) for one in ROWS_E)
    yield number("overlap-e-iou", "source E: Dice / (2 − Dice) from IoU, largest", apart, 7, n)
    lost = BCE_HALF.recall - BCE_HIGH.recall
    yield number("overlap-e-recall", "BCE: recall at .5 − recall at .8", lost, 3)
    lost = BCE_HALF.dice - BCE_HIGH.dice
    yield number("overlap-e-fall", "BCE: Dice at .5 − Dice at .8", lost, 3)
    ahead = CBAM_BCE.dice - CBAM_DICE.dice
    yield number("overlap-e-bce", "Dice from probabilities, BCE − Dice loss", ahead, 3)
    ahead = BCE_HALF.dice - CBAM_BCE.dice
    yield number("overlap-e-half", "BCE: Dice at .5 − Dice from probabilities", ahead, 3)


# --- the losses ---------------------------------------------------------------------------------------------------


def dice_loss_as_printed(intersection: float, total: float, epsilon: float = 1.0) -> float:
    """Source C: 1 − 2 × (intersection + ε) / (sum + ε)."""
    return 1 - 2 * (intersection + epsilon) / (total + epsilon)


def dice_loss(intersection: float, total: float, epsilon: float = 1.0) -> float:
    return 1 - (2 * intersection + epsilon) / (total + epsilon)


def tversky(tp: float, fp: float, fn: float, alpha: float, beta: float) -> float:
    """The index tp / (tp + α fp + β fn) (Salehi 2017, equation 2): α weighs false positives."""
    return tp / (tp + alpha * fp + beta * fn)


def positive_weight(share: float, factor: float = 100.0, cap: float = 1000.0) -> float:
    """Source A: (negative pixels / positive pixels) × 100, at most 1000."""
    return min((1 - share) / share * factor, cap)


def loss_facts() -> list[Fact]:
    printed = dice_loss_as_printed
    uncapped = 1 / (1 + 1000 / 100)
    focal = [0.25 * (1 - 0.9) ** 2, 0.3 * (1 - 0.9) ** 3.5, 0.75 * (1 - 0.9) ** 3]
    spread = max(focal) / min(focal)
    only_fp, only_fn = tversky(60, 40, 0, 0.7, 0.3), tversky(60, 0, 40, 0.7, 0.3)
    return [
        number("losses-dice-empty", "Dice loss as printed, nothing there, nothing found", printed(0, 0), 0),
        number("losses-dice-empty-right", "the right one there", dice_loss(0, 0), 0),
        number("losses-dice-100", "as printed, 100 pixels all found (ε = 1)", printed(100, 200), 4),
        number("losses-dice-1", "as printed, 1 pixel found (ε = 1)", printed(1, 2), 3),
        percentage("losses-uncapped", "foreground share above which A's weight is below 1000", uncapped, 2),
        number("losses-at-1", "A's weight before the cap at 1 % foreground", 99 * 100, 0),
        number("losses-at-5", "A's weight before the cap at 5 % foreground", 19 * 100, 0),
        percentage("losses-20", "foreground share that weight 20 balances", 1 / 21, 1),
        number("losses-tversky-fp", "Tversky loss, α .7 β .3: 60 found, 40 too many", 1 - only_fp, 3),
        number("losses-tversky-fn", "the same: 60 found, 40 missed", 1 - only_fn, 3),
        factor("losses-focal", "spread of the three recommended focal weights at p = .9", spread, 0),
    ]


# --- claims that multiply or add ----------------------------------------------------------------------------------

IMPACTS_A = ((3, 5), (10, 20), (5, 10), (20, 50), (2, 3))
PHASES_A = ((10, 20), (5, 10), (2, 3))
GAINS_B = ((15, 25), (10, 20), (8, 15), (5, 10), (5, 8), (5, 8), (3, 7), (2, 5), (3, 6), (2, 4))


def totals_facts() -> list[Fact]:
    impacts = [math.prod(one[end] for one in IMPACTS_A) for end in (0, 1)]
    phases = [math.prod(one[end] for one in PHASES_A) for end in (0, 1)]
    gains = [sum(one[end] for one in GAINS_B) / 100 for end in (0, 1)]
    grown = [math.prod(1 + one[end] / 100 for one in GAINS_B) for end in (0, 1)]
    return [
        factor("totals-a-low", "A's five expected impacts multiplied, low ends", impacts[0], 0),
        factor("totals-a-high", "the same, high ends", impacts[1], 0),
        factor("totals-a-phases", "A's three phases multiplied, low ends", phases[0], 0),
        factor("totals-a-phases-high", "the same, high ends", phases[1], 0),
        factor("totals-a-room", "factor from Dice .012 to 1", 1 / 0.012, 1),
        factor("totals-a-dice", "A: .6 / .012", 0.6 / 0.012, 1),
        factor("totals-a-iou", "A: .4 / .006", 0.4 / 0.006, 1),
        factor("totals-a-precision", "A: .7 / .006", 0.7 / 0.006, 1),
        factor("totals-a-other-end", "A: .6 / .184, the other end of its range", 0.6 / 0.184, 1),
        percentage("totals-b-ratio", "B: .5235 / .5999", 0.5235 / 0.5999, 1),
        number("totals-b-low", "B: .5235 + all ten expected gains, low ends", 0.5235 + gains[0], 2),
        number("totals-b-high", "the same, high ends", 0.5235 + gains[1], 2),
        number("totals-b-grown", "B: .5235 times all ten, low ends", 0.5235 * grown[0], 2),
        number("totals-b-grown-high", "the same, high ends", 0.5235 * grown[1], 2),
        number("totals-b-batch", "B: samples a batch in 160 samples and 4 batches", 160 / 4, 0),
        number("totals-b-restart", "B: epoch at which its fourth restart ends", 10 + 20 + 40 + 80 + 160, 0),
        number("totals-b-deep", "B: weight of all auxiliary losses together", 0.3 * (1 + 0.5 + 0.25), 3),
        number("totals-c-images", "C: a fifth of 545 images", 545 / 5, 0),
        number("totals-c-best", "C: last possible best epoch, stopped at 146 with patience 25", 146 - 25, 0),
        number("totals-c-rate", "C: cosine learning rate at epoch 150, × 10⁻⁵", _cosine(150) * 1e5, 2),
        percentage("totals-c-spread", "C: standard error of the spread of 50 dropout passes", 98**-0.5, 0),
        percentage("totals-c-untouched", "C: share of training images neither flipped nor turned", 0.5 * 0.7, 0),
        number("totals-e-volumes", "E: 64 + 32 volumes", 64 + 32, 0),
        number("totals-e-range", "E: grey levels from −1024 to 3071", 3071 + 1024 + 1, 0),
    ]


def _cosine(epoch: int, first: int = 30, growth: int = 2, high: float = 1e-4, low: float = 1e-6) -> float:
    """CosineAnnealingWarmRestarts at the start of an epoch."""
    length = first
    while epoch >= length:
        epoch, length = epoch - length, length * growth
    return low + (high - low) * (1 + math.cos(math.pi * epoch / length)) / 2


# --- source B's shapes --------------------------------------------------------------------------------------------


def cube(shift: Sequence[int] = (0, 0, 0), side: int = 5, frame: int = 21) -> Selection:
    """A cube of `side` voxels in the middle of a frame, moved."""
    mask = np.zeros((frame,) * 3, dtype=bool)
    start = (frame - side) // 2
    mask[tuple(slice(start + one, start + one + side) for one in shift)] = True
    return mask


def ball(diameter: float, frame: int = 21) -> Selection:
    """Voxels whose centre is within a ball in the middle of a frame with odd sides; sizes in voxels."""
    step = np.arange(frame) - frame // 2
    squared = step[:, None, None] ** 2 + step[None, :, None] ** 2 + step[None, None] ** 2
    return np.asarray(squared <= (diameter / 2) ** 2)


def dice(one: Selection, other: Selection) -> float:
    total = int(one.sum()) + int(other.sum())
    return 2 * int((one & other).sum()) / total if total else math.nan


def undone_share() -> float:
    """How often source B's test-time augmentation gives back the image that it began with.

    It flips along a random axis of three and turns by a random quarter, then turns back and flips along an axis that
    it draws anew.
    """
    image = np.arange(27).reshape(3, 3, 3)
    draws = itertools.product(range(3), range(4), range(3))
    back = [
        np.array_equal(np.flip(np.rot90(np.rot90(np.flip(image, first), turn), -turn), second), image)
        for first, turn, second in draws
    ]
    return sum(back) / len(back)


def shape_facts() -> list[Fact]:
    whole = cube()
    moved = {"1": (1, 0, 0), "11": (1, 1, 0), "111": (1, 1, 1), "2": (2, 0, 0)}
    found = [
        number("shapes-voxels", "voxels of source B's dummy", int(whole.sum()), 0),
        number("shapes-ball", "voxels of a ball of 5 voxels diameter", int(ball(5).sum()), 0),
        number("shapes-cube-ball", "Dice of the two", dice(whole, ball(5)), 3),
    ]
    for name, shift in moved.items():
        value = dice(whole, cube(shift))
        found.append(number(f"shapes-shift-{name}", f"Dice of the cube moved by {shift} voxels", value, 3))
    equivalent = [(6 * voxels / math.pi) ** (1 / 3) for voxels in (20, 125)]
    return [
        *found,
        number("shapes-20", "diameter of the ball of 20 mm³, mm", equivalent[0], 1),
        number("shapes-125", "diameter of the ball of 125 mm³, mm", equivalent[1], 1),
        percentage("shapes-patch", "share of a 64³ patch that the dummy fills", 125 / 64**3, 3),
        percentage("shapes-tta", "share of B's augmentations that its code undoes", undone_share(), 0, 36),
        number("shapes-reduction", "positions of 512² for one of 16²", (512 // 16) ** 2, 0),
        factor("shapes-numbers", "numbers in 2048 × 16² for one pixel of 512²", 2048 * 16**2 / 512**2, 0),
    ]
