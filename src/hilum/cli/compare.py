"""`hilum compare`."""

import sys
from pathlib import Path

from hilum.cli.exit_code import checked_options
from hilum.cli.options import Bootstraps, Force, Seed


def compare(
    out: Path,
    /,
    *evaluations: str,
    bootstraps: Bootstraps = 1000,
    seed: Seed = 0,
    force: Force = False,
) -> int:
    """Compare models on the same cases: differences with intervals, tests, effect sizes, and the power of "no".

    Each evaluation is a name and the folder that hilum evaluate left: A=PATH. OUT then holds comparison.json (for each
    figure and pair of models the difference, its interval, Wilcoxon's and the permutation test's p after Holm, Cohen's
    d, the share of cases improved, the smallest difference that could have been seen), comparison.csv with a row for
    each, report.html with its pictures as PNG, and run.json. Lesions are compared by kind of change where every
    evaluation lists them (lesions_by_change.csv).

    ```
    hilum compare out baseline=evaluated/baseline new=evaluated/new
    ```

    Parameters
    ----------
    out
        Folder for the results.
    evaluations
        Two or more, NAME=FOLDER. Differences are later minus earlier.
    bootstraps
        Draws of patients for the 95 % intervals; 0 for none.
    seed
        Seed of bootstrap and permutation.
    force
        Replace what an earlier run of hilum left in OUT.
    """
    from hilum.evaluate.bootstrap import require_draws
    from hilum.workflows.compare import run_compare

    with checked_options():
        require_draws(bootstraps)
        named = _named(evaluations)
    run = run_compare(named, out, bootstraps=bootstraps, seed=seed, force=force)
    for verdict in run.verdicts:
        print(verdict)
    for alarm in run.alarms:
        print(f"hilum: {'note' if alarm.is_note else 'alarm'}: {alarm.says} ({len(alarm.evidence)})", file=sys.stderr)
    print(f"{'Already there' if run.was_done else 'Done'}: {run.folder / 'report.html'}")
    return 0


def _named(evaluations: tuple[str, ...]) -> dict[str, Path]:
    from hilum.core import InputError

    found: dict[str, Path] = {}
    for word in evaluations:
        name, equals, path = word.partition("=")
        if not (name and equals and path):
            raise InputError(f"an evaluation is given as NAME=FOLDER, got {word!r}.", "Such as new=evaluated/new.")
        if name in found:
            raise InputError(f"two evaluations are called {name!r}.", "Give each a name of its own.")
        found[name] = Path(path)
    if len(found) < 2:
        raise InputError(
            f"two or more evaluations are compared, got {len(found)}.", "Name them: hilum compare out A=one B=two"
        )
    return found
