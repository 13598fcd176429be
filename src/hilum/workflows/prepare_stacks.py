"""Slices of nodules, put together to pieces of CTs (`hilum prepare stacks`).

Consecutive slices of one nodule become a piece in three dimensions: HU as they were estimated for each slice, readers'
votes between slices by linear interpolation, and at least half of the readers. A stack begins with the first slice
that a reader has outlined and ends with the last, so nothing is known of what lies beyond: nothing there is learnt
from, and how long a nodule is can't be learnt from stacks alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, InputError, Mask, Nodule, Quantity, Volume
from hilum.core.geometry import Shape3
from hilum.datasets.data_kind import SLICES
from hilum.datasets.patch_sample import POSITIVE
from hilum.datasets.patch_source import PatchSource, by_readers
from hilum.datasets.prepared import CaseSource, read_prepared
from hilum.datasets.prepared import Prepared as PreparedSlices
from hilum.datasets.slice_scale import WINDOWS, stretched_hu
from hilum.datasets.stored_split import split_of_any
from hilum.io.json_file import read_json
from hilum.io.raster import read_picture
from hilum.measure import equivalent_diameter_mm
from hilum.ops import consensus, resample_to
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.patch_case import Piece, write_piece
from hilum.workflows.patch_set import PatchSet, Running, make_patches
from hilum.workflows.prepare import Prepared, require_apart
from hilum.workflows.slice_case import VOTES
from hilum.workflows.track import Track, silently

LEAST_SLICES = 2
_HALF = 0.5
_MARGIN_MM = 40.0
"""Around the nodule in the slice: more than half of the largest cube that is learnt from."""
_ESTIMATED = "HU are estimated slice by slice"
_CUT = "of the CT only the slices with the nodule are there; what lies above and below is not learnt from"


@dataclass(frozen=True)
class StackRule:
    """Which stacks are made.

    Attributes:
        voxel_mm: side of a voxel.
        least_readers: nodules that fewer have outlined are left out.
    """

    voxel_mm: float = 1.0
    least_readers: int = 2

    def __post_init__(self) -> None:
        if not self.voxel_mm > 0 or self.least_readers < 1:
            raise InputError(
                f"there are no voxels of {self.voxel_mm:g} mm, or nodules of {self.least_readers} readers."
            )


@dataclass(frozen=True, eq=False)
class _Stack:
    """Consecutive slices of one nodule.

    Attributes:
        key: of the case: the nodule.
        slices: by number.
    """

    key: str
    slices: tuple[CaseSource, ...]


def prepare_stacks(
    src: Path, out: Path, rule: StackRule | None = None, running: Running | None = None, track: Track = silently
) -> Prepared:
    """Make or continue a data set of stacks.

    Args:
        src: a data set of slices (`hilum prepare slices`).
        out: the data set's folder.
        rule: which stacks are made.
        running: how the work is done.
        track: shows how far it is.

    Raises:
        InputError: there is no such data set, or no stack in it.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more stacks failed than allowed; what is done is kept for the next run.
    """
    data, rule = read_prepared(src), rule or StackRule()
    if data.kind != SLICES:
        raise InputError(f"{src} holds {data.kind}, and {SLICES} were expected.", "Make them: hilum prepare slices.")
    require_apart(src, out)
    jobs, left_out = _stacks(data, rule)
    if not jobs:
        raise InputError(
            f"no nodule of {src} has {LEAST_SLICES} slices one after another and {rule.least_readers} readers.",
            "Ask for fewer readers: --least-readers 1",
        )
    wanted = PatchSet(
        run=Run("prepare stacks", {"slices": sha256_of(data.index)}, vars(rule)),
        jobs=jobs,
        make=partial(_cases, rule=rule),
        split=split_of_any,
        about={
            "source": {"kind": "stacks", "hash": sha256_of(data.index)},
            "licences": read_json(data.index).get("licences") or [],
        },
        label="Stacks",
        left_out=left_out,
        notes=(_ESTIMATED, _CUT),
    )
    return make_patches(wanted, out, running or Running(), track)


def _stacks(data: PreparedSlices, rule: StackRule) -> tuple[list[_Stack], dict[str, list[str]]]:
    """Nodules with enough readers and slices, and the others' names by the reason."""
    of_nodule: dict[str, list[CaseSource]] = defaultdict(list)
    for case in data.cases("consensus"):
        if case.slice is not None and case.slice.nodule:
            of_nodule[case.slice.nodule].append(case)
    jobs, left_out = [], defaultdict(list)
    for name, cases in sorted(of_nodule.items()):
        ordered = sorted(cases, key=lambda one: one.slice.number if one.slice else 0)
        if reason := _unfit(ordered, rule):
            left_out[reason].append(name)
        else:
            jobs.append(_Stack(name, tuple(ordered)))
    return jobs, dict(left_out)


def _unfit(ordered: Sequence[CaseSource], rule: StackRule) -> str:
    """Why slices of a nodule are no stack; "" where they are."""
    about = [one.slice for one in ordered if one.slice is not None]
    if about[0].reader_count < rule.least_readers:
        return f"fewer than {rule.least_readers} readers"
    if len(about) < LEAST_SLICES:
        return f"fewer than {LEAST_SLICES} slices"
    if any(following.number != one.number + 1 for one, following in pairwise(about)):
        return "slices are missing"
    if any(one.step_mm is None or one.hu_ends is None for one in about) or ordered[0].pixel_mm is None:
        return "nobody says how large a voxel is, or what levels are in HU"
    return ""


def _cases(job: _Stack, out: Path, rule: StackRule) -> list[dict[str, object]]:
    hu, votes = _arrays(job)
    about = job.slices[0].slice
    readers = about.reader_count if about else 1
    grid = _grid(hu.geometry, rule.voxel_mm)
    selection = consensus(np.round(resample_to(votes, grid).array, 3), readers, _HALF)
    if not selection.any():
        return []
    near, place = _around(selection, rule.voxel_mm), "not known, so millimetres count from the stack's first voxel"
    grid = grid.crop((0, near[0].start, near[1].start), selection[:, *near].shape)
    image = np.rint(resample_to(hu, grid).array).astype(np.int16)
    size = equivalent_diameter_mm(float(selection.sum()) * grid.voxel_mm3)
    of = PatchSource("", job.key, POSITIVE, by_readers(readers), grid.spacing_zyx_mm, None, size)
    piece = Piece(
        job.key,
        job.slices[0].patient,
        Volume(image, grid, Quantity.HU),
        Mask.of(selection[:, *near], grid),
        of,
        Nodule(job.key, reader_count=readers),
        (_ESTIMATED, _CUT),
        {"diameter_mm": size, "place": place},
    )
    return [write_piece(piece, out)]


def _arrays(job: _Stack) -> tuple[Volume, Volume]:
    """HU and the number of readers [z, y, x], on the slices' own pixels."""
    levels, votes = [], []
    low, high = WINDOWS["lung"]
    for one in job.slices:
        if one.image is None or one.slice is None or one.slice.hu_ends is None:
            raise InputError(f"{one.key} has no picture, or nobody says what its levels are.", "Prepare it again.")
        levels.append(np.clip(stretched_hu(_plane(one.image), *one.slice.hu_ends), low, high))
        votes.append(_plane(one.truth.parent / VOTES).astype(np.float32))
    first = job.slices[0]
    step_mm = first.slice.step_mm if first.slice and first.slice.step_mm else 1.0
    row_mm, column_mm = first.pixel_mm or (1.0, 1.0)
    z, y, x = (len(levels), *levels[0].shape)
    grid = Geometry.regular((z, y, x), (step_mm, row_mm, column_mm))
    return Volume(np.stack(levels), grid, Quantity.HU), Volume(np.stack(votes), grid, Quantity.DISPLAY)


def _plane(path: Path) -> NDArray[np.uint8]:
    return np.asarray(read_picture(path).pixels, dtype=np.uint8)


def _grid(slices: Geometry, voxel_mm: float) -> Geometry:
    """Cubes from the middle of the first voxel to that of the last: nothing is read beyond what is there."""
    extent = (np.array(slices.shape_zyx) - 1) * slices.spacing_zyx_mm
    z, y, x = (np.floor(extent / voxel_mm + 1e-6).astype(int) + 1).tolist()
    shape: Shape3 = (z, y, x)
    return Geometry.regular(shape, (voxel_mm,) * 3, slices.to_lps_mm((0, 0, 0)).tolist())


def _around(selection: NDArray[np.bool_], voxel_mm: float) -> tuple[slice, slice]:
    """Rows and columns about what is selected, with a margin."""
    margin = round(_MARGIN_MM / voxel_mm)
    spans = []
    for axis, size in ((1, selection.shape[1]), (2, selection.shape[2])):
        there = np.flatnonzero(selection.any(axis=(0, 3 - axis)))
        spans.append(slice(max(0, int(there[0]) - margin), min(size, int(there[-1]) + margin + 1)))
    return spans[0], spans[1]
