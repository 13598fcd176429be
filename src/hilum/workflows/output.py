"""A run's output folder: complete or absent, and never written over by something else.

Every folder holds `run.json`, which says what made it. The same run again finds it done; any other is refused unless
it is forced, and even then only a folder that hilum made is replaced. What is quick (demo, drr, evaluate, ...) is made
anew when hilum's code has changed. What takes hours (prepare, train) goes on, and says so: see `same_task` and
`other_code`.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hilum
from hilum import __version__
from hilum.core import OutputError
from hilum.io.atomic import atomic_folder, output_error
from hilum.io.inputs import open_input
from hilum.io.json_file import plain, write_json

RUN_FILE = "run.json"
_BLOCK = 2**20


@cache
def code_hash() -> str:
    """SHA-256 of all files of the installed package but compiled ones, by name and content."""
    digest = hashlib.sha256()
    package = Path(hilum.__file__).parent
    for path in sorted(path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts):
        digest.update(str(path.relative_to(package)).encode() + path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Run:
    """What determines a result.

    Attributes:
        command: the subcommand, such as "demo".
        inputs: SHA-256 of every input by name.
        options: every option that changes the result.
        version: hilum's version.
        code: SHA-256 of hilum's own files, so that a result of changed code is not silently taken for the same.
    """

    command: str
    inputs: Mapping[str, str]
    options: Mapping[str, object] = field(default_factory=dict)
    version: str = __version__
    code: str = field(default_factory=code_hash)

    @property
    def hash(self) -> str:
        """SHA-256 of all of it."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True, default=str).encode()).hexdigest()


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, read in blocks.

    Raises:
        InputError: there is no such file, it is a folder, or it can't be read.
    """
    digest = hashlib.sha256()
    with open_input(path) as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def stored_run(folder: Path) -> dict[str, Any] | None:
    """What a folder's `run.json` says; None without one, and nothing ({}) when it can't be read."""
    try:
        found = json.loads((folder / RUN_FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_run(folder: Path, run: Run, earlier_code: Sequence[str] = ()) -> None:
    """Write `run.json`.

    Args:
        folder: that the run has filled, or fills.
        run: what determines the result.
        earlier_code: hashes of other code that has worked on it before.
    """
    more = {"earlier_code": list(earlier_code)} if earlier_code else {}
    write_json(folder / RUN_FILE, {"schema": "hilum.run/1", "hash": run.hash, **asdict(run), **more})


def is_done(out: Path, run: Run) -> bool:
    """Whether `out` already holds this run's result, made by this very code."""
    return (stored_run(out) or {}).get("hash") == run.hash


def same_task(stored: Mapping[str, Any], run: Run, *, any_version: bool = False) -> bool:
    """Whether a stored run is of the same command, inputs, options and version, whatever hilum's code was.

    Args:
        stored: what `stored_run` has found.
        run: what is to be made.
        any_version: leave the version out as well.
    """
    mine = json.loads(json.dumps(plain(asdict(run))))
    names = ("command", "inputs", "options", *(() if any_version else ("version",)))
    return all(name in stored and stored[name] == mine[name] for name in names)


def other_code(stored: Mapping[str, Any], run: Run) -> str:
    """A note when other code than this has worked on a stored run; "" when none has."""
    if set(codes_of(stored)) <= {run.code}:
        return ""
    return "some or all of it was made by other code of hilum than runs now; --force makes it anew"


def codes_of(stored: Mapping[str, Any]) -> tuple[str, ...]:
    """Hashes of all code that has worked on a stored run, the last one last."""
    return tuple(dict.fromkeys((*stored.get("earlier_code", ()), *([stored["code"]] if "code" in stored else []))))


def refusal(out: Path, run: Run, stored: Mapping[str, Any]) -> OutputError:
    """Why a folder that hilum filled isn't this run's: made by another version of hilum, or of something else.

    Args:
        out: the folder, for the message.
        run: what was to be made.
        stored: what its `run.json` says.
    """
    if same_task(stored, run, any_version=True):
        return OutputError(
            f"{out} was made by another version of hilum, of the same inputs and options.",
            "--force makes it anew; or choose another folder.",
        )
    return OutputError(f"{out} holds the result of another run.", "Choose another folder, or replace it with --force.")


def holds_run(out: Path, *marks: str) -> bool:
    """Whether `out` holds something that hilum made; False where there is room.

    Args:
        out: a folder to fill.
        marks: names of files and folders, any of which says that hilum made it.

    Raises:
        OutputError: it is a file, holds something else, or can't be read.
    """
    try:
        occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise output_error(out, error) from error
    if not occupied:
        return False
    if not out.is_dir():
        raise OutputError(f"{out} is a file; results go into a folder.", "Choose another name.")
    if not any((out / mark).exists() for mark in marks):
        raise OutputError(f"{out} holds files that hilum didn't make.", "Choose another folder.")
    return True


@contextmanager
def output_folder(out: Path, run: Run, *, force: bool = False) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `out`, with `run.json` in it, when the block ends well.

    Args:
        out: the folder to make; it may exist when it is empty.
        run: what determines the result.
        force: replace a folder that another run of hilum left there.

    Raises:
        OutputError: the folder holds something else, or can't be written.
    """
    if holds_run(out, RUN_FILE) and not force:
        raise refusal(out, run, stored_run(out) or {})
    with atomic_folder(out, replace=force) as folder:
        yield folder
        write_run(folder, run)
