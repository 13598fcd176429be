"""`hilum due`."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from hilum.cli.exit_code import UsageError
from hilum.cli.failures import say_failures


def due(
    *paths: Path,
    today: date | None = None,
    ruleset: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (),
    debug: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Who is due or overdue for the next study, over many patients.

    PATHS are folders with follow-ups (hilum followup) anywhere below, and, last, the table to write, or a folder for
    its due.csv. Of a patient with several follow-ups the one with the latest study counts.

    The table has a row for each patient and rule set, most urgent first: overdue (the last day has passed), grew, no
    date (a nodule has grown, and the rule set gives no date), act, no date (it asks for work-up, tissue or the like,
    and doesn't say when), due, no answer (and why), later, nothing to do. Who has no name in the files goes by the
    folder's path. A follow-up that can't be read is said, and the exit code is 3.

    Decision support, not a medical device: a clinician decides.

    ```
    hilum due followups due.csv
    hilum due ward1 ward2 lists --ruleset fleischner-2017 lung-rads-2022
    hilum due followups due.csv --today 2026-12-31
    ```

    Parameters
    ----------
    paths
        Folders with follow-ups, then the table.
    today
        The day that dates are compared with; this day when not given.
    ruleset
        Whose advice is listed; all when not given.
    debug
        Show the traceback of an error.
    """
    from hilum.workflows.due import Standing, run_due

    if len(paths) < 2:
        raise UsageError("at least one folder with follow-ups and the table to write are needed.", "hilum due --help")
    *folders, out = paths
    found = run_due(folders, out, today or date.today(), ruleset)
    for row in found.rows:
        if row.standing in (Standing.OVERDUE, Standing.GROWN, Standing.ACT, Standing.NOW):
            day = row.due_by or row.last_study
            who = f"{row.patient} (SYNTHETIC)" if row.synthetic else row.patient
            print(f"{row.standing:13} {day}  {who}  {row.ruleset}: {row.management or row.because}")
    print(", ".join(f"{found.count(one)} {one}" for one in Standing))
    if found.superseded:
        print(f"hilum: note: earlier follow-ups of the same patients: {len(found.superseded)}", file=sys.stderr)
    return say_failures(found.failures, debug=debug)
