"""Free-response figures in plain loops, for comparison: from marks and lesions with places, threshold by threshold."""

import math


def scored(images):
    """All found lesions with the score of their surest mark, and all false marks, as (score, is a hit).

    Args:
        images: of each the marks (row, column, score) and the lesions (row, column, reach), all in mm. A mark hits
            every lesion to whose centre it is strictly closer than the reach.
    """
    entries, lesions = [], 0
    for marks, true in images:
        lesions += len(true)
        for row, column, reach in true:
            near = [score for r, c, score in marks if math.dist((r, c), (row, column)) < reach]
            if near:
                entries.append((max(near), True))
        for r, c, score in marks:
            if not any(math.dist((r, c), (row, column)) < reach for row, column, reach in true):
                entries.append((score, False))
    return entries, lesions


def curve(images):
    """[(false marks an image, sensitivity, precision)] from the strictest threshold on."""
    entries, lesions = scored(images)
    points = []
    for threshold in sorted({score for score, _ in entries}, reverse=True):
        hits = sum(is_hit for score, is_hit in entries if score >= threshold)
        false = sum(not is_hit for score, is_hit in entries if score >= threshold)
        points.append((false / len(images), hits / lesions, hits / (hits + false)))
    return points


def sensitivity_at(images, rate):
    """On the straight line between points; level beyond the last; of several at one rate the highest."""
    points = [(0.0, 0.0), *((x, y) for x, y, _ in curve(images))]
    best = max((y for x, y in points if x == rate), default=None)
    if best is not None:
        return best
    before = [(x, y) for x, y in points if x < rate]
    after = [(x, y) for x, y in points if x > rate]
    if not after:
        return before[-1][1]
    (x0, y0), (x1, y1) = before[-1], after[0]
    return y0 + (y1 - y0) * (rate - x0) / (x1 - x0)


def average_precision(images):
    """Steps of sensitivity, each times the precision that is reached with it."""
    total, last = 0.0, 0.0
    for _, sensitivity, precision in curve(images):
        total += (sensitivity - last) * precision
        last = sensitivity
    return total


def wafroc(images):
    """The share of pairs of a lesion and an image without one in which the lesion scores higher; ties half.

    Lesions of an image share its weight; a lesion that is not found, and an image without a mark, score below all.
    """
    normal = [max((score for _, _, score in marks), default=-math.inf) for marks, true in images if not true]
    diseased = [image for image in images if image[1]]
    total = 0.0
    for marks, true in diseased:
        for row, column, reach in true:
            near = [score for r, c, score in marks if math.dist((r, c), (row, column)) < reach]
            mine = max(near, default=-math.inf)
            total += sum(1.0 if mine > other else 0.5 if mine == other else 0.0 for other in normal) / len(true)
    return total / len(normal) / len(diseased)
