"""What probabilities on validation are worth, where only PyTorch and NumPy are: as `hilum.train.judging` says it.

Beside its figures: lesions found at no more than one false positive a picture, by size, which the aims are set in.
"""

import math

import numpy as np
import torch

from hilum.metrics.lesions import Components, LesionCounts, count_by_size, match_components
from hilum.ops import label_parts

THRESHOLDS = (0.005, 0.01, 0.02, 0.05, *(round(0.1 * step, 1) for step in range(1, 10)), 0.95)
"""As in `hilum.train.judging`."""
LEVELS = tuple(round(0.05 * step, 2) for step in range(19, 0, -1))
"""Where lesions are looked for, from above."""
SIZE_BANDS_MM = (8.0, 15.0)
BANDS = ("lt8", "8to15", "ge15")
AT_MOST = 1.0
"""False positives a picture."""


def parts_of(mask):
    """Connected parts [y, x], corners included, numbered from 1 in the order of their first pixels; numpy alone."""
    numbers = np.zeros(mask.shape, dtype=np.int32)
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return numbers
    numbers[rows, columns] = np.arange(1, len(rows) + 1)
    padded = np.pad(numbers, 1)
    pairs = []
    for down, right in ((0, 1), (1, -1), (1, 0), (1, 1)):
        beside = padded[rows + 1 + down, columns + 1 + right]
        touching = np.flatnonzero(beside)
        pairs.append((touching, beside[touching] - 1))
    one, other = (np.concatenate(side) for side in zip(*pairs, strict=True))
    root = np.arange(len(rows))
    while True:
        lower = np.minimum(root[one], root[other])
        before = root.copy()
        np.minimum.at(root, root[one], lower)
        np.minimum.at(root, root[other], lower)
        root = root[root]
        if np.array_equal(before, root):
            break
    numbers[rows, columns] = np.unique(root, return_inverse=True)[1] + 1
    return numbers


def components(mask):
    """As `hilum.metrics.lesions.components`, also where scipy is not."""
    try:
        labels = label_parts(mask)
    except ImportError:
        labels = parts_of(mask)
    where = np.nonzero(labels)
    owner = labels[where] - 1
    sizes = np.bincount(owner) if len(owner) else np.zeros(0, dtype=np.intp)
    sums = [np.bincount(owner, weights=axis, minlength=len(sizes)) for axis in where]
    return Components(labels, sizes, np.stack(sums, axis=1) / np.maximum(sizes, 1)[:, None])


class Judge:
    """Figures of validation pictures; everything that doesn't change is kept on the device.

    Args:
        samples: whole pictures.
        device: for tensors.
    """

    def __init__(self, samples, device):
        self.samples = samples
        height, width = np.max([sample.image.shape for sample in samples], axis=0)
        self.truth = torch.zeros((len(samples), int(height), int(width)), dtype=torch.bool, device=device)
        self.inside = torch.zeros_like(self.truth)
        for number, sample in enumerate(samples):
            rows, columns = sample.truth.shape
            self.truth[number, :rows, :columns] = torch.from_numpy(sample.truth)
            self.inside[number, :rows, :columns] = True
        self.lesions = [components(sample.truth) for sample in samples]
        self.device = device

    def images(self, start, size):
        """Some pictures [B, 1, H, W], padded by repeating the last row and column to the largest of these."""
        some = self.samples[start : start + size]
        height, width = np.max([sample.image.shape for sample in some], axis=0)
        margins = [((0, height - one.image.shape[0]), (0, width - one.image.shape[1])) for one in some]
        planes = [np.pad(one.image, margin, mode="edge") for one, margin in zip(some, margins, strict=True)]
        return torch.from_numpy(np.stack(planes)[:, None]).to(self.device)

    def probabilities(self, network, batch_size):
        """[N, H, W] of every picture, −1 beyond its edge."""
        found = torch.full(self.truth.shape, -1.0, device=self.device)
        for start in range(0, len(self.samples), batch_size):
            image = self.images(start, batch_size).contiguous(memory_format=torch.channels_last)
            plane = network(image).float().sigmoid()[:, 0]
            found[start : start + batch_size, : plane.shape[1], : plane.shape[2]] = plane
        return found.where(self.inside, found.new_tensor(-1.0))

    def counts(self, probability, level):
        """[3, N] tp, fp, fn."""
        pred = probability >= level
        sums = (pred & self.truth).sum((1, 2)), (pred & ~self.truth).sum((1, 2)), (~pred & self.truth).sum((1, 2))
        return torch.stack(sums).double().cpu().numpy()

    def figures(self, probability, monitor):
        """At the threshold of the grid where the monitored figure is highest; lesions at that one, too."""
        at = {level: pixel_figures(self.counts(probability, level)) for level in THRESHOLDS}
        best = max(at, key=lambda level: np.nan_to_num(at[level][monitor], nan=-1.0))
        bands = self.found(probability.cpu().numpy(), best)
        return {
            **at[best],
            "lesion_sensitivity": sensitivity(bands),
            "false_positives_per_image": sum(one.false for one in bands) / len(self.samples),
            "threshold": best,
            "marked_share": float((probability >= best).sum() / self.inside.sum()),
        }

    def found(self, probability, level):
        """Lesion counts over all pictures, apart by size."""
        totals = [LesionCounts()] * (len(SIZE_BANDS_MM) + 1)
        for plane, sample, truth in zip(probability, self.samples, self.lesions, strict=True):
            rows, columns = sample.truth.shape
            pred = components(plane[:rows, :columns] >= level)
            step = (sample.pixel_mm, sample.pixel_mm)
            sizes = truth.diameters_mm(step), pred.diameters_mm(step)
            apart = count_by_size(match_components(pred, truth), *sizes, SIZE_BANDS_MM)
            totals = [one + other for one, other in zip(totals, apart, strict=True)]
        return [LesionCounts(one.found, one.missed, one.false, len(self.samples)) for one in totals]

    def at_one_false_positive(self, probability):
        """Lesions found at the lowest level, looked for from above, with no more than one false positive a picture."""
        planes, kept = probability.cpu().numpy(), None
        for level in LEVELS:
            bands = self.found(planes, level)
            if sum(one.false for one in bands) > AT_MOST * len(self.samples):
                break
            kept = level, bands
        if kept is None:
            return {}
        level, bands = kept
        empty = ~self.truth.flatten(1).any(1)
        marked = (probability >= level).flatten(1).any(1)[empty].double().mean()
        return {
            "at_level": level,
            "at_false_positives": sum(one.false for one in bands) / len(self.samples),
            "at_sensitivity": sensitivity(bands),
            **{f"at_sensitivity_{name}": one.lesion_sensitivity for name, one in zip(BANDS, bands, strict=True)},
            "at_empty_marked": float(marked),
        }


def pixel_figures(counts):
    """The figures of `hilum.train.judging.figures_at` of [3, N] tp, fp, fn."""
    tp, fp, fn = counts
    positive = tp + fn > 0
    pooled = counts.sum(axis=1)
    return {
        "dice_mean": mean(2 * tp[positive] / (2 * tp + fp + fn)[positive]),
        "dice_pooled": share(2 * pooled[0], 2 * pooled[0] + pooled[1] + pooled[2]),
        "precision_pooled": share(pooled[0], pooled[0] + pooled[1]),
        "recall_pooled": share(pooled[0], pooled[0] + pooled[2]),
        "empty_false_positive_rate": mean(fp[~positive] > 0),
    }


def sensitivity(bands):
    return share(sum(one.found for one in bands), sum(one.found + one.missed for one in bands))


def mean(values):
    return float(np.mean(values)) if len(values) else math.nan


def share(part, whole):
    return float(part / whole) if whole else math.nan
