"""`hilum explain`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from hilum.cli.exit_code import checked_options
from hilum.cli.failures import SHOWN, say_failures
from hilum.cli.options import Debug, Force, Seed, Threshold
from hilum.cli.points import pixel_of
from hilum.cli.predict import Pictures

if TYPE_CHECKING:
    from hilum.workflows.explain import ExplainedXrays


@Parameter(name="*", group="Explanation")
@dataclass(frozen=True)
class How:
    """What is explained, and how."""

    model: str = "default"
    "A shipped model (hilum models), or the folder of a trained one."
    method: Literal["gradcam"] = "gradcam"
    "Grad-CAM: where a layer's features speak for what is marked."
    layer: str | None = None
    "Whose features; without it the encoder's last stage. A wrong name lists all."
    sanity: Annotated[bool, Parameter(negative="")] = False
    "Check that the map changes when the weights are made random, part after part: fifty times the work."
    threshold: Threshold = None
    "Pixels of at least this score are marked; without it the model's own, of validation."
    device: Literal["auto", "cpu", "cuda"] = "auto"
    "Where the network runs."
    point_px: str | None = None
    "row,column, counted from 0: the nodule there, on one picture of a CT slice, for a model that is told where."


def explain(
    inputs: Annotated[list[Path], Parameter(negative="")],
    out: Path,
    /,
    *,
    pictures: Pictures | None = None,
    how: How | None = None,
    seed: Seed = 0,
    force: Force = False,
    debug: Debug = False,
) -> int:
    """Show where a network looked when it marked nodules, and whether that can be believed.

    INPUTS are the X-rays, CT slices or data sets that hilum predict takes. OUT then holds explanations.json and a
    folder a case with panel.png (the picture, what is marked, the map over it), map.png (65535 = 1), explanation.json
    and, with --sanity, sanity.png. What couldn't be explained is in failures.json, and the exit code is 3.

    A map says which features raised the scores, coarsely; it doesn't say that the marks are right.

    ```
    hilum explain film.png why
    hilum explain film.png why --sanity
    hilum explain pairs why --split validation --layer encoder.stages.2
    hilum explain slice.png why --point-px 64,71 --layer decoder.stages.1
    ```

    Parameters
    ----------
    inputs
        X-rays or CT slices, folders of them, or a data set.
    out
        Folder for the results.
    seed
        Where the random weights of --sanity begin.
    force
        Replace what an earlier run of hilum left in OUT.
    debug
        Show the traceback of each input that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.infer.xray_domain import XrayStyle
    from hilum.workflows.explain import ExplainRequest, run_explain
    from hilum.workflows.predict_options import PredictOptions

    shown, used = pictures or Pictures(), how or How()
    style = None if shown.style == "auto" else XrayStyle(shown.style)
    with checked_options():
        at = None if used.point_px is None else pixel_of(used.point_px)
        predict = PredictOptions(
            used.model, shown.split, style, shown.pixel_mm, used.threshold, device=used.device, point_px=at
        )
    request = ExplainRequest(predict, used.layer, used.sanity, seed)
    return _say(run_explain(inputs, out, request, force=force, track=bar), debug=debug)


def _say(done: "ExplainedXrays", *, debug: bool) -> int:
    from hilum.workflows.predict_left import FAILED

    index, summary = done.index, done.index["summary"]
    about = f"model {index['provenance']['model']}, layer {index['layer']}"
    print(f"{summary['cases']} {index['what']}, {summary['marked']} with something marked ({about})")
    if any(summary["sanity"].values()):
        print("Sanity check: " + ", ".join(f"{count} {name}" for name, count in summary["sanity"].items()))
    if pointed := summary["pointing"]["cases"]:
        game = summary["pointing"]
        print(
            f"Hottest pixel in the truth: {game['hottest_in']} of {pointed} "
            f"(the pixel with the highest score: {game['likeliest_in']}; by chance {game['by_chance']:.2g})"
        )
    print(f"{'Already there' if done.was_done else 'Done'}: {done.folder}")
    if done.note:
        print(f"hilum: note: {done.note}", file=sys.stderr)
    _say_unsound(done)
    return say_failures(done.failures, listed_in=done.folder / FAILED, debug=debug)


def _say_unsound(done: "ExplainedXrays") -> None:
    """Each map that didn't pass its check, in a line."""
    checked = [case for case in done.index["cases"] if case["sanity"] is not None]
    unsound = [case for case in checked if case["sanity"]["passes"] is not True]
    for case in unsound[:SHOWN]:
        print(f"hilum: note: {case['key']}: sanity check {case['sanity']['verdict']}", file=sys.stderr)
    if (more := len(unsound) - SHOWN) > 0:
        print(f"hilum: and {more} more notes; the cases' explanation.json has all.", file=sys.stderr)
