"""Says in a person's words what a path holds, and what is odd about it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from hilum.core import Failures, FirstFailure, HilumError, InputError, UnsupportedError
from hilum.io.description import Description
from hilum.io.kinds import RASTERS, VOLUMES, Kind, recognise
from hilum.io.read import files_in


def describe(path: Path, failures: Failures | None = None) -> list[Description]:
    """What is at a path: one description for each series, volume or picture.

    In a folder, everything below it is looked at: DICOM files are grouped into series, other images are listed one by
    one, and what is no image is counted. Voxels are read, so that values can be judged.

    Args:
        path: a file or folder.
        failures: where files of a folder that can't be read are recorded; without it the first one is raised.

    Raises:
        InputError: nothing there, an empty folder, or a single file that is no image or is damaged.
        HilumError: a file of the folder failed, and `failures` is None.
    """
    kind = recognise(path)
    if kind is not Kind.FOLDER:
        return _describe_file(path, kind)
    failures = FirstFailure() if failures is None else failures
    files = files_in(path, failures)
    if not files and not len(failures):
        raise InputError(f"{path} is an empty folder.", "Name the folder that holds the images.")
    kinds = dict(_recognised(files, failures))
    found = _dicom_in(path, failures) if Kind.DICOM in kinds.values() else []
    for file, file_kind in kinds.items():
        if file_kind in VOLUMES | RASTERS:
            found += _guarded(file, file_kind, failures)
    return found + _others(path, kinds)


def _recognised(files: Iterable[Path], failures: Failures) -> Iterator[tuple[Path, Kind]]:
    for file in files:
        try:
            yield file, recognise(file)
        except HilumError as error:
            failures.add(str(file), error)


def _guarded(file: Path, kind: Kind, failures: Failures) -> list[Description]:
    try:
        return _describe_file(file, kind)
    except HilumError as error:
        failures.add(str(file), error)
        return []


def _dicom_in(folder: Path, failures: Failures) -> list[Description]:
    from hilum.io.dicom import describe_dicom

    return describe_dicom(folder, failures)


def _describe_file(path: Path, kind: Kind) -> list[Description]:
    if kind is Kind.DICOM:
        from hilum.io.dicom import describe_dicom

        return describe_dicom(path)
    if kind in VOLUMES:
        from hilum.io.describe_volume import describe_volume

        return [describe_volume(path)]
    if kind in RASTERS:
        from hilum.io.describe_picture import describe_picture

        return [describe_picture(path)]
    dicom = " (its name says DICOM)" if path.suffix.lower() in (".dcm", ".dicom") else ""
    raise UnsupportedError(
        f"{path} is {kind.phrase}{dicom}.", "hilum info looks at DICOM, NIfTI, MHD/MHA, NRRD, PNG, JPEG and TIFF."
    )


def _others(folder: Path, kinds: dict[Path, Kind]) -> list[Description]:
    """One line for all files that are no image; the voxels of a header beside them are part of an image."""
    headers = {path.with_suffix("") for path, kind in kinds.items() if kind in VOLUMES}
    others = [
        (path, kind)
        for path, kind in kinds.items()
        if kind not in VOLUMES | RASTERS | {Kind.DICOM}
        and not (path.suffix.lower() in (".raw", ".zraw", ".img") and path.with_suffix("") in headers)
    ]
    if not others:
        return []
    counts = Counter(str(kind) for _, kind in others)
    listed = ", ".join(f"{count} {kind}" for kind, count in counts.most_common())
    summary = f"{len(others)} that {'is' if len(others) == 1 else 'are'} no image ({listed})"
    facts = {"counts": dict(counts), "files": [str(path) for path, _ in others]}
    return [Description(str(folder), "other files", summary, (), facts)]
