"""`hilum demo`."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


def demo(out: Path = Path("hilum-demo"), /, *, force: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Show the main job on a real chest CT: nodules outlined by radiologists, measured, with a report.

    The CT is LIDC-IDRI-0001, installed beside hilum; nothing is downloaded. OUT then holds report.html, nodules.json,
    mask.nii.gz on the CT's own grid, every reader's mask, the pictures, in xray/ the X-ray of that CT with the nodules'
    shadows, as hilum drr makes it, in phantom/ a synthetic CT of the same patient 90 days later with the truth, and in
    followup/ what hilum followup says of both. The same run again only says where it is.

    ```
    hilum demo
    hilum demo results/demo --force
    ```

    Parameters
    ----------
    out
        Folder for the results.
    force
        Replace what an earlier run of hilum left there.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.demo import run_demo

    result = run_demo(out, force=force, track=bar)
    print(f"{'Already there' if result.was_done else 'Done'}: open {result.report}")
    return 0
