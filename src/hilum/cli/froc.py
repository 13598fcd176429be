"""`hilum froc`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hilum.cli.exit_code import checked_options
from hilum.cli.options import Bootstraps, Force, Seed

if TYPE_CHECKING:
    from hilum.workflows.froc import FrocRun


def froc(
    out: Path,
    /,
    *,
    predictions: Path,
    annotations: Path,
    excluded: Path | None = None,
    seriesuids: Path | None = None,
    rule: Literal["luna16", "nearest"] = "luna16",
    bootstraps: Bootstraps = 1000,
    seed: Seed = 0,
    force: Force = False,
) -> int:
    """Judge detections by LUNA16's official rule: sensitivity at 1/8 to 8 false positives a scan, and their mean.

    The files are those of the challenge, as published: seriesuid,coordX,coordY,coordZ and diameter_mm or probability,
    in LPS mm. OUT then holds froc.json (seven sensitivities, CPM, intervals, counts, average precision, wAFROC),
    froc.png and run.json. What was odd in the files is said on stderr and in froc.json.

    ```
    hilum froc out --predictions marks.csv --annotations annotations.csv
    hilum froc out --predictions marks.csv --annotations annotations.csv --excluded annotations_excluded.csv
    ```

    Parameters
    ----------
    out
        Folder for the results.
    predictions
        Marks with their probabilities. At most 100 a scan count: those strictly above the 101st.
    annotations
        Nodules that have to be found. A mark hits strictly within the radius; the best mark scores.
    excluded
        Findings on which marks don't count. A negative diameter stands for 10 mm.
    seriesuids
        The scans that count, one UID a line, no header; those that the other files name when not given.
    rule
        luna16: sensitivities on the straight line between the curve's points. nearest: at the point of the curve that
        is nearest, one that a threshold really reaches.
    bootstraps
        Draws of scans for the 95 % intervals; 0 for none.
    seed
        Seed of the draws.
    force
        Replace what an earlier run of hilum left there.
    """
    from hilum.workflows.froc import FrocFiles, FrocOptions, run_froc

    files = FrocFiles(predictions, annotations, excluded, seriesuids)
    with checked_options():
        options = FrocOptions(rule, bootstraps, seed)
    result = run_froc(files, out, options, force=force)
    _show(result)
    return 0


def _show(result: "FrocRun") -> None:
    from hilum.workflows.froc import summary

    lines, notes = summary(result.content)
    for note in notes:
        print(f"hilum: note: {note}", file=sys.stderr)
    for line in lines:
        print(line)
    print(f"{'Already there' if result.was_done else 'Done'}: {result.folder / 'froc.png'}")
