"""Candidates for nodules on a whole CT: a detector on pieces of both lungs.

1. The grid is the model's voxels along the CT's axes, from the corner of the lungs' box with a margin. Pieces of one
   size cover it and overlap. Each is read from the CT by itself, so memory follows the pieces and not the CT.
2. Every place belongs to one piece, the one whose cut edges are farther away; pieces that own no lung are left out.
   A box counts in the piece that owns its middle, and a little beyond, so that none is lost between two that place it
   differently; what is found twice goes with step 3.
3. Of all boxes of the CT those stay that don't overlap one of a higher score (`hilum.models.boxes.suppressed`) and lie
   in the lungs or a little beside.
4. A score depends on where the grid of voxels begins. So the CT is looked at more than once, each time with the grid
   moved by a part of a voxel; what the looks find at one place is one candidate, with the mean of their scores. The
   first hundred are kept, as LUNA16's rule has it (Setio 2017).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise, product
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilum.core import ConfigError, Geometry, InputError, Mask, Quantity, Volume
from hilum.core.geometry import Floats, Triple
from hilum.core.mask import Selection
from hilum.datasets.ct_lungs import block_grid, find_lungs, inside
from hilum.datasets.data_kind import CT_PATCHES
from hilum.datasets.slice_scale import WINDOWS
from hilum.infer.device import computes_in_bf16, resolved_device
from hilum.infer.loaded import LoadedModel
from hilum.models.boxes import diameters, middles, suppressed
from hilum.models.output import Boxes, Detection
from hilum.ops import grown, to_lps_axes
from hilum.ops.repeated import resample_repeating

_MARGIN_MM = 10.0
"""Around the lungs: a nodule at the pleura is seen with what it grows on."""
_BEYOND_PX = 4.0
"""How far beyond its own part of the CT a piece's boxes count; what two pieces see differs by less."""
_BESIDE_MM = 5.0
"""How far from the lungs' mask, whose edge is a block of 3 mm wide, a candidate's middle may lie."""

_SAME_MM = 4.0
"""Two looks' candidates are of one place when they are as near as this, or as half the surer one's diameter."""

_BLOCK_MM = 3.0
_AT_A_TIME = 2
"""Pieces; see `hilum.infer.volumes`. In bfloat16 one alone is as quick as one of a pair."""


@dataclass(frozen=True)
class Candidate:
    """A place on a CT that may be a nodule.

    Attributes:
        centre_lps_mm: middle of its box.
        diameter_mm: of the ball with the volume of the ellipsoid in its box.
        score: the detector's, 0 to 1.
    """

    centre_lps_mm: Triple
    diameter_mm: float
    score: float


@dataclass(frozen=True)
class CandidateOptions:
    """How a detector is used.

    Attributes:
        device: "cpu", "cuda" or "auto".
        precision: "bf16", "32", or "auto": bf16 where the device multiplies in it.
        piece: side in voxels of what the network sees at a time, at most.
        overlap: voxels that neighbours share.
        iou: intersection over union that two candidates may have.
        most: candidates of a CT.
        looks: how often the CT is looked at, each time on a grid that begins elsewhere.
    """

    device: str = "cpu"
    precision: str = "auto"
    piece: int = 128
    overlap: int = 32
    iou: float = 0.1
    most: int = 100
    looks: int = 2

    def __post_init__(self) -> None:
        if self.looks < 1:
            raise InputError(f"a CT is looked at once at least, got {self.looks}.")
        if not 0 <= self.overlap < self.piece or self.most < 1:
            raise InputError(f"pieces of {self.piece} voxels can't overlap by {self.overlap}, {self.most} to be kept.")


@dataclass(frozen=True)
class Stretch:
    """Of a piece along one axis of the grid, in voxels from edge to edge.

    Attributes:
        start: where it begins.
        stop: where it ends; the grid may end before.
        own: the part of the grid in which its boxes count; endless where no other piece follows.
    """

    start: int
    stop: int
    own: tuple[float, float]


Piece: TypeAlias = tuple[Stretch, Stretch, Stretch]


class CandidateFinder:
    """A loaded detector, ready for one CT after another.

    Args:
        model: that gives boxes, of pieces of a CT.
        options: see there.

    Raises:
        ConfigError: the model gives no boxes, wants to be told where the nodule is, or there is no such device.
    """

    def __init__(self, model: LoadedModel, options: CandidateOptions | None = None) -> None:
        if model.kind != CT_PATCHES or not model.network.finds_boxes:
            raise ConfigError(
                f"the model {model.name} is no detector of nodules on CTs.",
                "Train one: hilum train nodule3d_detector OUT --data PIECES",
            )
        if max(model.network.config.prior_channels):
            raise ConfigError(f"the detector {model.name} wants to be told where to look.", "Train it without a point.")
        self.model, self.options = model, options or CandidateOptions()
        if self.options.piece % model.network.stride:
            raise ConfigError(
                f"pieces of {self.options.piece} voxels are no multiple of the network's stride {model.network.stride}."
            )
        self._window = WINDOWS[model.config["config"]["data"]["window"]]
        self._device = resolved_device(self.options.device)
        self._network = model.network.to(self._device)
        self._network.to(memory_format=self._network.memory_format)  # type: ignore[call-overload]  # the stubs lack it
        wanted = self.options.precision
        self._is_bf16 = wanted == "bf16" or (wanted == "auto" and computes_in_bf16(self._device))

    def __call__(self, volume: Volume, lungs: Mask | None = None) -> tuple[Candidate, ...]:
        """The candidates of a CT, highest score first.

        Args:
            volume: in HU, on any grid.
            lungs: on any grid; they are looked for when None.

        Raises:
            UnitError: the volume holds no HU.
            InputError: there are no lungs.
        """
        volume.require(Quantity.HU)
        lungs = in_blocks(find_lungs(volume) if lungs is None else lungs)
        axial, looks = to_lps_axes(volume), self.options.looks
        found = [self._look(axial, lungs, self.model.pixel_mm * number / looks) for number in range(looks)]
        return tuple(agreed(found)[: self.options.most])

    def _look(self, axial: Volume, lungs: Mask, earlier_mm: float) -> list[Candidate]:
        """What one grid shows, that begins so much earlier along each axis."""
        grid = grid_over(lungs, axial.geometry, self.model.pixel_mm, _MARGIN_MM + earlier_mm)
        found = self._in_pieces(axial, grid, self._pieces(lungs, grid))
        beside = torch.from_numpy(_beside(lungs, grid.to_lps_mm(middles(found.places).numpy() - 0.5)))
        boxes, scores = found.places[beside], found.scores[beside]
        stays = suppressed(boxes, scores, self.options.iou, self.options.most)
        return [_candidate(boxes[one], float(scores[one]), grid) for one in stays]

    def _pieces(self, lungs: Mask, grid: Geometry) -> list[Piece]:
        """Those that own some lung, in the array's order."""
        planes, rows, columns = (plan(size, self.options, self._network.stride) for size in grid.shape_zyx)
        own = grid.to_index(lungs.require_geometry().to_lps_mm(np.argwhere(lungs.labels))) + 0.5
        reach = _BESIDE_MM / self.model.pixel_mm
        return [piece for piece in product(planes, rows, columns) if _owned(own, piece, reach).any()]

    def _in_pieces(self, axial: Volume, grid: Geometry, pieces: Sequence[Piece]) -> Boxes:
        """All boxes of all pieces, in voxels of the grid."""
        places, scores = [torch.zeros((0, 6))], [torch.zeros(0)]
        for some in (pieces[first : first + _AT_A_TIME] for first in range(0, len(pieces), _AT_A_TIME)):
            for piece, found in zip(some, self._boxes_on([_hu(axial, grid, one) for one in some]), strict=True):
                boxes = found.places + torch.tensor([stretch.start for stretch in piece] * 2)
                counts = torch.from_numpy(_owned(middles(boxes).numpy(), piece, _BEYOND_PX))
                places.append(boxes[counts])
                scores.append(found.scores[counts])
        return Boxes(torch.cat(places), torch.cat(scores))

    def _boxes_on(self, pieces: Sequence[NDArray[np.generic]]) -> list[Boxes]:
        low, high = self._window
        images = torch.from_numpy(np.clip((np.stack(pieces).astype(np.float32) - low) / (high - low), 0, 1))[:, None]
        images = images.expand(_AT_A_TIME, -1, -1, -1, -1) if len(images) == 1 and not self._is_bf16 else images
        images = images.to(self._device).contiguous(memory_format=self._network.memory_format)
        with torch.inference_mode(), torch.autocast(self._device, torch.bfloat16, enabled=self._is_bf16):
            found: Detection = self._network(images)
        return [Boxes(one.places.cpu(), one.scores.cpu()) for one in found.first(len(pieces)).in_32_bits().found()]


def in_blocks(lungs: Mask) -> Mask:
    """A mask on blocks of at most `_BLOCK_MM`; a block is in where any of its voxels is. Coarser ones stay."""
    grid = lungs.require_geometry()
    z, y, x = (max(1, int(_BLOCK_MM / step)) for step in grid.spacing_zyx_mm)
    found = lungs.labels > 0
    for axis, factor in enumerate((z, y, x)):
        found = np.logical_or.reduceat(found, np.arange(0, found.shape[axis], factor), axis=axis)
    return Mask.of(found, block_grid(grid, (z, y, x)), "lung")


def agreed(looks: Sequence[Sequence[Candidate]]) -> list[Candidate]:
    """What several looks at one CT find, each place once, surest first.

    From the surest on, a candidate takes from each other look the nearest one of its place that nobody took. Its score
    is the mean over all looks, 0 from one that has none there; place and diameter are means weighted by score.
    """
    every = sorted(
        ((one, number) for number, look in enumerate(looks) for one in look), key=lambda pair: -pair[0].score
    )
    points = np.array([one.centre_lps_mm for one, _ in every]).reshape(-1, 3)
    free = np.ones(len(every), dtype=bool)
    found = []
    for own, (one, _) in enumerate(every):
        if not free[own]:
            continue
        apart = np.linalg.norm(points - points[own], axis=1)
        near = np.flatnonzero(free & (apart <= max(_SAME_MM, one.diameter_mm / 2)))
        of_look: dict[int, int] = {}
        for other in sorted(near.tolist(), key=lambda other: float(apart[other])):
            of_look.setdefault(every[other][1], other)
        free[list(of_look.values())] = False
        found.append(_mean([every[other][0] for other in of_look.values()], len(looks)))
    return sorted(found, key=lambda one: -one.score)


def _mean(same: Sequence[Candidate], looks: int) -> Candidate:
    """One candidate of those that some of the looks found at a place."""
    scores = np.array([one.score for one in same])
    weights = scores / scores.sum() if scores.sum() else np.full(len(same), 1 / len(same))
    x, y, z = (weights @ np.array([one.centre_lps_mm for one in same])).tolist()
    diameter = float(weights @ [one.diameter_mm for one in same])
    return Candidate((x, y, z), diameter, float(scores.sum()) / looks)


def grid_over(lungs: Mask, axial: Geometry, side_mm: float, margin_mm: float = _MARGIN_MM) -> Geometry:
    """Voxels of this side along a CT's axes over the lungs' box with a margin: they begin there, wherever the CT does.

    Raises:
        InputError: the mask is empty.
    """
    grid = lungs.require_geometry()
    places = np.argwhere(lungs.labels)
    if not len(places):
        raise InputError("the lungs' mask is empty.", "Leave it out, and they are looked for.")
    points = axial.to_index(grid.to_lps_mm(places))
    steps = np.array(axial.spacing_zyx_mm)
    margin = (margin_mm + max(grid.spacing_zyx_mm) / 2) / steps
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    nz, ny, nx = (np.ceil((high - low) * steps / side_mm).astype(int) + 1).tolist()
    affine = np.array(axial.affine_lps)
    affine[:3, :3] = axial.directions * side_mm
    affine[:3, 3] = axial.to_lps_mm(low)
    return Geometry((nz, ny, nx), affine, axial.frame_uid)


def plan(size: int, options: CandidateOptions, stride: int) -> list[Stretch]:
    """Pieces of one length along an axis, multiples of the network's stride, that share what the options say."""
    shared = options.overlap
    count = max(1, math.ceil((size - shared) / (options.piece - shared)))
    length = math.ceil((math.ceil((size - shared) / count) + shared) / stride) * stride
    starts = [number * (length - shared) for number in range(count)]
    ends = [-math.inf, *(start + shared / 2 for start in starts[1:]), math.inf]
    return [Stretch(start, start + length, own) for start, own in zip(starts, pairwise(ends), strict=True)]


def _hu(axial: Volume, grid: Geometry, piece: Piece) -> NDArray[np.generic]:
    """What a piece shows; it may reach beyond the grid, and beyond the CT."""
    affine = np.array(grid.affine_lps)
    affine[:3, 3] = grid.to_lps_mm([one.start for one in piece])
    nz, ny, nx = (one.stop - one.start for one in piece)
    return resample_repeating(axial, Geometry((nz, ny, nx), affine, grid.frame_uid)).array


def _owned(points: Floats, piece: Piece, reach: float) -> Selection:
    """Which of points [n, 3] lie in the part that a piece owns, or so far beside it."""
    low = np.array([one.own[0] for one in piece]) - reach
    high = np.array([one.own[1] for one in piece]) + reach
    return np.asarray(((points >= low) & (points < high)).all(axis=1))


def _beside(lungs: Mask, points_lps_mm: Floats) -> Selection:
    """Which of points [n, 3] lie in the lungs, or within `_BESIDE_MM` of them."""
    grid = lungs.require_geometry()
    reached = grown(lungs.labels > 0, _BESIDE_MM, grid.spacing_zyx_mm)
    return inside(Mask.of(reached, grid, "lung"), points_lps_mm)


def _candidate(box: Tensor, score: float, grid: Geometry) -> Candidate:
    middle, diameter = middles(box[None])[0].numpy(), float(diameters(box[None]))
    x, y, z = grid.to_lps_mm(middle - 0.5).tolist()
    return Candidate((x, y, z), diameter * grid.spacing_zyx_mm[0], score)
