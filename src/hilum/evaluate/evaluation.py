"""Judged cases to an evaluation: every figure with its interval (bootstrap over patients) and its number of cases."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hilum.core.evaluation import Alarm, Evaluation, Group, Threshold
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.evaluate import alarms
from hilum.evaluate.bootstrap import Resamples, pooled_figure, resample_patients
from hilum.evaluate.by_reader import by_reader
from hilum.evaluate.calibration import BEFORE
from hilum.evaluate.case_lesions import Lesion, LesionResult
from hilum.evaluate.cases import FOREGROUND, OVERLAPS, SURFACES, CaseResult, JudgeRule
from hilum.evaluate.detection import detection_figures, froc_points, marks_of_cases
from hilum.evaluate.lesion_figures import (
    OVERLAPPED,
    by_size,
    found_figures,
    lesion_figures,
    mean_of,
    mean_over_lesions,
    values_of,
    with_met,
)
from hilum.evaluate.met import NSD_MM, is_nsd, nsd_name
from hilum.evaluate.places import by_place, place_rule
from hilum.evaluate.scores import pooled_score_figures
from hilum.evaluate.yardstick import HEADLINE_READERS
from hilum.metrics.overlap import Counts, Ratio, share

OTHER_MEANS = ("area_error_mm2", "volume_error_mm3", "volume_error_percent")
CLASS_MEANS = ("hd95_mm", "nsd_2mm", *OTHER_MEANS)
CALIBRATION = ("ece", "ace", "brier")
SCORE_MEANS = ("roc_auc", "average_precision", *CALIBRATION, *(f"{name}{BEFORE}" for name in CALIBRATION))
"""Means over cases; `ece` and `brier` without "mean" are those of all pixels together."""

VISIBILITY_BANDS = (1 / 3, 2 / 3)


@dataclass(frozen=True)
class Judged:
    """What an evaluation is made of, besides the cases.

    Attributes:
        data: name of the data set.
        split: which part of it.
        split_hash: of the stored split.
        truth: its name.
        threshold: as used.
        rule: how the cases were judged.
        samples: bootstrap draws.
        seed: of the draws.
    """

    data: str
    split: str
    split_hash: str
    truth: str
    threshold: Threshold
    rule: JudgeRule
    samples: int = 1000
    seed: int = 0


def evaluation(cases: Sequence[CaseResult], about: Judged, raised: Sequence[Alarm] = ()) -> Evaluation:
    """All figures of the judged cases.

    Args:
        cases: in the order in which they are to be listed.
        about: what they are.
        raised: alarms that only the inputs can tell; those that the figures tell are added.
    """
    draw = resamples_of(cases, about.samples, about.seed)
    figures = all_figures(cases, draw)
    by_class = _by_class(cases, about.rule, draw)
    found = Evaluation(
        data=about.data,
        split=about.split,
        split_hash=about.split_hash,
        truth=about.truth,
        threshold=about.threshold,
        figures=figures,
        by_size=by_size(cases, draw),
        by_place=by_place(cases, draw),
        places=place_rule(cases),
        by_class=by_class,
        by_reader=by_reader(cases, draw),
        by_readers=_by_nodule(cases, draw, _readers_name, lambda one: one.readers),
        by_visibility=_by_nodule(cases, draw, lambda one: visibility_name(one.visibility), lambda one: one.visibility),
        froc=froc_points(cases, draw),
        marks=marks_of_cases(cases),
        cases=tuple(case.row for case in cases),
    )
    return replace(found, alarms=(*raised, *_alarms(cases, about, found)))


def resamples_of(cases: Sequence[LesionResult], samples: int, seed: int) -> Resamples:
    """The draws of these cases' patients.

    Raises:
        InputError: there are no cases.
    """
    return resample_patients([case.row.patient for case in cases], np.random.default_rng(seed), samples)


def all_figures(cases: Sequence[CaseResult], draw: Resamples) -> dict[str, Figure]:
    """Figures over all cases, by name."""
    found = [*_overlap_figures(cases, draw), *lesion_figures(cases, draw), _lesion_dice(cases, draw)]
    surfaces = _surface_names(cases)
    found += [_mean(cases, draw, name, name) for name in surfaces]
    apart = [f"{FOREGROUND}{name}" for name in (*surfaces, *OTHER_MEANS)]
    found += [_mean(cases, draw, name, name) for name in (*OTHER_MEANS, *apart) if _any_has(cases, name)]
    found += [_mean(cases, draw, f"{name}_mean", name) for name in SCORE_MEANS if _any_has(cases, name)]
    scores = [case.scores for case in cases if case.scores is not None]
    if scores:
        are_maps = np.array([case.scores is not None for case in cases])
        found += pooled_score_figures(scores, draw.of(are_maps))
    else:
        found.append(Figure("ece", math.nan))
    found += detection_figures(cases, draw)
    found += _yardstick_figures(cases, draw)
    return {figure.name: figure for figure in found}


def basic_figures(cases: Sequence[CaseResult], draw: Resamples) -> dict[str, Figure]:
    """The figures that a trivial rival is compared by."""
    found = (*_overlap_figures(cases, draw), *lesion_figures(cases, draw), _lesion_dice(cases, draw))
    return {figure.name: figure for figure in found}


def main_figures(cases: Sequence[CaseResult], draw: Resamples) -> dict[str, Figure]:
    """The figures of masks that are worth a second truth: those of rivals, and of surfaces."""
    surfaces = [_mean(cases, draw, name, name) for name in _surface_names(cases)]
    return basic_figures(cases, draw) | {figure.name: figure for figure in surfaces}


def _surface_names(cases: Sequence[CaseResult]) -> list[str]:
    """Distances, and surface Dice at every tolerance that was asked for."""
    asked = dict.fromkeys(name for case in cases for name in case.row.values if is_nsd(name))
    return [*SURFACES, *(asked or map(nsd_name, NSD_MM))]


def _any_has(cases: Sequence[CaseResult], name: str) -> bool:
    return any(name in case.row.values for case in cases)


def _mean(cases: Sequence[CaseResult], draw: Resamples, figure: str, name: str) -> Figure:
    return mean_of(figure, values_of(cases, name), draw)


def _overlap_figures(cases: Sequence[CaseResult], draw: Resamples) -> list[Figure]:
    by_class = np.stack([_table(list(case.by_class.values())) for case in cases]) if cases else np.zeros((0, 1, 4))
    several = by_class.shape[1] > 1
    tables = (
        {"": by_class, FOREGROUND: _table([case.counts for case in cases])[:, None]}
        if several
        else {"": _table([case.counts for case in cases])[:, None]}
    )
    found = []
    for before, table in tables.items():
        for name, ratio in OVERLAPS.items():
            found.append(_mean(cases, draw, f"{before}{name}_mean", f"{before}{name}"))
            found.append(_pooled_classes(f"{before}{name}_pooled", table, ratio, draw))
    found.append(_mean(cases, draw, "empty_false_positive_rate", "false_positive_on_empty"))
    return found


def _pooled_classes(name: str, counts: Floats, ratio: Ratio, draw: Resamples) -> Figure:
    """The mean over classes of each one's pooled figure; a class that no case has is left out.

    Args:
        name: of the figure.
        counts: [cases, classes, 4].
        ratio: the figure.
        draw: of patients.
    """
    classes = counts.shape[1]
    if classes == 1:
        return _pooled(name, counts[:, 0], ratio, draw)

    def mean(sums: Floats) -> Floats:
        return mean_over_classes(sums.reshape(*sums.shape[:-1], classes, 4), ratio)

    return pooled_figure(name, counts.reshape(len(counts), -1), mean, draw, is_share=True)


def mean_over_classes(sums: Floats, ratio: Ratio) -> Floats:
    """[..., classes, 4] pixel counts to [...] means of each class's figure; a class without truth is left out."""
    values = ratio.of_sums(sums)
    is_known = ~np.isnan(values) & (sums[..., 0] + sums[..., 2] > 0)
    total, known = np.where(is_known, values, 0).sum(axis=-1), is_known.sum(axis=-1)
    return share(np.asarray(total), np.asarray(known))


def _table(counts: Sequence[Counts]) -> Floats:
    return np.array([one.array() for one in counts], dtype=np.float64).reshape(-1, 4)


def _pooled(name: str, counts: Floats, ratio: Ratio, draw: Resamples) -> Figure:
    return pooled_figure(name, counts, ratio.of_sums, draw, is_share=True)


def _lesion_dice(cases: Sequence[CaseResult], draw: Resamples) -> Figure:
    return mean_over_lesions("lesion_dice", [[one.dice for one in case.lesions] for case in cases], draw)


def _by_class(cases: Sequence[CaseResult], rule: JudgeRule, draw: Resamples) -> tuple[Group, ...]:
    if len(rule.labels) < 2:
        return ()
    groups = []
    for label, name in rule.labels.items():
        counts = _table([case.by_class[label] for case in cases])
        has = int((counts[:, 0] + counts[:, 2] > 0).sum())
        figures = [
            *(_of_class(_pooled(f"{one}_pooled", counts, ratio, draw), has) for one, ratio in OVERLAPS.items()),
            *(_mean(cases, draw, f"{one}_mean", f"{one}_{name}") for one in ("dice", "iou")),
            *(_mean(cases, draw, one, f"{one}_{name}") for one in CLASS_MEANS if _any_has(cases, f"{one}_{name}")),
            *_image_level(counts, draw),
            _mean(cases, draw, "empty_false_positive_rate", f"false_positive_on_empty_{name}"),
        ]
        groups.append(Group(name, {figure.name: figure for figure in figures}))
    return tuple(groups)


def _of_class(pooled: Figure, has: int) -> Figure:
    """With the number of images that have the class; of a class without a pixel nothing is defined."""
    return replace(pooled, n=has) if has and not math.isnan(pooled.value) else Figure(pooled.name, math.nan)


def _image_level(counts: Floats, draw: Resamples) -> list[Figure]:
    """Whether the class was seen on the images that have it, and left out on those that don't."""
    has = counts[:, 0] + counts[:, 2] > 0
    said = counts[:, 0] + counts[:, 1] > 0
    return [
        mean_of("image_sensitivity", np.where(has, said, math.nan), draw),
        mean_of("image_specificity", np.where(has, math.nan, ~said), draw),
    ]


def _by_nodule(
    cases: Sequence[CaseResult], draw: Resamples, name_of: Callable[[Lesion], str], by: Callable[[Lesion], float]
) -> tuple[Group, ...]:
    """Nodules apart by a name, in the order of a number."""
    every = [one for case in cases for one in case.nodules]
    has_masks = any(not math.isnan(one.reader_dice) for one in every)
    of_each = with_met([every], OVERLAPPED)
    names = list(dict.fromkeys(name_of(one) for one in sorted(every, key=by)))
    groups = []
    for name in names:
        chosen = [[one for one in case.nodules if name_of(one) == name] for case in cases]
        figures = [*found_figures(chosen, draw, of_each), *([_reader_figure(chosen, draw)] if has_masks else [])]
        groups.append(Group(name, {figure.name: figure for figure in figures}))
    return tuple(groups)


def _reader_figure(nodules: Sequence[Sequence[Lesion]], draw: Resamples) -> Figure:
    """Mean Dice with each single reader's mask, of nodules of which these are known; a missed nodule counts 0."""
    return mean_over_lesions("reader_dice", [[one.reader_dice for one in some] for some in nodules], draw)


def _yardstick_figures(cases: Sequence[CaseResult], draw: Resamples) -> list[Figure]:
    """The prediction as one more reader: Dice with each reader's mask, of the nodules that yardsticks count."""
    figure = _reader_figure([[one for one in case.nodules if one.readers >= HEADLINE_READERS] for case in cases], draw)
    return [figure] if figure.n else []


def _readers_name(nodule: Lesion) -> str:
    return f"{nodule.readers} reader{'s' if nodule.readers != 1 else ''}"


def visibility_name(visibility: float) -> str:
    """Which third of visibility a nodule counts as."""
    low, high = VISIBILITY_BANDS
    if math.isnan(visibility):
        return "visibility unknown"
    if visibility < low:
        return "visibility below 1/3"
    return "visibility 1/3 to 2/3" if visibility < high else "visibility from 2/3"


def _marked(cases: Sequence[CaseResult]) -> tuple[float, float]:
    """Predicted pixels, and all pixels."""
    values = [case.row.values for case in cases]
    marked = sum(one["predicted_pixels"] for one in values)
    return marked, sum(one["tp"] + one["fp"] + one["fn"] + one["tn"] for one in values)


def _alarms(cases: Sequence[CaseResult], about: Judged, found: Evaluation) -> tuple[Alarm, ...]:
    with_lesion = sum(case.row.values["truth_pixels"] > 0 for case in cases)
    at_border = [case.row.key for case in cases if case.touches_border]
    constant = [case.row.key for case in cases if _says_one_thing(case) and case.row.values["truth_pixels"] > 0]
    covered = {case.row.key: int(case.row.values["lesions_covered_only"]) for case in cases}
    return (
        *alarms.iou_above_dice(found.figures, found.by_class),
        *alarms.class_without_pixels(class_pixels(cases, about.rule.labels)),
        *alarms.truth_at_border(at_border),
        *alarms.constant_predictions(constant, with_lesion),
        *alarms.lesions_only_covered(covered, sum(case.found for case in cases)),
        *alarms.mostly_marked(*_marked(cases)),
        *alarms.few_patients(len({case.row.patient for case in cases})),
        *alarms.undefined_figures(_expected(found), len(cases)),
    )


def _says_one_thing(case: CaseResult) -> bool:
    """Whether the prediction, or its mask at the threshold, is one value everywhere."""
    pixels = case.counts
    return case.is_constant or pixels.tp + pixels.fp == 0 or pixels.fn + pixels.tn == 0


def _expected(found: Evaluation) -> list[Figure]:
    """Figures whose absence a reader should know of: distances, and calibration of probabilities."""
    names = [*SURFACES, *map(nsd_name, NSD_MM), *(() if math.isnan(found.threshold.value) else ("ece",))]
    return [found.figures[name] for name in names]


def class_pixels(cases: Sequence[CaseResult], labels: Mapping[int, str]) -> dict[str, int]:
    """Pixels of each declared class in the truth."""
    return {
        name: sum(case.by_class[label].tp + case.by_class[label].fn for case in cases) for label, name in labels.items()
    }
