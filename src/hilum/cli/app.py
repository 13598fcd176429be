"""The command `hilum`: finds the subcommand, and turns what happened into one clear line and an exit code.

Exit codes: 0 done · 1 a HilumError · 2 wrong usage · 3 done, but some inputs failed · 130 stopped with Ctrl-C.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

from cyclopts import App, CycloptsError, Parameter

from hilum import __version__
from hilum.cli.bench import bench
from hilum.cli.compare import compare
from hilum.cli.convert import convert
from hilum.cli.demo import demo
from hilum.cli.doctor import doctor
from hilum.cli.drr import drr
from hilum.cli.due import due
from hilum.cli.evaluate import evaluate
from hilum.cli.exit_code import ExitCode, UsageError
from hilum.cli.explain import explain
from hilum.cli.export import export
from hilum.cli.followup import followup
from hilum.cli.froc import froc
from hilum.cli.guideline import guideline
from hilum.cli.info import info
from hilum.cli.models import models
from hilum.cli.phantom import phantom
from hilum.cli.pipe import lasting_output
from hilum.cli.predict import predict
from hilum.cli.prepare_lungs import prepare
from hilum.cli.profile import profile
from hilum.cli.recipes import recipes
from hilum.cli.train import train
from hilum.cli.yardstick import yardstick
from hilum.core import HilumError

app = App(
    name="hilum",
    help="""Lung nodules from the first CT to the last chest X-ray.

Everything runs on this computer; nothing is sent or downloaded. Results go to stdout, notes and progress to stderr.
Decision support for research, not a medical device.

```
hilum demo                    a real CT: nodules outlined, measured, reported
hilum info scans/patient7     what is in a folder, and what is odd about it
hilum convert scan ct.nii.gz  a DICOM series as NIfTI
hilum drr ct.nii.gz xray      the X-ray of a CT, with its nodules' shadows
hilum prepare drr-pairs a b   a folder of CTs to a data set of X-rays
hilum train xray_unet run …   a network learns from a data set
hilum predict films found     chest X-rays: masks, nodules with scores
hilum explain film.png why    where the network looked, and whether that can be believed
hilum evaluate masks out …    predictions of any tool against a data set
hilum compare out A=… B=…     two or more evaluations, case by case
hilum froc … out              detections judged by LUNA16's rule
hilum phantom CT OUT …        nodules of known growth in a real CT, at several dates
hilum followup PRIOR NOW out  the same nodules at two dates or more: growth, advice
hilum due followups due.csv   who is due or overdue for the next study
hilum guideline RULESET …     what it recommends for a nodule, and why
hilum yardstick               how well radiologists agree, by size
hilum models                  networks that can be trained, and trained models that come along
hilum profile xray            what a network costs: time, memory, energy
hilum export xray graph       a network as ONNX or OpenVINO, checked
hilum recipes                 complete training runs
hilum doctor                  what is installed, what is missing, what to do
```
""",
    help_format="markdown",
    version=__version__,
    result_action="return_value",
)
app.register_install_completion_command()
app["--install-completion"].group = "Parameters"
app.meta.group_parameters = "Parameters"
for command in (
    demo,
    info,
    convert,
    drr,
    prepare,
    train,
    predict,
    explain,
    evaluate,
    compare,
    froc,
    phantom,
    followup,
    due,
    guideline,
    yardstick,
    models,
    profile,
    export,
    recipes,
    doctor,
    bench,
):
    app.command(command)
# What is optional, or given several times, would only be called ARGS.
app["demo"].usage = "Usage: hilum demo [OPTIONS] [OUT]"
app["compare"].usage = "Usage: hilum compare [OPTIONS] OUT NAME=FOLDER NAME=FOLDER..."


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    debug: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Run one command.

    Parameters
    ----------
    debug
        Show the traceback of an error, and of each input that failed.
    """
    try:
        command, bound, left = app.parse_args(tokens, exit_on_error=False, print_error=True)
        # A command that goes on after an error takes the flag as a parameter that it doesn't parse itself.
        result = command(*bound.args, **bound.kwargs, **({"debug": debug} if "debug" in left else {}))
    except HilumError as error:
        if debug:
            raise
        return _say(error)
    return result if isinstance(result, int) else ExitCode.DONE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `hilum` with these arguments (the process's own when None) and return the exit code."""
    with lasting_output() as lost:
        try:
            code = app.meta(arguments, exit_on_error=False, print_error=True, result_action="return_value")
        except CycloptsError:
            code = ExitCode.USAGE
    for problem in lost:
        print(f"hilum: the output can't be written: {problem.strerror}.", file=sys.stderr)
        return ExitCode.FAILED
    return code if isinstance(code, int) else ExitCode.DONE


def _say(error: HilumError) -> ExitCode:
    """One clear line, and what to do on the next."""
    print(f"hilum: {error.message}", file=sys.stderr)
    if error.remedy:
        print(f"       {error.remedy}", file=sys.stderr)
    return ExitCode.USAGE if isinstance(error, UsageError) else ExitCode.FAILED
