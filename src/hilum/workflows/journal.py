"""An output folder that is filled bit by bit, and survives being killed at any moment.

While the work goes on, `OUT/.journal/` says what is being made (`run.json`) and holds an entry for each finished job.
A job's files are written first, each whole or absent; its entry comes last. So what has an entry is complete, and what
has none is made anew. When all is done, the index (`dataset.json`) is written, then `OUT/run.json`, and the journal
goes. Nothing in it depends on the order in which jobs end.

Work that takes hours outlives a mended comment: a run goes on when command, inputs, options and version are the same.
That hilum's code has changed in between is said (`Journal.note`, `finished_note`), and stays in `run.json` as
`earlier_code`.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hilum.core import OutputError
from hilum.io.atomic import output_error
from hilum.io.json_file import read_json, write_json
from hilum.workflows.output import (
    RUN_FILE,
    Run,
    codes_of,
    holds_run,
    other_code,
    refusal,
    same_task,
    stored_run,
    write_run,
)

FOLDER = ".journal"
_LOCK = "lock"
_ROOM = 16e6
"""Bytes that are free where a disk isn't full."""
_LEFTOVERS = ".writing-*"
"""How `hilum.io.atomic` names what is not complete yet; a killed process leaves it behind."""


class Journal:
    """Which jobs of a run are finished, on disk.

    Attributes:
        note: that other code of hilum has begun the run; "" when it hasn't.
    """

    def __init__(self, out: Path, note: str = "") -> None:
        self._out = out
        self._folder = out / FOLDER
        self.note = note

    def entries(self) -> dict[str, Any]:
        """What each finished job has recorded, by its key."""
        found = (read_json(path) for path in sorted(self._folder.glob("job-*.json")))
        return {entry["key"]: entry["record"] for entry in found}

    def add(self, key: str, record: object) -> None:
        """Say that a job is finished: all its files are there.

        Args:
            key: the job's, safe as a file name.
            record: whatever the index needs of it; has a JSON form.
        """
        write_json(self._folder / f"job-{key}.json", {"key": key, "record": record})

    def finish(self, run: Run) -> None:
        """Say that the run is complete, and put the journal away. The index is written before."""
        write_run(self._out, run, (stored_run(self._folder) or {}).get("earlier_code", ()))
        shutil.rmtree(self._folder, ignore_errors=True)


@contextmanager
def journalled(out: Path, run: Run, *, force: bool = False, theirs: Sequence[Path] = ()) -> Iterator[Journal]:
    """The journal of a run in `out`: a new one, or the one that an earlier, killed run of the same task left there.

    Only one process at a time works in a folder.

    Args:
        out: the folder to fill.
        run: what determines the result.
        force: replace what another run of hilum left there, and start over.
        theirs: what a person has put there or edited: stays even then; other places than in `out` don't matter.

    Raises:
        OutputError: the folder holds something else, another process works there, or it can't be written.
    """
    folder = out / FOLDER
    try:
        _make_room(out, run, force, theirs)
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / _LOCK, out):
            begun = stored_run(folder) or {}
            write_run(folder, run, [code for code in codes_of(begun) if code != run.code])
            _sweep(out)
            yield Journal(out, other_code(begun, run))
    except OSError as error:
        raise _blamed(out, error) from error


def _blamed(out: Path, error: OSError) -> Exception:
    """What an error is about: `out`, another place that it names, or one that it doesn't; else the error itself."""
    if error.filename is not None:
        path = Path(str(error.filename))
        return output_error(out if path.absolute().is_relative_to(out.absolute()) else path, error)
    if error.errno == errno.ENOSPC and out.is_dir() and shutil.disk_usage(out).free > _ROOM:
        return OutputError(
            f"the shared memory, or the disk of temporary files, is full; there is room in {out}.",
            "Take fewer --workers, enlarge /dev/shm, or set TMPDIR.",
        )
    return output_error(out, error) if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO) else error


def _make_room(out: Path, run: Run, force: bool, theirs: Sequence[Path]) -> None:
    """Refuse to mix with something else; with `force`, put away what hilum made."""
    if not holds_run(out, RUN_FILE, FOLDER):
        return
    if force:
        _put_away(out, theirs)
        return
    found = [stored for stored in (stored_run(out / FOLDER), stored_run(out)) if stored is not None]
    if found and not any(same_task(stored, run) for stored in found):
        raise refusal(out, run, found[0])


def _put_away(out: Path, theirs: Sequence[Path]) -> None:
    """The old folder leaves its place at once, then goes, but for a person's files: a kill leaves no mixture."""
    if (out / FOLDER).is_dir():
        with _locked(out / FOLDER / _LOCK, out):
            pass  # nobody is at work there
    grave = Path(tempfile.mkdtemp(prefix=".writing-", dir=out.parent))
    out.rename(grave / "old")
    for path in theirs:
        within = _within(path, out)
        if within is not None and (grave / "old" / within).is_file():
            (out / within).parent.mkdir(parents=True, exist_ok=True)
            (grave / "old" / within).rename(out / within)
    shutil.rmtree(grave, ignore_errors=True)


def _within(path: Path, out: Path) -> Path | None:
    """Its way from `out`; None where it lies elsewhere."""
    whole, folder = path.resolve(), out.resolve()
    return whole.relative_to(folder) if whole.is_relative_to(folder) else None


@contextmanager
def _locked(path: Path, out: Path) -> Iterator[None]:
    """Hold a lock that the system takes back when the process ends, however it ends."""
    import fcntl

    with path.open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"another hilum is writing to {out}.", "Wait until it is done, or choose another folder."
            ) from error
        yield


def _sweep(out: Path) -> None:
    """Remove what killed processes left half-written."""
    for leftover in [*out.rglob(_LEFTOVERS)]:
        shutil.rmtree(leftover, ignore_errors=True)


def was_finished(out: Path, run: Run) -> bool:
    """Whether `out` holds this task's complete result; a journal that a kill kept from going goes now."""
    if not same_task(stored_run(out) or {}, run):
        return False
    shutil.rmtree(out / FOLDER, ignore_errors=True)
    return True


def finished_note(out: Path, run: Run) -> str:
    """A note when other code of hilum than this has worked on a finished run; "" when none has."""
    return other_code(stored_run(out) or {}, run)
