"""What becomes of a piece of a CT while it is learnt from: drawn once as numbers, then applied to all that lies on it.

Flips, quarter turns, small turns, scale, shift and crop are one map from the new voxels to the old ones, so a piece is
resampled once: the image linearly, truth and weight by the nearest voxel, and the point by the same map's inverse.
"""

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core.geometry import Floats, Triple
from hilum.datasets.augment2d import Tone, toned
from hilum.datasets.patch_sample import PatchSample

if TYPE_CHECKING:
    from hilum.datasets.patch_config import PatchAugmentConfig

Shape: TypeAlias = tuple[int, int, int]
_PLAIN = Tone()


@dataclass(frozen=True)
class Cube:
    """The cube that is shown.

    Attributes:
        side: in voxels.
        place: where it lies, as shares of the way along z, y and x.
        on_lesion: whether it lies so that it holds a voxel of the truth, where there is one.
        voxel: which one, as a share of all of them.
    """

    side: int
    place: Triple
    on_lesion: bool
    voxel: float


@dataclass(frozen=True)
class Warp3D:
    """Where voxels go; the identity unless told otherwise.

    Attributes:
        angles_deg: turns about the axes z, y and x, in this order.
        scale: enlargement.
        shift_mm: of what is seen, along z, y and x.
        flipped: which axes are turned round, before all turns.
        quarter_turns: of axial slices, before the small turns.
    """

    angles_deg: Triple = (0.0, 0.0, 0.0)
    scale: float = 1.0
    shift_mm: Triple = (0.0, 0.0, 0.0)
    flipped: tuple[bool, bool, bool] = (False, False, False)
    quarter_turns: int = 0

    def matrix(self) -> Floats:
        """[3, 3] from millimetres (z, y, x) in the old piece to those in the new one."""
        turn = np.eye(3)
        for axis, angle in enumerate((self.angles_deg[0] + 90.0 * self.quarter_turns, *self.angles_deg[1:])):
            turn = _turn_about(axis, angle) @ turn
        mirror = np.diag([-1.0 if is_so else 1.0 for is_so in self.flipped])
        return np.asarray(self.scale * turn @ mirror)


@dataclass(frozen=True)
class Augmentation3D:
    """Everything that was drawn for one piece; applied again, it gives the same.

    Attributes:
        warp: of image, truth, weight and point.
        tone: of the image.
        cube: None shows the whole piece.
    """

    warp: Warp3D = Warp3D()
    tone: Tone = _PLAIN
    cube: Cube | None = None

    def __call__(self, sample: PatchSample) -> PatchSample:
        """The changed sample; a second image is not kept, since it is made anew of the point."""
        shape: Shape = sample.image.shape if self.cube is None else (self.cube.side,) * 3
        matrix, first = self._map(sample, shape)
        return replace(
            sample,
            image=toned(_resampled(sample.image, matrix, first, shape, order=1), self.tone, sample.voxel_mm[1]),
            truth=_resampled(sample.truth, matrix, first, shape, order=0),
            weight=_resampled(sample.weight, matrix, first, shape, order=0),
            point_zyx=None if sample.point_zyx is None else _moved(sample.point_zyx, matrix, first),
            prior=None,
        )

    def _map(self, sample: PatchSample, shape: Shape) -> tuple[Floats, Floats]:
        """The old voxel of each new one: matrix [3, 3] · new + first [3]."""
        steps = np.array(sample.voxel_mm)
        inverse = np.linalg.inv(self.warp.matrix())
        matrix = np.rint(inverse * 2**40) / 2**40 * steps[None, :] / steps[:, None]  # a quarter turn has no crumbs
        middle = _middle(sample, self.cube) if self.cube else (np.array(sample.image.shape) - 1) / 2
        shift = np.array(self.warp.shift_mm) / steps
        return matrix, middle - matrix @ ((np.array(shape) - 1) / 2 + shift)


def draw_augmentation3d(rng: np.random.Generator, config: "PatchAugmentConfig") -> Augmentation3D:
    """Draw what becomes of one piece. The same number of draws whatever the configuration."""
    place, on_lesion, voxel = rng.random(3), bool(rng.random() < config.crop_on_lesion), float(rng.random())
    angles, shift = rng.uniform(-1, 1, 3) * config.rotate_deg, rng.uniform(-1, 1, 3) * config.shift_mm
    scale, turns, flips = rng.uniform(-1, 1), int(rng.integers(4)), rng.random(3) < config.flip
    tones, is_noisy, noise = rng.uniform(-1, 1, 3), bool(rng.random() < config.noise), float(rng.random())
    tone = Tone(
        gamma=float((1 + config.gamma) ** tones[0]),
        brightness=float(tones[1]) * config.brightness,
        contrast=float((1 + config.contrast) ** tones[2]),
        noise=noise * config.noise_level * is_noisy,
        noise_seed=int(rng.integers(2**31)),
    )
    warp = Warp3D(
        angles_deg=_triple(angles),
        scale=float((1 + config.scale) ** scale),
        shift_mm=_triple(shift),
        flipped=(bool(flips[0]), bool(flips[1]), bool(flips[2])),
        quarter_turns=turns if config.quarter_turns else 0,
    )
    cube = Cube(config.crop_px, _triple(place), on_lesion, voxel) if config.crop_px else None
    return Augmentation3D(warp, tone, cube)


def _triple(numbers: Floats) -> Triple:
    return float(numbers[0]), float(numbers[1]), float(numbers[2])


def _turn_about(axis: int, angle_deg: float) -> Floats:
    """[3, 3] a turn about one of the axes z, y, x."""
    one, other = (other for other in range(3) if other != axis)
    turn, angle = np.eye(3), math.radians(angle_deg)
    turn[one, one] = turn[other, other] = math.cos(angle)
    turn[one, other], turn[other, one] = -math.sin(angle), math.sin(angle)
    return turn


def _middle(sample: PatchSample, cube: Cube) -> Floats:
    """The middle (z, y, x) of the cube, in the piece's voxels; a piece smaller than it lies in its middle."""
    lesion = np.flatnonzero(sample.truth) if cube.on_lesion else np.zeros(0, dtype=np.intp)
    wanted = np.unravel_index(lesion[int(cube.voxel * len(lesion))], sample.truth.shape) if len(lesion) else None
    firsts = []
    for axis, size in enumerate(sample.image.shape):
        low, high = 0.0, float(size - cube.side)
        if high <= 0:
            firsts.append(high / 2)
            continue
        if wanted is not None:
            low, high = max(low, float(wanted[axis]) - cube.side + 1), min(high, float(wanted[axis]))
        firsts.append(float(np.floor(low + cube.place[axis] * (high - low) + 0.5)))
    return np.array(firsts) + (cube.side - 1) / 2


def _resampled(array: "NDArray[Any]", matrix: Floats, first: Floats, shape: Shape, *, order: int) -> "NDArray[Any]":
    """The array at new voxels; beyond its edge, an image (order 1) has its edge, truth and weight (order 0) nothing."""
    from scipy.ndimage import affine_transform

    mode = "nearest" if order else "grid-constant"
    options: dict[str, Any] = {"order": order, "mode": mode, "prefilter": False}
    return np.asarray(affine_transform(array, matrix, first, shape, **options))


def _moved(point: Triple, matrix: Floats, first: Floats) -> Triple:
    """Where an old place is in the new piece."""
    return _triple(np.asarray(np.linalg.solve(matrix, np.array(point) - first), dtype=np.float64))
