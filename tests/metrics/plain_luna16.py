"""LUNA16's rule in plain loops, sentence by sentence, with scikit-learn's ROC: the oracle of `test_luna16`."""

from collections import defaultdict

import numpy as np
from sklearn.metrics import roc_curve

RATES = (0.125, 0.25, 0.5, 1, 2, 4, 8)


def limited(marks):
    """marks: list of (x, y, z, probability) of one scan."""
    if len(marks) <= 100:
        return marks
    bound = sorted((mark[3] for mark in marks), reverse=True)[100]
    return [mark for mark in marks if mark[3] > bound]


def is_inside(mark, finding):
    x, y, z, diameter = finding
    if diameter < 0:
        diameter = 10.0
    return (mark[0] - x) ** 2 + (mark[1] - y) ** 2 + (mark[2] - z) ** 2 < (diameter / 2) ** 2


def entries(scans, marks, nodules, excluded):
    """(scan, is nodule, score or None where missed) of everything that counts, and how many marks were ignored.

    marks, nodules, excluded: dict from scan to list of (x, y, z, value).
    """
    found, ignored = [], 0
    for scan in scans:
        here = limited(marks.get(scan, []))
        left = list(range(len(here)))
        for nodule in nodules.get(scan, []):
            inside = [number for number, mark in enumerate(here) if is_inside(mark, nodule)]
            found.append((scan, True, max((here[number][3] for number in inside), default=None)))
            left = [number for number in left if number not in inside]
        for finding in excluded.get(scan, []):
            on_it = [number for number in left if is_inside(here[number], finding)]
            ignored += len(on_it)
            left = [number for number in left if number not in on_it]
        found += [(scan, False, here[number][3]) for number in left]
    return found, ignored


def curve(found, scans):
    """False positives a scan and sensitivity."""
    marked = [(is_nodule, score) for _, is_nodule, score in found if score is not None]
    lesions = sum(is_nodule for _, is_nodule, _ in found)
    hits = sum(is_nodule for is_nodule, _ in marked)
    if hits == 0:
        return np.array([0.0]), np.array([0.0])
    if hits == len(marked):
        return np.array([0.0]), np.array([hits / lesions])
    false_rate, true_rate, _ = roc_curve([is_nodule for is_nodule, _ in marked], [score for _, score in marked])
    return false_rate * (len(marked) - hits) / scans, true_rate * hits / lesions


def sensitivities(found, scans):
    return np.interp(RATES, *curve(found, scans))


def bootstrap(found, scans, draws):
    """[draws, 7] sensitivities; `draws` are lists of scan names with repetitions."""
    of_scan = defaultdict(list)
    for entry in found:
        of_scan[entry[0]].append(entry)
    rows = []
    for drawn in draws:
        resampled = [entry for scan in drawn for entry in of_scan[scan]]
        has_nodule = any(is_nodule for _, is_nodule, _ in resampled)
        rows.append(sensitivities(resampled, len(scans)) if has_nodule else [np.nan] * len(RATES))
    return np.array(rows)
