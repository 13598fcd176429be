"""`hilum prepare` of data sets of CT pieces."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cyclopts import Parameter

from hilum.cli.exit_code import checked_options
from hilum.cli.options import RUN, Debug, Force, MaxFailures, Workers
from hilum.cli.prepare import prepare as prepare
from hilum.cli.prepare import say_prepared

if TYPE_CHECKING:
    from hilum.workflows.patch_set import Running

_NOT_LEARNT_FROM = "patients who are in no split"


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class PatchRunning:
    """How the work is done; the result doesn't depend on it."""

    workers: Workers = 1
    "Processes at a time."
    max_failures: MaxFailures = 20
    "Inputs that may fail before the run stops."
    force: Force = False
    "Replace what another run of hilum left in OUT."


def _running(asked: PatchRunning | None) -> "Running":
    from hilum.workflows.patch_set import Running

    asked = asked or PatchRunning()
    return Running(asked.workers, asked.max_failures, asked.force)


@prepare.command
def cubes(src: Path, out: Path, /, *, running: PatchRunning | None = None, debug: Debug = False) -> int:
    """Cubes of LIDC's CTs around nodules, each with what one reader outlined.

    SRC is an .npz: image [n, y, x, z] from 0 to 1 (HU = 1600 v - 1200, so that what is above 400 HU is cut), mask of
    the same size, name and patient [n], attributes [n, m] and attribute_names [m]; 1 mm steps, z from head to foot.

    OUT then holds cases/KEY/ with image.nii.gz (HU), mask.nii.gz and nodules.json (size in mm and mm³, the reader's
    ratings); qa.png, some of them to be looked at; and dataset.json with the split and every file's SHA-256. Left out,
    and listed there, are held-out patients and LIDC-IDRI-0001.

    A run that was stopped, however it was, goes on when it is started again. A cube that fails is listed in
    failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare cubes cubes.npz cubes
    ```

    Parameters
    ----------
    src
        File with the cubes.
    out
        Folder for the data set.
    debug
        Show the traceback of each cube that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.prepare_cubes import prepare_cubes

    with checked_options():
        how = _running(running)
    return say_prepared(prepare_cubes(src, out, how, bar), debug=debug, of=_NOT_LEARNT_FROM)
