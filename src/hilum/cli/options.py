"""Options that several commands have: one name, one meaning, one range, one place in the help."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

RUN = "The run"

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
