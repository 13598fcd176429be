"""The pictures of an evaluation, by file name."""

from collections.abc import Mapping, Sequence

import numpy as np

from hilum.core import HilumError
from hilum.core.evaluation import CaseRow, Evaluation, Group
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.datasets.prepared import CaseSource
from hilum.evaluate.case_lesions import LesionResult
from hilum.evaluate.cases import CaseResult, with_pixels
from hilum.evaluate.curves import Curves, examples
from hilum.evaluate.framing import frame_of
from hilum.io import read_radiograph, read_volume
from hilum.metrics.calibration import Reliability
from hilum.report.curves import (
    Spot,
    Spread,
    distribution_picture,
    groups_picture,
    places_picture,
    ranking_picture,
    threshold_picture,
)
from hilum.report.examples import Example, example_picture
from hilum.report.page import Picture
from hilum.workflows.evaluate_case import CaseJob, predicted, read_truth
from hilum.workflows.evaluate_data import TruthSource
from hilum.workflows.evaluate_predictions import find_prediction
from hilum.workflows.track import Track

_FOUND = "lesion_sensitivity"


def curve_pictures(
    found: Evaluation, results: Sequence[LesionResult], drawn: Curves | None, source: TruthSource
) -> dict[str, Picture]:
    """Pictures of the whole split, by name."""
    pixels = with_pixels(results)
    pictures = {"distributions": _distributions(found)} if pixels else {}
    if drawn is not None:
        pictures |= _probability_pictures(found, pixels, drawn)
    if found.films is not None:  # parts of an area are no lesions
        return pictures
    groups = {
        title: _bars(some)
        for title, some in (
            ("by size", found.by_size),
            ("by reader count", found.by_readers),
            ("by visibility", found.by_visibility),
            ("by subtlety (5 is obvious)", found.by_subtlety),
        )
        if sum(group.figures[_FOUND].n > 0 for group in some) > 1
    }
    if groups:
        caption = (
            "Lesions found, with 95 % intervals; n is the number of lesions (of nodules by readers and visibility)."
        )
        pictures["found"] = Picture(groups_picture(groups), caption)
    if any(case.lesions for case in results) and not found.is_of_volumes:  # one frame can't show where in a scan
        pictures["places"] = _places(results, source)
    return pictures


def _distributions(found: Evaluation) -> Picture:
    dice, hd95 = (
        np.array([row.values.get(name, np.nan) for row in found.cases], dtype=np.float64)
        for name in ("dice", "hd95_mm")
    )
    caption = (
        "How figures spread over the cases. A mean hides that most lesions are hit or missed; distances exist only "
        "where something was predicted."
    )
    spreads = [_spread("Dice of a case with a lesion", dice, 1.0)]
    if np.isfinite(hd95).any():
        top = max(float(np.nanmax(hd95)), 1.0)
        spreads.append(_spread("95 % Hausdorff distance, mm (where it exists)", hd95, top))
    return Picture(distribution_picture(spreads), caption)


def _spread(words: str, of_cases: Floats, top: float) -> Spread:
    known = of_cases[np.isfinite(of_cases)]
    mean, median = (float(known.mean()), float(np.median(known))) if len(known) else (np.nan, np.nan)
    return Spread(words, known, top, mean, median)


def _probability_pictures(found: Evaluation, results: Sequence[CaseResult], drawn: Curves) -> dict[str, Picture]:
    areas = found.figures["roc_auc_pooled"].value, found.figures["average_precision_pooled"].value
    lesion = sum(case.counts.tp + case.counts.fn for case in results)
    pixels = sum(case.counts.tp + case.counts.fn + case.counts.fp + case.counts.tn for case in results)
    pictures = {
        "ranking": Picture(
            ranking_picture(drawn.roc, drawn.precision_recall, areas, lesion / pixels),
            "All pixels of the split together. Lesions are a thousandth of the pixels, so a high ROC AUC says little; "
            "precision against recall says more.",
        )
    }
    scan = drawn.scan
    if scan is not None:
        dice = {"mean of cases": scan.dice_mean, "pooled": scan.dice_pooled}
        png = threshold_picture(scan.thresholds, dice, found.threshold.value, _diagrams(drawn))
        pictures["thresholds"] = Picture(
            png,
            "Left: what other thresholds would have given on this split (to be chosen on validation). Right: 15 bins "
            "of equal width, pixels within 10 mm (14 pixels without millimetres) of truth or prediction; larger spots "
            "are more pixels.",
        )
    return pictures


def _diagrams(drawn: Curves) -> dict[str, Reliability]:
    if drawn.reliability_before is None:
        return {"as stored": drawn.reliability}
    return {"at the temperature": drawn.reliability, "as stored": drawn.reliability_before}


def _bars(groups: Sequence[Group]) -> list[tuple[str, float, float, float, int]]:
    figures = ((group.name, group.figures[_FOUND]) for group in groups)
    return [(_tick(name), one.value, one.low, one.high, one.n) for name, one in figures if one.n]


def _tick(name: str) -> str:
    """What is told apart, without the words that stand in the panel's title."""
    return name.partition(",")[0].removeprefix("subtlety ").removeprefix("visibility ")


def _places(results: Sequence[LesionResult], source: TruthSource) -> Picture:
    spots = [
        Spot(lesion.place[0], lesion.place[1], lesion.size_mm, lesion.is_found)
        for case in results
        for lesion in case.lesions
    ]
    caption = (
        "Where lesions lie that were found and missed, as shares of the image's height and width"
        f"{', over the first image' if source.cases[0].image else ''}; larger marks are larger lesions."
    )
    return Picture(places_picture(spots, _background(source)), caption)


def _background(source: TruthSource) -> Pixels | None:
    """The first image, when it is a picture."""
    image = source.cases[0].image
    if image is None:
        return None
    try:
        return read_radiograph(image).array
    except HilumError:
        return None


def example_pictures(found: Evaluation, source: TruthSource, job: CaseJob, track: Track) -> dict[str, Picture]:
    """Best, median and worst cases, by name."""
    by_key: Mapping[str, CaseSource] = {case.key: case for case in source.cases}
    chosen = [(kind, number, row) for kind, rows in examples(found.cases).items() for number, row in enumerate(rows, 1)]
    pictures = {}
    for kind, number, row in track(chosen, "drawing"):
        shown = _example(by_key[row.key], row, kind, job)
        name = f"case-{kind.split()[0]}-{number}"
        pictures[name] = Picture(
            example_picture(shown), f"{row.key}. Blue: truth; yellow: prediction; right: the part in the frame."
        )
    return pictures


def _example(case: CaseSource, row: CaseRow, kind: str, job: CaseJob) -> Example:
    truth = read_truth(case, job.rule)
    pred, _, _ = predicted(find_prediction(job.folder, case.key), truth, job)
    title = f"{kind}: {_short(row.patient)}, " + (
        f"Dice {row.values['dice']:.3f}" if row.values["truth_pixels"] else "no lesion in the truth"
    )
    image = _image(case, truth.labels.shape)
    true, said = truth.labels > 0, pred > 0
    if true.ndim == 2:
        return Example(title, image, true, said, frame_of(true, said))
    k = _telling_slice(true, said)
    flat = None if image is None else image[k]
    return Example(f"{title}, slice {k}", flat, true[k], said[k], frame_of(true[k], said[k]))


def _short(key: str, most: int = 40) -> str:
    return key if len(key) <= most else f"{key[: most - 1]}…"


def _telling_slice(truth: Selection, pred: Selection) -> int:
    """The slice with most of the truth; of the prediction where there is no truth."""
    areas = (truth if truth.any() else pred).sum(axis=(1, 2))
    return int(areas.argmax())


def _image(case: CaseSource, shape: tuple[int, ...]) -> Pixels | None:
    """The case's image, where it has one on the truth's pixels."""
    if case.image is None:
        return None
    try:
        image: Pixels = read_radiograph(case.image).array if len(shape) == 2 else read_volume(case.image).array
    except HilumError:
        return None
    return image if image.shape == shape else None
