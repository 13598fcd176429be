"""Nothing half-written: everything goes to a temporary name beside its place, then is renamed."""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.core import OutputError

_REASONS = {
    errno.ENOSPC: ("the disk is full.", "Free some space, or choose another place."),
    errno.EDQUOT: ("the disk quota is used up.", "Free some space, or choose another place."),
    errno.EACCES: ("writing there is not permitted.", "Choose a folder that you may write to."),
    errno.EPERM: ("writing there is not permitted.", "Choose a folder that you may write to."),
    errno.EROFS: ("the file system is read-only.", "Choose another place."),
    errno.ENOTDIR: ("a part of the path is a file, not a folder.", "Choose another place."),
    errno.EEXIST: ("a file of that name is in the way.", "Choose another name, or move it away."),
}


def output_error(path: Path, error: OSError) -> OutputError:
    """What the operating system refused, in a person's words."""
    number = _errno(error)
    known = os.strerror(number) if number else str(error).strip().split("\n")[0]
    reason, remedy = _REASONS.get(number, (f"{known.rstrip('.')}.", ""))
    return OutputError(f"{path} could not be written: {reason}", remedy)


def _errno(error: BaseException | None) -> int:
    """The system's number for what went wrong; libraries that raise anew keep it in the error's cause only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno:
            return error.errno
        error = error.__cause__ or error.__context__
    return 0


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary name to write to; it takes the place of `path` when the block ends well, and is removed otherwise.

    The temporary name keeps the suffix, because image libraries choose the format by it. Missing folders are made.

    Raises:
        OutputError: the place can't be written to; the file that was there before is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    except OSError as error:
        raise output_error(path, error) from error
    try:
        yield folder / path.name
        (folder / path.name).replace(path)
    except OSError as error:
        raise output_error(path, error) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary folder to fill; it becomes `path` when the block ends well, and is removed otherwise.

    Args:
        path: the folder to make; it may exist when it is empty.
        replace: what lies at `path` gives way, but only once the new folder is complete.

    Raises:
        OutputError: the place can't be written to, or holds something already; what was there is untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        workshop = Path(tempfile.mkdtemp(prefix=".writing-", dir=path.parent))
    except OSError as error:
        raise output_error(path, error) from error
    try:
        (workshop / "new").mkdir()
        yield workshop / "new"
        if replace and path.exists():
            path.rename(workshop / "old")
        (workshop / "new").rename(path)
    except OutputError as error:  # a file in the workshop failed: say the place that was asked for
        raise OutputError(error.message.replace(str(workshop / "new"), str(path)), error.remedy) from error
    except OSError as error:
        if (workshop / "old").exists() and not path.exists():
            (workshop / "old").rename(path)
        if error.errno == errno.ENOTEMPTY:
            raise OutputError(f"{path} holds something already.", "Choose another folder.") from error
        raise output_error(path, error) from error
    finally:
        shutil.rmtree(workshop, ignore_errors=True)
