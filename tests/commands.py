"""Command lines in texts, and whether the application would take them."""

import shlex

from cyclopts import CycloptsError

from hilum.cli.app import app

BEHIND = {"|", ">", "&&", ";", "<"}


def command_lines(text):
    """The words after `hilum` of every command in a block of shell lines, without comments and what follows a pipe."""
    joined = text.replace("\\\n", " ")
    found = []
    for line in map(str.strip, joined.splitlines()):
        if line.startswith(("hilum ", ".venv/bin/hilum ")):
            words = shlex.split(line, comments=True)[1:]
            ends = [place for place, word in enumerate(words) if word in BEHIND]
            found.append(words[: min(ends, default=len(words))])
    return found


def refusal(words):
    """Why the application wouldn't take these words; None when it would. Nothing runs."""
    try:
        app.parse_args([word for word in words if word != "--debug"], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        return str(error)
    return None
