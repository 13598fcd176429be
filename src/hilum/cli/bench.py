"""`hilum bench`."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from hilum.cli.exit_code import ExitCode, checked_options

bench = App(name="bench", help="Speed and accuracy beside peers, in one run, as a dated report.")


@bench.command
def drr(
    out: Path,
    /,
    *,
    peers: Path | None = None,
    size: Annotated[tuple[int, ...], Parameter(negative="")] = (256, 512),
    repeats: int = 7,
    slow: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Time the projectors of CT to X-ray beside DiffDRR, ITK-RTK, plastimatch and ASTRA.

    The CT is LIDC-IDRI-0001, installed beside hilum. All engines get the same volume, rays and detector and take turns.
    Accuracy comes first: when a projector of hilum is wrong, no speed is reported. Peers that are not installed are
    listed with what to do. OUT then holds DATE-drr.md and DATE-drr.json.

    ```
    hilum bench drr benchmarks
    hilum bench drr benchmarks --peers peers/bin/python
    ```

    Parameters
    ----------
    out
        Folder for the report.
    peers
        Python interpreter that has the packages of benchmarks/peers.txt.
    size
        Side of the square detector in pixels; repeat for several.
    repeats
        Timed projections of each engine that takes less than 5 s.
    slow
        With engines that take minutes.
    """
    from hilum.bench.drr import Options
    from hilum.bench.run import run_drr
    from hilum.cli.progress import bar

    with checked_options():
        options = Options(peers, size, repeats, slow)
    report, passed = run_drr(out, options, bar)
    print(report)
    return ExitCode.DONE if passed else ExitCode.FAILED
