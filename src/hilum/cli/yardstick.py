"""`hilum yardstick`."""

import math
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from hilum.cli.failures import say_failures
from hilum.cli.options import Bootstraps, Debug, Seed

if TYPE_CHECKING:
    from hilum.workflows.yardstick import Yardstick


def yardstick(
    *,
    split: Literal["train", "validation", "all"] = "validation",
    json: Annotated[bool, Parameter(negative="")] = False,
    bootstraps: Bootstraps = 1000,
    seed: Seed = 0,
    debug: Debug = False,
) -> int:
    """Say how well LIDC's readers agree with each other: the Dice that a segmentation can be measured by.

    Each reader is compared with the consensus (at least half) of the other readers who outlined the nodule, with the
    consensus that includes the reader, and with each other reader; in 3D, as silhouettes from the front, and slice by
    slice. Nodules of three or four readers are the headline; those of two stand apart; those of one have no figure.
    Nothing but the readers' outlines is needed. Held-out patients (numbers divisible by 5) never count. A nodule that
    can't be compared is said on stderr, and the exit code is 3.

    ```
    hilum yardstick
    hilum yardstick --split all --json > yardstick.json
    ```

    Parameters
    ----------
    split
        Whose nodules: validation (number mod 5 = 1), train, or all but the held-out ones.
    json
        Print JSON for programs.
    bootstraps
        Draws of patients for the 95 % intervals; 0 for none.
    seed
        Seed of the draws.
    debug
        Show the traceback of each nodule that was left out; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.yardstick import split_yardstick

    found = split_yardstick(split, bootstraps, seed, bar)
    if json:
        from hilum.io.json_file import to_json

        print(to_json(found.record()))
    else:
        _print_text(found)
    return say_failures(found.failures, debug=debug)


def _print_text(found: "Yardstick") -> None:
    print(
        f"LIDC's readers, {found.split}: {found.patients} patients, {found.nodules} nodules of 2 to 4 readers "
        f"(and {found.alone} of one). Dice, 95 % interval by patient; n nodules or slices."
    )
    title = ""
    for row in found.rows:
        if title != (title := f"{row.view}, reader against {row.against}"):
            print(f"\n{title}")
        one = row.figure
        between = "" if math.isnan(one.low) else f" ({one.low:.3f}–{one.high:.3f})"
        print(f"  {row.group:<18} {one.value:.3f}{between}  n {one.n}, {row.patients} patients")
