"""Cubes of CTs around nodules to a data set of CT pieces (`hilum prepare cubes`)."""

from dataclasses import dataclass
from pathlib import Path

from hilum.core import InputError, Nodule
from hilum.datasets.cube_file import (
    ARRAYS,
    HU_LEAST,
    HU_SCALE,
    STEP_MM,
    Arrays,
    NoduleCube,
    cube_patients,
    nodule_cube,
    part_of,
)
from hilum.datasets.patch_sample import POSITIVE
from hilum.datasets.patch_source import ONE_READER, PatchSource
from hilum.datasets.splits import Role, role
from hilum.datasets.stored_split import lidc_split
from hilum.measure import diameters, volume_mm3
from hilum.workflows.arrays_file import read_arrays
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.patch_case import Piece, safe, write_piece
from hilum.workflows.patch_set import PatchSet, Running, make_patches
from hilum.workflows.prepare import Prepared
from hilum.workflows.track import Track, silently

LIDC_LICENCE = "LIDC-IDRI: CC BY 3.0"
_SATURATED = "HU above 400 are 400"


@dataclass(frozen=True, eq=False)
class _Cube:
    """One cube to be made.

    Attributes:
        key: of the case.
        arrays: its part of the file.
    """

    key: str
    arrays: Arrays


def prepare_cubes(src: Path, out: Path, running: Running | None = None, track: Track = silently) -> Prepared:
    """Make or continue a data set of cubes.

    Args:
        src: the cubes, an `.npz` (`hilum.datasets.cube_file`).
        out: the data set's folder.
        running: how the work is done.
        track: shows how far it is.

    Raises:
        InputError: there is no such file, or nobody in it may be learnt from.
        UnreadableError: the file is another one, or damaged.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more cubes failed than allowed; what is done is kept for the next run.
    """
    arrays = read_arrays(src, ARRAYS)
    jobs, left_out = _jobs(arrays)
    if not jobs:
        listed = "; ".join(f"{reason}: {len(keys)}" for reason, keys in left_out.items())
        raise InputError(f"no cube of {src} can be learnt from ({listed}).", "Take cubes of other patients.")
    options = {
        "voxel_mm": STEP_MM,
        "hu": f"{HU_SCALE:g} · v - {-HU_LEAST:g}, v from 0 to 1",
        "hu_ends": [HU_LEAST, HU_LEAST + HU_SCALE],
        "mask": "one reader's, the pixels under the outline in",
        "place": "not known, so millimetres count from the cube's middle",
    }
    wanted = PatchSet(
        run=Run("prepare cubes", {"cubes": sha256_of(src)}, options),
        jobs=jobs,
        make=_cases,
        split=lidc_split,
        about={"source": {"kind": "cubes", "hash": sha256_of(src)}, "licences": [LIDC_LICENCE]},
        label="Cubes",
        left_out=left_out,
    )
    return make_patches(wanted, out, running or Running(), track)


def _jobs(arrays: Arrays) -> tuple[list[_Cube], dict[str, list[str]]]:
    """Cubes of who may be learnt from, and the others' keys by the reason."""
    jobs: list[_Cube] = []
    left_out: dict[str, list[str]] = {}
    for number, patient in enumerate(cube_patients(arrays)):
        key, of = f"{patient}_{safe(str(arrays['name'][number]))}", role(patient)
        if of in (Role.TRAIN, Role.VALIDATION):
            jobs.append(_Cube(key, part_of(arrays, number)))
        else:
            left_out.setdefault(str(of), []).append(key)
    keys = [job.key for job in jobs]
    if len(set(keys)) < len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise InputError(f"{twice} is there twice.", "Give each cube a name of its own.")
    return sorted(jobs, key=lambda job: job.key), left_out


def _cases(job: _Cube, out: Path) -> list[dict[str, object]]:
    cube = nodule_cube(job.arrays)
    nodule = _measured(cube, job.key)
    about = PatchSource(
        series="",
        nodule=job.key,
        kind=POSITIVE,
        truth=ONE_READER,
        voxel_mm=cube.hu.geometry.spacing_zyx_mm,
        diameter_mm=nodule.diameters_mm.equivalent_mm if nodule.diameters_mm else None,
    )
    return [write_piece(Piece(job.key, cube.patient, cube.hu, cube.mask, about, nodule, (_SATURATED,)), out)]


def _measured(cube: NoduleCube, key: str) -> Nodule:
    """Size by the mask, ratings by its reader; the place is nobody's to say."""
    selection, grid = cube.mask.select(1), cube.hu.geometry
    return Nodule(
        key,
        volume_mm3=volume_mm3(selection, grid),
        diameters_mm=diameters(selection, grid),
        texture=cube.ratings.get("texture"),
        characteristics=cube.ratings,
    )
