"""`hilum prepare inserted`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.options import Debug
from hilum.cli.prepare import prepare as prepare
from hilum.cli.prepare import say_prepared
from hilum.cli.prepare_ct import PatchRunning, Pieces, patch_rule, patch_running

if TYPE_CHECKING:
    from hilum.workflows.prepare_inserted import InsertedOptions

Sides = Annotated[tuple[Literal["left", "right", "both", "none"], ...], Parameter(consume_multiple=True, negative="")]


@Parameter(name="*", group="Scans")
@dataclass(frozen=True)
class Scans:
    """What is inserted where."""

    scans: Annotated[int, Parameter(validator=Number(gte=0))] = 10
    "Synthetic scans of each CT to learn from."
    validation_scans: Annotated[int | None, Parameter(validator=Number(gte=0))] = None
    "Synthetic scans of each CT to be judged on; as many when not given."
    per_scan: Annotated[int, Parameter(validator=Number(gte=1))] = 6
    "Nodules of each, as far as they find a place."
    train_side: Sides = ("left",)
    "The patient's side where training's nodules and pieces are: one for all CTs, or one for each."
    validation_side: Sides = ("right",)
    "The side where validation's are, likewise."
    own_pieces: Annotated[bool, Parameter(negative="")] = False
    "Take the nodules' own cubes as well, with their own truth."
    whole: Annotated[bool, Parameter(negative="")] = False
    "Write validation's scans whole as well, with LUNA16's tables."


@prepare.command
def inserted(
    *paths: Path,
    nodules: Path,
    annotations: Path | None = None,
    licence: str | None = None,
    scans: Scans | None = None,
    pieces: Pieces | None = None,
    running: PatchRunning | None = None,
    debug: Debug = False,
) -> int:
    """Real nodules of other patients, inserted into whole CTs: pieces with and without one, and whole scans to judge.

    PATHS are one or more CTs (DICOM folder, NIfTI or MHD), then OUT. Each nodule of --nodules (hilum prepare cubes) is
    cut out of its cube and put into the lung of a CT, mirrored, turned by quarters and enlarged by .85 to 1.2, with the
    CT's slice thickness, blur and noise. Nodules of training patients come into training's scans only, and those of
    validation patients into validation's. All of it is synthetic, and every output says so.

    The two lungs of a CT are cut apart: training sees one side, validation the other, unless the same side is asked for
    both, which is said. Of the CT's own nodules in --annotations no piece shows any part. Pieces without a nodule are
    taken of the CT as it is: --random and --hard for each scan, as far as they find places.

    OUT then holds what hilum prepare luna16 leaves; with --whole also scans/KEY.nii.gz with annotations.csv,
    annotations_excluded.csv (the CT's own nodules), seriesuids.csv and sides.csv, for hilum predict and hilum froc.

    A run that was stopped, however it was, goes on when it is started again. A scan that fails is listed in
    failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare inserted ct.nii.gz inserted --nodules cubes --annotations own.csv
    hilum prepare inserted a.nii.gz b.mhd inserted --nodules cubes --train-side right both --validation-side left none
    hilum prepare inserted ct.nii.gz inserted --nodules cubes --scans 20 --validation-scans 12 --whole --own-pieces
    ```

    Parameters
    ----------
    paths
        The CTs, then the folder for the data set.
    nodules
        Data set of hilum prepare cubes.
    annotations
        The CTs' own nodules: CSV with the columns seriesuid (the CT's file name without its ending, or its UID),
        coordX, coordY, coordZ (LPS mm) and diameter_mm; without a positive diameter it may look like a nodule.
    licence
        Source and licence of the CTs, for model cards.
    debug
        Show the traceback of each scan that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.core import InputError
    from hilum.workflows.prepare_inserted import prepare_inserted

    with checked_options():
        if len(paths) < 2:
            raise InputError(
                "at least one CT and the folder for the data set are needed.", "hilum prepare inserted --help"
            )
        options = _options(scans or Scans(), annotations, licence, pieces, running)
    *cts, out = paths
    return say_prepared(prepare_inserted(cts, out, nodules, options, bar), debug=debug, of="scans")


def _options(
    asked: Scans, annotations: Path | None, licence: str | None, pieces: Pieces | None, running: PatchRunning | None
) -> "InsertedOptions":
    from hilum.datasets.insertion_places import Side
    from hilum.workflows.prepare_inserted import InsertedOptions

    return InsertedOptions(
        annotations=annotations,
        scans=asked.scans,
        validation_scans=asked.validation_scans,
        per_scan=asked.per_scan,
        train_side=tuple(Side(one) for one in asked.train_side),
        validation_side=tuple(Side(one) for one in asked.validation_side),
        own_pieces=asked.own_pieces,
        whole=asked.whole,
        licence=licence,
        rule=patch_rule(pieces),
        running=patch_running(running),
    )
