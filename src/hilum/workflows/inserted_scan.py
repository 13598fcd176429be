"""One synthetic scan: nodules inserted into one side of a CT, and the pieces that are taken of it."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from hilum.core import InputError, Mask, Nodule, Volume
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.datasets.ct_appearance import Appearance, appearance
from hilum.datasets.ct_lungs import find_lungs
from hilum.datasets.inserted3d import (
    CUBE_SIGMA_MM,
    INSERTED,
    CutOut,
    Inserted,
    Turn,
    cut_out,
    insert,
    without_wall,
)
from hilum.datasets.insertion_places import (
    Depths,
    InsertionRule,
    Side,
    Taken,
    depths,
    dividing_column,
    draw_place,
    half,
    on_side,
    wall_on,
)
from hilum.datasets.patch_places import Known, PieceRule, blobs
from hilum.datasets.prepared import CaseSource
from hilum.io import read_mask, read_volume
from hilum.io.nodules_file import read_nodules
from hilum.ops import to_lps_axes
from hilum.workflows.ct_pieces import MarkedCt, MarkedNodule
from hilum.workflows.inserted_sources import CtSource, ScanJob

SYNTHETIC = "inserted (synthetic): real nodules of other patients, put into this CT by computer"
_AMONG = 10
"""Blobs among which each hard negative is drawn, as elsewhere."""
_WALL_TRIES = 5


@dataclass(frozen=True, eq=False)
class Base:
    """A CT before anything is inserted, and what is asked of one of its sides.

    Attributes:
        ct: axes along the patient's.
        x_mm: between the lungs.
        looks: of the CT.
        lungs: of the side.
        within: where nodules may lie.
        blobs: [n, 3] places on the side that look like nodules, most so first.
    """

    ct: Volume
    x_mm: float
    looks: Appearance
    lungs: Mask
    within: Depths
    blobs: Floats


@lru_cache(maxsize=1)
def _read(source: CtSource) -> tuple[Volume, Mask, Appearance]:
    ct = to_lps_axes(read_volume(source.path))
    return ct, find_lungs(ct), appearance(ct)


@lru_cache(maxsize=1)
def base_of(source: CtSource, side: Side) -> Base:
    """A side of a CT; kept, because many scans are made of one (that a file has changed tells its hash).

    Raises:
        InputError: it can't be read, or has no body or no lungs.
        UnitError: it is not in HU.
    """
    ct, both, looks = _read(source)
    x_mm = dividing_column(both)
    lungs = on_side(both, side, x_mm)
    return Base(ct, x_mm, looks, lungs, depths(ct, lungs), blobs(half(ct, side, x_mm), lungs))


@dataclass(frozen=True, eq=False)
class Scan:
    """A synthetic scan.

    Attributes:
        ct: the whole CT with its nodules.
        marked: the side that pieces are taken of.
        lungs: of that side.
        x_mm: between the lungs.
    """

    ct: Volume
    marked: MarkedCt
    lungs: Mask
    x_mm: float


def synthetic_scan(job: ScanJob, rule: PieceRule, how: InsertionRule) -> Scan:
    """Insert a job's nodules.

    Args:
        job: see there.
        rule: of its pieces, with the seed of all that is drawn.
        how: places are drawn.

    Raises:
        InputError: the CT can't be used, or no nodule found a place.
    """
    side = job.ct.side(job.split)
    base = base_of(job.ct, side)
    rng = np.random.default_rng((rule.seed, int.from_bytes(hashlib.sha256(job.key.encode()).digest()[:8])))
    array = np.array(base.ct.array)
    nodules: list[MarkedNodule] = []
    for case in job.nodules:
        taken = Taken([one.marked() for one in nodules], [one for one in job.ct.known if one.is_nodule], rule)
        done = _placed(Volume(array, base.ct.geometry), base, cut_of(case), taken, how, rng)
        if done is not None:
            _put(array, done)
            nodules.append(_marked(done, case, f"{len(nodules) + 1:02}"))
    if job.nodules and not nodules:
        raise InputError(f"no nodule found a place on the {side} side of {job.ct.name}.", "Take smaller ones.")
    ct = Volume(array, base.ct.geometry)
    part = half(ct, side, base.x_mm)
    marked = MarkedCt(
        key=job.key,
        patient=job.ct.patient(job.split),
        series=job.key,
        ct=part,
        nodules=nodules,
        truth=INSERTED,
        known=Known(job.ct.known, listed=base.blobs[: _AMONG * max(rule.hard, 1)]),
        odd=tuple(_odd(job, base, len(nodules))),
    )
    return Scan(ct, marked, base.lungs, base.x_mm)


def _odd(job: ScanJob, base: Base, placed: int) -> Iterator[str]:
    if not job.nodules:
        return
    yield SYNTHETIC
    if math.isfinite(base.looks.sigma_mm) and base.looks.sigma_mm < CUBE_SIGMA_MM - 0.1:
        yield (
            f"{job.ct.name} is sharper ({base.looks.sigma_mm:.2f} mm) than the nodules' cubes ({CUBE_SIGMA_MM} mm): "
            "what is inserted is blunter than its own nodules are"
        )
    if not base.looks.has_own_texture:
        yield f"{job.ct.name} shows too little noise in soft tissue to tell its texture: what is added is uncorrelated"
    if placed < len(job.nodules):
        yield "some nodules found no place in their scan, and were left out"


def cut_of(case: CaseSource) -> CutOut:
    """A nodule cut out of its cube.

    Raises:
        InputError: the case has no picture, or no measured nodule.
    """
    if case.image is None or case.nodules is None:
        raise InputError(f"{case.key} has no image or no measured nodule.", "Prepare the cubes again.")
    ct = to_lps_axes(read_volume(case.image))
    return cut_out(ct, to_lps_axes(read_mask(case.truth)), case.patient, read_nodules(case.nodules).nodules[0])


def _placed(
    ct: Volume, base: Base, cut: CutOut, taken: Taken, how: InsertionRule, rng: np.random.Generator
) -> Inserted | None:
    """The nodule where it fits; None where none of the places drawn does."""
    turn = Turn.draw(rng)
    most_wall = float(rng.uniform(0, how.most_wall))
    for _ in range(_WALL_TRIES):
        place = draw_place(base.within, cut.reach_mm * turn.scale, taken, how, rng)
        if place is None:
            continue
        done = insert(ct, base.looks, cut, turn, place, rng)
        old = Volume(base.ct.array[_where(done)], done.block.geometry)
        done = without_wall(done, wall_on(old, base.within))
        if done.wall_share <= most_wall:
            return done
    return None


def _where(done: Inserted) -> tuple[slice, ...]:
    sizes = done.block.geometry.shape_zyx
    return tuple(slice(start, start + size) for start, size in zip(done.start_kji, sizes, strict=True))


def _put(array: Voxels, done: Inserted) -> None:
    array[_where(done)] = done.block.array


def _marked(done: Inserted, case: CaseSource, name: str) -> MarkedNodule:
    like = read_nodules(case.nodules).nodules[0] if case.nodules else Nodule(name)
    nodule = done.measured(name, like)
    if nodule.diameters_mm is None:
        raise InputError(f"the nodule of {case.key} has no voxel on the CT.", "Leave it out.")
    return MarkedNodule(nodule, nodule.diameters_mm.equivalent_mm, INSERTED, done.mask, case.patient)
