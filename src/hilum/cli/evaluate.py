"""`hilum evaluate`."""

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.failures import say_failures
from hilum.cli.options import RUN, Bootstraps, Debug, Force, Seed, Split, Threshold, Workers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hilum.workflows.evaluate_data import TruthWanted
    from hilum.workflows.evaluate_files import EvaluateRun
    from hilum.workflows.evaluate_plan import EvaluateOptions


@Parameter(name="*", group="Truth")
@dataclass(frozen=True)
class Truth:
    """What predictions are judged against."""

    split: Split | None = None
    (
        "Which part of the data set is reported: train, validation, test, all, a stored fold (fold-1), or folds for "
        'all of these, each predicted by a model that has not seen it. A plain folder has only "all".'
    )
    truth: str | None = None
    (
        "Name of the true masks: union or consensus for DRR pairs (with union the consensus stands beside); "
        '"points" for JSRT\'s centres and sizes.'
    )
    patients: Path | None = None
    "CSV with the columns key and patient, for a plain folder; intervals draw patients."
    pixel_mm: float | None = None
    "Side of a pixel, for a plain folder of pictures; without it there are no millimetres."
    images: Path | None = None
    "Folder of the images of a plain folder's masks, named by the same keys: for pictures, places and repeated images."
    yardstick: Literal["silhouette", "slice", "volume"] | None = None
    """What the masks show of LIDC's nodules: how well its readers agree on that stands beside. A data set of LIDC's
    says so itself; a plain folder has no yardstick without it."""

    least_readers: Annotated[int | None, Parameter(validator=Number(gte=1))] = None
    "Of slices: those of nodules that fewer readers outlined are left out; 3 when not given, as yardsticks count."


@Parameter(name="*", group="Predictions")
@dataclass(frozen=True)
class Predictions:
    """What the predictions' numbers mean."""

    kind: Annotated[Literal["auto", "masks", "probabilities"], Parameter(name="--as")] = "auto"
    "What the numbers are, when files leave it open."
    threshold: Threshold = None
    "Pixels with at least this probability are in. It is never chosen on the split that is reported."
    threshold_from: Path | None = None
    "Output of an evaluation on validation, whose best threshold is taken."
    temperature_from: Path | None = None
    "Output of an evaluation on validation, whose fitted temperature is applied before figures of probability."
    classes: str | None = None
    'Declared classes of label maps, such as "1=lung,2=covid,3=other"; one class without it, or the truth\'s labels.'
    known_lesions: str | None = None
    "Of a model on pairs over time: the folder of a model of known lesions, which looks at each of them again."
    resample: Annotated[bool, Parameter(negative="")] = False
    "Bring predictions on another grid to the truth's; refused without it."


VIEWS = {"silhouette": "SILHOUETTE", "slice": "SLICE", "volume": "VOLUME"}
"""Names on the command line, and those of `hilum.evaluate.yardstick.View`."""

_CLASS_NAME = re.compile(r"[\w ()-]+")

CRITERIA = {
    "overlap": "OVERLAP",
    "iou": "IOU",
    "predicted-centroid": "PREDICTED_CENTROID",
    "true-centroid": "TRUE_CENTROID",
}
ASSIGNMENTS = {"many-to-one": "MANY_TO_ONE", "greedy": "GREEDY", "optimal": "OPTIMAL"}
"""Names on the command line, and those of `hilum.metrics.lesions`."""


@Parameter(name="*", group="Lesions")
@dataclass(frozen=True)
class Lesions:
    """When a lesion is found, and what a mark is."""

    match: Literal["overlap", "iou", "predicted-centroid", "true-centroid"] = "overlap"
    """When a predicted component meets a true one: at least one pixel in common; intersection over union at least
    --least-iou; the prediction's centroid lies on the lesion; the lesion's centroid lies in the prediction."""
    least_iou: float = 0.1
    "Of --match iou: the least intersection over union."
    assign: Literal["many-to-one", "greedy", "optimal"] = "many-to-one"
    """When several meet: many-to-one finds a lesion by any of them, and none of them is false; one to one, best pair
    first (greedy) or as many pairs as possible (optimal), and further predictions on a lesion are false."""
    tolerance_mm: float | None = None
    "Against points: how far a mark may be off; a lesion's radius without it."
    marks: Literal["auto", "nodules", "peaks"] = "auto"
    """What FROC and average precision over lesions rank: the scored nodules of KEY/nodules.json, or the local peaks of
    probability maps; auto takes the nodules where any case has scores."""


@Parameter(name="*", group="Figures")
@dataclass(frozen=True)
class Figures:
    """Which figures are wanted beside those that every evaluation has."""

    nsd_mm: str = "2"
    "Tolerances of the surface Dice, such as 1,2: nsd_1mm stands beside nsd_2mm, which is always there."


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class Running:
    """How the work is done."""

    bootstraps: Bootstraps = 1000
    "Draws of patients for the 95 % intervals."
    seed: Seed = 0
    "Seed of the draws."
    workers: Workers = 1
    "Processes at a time."
    force: Force = False
    "Replace what an earlier run of hilum left in OUT."


def evaluate(
    predictions: Path,
    out: Path,
    /,
    *,
    data: Path,
    truth: Truth | None = None,
    reading: Predictions | None = None,
    lesions: Lesions | None = None,
    figures: Figures | None = None,
    running: Running | None = None,
    debug: Debug = False,
) -> int:
    """Judge predictions of any tool: every figure with its interval, beside trivial rivals, with alarms.

    PREDICTIONS is a folder with one file a case, named by the case's key: KEY.png, KEY.nii.gz and so on, or the folder
    that hilum predict leaves (KEY/mask.png, KEY/probability.png). Masks have 0 and 1 (or 0 and 255), label maps the
    declared classes; probabilities are 16-bit pictures (65535 = 1) or numbers with fractions from 0 to 1. A detector's
    KEY/nodules.json says where its marks are (centre_px: row, column) and how sure it is (score). Films for which
    KEY/classes.json has labels, and nothing has pixels, are judged by their labels: confusion, accuracy, sensitivity,
    specificity, areas under the curve, calibration error.

    In its place a model may be named (default, a shipped one, or a trained one's folder): it predicts the split first,
    into OUT_predictions.

    OUT then holds evaluation.json, cases.csv (nan where undefined), report.html with its pictures as PNG, failures.json
    and run.json. Cases that can't be judged are listed there, and the exit code is 3. Where the data set says what
    became of lesions since an earlier picture, there are figures by kind of change and lesions_by_change.csv.

    ```
    hilum evaluate default out --data pairs --split validation
    hilum evaluate predictions out --data pairs --split validation
    hilum evaluate probabilities out --data pairs --split test --threshold-from validation_out
    hilum evaluate theirs out --data true_masks --patients whose.csv --pixel-mm 0.7 --images pictures
    hilum evaluate detections out --data films --split test --tolerance-mm 10
    ```

    Parameters
    ----------
    predictions
        Folder of masks or probability maps, or a model.
    out
        Folder for the results.
    data
        A data set (hilum prepare), or a plain folder of true masks named by key.
    debug
        Show the traceback of each case that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.evaluate import run_evaluate

    running = running or Running()
    with checked_options():
        wanted = _wanted(data, truth or Truth())
        reading = reading or Predictions()
        options = _options(reading, lesions or Lesions(), figures or Figures(), running)
    found = _predicted(predictions, wanted, out, reading.known_lesions, force=running.force)
    return _say(run_evaluate(found, wanted, out, options, force=running.force, track=bar), debug=debug)


def _predicted(predictions: Path, wanted: "TruthWanted", out: Path, again: str | None, *, force: bool) -> Path:
    """The folder of predictions; a model's are made first."""
    from hilum.cli.progress import bar
    from hilum.core import InputError
    from hilum.workflows.evaluate_model import is_model, predictions_of

    if is_model(str(predictions)):
        return predictions_of(str(predictions), wanted, out, known_lesions=again, force=force, track=bar)
    if again is not None:
        raise InputError(
            f"--known-lesions is for a model that predicts first, and {predictions} holds predictions.",
            "Name a model in their place, or leave it out.",
        )
    return predictions


def _wanted(data: Path, given: Truth) -> "TruthWanted":
    from hilum.evaluate.yardstick import View
    from hilum.workflows.evaluate_data import TruthWanted

    side = given.pixel_mm
    return TruthWanted(
        data=data,
        split=given.split,
        truth=given.truth,
        patients=given.patients,
        pixel_mm=None if side is None else (side, side),
        images=given.images,
        yardstick=None if given.yardstick is None else View[VIEWS[given.yardstick]],
        least_readers=given.least_readers,
    )


def _options(given: Predictions, lesions: Lesions, figures: Figures, running: Running) -> "EvaluateOptions":
    from hilum.metrics.lesions import Assignment, Criterion, MatchRule
    from hilum.workflows.evaluate_marks import MarksFrom
    from hilum.workflows.evaluate_plan import EvaluateOptions
    from hilum.workflows.evaluate_predictions import As

    return EvaluateOptions(
        threshold=given.threshold,
        threshold_from=given.threshold_from,
        temperature_from=given.temperature_from,
        kind=As(given.kind),
        classes=_classes(given.classes),
        resample=given.resample,
        match=MatchRule(Criterion[CRITERIA[lesions.match]], Assignment[ASSIGNMENTS[lesions.assign]], lesions.least_iou),
        tolerance_mm=lesions.tolerance_mm,
        marks=MarksFrom(lesions.marks),
        nsd_mm=_tolerances(figures.nsd_mm),
        bootstraps=running.bootstraps,
        seed=running.seed,
        workers=running.workers,
    )


def _tolerances(words: str) -> tuple[float, ...]:
    from hilum.core import InputError

    try:
        found = tuple(float(word) for word in words.split(","))
    except ValueError as error:
        raise InputError(f"tolerances are numbers of mm, 1,2, got {words!r}.", "Write --nsd-mm 1,2.") from error
    return found


def _classes(words: str | None) -> "Mapping[int, str] | None":
    from hilum.core import InputError

    if words is None:
        return None
    pairs = [part.partition("=") for part in words.split(",")]
    numbers = [number.strip() for number, _, _ in pairs]
    is_fit = all(number.isdecimal() for number in numbers) and len(set(numbers)) == len(numbers)
    if not is_fit or not all(_CLASS_NAME.fullmatch(name.strip()) for _, _, name in pairs):
        raise InputError(
            f"classes are numbers and names, 1=lung,2=covid, got {words!r}.",
            "A name has letters, digits, spaces and - _ ( ) only; commas lie between classes; each has its own number.",
        )
    return {int(number): name.strip() for number, _, name in pairs}


def _say(run: "EvaluateRun", *, debug: bool) -> int:
    from hilum.workflows.evaluate_files import FAILED

    found = run.evaluation
    _say_figures(run)
    for alarm in found.alarms:
        kind = "note" if alarm.is_note else "alarm"
        print(f"hilum: {kind}: {alarm.says} ({len(alarm.evidence)})", file=sys.stderr)
    return say_failures(run.failures, listed_in=run.folder / FAILED, debug=debug)


def _say_figures(run: "EvaluateRun") -> None:
    from hilum.core.changes import DIAMETER_SIZE, DICE
    from hilum.report.changes import found_line, gone_line, known_line, over_prior_line
    from hilum.report.evaluation import cases_words
    from hilum.report.figures import with_interval
    from hilum.report.films import film_lines
    from hilum.report.yardstick import rivals_line, yardstick_line

    found = run.evaluation
    if found.is_of_labels:
        print(f"{cases_words(found)}, by their labels alone")
        for figure in found.figures.values():
            print(f"{figure.name:30} {with_interval(figure)}, n {figure.n}")
        print(f"{'Already there' if run.was_done else 'Done'}: {run.folder / 'report.html'}")
        return
    if found.films is not None:
        print(cases_words(found))
        print("\n".join(film_lines(found)))
        print(f"{'rivals, Dice of any class':42} {rivals_line(found.rivals, 'dice_mean')}")
        print(f"{'Already there' if run.was_done else 'Done'}: {run.folder / 'report.html'}")
        return
    dice = "lesion_sensitivity" if found.is_of_points else "dice_mean"
    print(f"{cases_words(found)}, {found.n_empty_truth} without a lesion")
    for name in ("dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image"):
        if not (found.is_of_points and name.startswith("dice")):
            print(f"{name:26} {with_interval(found.figures[name])}")
    if found.rivals:
        print(f"{'rivals, ' + dice:26} {rivals_line(found.rivals, dice)}")
    if found.by_change:
        print(f"{'Dice, known lesions':26} {known_line(found.by_change, DICE)}")
        print(f"{'diameter error, mm':26} {known_line(found.by_change, DIAMETER_SIZE)}")
    if found.over_prior:
        print(f"{'Dice, minus copied prior':26} {over_prior_line(found.over_prior)}")
    if found.by_change:
        print(f"{'found, by change':26} {found_line(found.by_change)}")
        print(f"{'gone':26} {gone_line(found.by_change)}")
    if found.yardstick is not None:
        print(f"{'yardstick, Dice':26} {yardstick_line(found.yardstick)}")
    print(f"{'Already there' if run.was_done else 'Done'}: {run.folder / 'report.html'}")
