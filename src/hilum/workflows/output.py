"""A run's output folder: complete or absent, and never written over by something else.

Every folder holds `run.json`, which says what made it. The same run again finds it done; any other is refused unless
it is forced, and even then only a folder that hilum made is replaced.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path

import hilum
from hilum import __version__
from hilum.core import OutputError
from hilum.io.atomic import atomic_folder, output_error
from hilum.io.json_file import plain, write_json

RUN_FILE = "run.json"


@cache
def code_hash() -> str:
    """SHA-256 of all modules and templates of the installed package, by name and content."""
    digest = hashlib.sha256()
    package = Path(hilum.__file__).parent
    for path in sorted(path for ending in ("py", "html") for path in package.rglob(f"*.{ending}")):
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
        code: SHA-256 of hilum's own modules, so that a result of changed code is not taken for the same.
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
    """SHA-256 of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_done(out: Path, run: Run) -> bool:
    """Whether `out` already holds this run's result."""
    try:
        return bool(json.loads((out / RUN_FILE).read_text(encoding="utf-8")).get("hash") == run.hash)
    except (OSError, ValueError, AttributeError):
        return False


def refusal(out: Path, run: Run, made: Path | None = None) -> OutputError:
    """Why a folder that hilum filled isn't this run's: made by another version of hilum, or of something else.

    Args:
        out: the folder, for the message.
        run: what was to be made.
        made: the folder with the other run's `run.json`; `out` without it.
    """
    try:
        theirs = json.loads(((made or out) / RUN_FILE).read_text(encoding="utf-8"))
        mine = json.loads(json.dumps(plain(asdict(run))))
        is_same_task = all(theirs[name] == mine[name] for name in ("command", "inputs", "options"))
    except (OSError, ValueError, KeyError, TypeError):
        is_same_task = False
    if is_same_task:
        return OutputError(
            f"{out} was made by another version of hilum, of the same inputs and options.",
            "--force makes it anew; or choose another folder.",
        )
    return OutputError(f"{out} holds the result of another run.", "Choose another folder, or replace it with --force.")


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
    _refuse_to_overwrite(out, run, force)
    with atomic_folder(out, replace=force) as folder:
        yield folder
        write_json(folder / RUN_FILE, {"schema": "hilum.run/1", "hash": run.hash, **asdict(run)})


def _refuse_to_overwrite(out: Path, run: Run, force: bool) -> None:
    try:
        occupied = out.exists() and (not out.is_dir() or any(out.iterdir()))
    except OSError as error:
        raise output_error(out, error) from error
    if not occupied:
        return
    if not out.is_dir():
        raise OutputError(f"{out} is a file; results go into a folder.", "Choose another name.")
    if not (out / RUN_FILE).is_file():
        raise OutputError(f"{out} holds files that hilum didn't make.", "Choose another folder.")
    if not force:
        raise refusal(out, run)
