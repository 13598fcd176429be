"""`hilum doctor`."""

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
    from hilum.io.json_file import to_json
    from hilum.workflows.doctor import examine

    findings = examine()
    if json:
        print(to_json({"hilum": __version__, "findings": findings}))
    else:
        print(f"hilum {__version__}")
        for finding in findings:
            print(f"{'ok     ' if finding.ok else 'MISSING'}  {finding.name}: {finding.detail}")
            if finding.remedy:
                print(f"         needed for {finding.needed_for}. {finding.remedy}")
    return 0 if all(finding.ok for finding in findings) else 1
