"""`hilum predict`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from hilum.cli.exit_code import checked_options
from hilum.cli.failures import SHOWN, say_failures
from hilum.cli.options import Debug, Force, Split, Threshold
from hilum.cli.points import pixel_of, point_of

if TYPE_CHECKING:
    from hilum.workflows.predict_left import Predicted


@Parameter(name="*", group="Pictures")
@dataclass(frozen=True)
class Pictures:
    """What the X-rays are."""

    split: Split = "all"
    "Which part of a data set: train, validation, test, all, or a stored fold (fold-1)."
    style: Literal["auto", "published", "film"] = "auto"
    "Grey levels: in the published pairs' style already, or a radiograph whose contrast is equalised first. auto goes \
by the data set, or the file's name (…_drr.png)."
    pixel_mm: float | None = None
    "Side of a pixel, for pictures that don't say; without it the chest's width is estimated and no mm are given."


@Parameter(name="*", group="An earlier X-ray")
@dataclass(frozen=True)
class Earlier:
    """What is known from before."""

    prior: Path | None = None
    "An earlier X-ray of the same patient, for one X-ray and a model that looks at it; it is laid over the current \
one. A data set over time has its own."
    prior_mask: Path | None = None
    "The lesions known of it, on its pixels; all black where there were none. Without --model two shipped ones are \
taken then: xray_new_lesions for what is new, and xray_known_lesions for what is known."
    known_lesions: str | None = None
    "A model of known lesions (shipped, or a run of the recipe xray_known_lesions), beside any other: each lesion of \
--prior-mask is looked at again, and called gone or outlined anew. none for none."
    prior_pixel_mm: float | None = None
    "Side of its pixels, if it doesn't say; without it --pixel-mm holds if both pictures have the same rows and \
columns, else the chest's width is estimated."


@Parameter(name="*", group="Model")
@dataclass(frozen=True)
class Use:
    """How the model is used."""

    model: str = "default"
    "A shipped model (hilum models), or the folder of a trained one; default is the shipped one that fits the input."
    threshold: Threshold = None
    "Pixels of at least this score (0 to 1; no probability) are in the mask; without it the model's own, of validation."
    tta: Annotated[bool, Parameter(negative="")] = False
    "Average over the picture, its mirror image, and both a little smaller and larger."
    device: Literal["auto", "cpu", "cuda"] = "auto"
    "Where the network runs."


@Parameter(name="*", group="CTs and their slices")
@dataclass(frozen=True)
class OfSlices:
    """What models of CT slices, or of pieces of CTs, can do, and others can't."""

    point: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None
    "x,y,z in LPS mm (x to the patient's left, y to the back, z to the head): the nodule there, in one CT. A model of \
pieces, such as the shipped one, marks it in three dimensions; one of slices follows it from slice to slice."
    point_px: str | None = None
    "row,column, counted from 0: the nodule there, on one picture of a slice, for a model that is told where."
    crf: Annotated[bool, Parameter(negative="")] = False
    "Let neighbouring pixels that look alike agree (a conditional random field after the network)."


@Parameter(name="*", group="Whole CTs")
@dataclass(frozen=True)
class OfCts:
    """What models of pieces of CTs can do with whole CTs."""

    detector: str | None = None
    "What finds candidates for --model to outline: a run of nodule3d_detector, by its folder; the shipped one unless \
another is named. none: whatever --model marks in the lungs."
    ensemble: Annotated[tuple[str, ...], Parameter(negative="")] = ()
    "A further model whose probabilities are averaged with --model's; can be given several times."
    score: float | None = None
    "What has at least this score (0 to 1; no probability) is called a nodule; without it what was chosen on \
validation. candidates.csv has all."
    series: str | None = None
    "Which DICOM series, where a folder holds several: its UID, as hilum info lists it."


def predict(
    inputs: Annotated[list[Path], Parameter(negative="")],
    out: Path,
    /,
    *,
    pictures: Pictures | None = None,
    earlier: Earlier | None = None,
    use: Use | None = None,
    of_slices: OfSlices | None = None,
    of_cts: OfCts | None = None,
    force: Force = False,
    debug: Debug = False,
) -> int:
    """Find nodules on chest X-rays and CTs, mark those on CT slices, or tell films' classes: masks, and a picture each.

    INPUTS are frontal chest X-rays (PNG, JPEG, TIFF, DICOM), folders of them, or a prepared data set; CTs of the chest
    (DICOM series, NIfTI, MHD/MHA, NRRD, or a folder of such files), whole or with --point the nodule there; for a model
    of CT slices pictures of slices or a data set of them; for one of pieces of CTs a data set of them.

    OUT then holds predictions.json and a folder a case: of an X-ray or slice mask.png, probability.png (scores, not
    calibrated; 65535 = 1), nodules.json and overlay.png; of a CT mask.nii.gz on its grid, a label a nodule,
    nodules.json with mm and mm³, candidates.csv (all of them in OUT, too, for hilum froc) and overlay.png; of a piece
    mask.nii.gz and probability.nii.gz. By a model of classes mask.png has the class of each pixel, each class its
    calibrated probability_N_NAME.png, and classes.json the share of each lung that is involved, and labels. What
    couldn't be predicted is in failures.json, and the exit code is 3. hilum evaluate reads the folder.

    Decision support for research, not a medical device: the network misses nodules, and marks what is none.

    ```
    hilum predict film.png found
    hilum predict pairs found --split validation
    hilum predict films found --pixel-mm 0.7 --tta
    hilum predict slices found --model run --split validation
    hilum predict classes found --model run --split fold-1
    hilum predict slice.png found --point-px 64,64 --pixel-mm 0.7
    hilum predict ct.nii.gz found
    hilum predict ct.nii.gz found --point -52.3,61,-178.5
    hilum predict subset0 found --model run --detector finder --ensemble run2 --tta
    hilum predict today.png found --model follow --prior before.png --prior-mask before_lesions.png
    hilum predict today.png found --prior before.png --prior-mask before_lesions.png --known-lesions again
    ```

    Parameters
    ----------
    inputs
        X-rays, CTs or their slices, folders of them, or a data set.
    out
        Folder for the results.
    force
        Replace what an earlier run of hilum left in OUT.
    debug
        Show the traceback of each input that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.infer.xray_domain import XrayStyle
    from hilum.workflows.predict import run_predict
    from hilum.workflows.predict_options import PredictOptions

    shown, used, before = pictures or Pictures(), use or Use(), earlier or Earlier()
    slices, cts = of_slices or OfSlices(), of_cts or OfCts()
    style = None if shown.style == "auto" else XrayStyle(shown.style)
    with checked_options():
        options = PredictOptions(
            used.model,
            shown.split,
            style,
            shown.pixel_mm,
            used.threshold,
            used.tta,
            used.device,
            before.prior,
            before.prior_mask,
            before.prior_pixel_mm,
            None if slices.point is None else point_of(slices.point),
            slices.crf,
            before.known_lesions,
            None if slices.point_px is None else pixel_of(slices.point_px),
            cts.detector,
            cts.ensemble,
            cts.score,
            cts.series,
        )
    return _say(run_predict(inputs, out, options, force=force, track=bar), debug=debug)


def _say(done: "Predicted", *, debug: bool) -> int:
    from hilum.workflows.predict import FAILED

    print(f"{len(done.keys)} {done.what}, {done.marked} with something marked (model {done.model})")
    if done.known is not None:
        print(f"{done.gone} of {done.known} known nodules called gone")
    print(f"{'Already there' if done.was_done else 'Done'}: {done.folder}")
    if done.note:
        print(f"hilum: note: {done.note}", file=sys.stderr)
    _say_notes(done)
    return say_failures(done.failures, listed_in=done.folder / FAILED, debug=debug)


def _say_notes(done: "Predicted") -> None:
    """A line each, which names its X-ray or says of how many it holds; past 20 only how many more there are."""
    from hilum.workflows.evaluate_predictions import INDEX

    for note, keys in list(done.notes.items())[:SHOWN]:
        print(f"hilum: note: {keys[0] if len(keys) == 1 else f'{len(keys)} {done.what}'}: {note}", file=sys.stderr)
    if (more := len(done.notes) - SHOWN) > 0:
        print(f"hilum: and {more} more notes; {done.folder / INDEX} lists all.", file=sys.stderr)
