"""`hilum bench`."""

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

bench = App(name="bench", help="Speed and accuracy beside peers, in one run, as a dated report.")


@bench.command
def drr(
    *,
    out: Path = Path("benchmarks"),
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
    hilum bench drr
    hilum bench drr --peers peers/bin/python --out benchmarks
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
    import shlex
    from datetime import UTC, datetime

    from hilum.bench.drr import Options, bench_drr
    from hilum.bench.report import write_report
    from hilum.cli.progress import bar
    from hilum.io.installed import sample_ct_path
    from hilum.io.read import read_volume

    options = Options(peers, size, repeats, slow)
    found = bench_drr(read_volume(sample_ct_path()), options, bar)
    words = ["hilum", "bench", "drr", *(["--peers", "PYTHON"] if peers else []), *(["--slow"] if slow else [])]
    sizes = [word for side in size for word in ("--size", str(side))]
    command = shlex.join([*words, *sizes, "--repeats", str(repeats), "--out", out.name])
    print(write_report(found, command, out, datetime.now(UTC).date()))
    return 0 if found.passed else 1
