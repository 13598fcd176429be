"""`hilum info`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hilum.cli.exit_code import ExitCode
from hilum.cli.failures import say_failures, say_traces
from hilum.cli.options import Debug

if TYPE_CHECKING:
    from hilum.core import Failures
    from hilum.io.description import Description


def info(
    paths: Annotated[list[Path], Parameter(negative="")],
    /,
    *,
    json: Annotated[bool, Parameter(negative="")] = False,
    debug: Debug = False,
) -> int:
    """Say what files and folders are, how large in mm, and what is odd about them.

    A folder is searched with all that is below it: DICOM files are grouped into series, NIfTI, MHD/MHA, NRRD, PNG, JPEG
    and TIFF are listed one by one, and files that are no images (XML, CSV, …) are counted. A file that was named and is
    no image, or that is damaged, goes to stderr, a line each, and the exit code is 3. It is 1 when there is nothing to
    look at: a path that doesn't exist or may not be read, or an empty folder. DICOM that is sound without being a
    volume or radiograph (a header without pixels, a colour picture, a report) is described like the rest.

    ```
    hilum info scans/patient7
    hilum info ct.nii.gz mask.nii.gz
    hilum info --json scans > scans.json
    ```

    Parameters
    ----------
    paths
        Files and folders.
    json
        Print JSON for programs.
    debug
        Show the traceback of each input that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.info import inspect

    if not paths:
        from hilum.core import InputError

        raise InputError("nothing to look at.", "Name a file or folder: hilum info scans/patient7")
    found, failures = inspect(paths, bar)
    if json:
        _print_json(found, failures)
        say_traces(failures if debug else ())
        return ExitCode.SOME_FAILED if len(failures) else ExitCode.DONE
    _print_text(found)
    return say_failures(failures, debug=debug)


def _print_text(found: Sequence["Description"]) -> None:
    for description in found:
        print(description.path)
        print(f"  {description.kind}: {description.summary}")
        for note in description.odd:
            print(f"  odd: {note}")


def _print_json(found: Sequence["Description"], failures: "Failures") -> None:
    from hilum.io.json_file import to_json

    print(to_json({"schema": "hilum.info/1", "found": list(found), "failures": list(failures)}))
