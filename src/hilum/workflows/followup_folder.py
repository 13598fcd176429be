"""The folder of a follow-up: where each study's files go, and which of them a person has edited since.

A mask that hilum wrote may be edited where it lies and named in `corrections.json`; so hashes of what was written stay
beside it (`hashes.json`), and nothing that differs from them is written over.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from hilum.core import InputError
from hilum.io.json_file import read_json, write_json
from hilum.workflows.output import sha256_of

FOLLOWUP, SCHEMA = "followup.json", "hilum.followup/1"
STUDIES, HASHES = "studies", "hashes.json"
MASK, NODULES = "mask.nii.gz", "nodules.json"
_CORRECTED = ("corrected", "corrected-again")


def study_folders(out: Path, given: Sequence[Path | None]) -> list[Path]:
    """Where each study's mask and nodules go: beside a mask that lies there already, never in its place.

    Args:
        out: the follow-up's folder.
        given: of each study its mask or list of nodules, or None.
    """
    return [_study_folder(out / STUDIES / str(number), one) for number, one in enumerate(given, start=1)]


def _study_folder(folder: Path, given: Path | None) -> Path:
    if given is None or not given.resolve().is_relative_to(folder.resolve()):
        return folder
    return next(folder / name for name in _CORRECTED if (folder / name).resolve() != given.resolve().parent)


def given_files(path: Path) -> Iterator[Path]:
    """A mask, or a list of nodules and the mask that belongs to it."""
    yield path
    beside = path.with_name(MASK)
    if path.suffix == ".json" and beside.is_file():
        yield beside


def given_hash(path: Path) -> str:
    """SHA-256 of what a person gives for a study.

    Raises:
        InputError: it isn't there, or can't be read.
    """
    return " ".join(sha256_of(one) for one in given_files(path))


def remember(path: Path) -> None:
    """Keep the hash of a file that was written just now."""
    write_json(path.with_name(HASHES), {path.name: sha256_of(path)})


def forget(path: Path) -> None:
    """Before a file is written anew: a kill in between leaves no hash of another one."""
    path.with_name(HASHES).unlink(missing_ok=True)


def is_as_written(path: Path) -> bool:
    """Whether a file is there and was neither damaged nor edited since it was written."""
    return path.is_file() and _known(path) == sha256_of(path)


def require_unedited(folders: Sequence[Path]) -> None:
    """Refuse to go over a mask that a person has edited without naming it.

    Raises:
        InputError: there is one.
    """
    for number, folder in enumerate(folders, start=1):
        path = folder / MASK
        known = _known(path) if path.is_file() else None
        if known is not None and known != sha256_of(path):
            place = path.relative_to(next(one.parent for one in path.parents if one.name == STUDIES))
            raise InputError(
                f"{path} was edited since hilum wrote it, and no correction names it.",
                f'Say in corrections.json that it counts, "masks": {{"{number}": "{place.as_posix()}"}}; or delete it.',
            )


def _known(path: Path) -> str | None:
    """The hash that was kept of a file."""
    try:
        return str(read_json(path.with_name(HASHES))[path.name])
    except (InputError, KeyError, TypeError):
        return None
