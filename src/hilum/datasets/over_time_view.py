"""How the earlier picture was taken: another pose, another breath, another exposure. Drawn first, then applied.

A picture has one depth only, so bones move with the lungs here, which they don't in a patient who breathes. How far
that is from true re-renderings is measured in `docs/explanation/over-time.md`.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hilum.datasets.augment2d import Tone, Warp, read_linearly, source_places, toned
from hilum.datasets.over_time import Labels
from hilum.datasets.over_time_config import EarlierPoseConfig, EarlierToneConfig
from hilum.datasets.xray_sample import Picture

_LATTICE = 16
_TOP, _DIAPHRAGM = 0.12, 0.75
"""Shares of a picture's height where lungs begin and where the diaphragm is, on a LIDC picture, roughly."""
_SIDE, _BETWEEN, _MIDDLE_WIDTH = 0.1, 0.5, 0.08
"""Share of the width over which breathing fades towards the sides; what is left of it in the middle, and its width."""


@dataclass(frozen=True, eq=False)
class EarlierView:
    """Everything that was drawn for one earlier picture; applied again, it gives the same.

    Attributes:
        pose: turn, shift, enlargement, elastic displacement.
        breathing_mm: by which the diaphragm was lower than it is now; higher when negative.
        tone: gamma, brightness, contrast, blur.
        equalise_limit: clip limit of one more local equalisation; 0 for none.
        noise: standard deviation, of the full range.
        grain_mm: sigma of the noise's grain.
        noise_seed: of the noise.
    """

    pose: Warp = field(default_factory=Warp)
    breathing_mm: float = 0.0
    tone: Tone = field(default_factory=Tone)
    equalise_limit: float = 0.0
    noise: float = 0.0
    grain_mm: float = 0.0
    noise_seed: int = 0

    def figures(self) -> dict[str, float]:
        """What was drawn, in numbers; the lattice is left out."""
        return {
            "angle_deg": self.pose.angle_deg,
            "scale": self.pose.scale,
            "down_mm": self.pose.shift_mm[0],
            "right_mm": self.pose.shift_mm[1],
            "breathing_mm": self.breathing_mm,
            "gamma": self.tone.gamma,
            "brightness": self.tone.brightness,
            "contrast": self.tone.contrast,
            "blur_mm": self.tone.blur_mm,
            "equalise_limit": self.equalise_limit,
            "noise": self.noise,
            "grain_mm": self.grain_mm,
        }


def draw_view(rng: np.random.Generator, pose: EarlierPoseConfig, tone: EarlierToneConfig) -> EarlierView:
    """Draw one; the same number of draws whatever the configurations."""
    angle, enlarged, down, right, breath, gamma, bright, contrast = rng.uniform(-1, 1, 8).tolist()
    often, limit, blur, noise, grain = rng.random(5).tolist()
    noise_seed, displacement = int(rng.integers(2**31)), rng.uniform(-1, 1, (2, _LATTICE, _LATTICE))
    low, high = tone.equalise_limit
    return EarlierView(
        pose=Warp(
            angle_deg=angle * pose.rotate_deg,
            scale=(1 + pose.scale) ** enlarged,
            shift_mm=(down * pose.shift_mm, right * pose.shift_mm),
            lattice_mm=pose.elastic_lattice_mm,
            displacement_mm=displacement * pose.elastic_mm if pose.elastic_mm else None,
        ),
        breathing_mm=breath * pose.breathing_mm,
        tone=Tone(
            gamma=(1 + tone.gamma) ** gamma,
            brightness=bright * tone.brightness,
            contrast=(1 + tone.contrast) ** contrast,
            blur_mm=blur * tone.blur_mm,
        ),
        equalise_limit=low * (high / low) ** limit if often < tone.equalised else 0.0,
        noise=noise * tone.noise,
        grain_mm=grain * tone.grain_mm,
        noise_seed=noise_seed,
    )


def places_before(view: EarlierView, shape_yx: tuple[int, int], pixel_mm: float) -> tuple[Picture, Picture]:
    """For each pixel of the earlier picture the (row, column) of the current one that it shows; two arrays [y, x].

    Breathing is undone first, then the pose: lungs breathe within the patient, who stands somewhere.
    """
    height, width = shape_yx
    rows, columns = source_places(view.pose, shape_yx, ((height - 1) / 2, (width - 1) / 2), pixel_mm)
    if view.breathing_mm:
        share = breathing(np.asarray(rows / height, np.float32), np.asarray(columns / width, np.float32))
        rows = rows - np.float32(view.breathing_mm / pixel_mm) * share
    return rows, columns


def breathing(down: Picture, across: Picture) -> Picture:
    """How much of the diaphragm's way a place goes, 0 to 1.

    None above the lungs, all of it at and below the diaphragm, smoothly more in between (3 t² - 2 t³); half between the
    lungs, where heart and spine are; none beside the patient.

    Args:
        down: share of the picture's height, from the top.
        across: share of its width.
    """
    middle = 1 - (1 - _BETWEEN) * np.exp(-(((across - 0.5) / _MIDDLE_WIDTH) ** 2))
    side = _smooth(np.asarray(np.minimum(across, 1 - across) / _SIDE))
    lungs = _smooth(np.asarray((down - _TOP) / (_DIAPHRAGM - _TOP)))
    return np.asarray(lungs * middle * side, dtype=np.float32)


def _smooth(share: NDArray[np.floating]) -> NDArray[np.floating]:
    within = np.clip(share, 0, 1)
    return np.asarray(within * within * (3 - 2 * within))


def seen_before(picture: Picture, view: EarlierView, places: tuple[Picture, Picture], pixel_mm: float) -> Picture:
    """A picture [y, x], 0 to 1, as it was taken earlier.

    Args:
        picture: in the current pose.
        view: as drawn.
        places: of the view, from `places_before`.
        pixel_mm: side of a pixel.
    """
    moved = read_linearly(picture, *places)
    if view.equalise_limit > 0:
        from skimage.exposure import equalize_adapthist

        moved = equalize_adapthist(np.clip(moved, 0, 1), clip_limit=view.equalise_limit).astype(np.float32)
    result = toned(moved, view.tone, pixel_mm)
    if view.noise > 0:
        result = np.clip(result + np.float32(view.noise) * grain(view, result.shape, pixel_mm), 0, 1)
    return result


def grain(view: EarlierView, shape_yx: tuple[int, ...], pixel_mm: float) -> Picture:
    """Noise of standard deviation 1, whose pixels are like their neighbours as far as the grain reaches."""
    noise = np.random.default_rng(view.noise_seed).standard_normal(shape_yx, dtype=np.float32)
    if view.grain_mm > 0:
        noise = ndimage.gaussian_filter(noise, view.grain_mm / pixel_mm, mode="wrap")
    return np.asarray(noise / noise.std())


def labels_before(labels: Labels, places: tuple[Picture, Picture]) -> Labels:
    """Labels [y, x] of the current pose as they lay on the earlier picture; 0 from beyond the edge."""
    height, width = labels.shape
    row, column = (np.rint(one).astype(np.intp) for one in places)
    within = (row >= 0) & (row < height) & (column >= 0) & (column < width)
    result = np.zeros(row.shape, dtype=np.uint8)
    result[within] = labels[row[within], column[within]]
    return result
