"""`hilum doctor`."""

import json as json_library
from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter


def doctor(*, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """Say what is installed, what is missing, and what to do about it.

    Exit code 0 when everything is there, 1 when something is missing.

    Parameters
    ----------
    json
        Print JSON for programs.
    """
    from hilum import __version__
    from hilum.workflows.doctor import examine

    findings = examine()
    if json:
        print(json_library.dumps({"hilum": __version__, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        print(f"hilum {__version__}")
        for finding in findings:
            print(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.name}: {finding.detail}")
            if finding.remedy:
                print(f"         needed for {finding.needed_for}. {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else 1
