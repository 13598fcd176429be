"""What of a CT is the patient, and what is table, blanket, padding or beyond the scanner's field of view.

The rule, on voxels brought to about 3 mm by averaging:

1. What is denser than −500 HU is solid. It is opened with a ball of 5 mm, which cuts thin shells (table top, cables,
   blankets) and bridges to them.
2. The largest connected part is the body's core. What was solid within 6 mm of it comes back, so that skin and
   fingers of tissue that the opening took are kept.
3. On every axial slice, and then in space, what the body encloses is the patient too: lungs, airways, bowel gas. The
   neck's and abdomen's ends of the scan don't let the air out, because a slice is closed by itself.
4. 3 mm around it are kept, for skin and for what averaging has lost.

Everything else becomes air. So no voxel of lung or patient is taken away as long as it hangs together with the trunk on
the scan; an arm that doesn't is taken away, and a table that the back touches stays where it is nearer than 9 mm.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hilum.core import Geometry, InputError, Volume
from hilum.core.geometry import Shape3
from hilum.core.mask import Selection
from hilum.core.volume import AIR_HU, Voxels
from hilum.drr.hu import require_hu
from hilum.ops import Connectivity, grown, largest_part, shrunk

_PADDING_HU = -900
"""Padding below this is air to `attenuation` as it is."""
_GRID = ((slice(None), None), (None, slice(None)))


@dataclass(frozen=True)
class BodyRule:
    """The numbers of the rule above.

    Attributes:
        solid_hu: what is denser is tissue (midway between air and water).
        opening_mm: radius of the ball that cuts off what is thin.
        recover_mm: how far from the core solid voxels come back.
        margin_mm: what is kept around the patient.
        working_mm: voxel size to work at.
        least_litres: a body smaller than this is none.

    Raises:
        InputError: a length is negative.
    """

    solid_hu: float = -500.0
    opening_mm: float = 5.0
    recover_mm: float = 6.0
    margin_mm: float = 3.0
    working_mm: float = 3.0
    least_litres: float = 0.5

    def __post_init__(self) -> None:
        lengths = (self.opening_mm, self.recover_mm, self.margin_mm)
        if min(lengths) < 0 or self.working_mm <= 0:
            raise InputError(f"lengths of the body rule are not negative, got {(*lengths, self.working_mm)} mm.")


@dataclass(frozen=True, eq=False)
class Body:
    """Where the patient is on a CT's grid, held on blocks of voxels.

    Attributes:
        blocks: [z, y, x] which blocks are the patient.
        factors: how many voxels a block has along z, y, x; those at the end may have fewer.
        shape_zyx: of the CT's grid.
        on_solid: share of the lines from front to back on which something solid that was cut away follows within two
            blocks, about 6 mm: a few hundredths on a patient clear of the table, a quarter where its cloth touches.
    """

    blocks: Selection
    factors: Shape3
    shape_zyx: Shape3
    on_solid: float = 0.0

    def slices(self, start: int, stop: int) -> Selection:
        """Which voxels of some slices of the CT's array are the patient."""
        chosen = self.blocks[np.arange(start, stop) // self.factors[0]]
        for axis in (1, 2):
            chosen = np.take(chosen, np.arange(self.shape_zyx[axis]) // self.factors[axis], axis=axis)
        return chosen


def patient_only(ct: Volume, rule: BodyRule | None = None) -> Volume:
    """The CT with everything but the patient as air (−1000 HU), on the same grid; the patient's voxels are untouched.

    Raises:
        UnitError: the volume is not in HU.
        InputError: there is no body on it.
    """
    body = find_body(ct, rule)
    alone = np.full_like(ct.array, AIR_HU)
    for k, plane in enumerate(ct.array):
        np.copyto(alone[k], plane, where=body.slices(k, k + 1)[0])
    return Volume(alone, ct.geometry)


def body_mask(ct: Volume, rule: BodyRule | None = None) -> Selection:
    """Which voxels [z, y, x] are the patient; raises like `find_body`."""
    return find_body(ct, rule).slices(0, len(ct.array))


def find_body(ct: Volume, rule: BodyRule | None = None) -> Body:
    """Where the patient is, by the rule above. The CT is read a few slices at a time and never copied.

    Raises:
        UnitError: the volume is not in HU, or its values can't be (`hilum.drr.hu`).
        InputError: there is no body on it.
    """
    rule = rule or BodyRule()
    require_hu(ct)
    nz, ny, nx = (max(1, round(rule.working_mm / step)) for step in ct.geometry.spacing_zyx_mm)
    solid = _denser(ct, (nz, ny, nx), rule.solid_hu)
    steps_mm = np.multiply(ct.geometry.spacing_zyx_mm, (nz, ny, nx))
    opened = grown(shrunk(solid, rule.opening_mm, steps_mm), rule.opening_mm, steps_mm)
    core = largest_part(opened, Connectivity.FACES)
    _require_body(core, steps_mm, rule)
    body = core | (solid & grown(core, rule.recover_mm, steps_mm))
    body = _filled(body, ct.geometry.axial_axis)
    body = grown(body, rule.margin_mm, steps_mm)
    return Body(body, (nz, ny, nx), ct.geometry.shape_zyx, _on_solid(body, solid, ct.geometry))


def without_padding(ct: Volume) -> Voxels:
    """The HU, with what lies beyond the scanner's round field of view as air.

    Most scanners write −1024, −2000 or less there, which is air as it stands. Where instead all four corners of all
    slices hold one and the same number above −900, that number is padding wherever it stands outside the circle that
    touches the picture's sides.
    """
    padding = _padding(ct)
    return ct.array if padding is None else padding.as_air(ct.array, 0)


@dataclass(frozen=True, eq=False)
class _Padding:
    """A number above air that is written beyond the field of view.

    Attributes:
        value: the number.
        outside: [z, y, x], 1 long along the patient's axis: what is beyond the circle.
    """

    value: float
    outside: Selection

    def as_air(self, part: Voxels, start: int) -> Voxels:
        """Slices of a CT's array, from `start` on, without it."""
        outside = self.outside if len(self.outside) == 1 else self.outside[start : start + len(part)]
        return np.where(outside & (part == self.value), np.array(AIR_HU, part.dtype), part)


def _padding(ct: Volume) -> _Padding | None:
    axial = ct.geometry.axial_axis
    slices = np.moveaxis(ct.array, axial, 0)
    corners = slices[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    value = corners.flat[0]
    if value <= _PADDING_HU or not (corners == value).all():
        return None
    rows, columns = (np.linspace(-1, 1, n)[shape] for n, shape in zip(slices.shape[1:], _GRID, strict=True))
    return _Padding(float(value), np.expand_dims(rows**2 + columns**2 > 1, axial))


def _denser(ct: Volume, factors: Shape3, hu: float) -> Selection:
    """Which blocks' mean is above so many HU."""
    return np.asarray(block_means(ct, factors) > hu)


def block_means(ct: Volume, factors: Shape3) -> NDArray[np.float32]:
    """The mean HU of each block of voxels; an incomplete one has the mean of what it holds. Padding is air.

    Args:
        ct: read a few slices at a time, and never copied.
        factors: how many voxels a block has along z, y, x.
    """
    padding = _padding(ct)
    thick = factors[0]
    shape = [-(-size // factor) for size, factor in zip(ct.array.shape, factors, strict=True)]
    result = np.empty(shape, dtype=np.float32)
    for k in range(len(result)):
        part = ct.array[k * thick : (k + 1) * thick]
        part = part if padding is None else padding.as_air(part, k * thick)
        result[k] = _means(np.maximum(part, np.float32(AIR_HU)), factors)[0]
    return result


def _means(part: Voxels, factors: Shape3) -> Voxels:
    for axis, factor in enumerate(factors):
        starts = np.arange(0, part.shape[axis], factor)
        counts = np.diff([*starts, part.shape[axis]]).astype(np.float32)
        sums = np.add.reduceat(part, starts, axis=axis, dtype=np.float32)
        part = sums / counts.reshape([-1 if other == axis else 1 for other in range(3)])
    return part


def _filled(body: Selection, axial: int) -> Selection:
    """With all that it encloses on an axial slice or in space."""
    slices = np.moveaxis(body, axial, 0)
    closed = np.stack([ndimage.binary_fill_holes(one) for one in slices])
    return np.asarray(ndimage.binary_fill_holes(np.moveaxis(closed, 0, axial)))


def _on_solid(body: Selection, solid: Selection, geometry: Geometry) -> float:
    """`Body.on_solid`: the lines from front to back on which one of two blocks behind the patient is solid."""
    to_back = geometry.affine_lps[1, 2::-1]  # LPS: y grows towards the back; in the array's order of axes
    axis = int(np.abs(to_back).argmax())
    order = slice(None, None, -1 if to_back[axis] > 0 else 1)
    from_back, dense = (np.moveaxis(each, axis, 0)[order] for each in (body, solid))
    last, hit = from_back.argmax(axis=0), from_back.any(axis=0)
    beyond = np.stack([last - 1, last - 2])
    behind = np.take_along_axis(dense, np.maximum(beyond, 0), axis=0) & (beyond >= 0) & hit
    return float(behind.any(axis=0).sum() / hit.sum())


def _require_body(core: Selection, steps_mm: Voxels, rule: BodyRule) -> None:
    litres = float(core.sum() * np.prod(steps_mm) / 1e6)
    if litres < rule.least_litres:
        raise InputError(
            f"there is no patient on this CT: its largest solid part has {litres:.2g} litres.",
            "Check that it is a chest CT in HU, or keep everything with --keep-table.",
        )
