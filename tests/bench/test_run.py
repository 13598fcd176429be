"""The command in a report makes it again."""

import shlex
from pathlib import Path

from hilum.bench.drr import Options
from hilum.bench.run import command
from hilum.cli.app import app


def test_the_command_is_one_that_the_application_takes_and_means_the_same():
    options = Options(Path("/somewhere/python"), (48, 96), repeats=3, slow=True)
    said = command(Path("/my/folder/benchmarks"), options)
    assert "/" not in said
    _, bound, _ = app.parse_args(shlex.split(said)[1:], exit_on_error=False, print_error=False)
    assert bound.args == (Path("benchmarks"),)
    assert bound.kwargs == {"peers": Path("PYTHON"), "size": (48, 96), "repeats": 3, "slow": True}
