"""Options that several commands have: one name, one meaning, one range, one place in the help."""

import re
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

RUN = "The run"


def _require_split(_: object, value: str | None) -> None:
    """Refuse what no data set calls a part of itself.

    Raises:
        ValueError: it is that.
    """
    if value is not None and not re.fullmatch(r"train|validation|test|all|folds|fold-[1-9]\d*", value):
        raise ValueError("one of train, validation, test, all, a stored fold (fold-1), or folds for all of these")


Split = Annotated[str, Parameter(validator=_require_split)]
"""A part of a data set."""

Debug = Annotated[bool, Parameter(parse=False)]
"""`hilum --debug`, for commands that go on after an error."""
Force = Annotated[bool, Parameter(negative="", group=RUN)]
Seed = Annotated[int, Parameter(group=RUN, validator=Number(gte=0))]
Workers = Annotated[int, Parameter(group=RUN, validator=Number(gte=1))]
MaxFailures = Annotated[int, Parameter(group=RUN, validator=Number(gte=0))]
Bootstraps = Annotated[int, Parameter(group=RUN, validator=Number(gte=0, lte=100_000))]
Share = Annotated[float, Parameter(validator=Number(gte=0, lte=1))]
Threshold = Annotated[float | None, Parameter(validator=Number(gt=0, lte=1))]
TABULATED_KEV = Number(gte=30, lte=150)
"""Photon energies that `hilum.drr.attenuation` knows."""
