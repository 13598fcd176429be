"""The documentation's snippets are tests: Python and console blocks run, commands in shell blocks are understood."""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from doctest import ELLIPSIS, NORMALIZE_WHITESPACE, OutputChecker
from pathlib import Path
from typing import Any

from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser
from tests.commands import command_lines, refusal


def _console(example: Example) -> str | None:
    """Run the lines that begin with `$ `, one after another, and compare what they print; `...` stands for anything."""
    binaries = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for part in ("\n" + str(example.parsed)).split("\n$ ")[1:]:
        command, _, expected = part.partition("\n")
        program, *arguments = shlex.split(command)
        words = [shutil.which(program, path=binaries) or program, *arguments]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        printed = (done.stdout + done.stderr).strip() + "\n"
        if not OutputChecker().check_output(expected.strip() + "\n", printed, ELLIPSIS | NORMALIZE_WHITESPACE):
            return f"$ {command}\nwas to print:\n{expected}\nbut printed:\n{printed}"
    return None


def _shell(example: Example) -> str | None:
    """The commands of hilum in a block are not run, but they have to be ones that the application takes."""
    refused = {" ".join(words): refusal(words) for words in command_lines(str(example.parsed))}
    return "\n".join(f"hilum {words}\n{why}" for words, why in refused.items() if why) or None


def _in_an_empty_folder(namespace: dict[str, Any]) -> None:
    folder = tempfile.TemporaryDirectory(prefix="hilum-docs-")
    namespace["before"], namespace["folder"] = Path.cwd(), folder
    os.chdir(folder.name)


def _back(namespace: dict[str, Any]) -> None:
    os.chdir(str(namespace["before"]))
    namespace.pop("folder").cleanup()


pytest_collect_file = Sybil(
    parsers=[
        PythonCodeBlockParser(),
        CodeBlockParser(language="console", evaluator=_console),
        CodeBlockParser(language="sh", evaluator=_shell),
    ],
    patterns=["README.md", "docs/**/*.md"],
    setup=_in_an_empty_folder,
    teardown=_back,
).pytest()
