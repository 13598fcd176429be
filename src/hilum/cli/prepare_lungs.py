"""`hilum prepare lung-drrs`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.options import Debug
from hilum.cli.prepare import Running, say_prepared
from hilum.cli.prepare_classes import prepare as prepare


@prepare.command(name="lung-drrs")
def lung_drrs(
    *paths: Path,
    validation: Annotated[tuple[Path, ...], Parameter(consume_multiple=True, negative="")] = (),
    views: Annotated[int, Parameter(validator=Number(gte=1))] = 60,
    licence: str = "unknown",
    running: Running | None = None,
    debug: Debug = False,
) -> int:
    """X-rays of CTs with their lung fields, to learn lungs from.

    PATHS are whole chest CTs (DICOM folders, NIfTI, MHD) and, last, the folder for the data set. Each view bends a CT
    like a breath and by chance, stretches its axes, turns the patient, and takes the X-ray with another beam, energy,
    scatter, noise, blur and frame; over the lungs lie a clavicle, and now and then a shoulder blade and a breast, as
    films have them and CTs don't. The first view is plain.

    Lungs are found on the CT. Where people outline lungs on radiographs, they leave out what lies behind the heart and
    below the domes of the diaphragm; so a pixel counts as lung where three quarters of its ray's way through the
    thoracic cavity (the convex hull of both lungs on each slice) is lung.

    OUT then holds cases/KEY/ with image.png, classes.png and lungs.png; qa.png, some of them to be looked at; and
    dataset.json with the split. Without --validation the first fifth of each CT's views are for validation: of the same
    patients, which is said.

    A run that was stopped, however it was, goes on when it is started again. A view that fails is listed in
    failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare lung-drrs a.nii.gz b-dicom lungs
    hilum prepare lung-drrs a.nii.gz lungs --validation b.nii.gz --views 200 --workers 4
    ```

    Parameters
    ----------
    paths
        The CTs, then the folder for the data set.
    validation
        CTs whose views are judged.
    views
        Of each CT.
    licence
        Source and licence of the CTs, for model cards.
    debug
        Show the traceback of each view that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.core import InputError
    from hilum.workflows.lung_drr import LungDrrRule
    from hilum.workflows.patch_set import Running as Work
    from hilum.workflows.prepare_lung_drrs import LungDrrOptions, prepare_lung_drrs

    running = running or Running()
    with checked_options():
        if len(paths) < 2:
            raise InputError(
                "at least one CT and the folder for the data set are needed.", "hilum prepare lung-drrs --help"
            )
        options = LungDrrOptions(
            validation,
            views,
            LungDrrRule(licence=licence, seed=running.seed),
            Work(running.workers, running.max_failures, running.force),
        )
    *cts, out = paths
    return say_prepared(prepare_lung_drrs(cts, out, options, bar), debug=debug, of="views")
