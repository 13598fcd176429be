"""The examples in the help are commands that the application takes."""

import inspect
import re

import pytest

from hilum.cli.app import app
from tests.commands import command_lines, refusal


def functions(within, path=()):
    """Every command by its path, with what it calls."""
    for name in within:
        if name.startswith("-"):
            continue
        found = within[name]
        if found.default_command is None:
            yield from functions(found, (*path, name))
        else:
            yield (*path, name), found.default_command


COMMANDS = dict(functions(app))


def test_there_are_all_commands():
    assert {("demo",), ("prepare", "drr-pairs"), ("bench", "drr"), ("train",)} <= set(COMMANDS)
    assert len(COMMANDS) >= 16


@pytest.mark.parametrize("path", COMMANDS, ids="-".join)
def test_examples_are_taken(path):
    for block in re.findall(r"```\n(.*?)```", inspect.getdoc(COMMANDS[path]) or "", re.DOTALL):
        lines = command_lines(block)
        assert lines
        for words in lines:
            assert words[: len(path)] == list(path)
            assert refusal(words) is None, words


def test_what_is_not_taken_is_noticed():
    (words,) = command_lines("hilum drr ct \\\n  out --rotate 1 2 3  # turned\necho hilum")
    assert words == ["drr", "ct", "out", "--rotate", "1", "2", "3"]
    assert "--rotate" in refusal(words)
    assert refusal(command_lines("hilum info a > b.json")[0]) is None
    assert refusal(["drr", "ct"]) is not None
