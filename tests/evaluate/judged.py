"""Small cases with known answers."""

import numpy as np

from hilum.core.evaluation import Threshold
from hilum.evaluate.cases import JudgeRule, Pair, judge_case
from hilum.evaluate.evaluation import Judged, evaluation


def disc(shape=(64, 64), centre=(32, 32), radius=6):
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    return (rows - centre[0]) ** 2 + (columns - centre[1]) ** 2 <= radius**2


def pair(pred, truth, key="a", patient="p", spacing_mm=(1.0, 1.0), **more):
    return Pair(key, patient, np.asarray(pred, np.uint8), np.asarray(truth, np.uint8), spacing_mm, **more)


def judged(pairs, rule=None, **about):
    rule = rule or JudgeRule()
    settings = {"data": "made", "split": "validation", "split_hash": "", "truth": "mask", "threshold": Threshold()}
    settings["samples"] = 200
    return evaluation([judge_case(one, rule) for one in pairs], Judged(**(settings | about), rule=rule))
