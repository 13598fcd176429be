"""One X-ray of a CT with its lung fields: the CT bent, stretched and turned, taken in a room, framed like a film."""

from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np

from hilum.core import Geometry, InputError, Mask, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import Pixels
from hilum.datasets.ct_lungs import find_lungs
from hilum.datasets.film_shadows import draw_side, shadowed
from hilum.datasets.looks import Variation, draw_look
from hilum.datasets.lung_shadow import lung_fields
from hilum.datasets.prepared import LUNGS
from hilum.datasets.warps import WarpRule, draw_warp, lungs_box_mm, warped
from hilum.drr.display import Style
from hilum.drr.projection import Beam
from hilum.drr.room import take
from hilum.io import read_volume
from hilum.ops import resample_to, to_lps_axes
from hilum.workflows.class_case import AboutFilm, FilmPlanes, write_film

LUNG = 1
_CT_MM = 1.6
"""Side of the voxels that are bent and projected: finer ones cost time, and show nothing at a picture's pixels."""
_MARGIN = 8
"""Pixels of a frame that the lungs' box keeps from its edges, where the picture is large enough."""


@dataclass(frozen=True)
class LungView:
    """One X-ray to be made.

    Attributes:
        key: unique, and safe as a file name.
        ct: to be read.
        patient: that the view counts as.
        number: of the CT's views, from 1.
        content: hash of the CT's files.
    """

    key: str
    ct: Path
    patient: str
    number: int
    content: str = ""


@dataclass(frozen=True)
class LungDrrRule:
    """How the views of a CT differ.

    Attributes:
        warp: by which the CT is bent before each view but the first.
        stretch: each axis of the patient by a factor up to this far from 1, either way.
        variation: poses, beams, energies, noise and styles.
        frame_mm: least and largest side of the picture.
        shadows: whether clavicles, shoulder blades and breasts are laid over the lungs, as films have them; the plain
            view has none.
        licence: of the CTs.
        seed: of all that is drawn.

    Raises:
        InputError: a factor or frame that can't be.
    """

    warp: WarpRule = field(
        default_factory=lambda: WarpRule(32.0, random_share=0.7, detail_mm=28.0, turn_deg=0.0, shift_mm=0.0)
    )
    stretch: float = 0.2
    variation: Variation = field(
        default_factory=lambda: Variation(
            styles=(Style.RADIOGRAPH, Style.RAW),
            turn_deg=8.0,
            energy_kev=(40.0, 120.0),
            photons_per_mm2=(200.0, 50000.0),
            pixel_mm=1.4,
            scatter=(0.0, 0.7),
            blur_mm=(0.0, 1.5),
            beams=(Beam.CONE, Beam.PARALLEL),
        )
    )
    frame_mm: tuple[float, float] = (290.0, 450.0)
    shadows: bool = True
    licence: str = "unknown"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.stretch < 1 or not 0 < self.frame_mm[0] <= self.frame_mm[1]:
            raise InputError(
                f"a stretch from 0 to below 1 and a frame with its least side first are needed, got {self.stretch:g} "
                f"and {self.frame_mm[0]:g} to {self.frame_mm[1]:g} mm."
            )


def lung_case(view: LungView, out: Path, rule: LungDrrRule) -> dict[str, object]:
    """One view's case.

    Raises:
        HilumError: the CT can't be used.
    """
    rng = np.random.default_rng([rule.seed, *view.key.encode()])
    ct, lungs = _varied(*_whole(view.ct, view.content), rule, rng, is_plain=view.number == 1)
    look = draw_look(rule.variation, view.patient, view.number, rule.seed)
    taken = take(ct, look.room, np.random.default_rng(look.noise_seed))
    fields = lung_fields(lungs, taken.projection)
    pixel_mm = taken.radiograph.require_pixel_mm()
    picture = taken.radiograph.array.astype(np.float64)
    picture /= max(float(picture.max()), 1.0)
    if rule.shadows and view.number > 1:
        picture = shadowed(picture, fields, (draw_side(rng), draw_side(rng)), pixel_mm)
    image, seen = _framed(np.rint(255 * picture).astype(np.uint8), fields, pixel_mm, rule, rng)
    about = AboutFilm(
        key=view.key, patient=view.patient, source=view.ct.name, finding="X-ray of a CT", licence=rule.licence
    )
    classes = np.where(seen, LUNG, 0).astype(np.uint8)
    return write_film(about, FilmPlanes(image, classes, {LUNGS: seen}, pixel_mm), out)


@lru_cache(maxsize=1)
def _whole(path: Path, content: str) -> tuple[Volume, Mask]:
    """The CT on voxels of `_CT_MM`, and its lungs; kept, since all views of a CT begin with them."""
    del content  # a file that has changed is another one
    ct = to_lps_axes(read_volume(path))
    return resample_to(ct, _coarser(ct.geometry)), find_lungs(ct)


def _varied(
    ct: Volume, lungs: Mask, rule: LungDrrRule, rng: np.random.Generator, *, is_plain: bool
) -> tuple[Volume, Mask]:
    """Both bent and stretched, but for the plain view."""
    warp = draw_warp(lungs_box_mm(lungs), rule.warp, rng)
    factors = np.exp(rng.uniform(-1, 1, 3) * np.log1p(rule.stretch))
    if is_plain:
        return ct, lungs
    bent, moved = warped(ct, warp), warp.pulled(lungs, lungs.require_geometry())
    return (
        Volume(bent.array, _stretched(bent.geometry, factors), bent.quantity),
        Mask(moved.labels, _stretched(moved.require_geometry(), factors), names=moved.names),
    )


def _coarser(geometry: Geometry) -> Geometry:
    """The same field on voxels of `_CT_MM`; an axis with coarser ones keeps them."""
    steps = np.maximum(geometry.spacing_zyx_mm, _CT_MM)
    nz, ny, nx = np.maximum(1, np.floor(np.array(geometry.shape_zyx) * geometry.spacing_zyx_mm / steps)).astype(int)
    affine = np.array(geometry.affine_lps)
    affine[:3, :3] = geometry.directions * steps[::-1]
    first = (steps / np.array(geometry.spacing_zyx_mm) - 1) / 2
    affine[:3, 3] = geometry.to_lps_mm(first)
    return Geometry((int(nz), int(ny), int(nx)), affine, geometry.frame_uid)


def _stretched(geometry: Geometry, factors: Floats) -> Geometry:
    """The same voxels in a patient who is so much wider, deeper and longer."""
    affine = np.array(geometry.affine_lps)
    affine[:3] *= factors[:, None]
    return Geometry(geometry.shape_zyx, affine, geometry.frame_uid)


def _framed(
    image: Pixels, fields: Selection, pixel_mm: tuple[float, float], rule: LungDrrRule, rng: np.random.Generator
) -> tuple[Pixels, Selection]:
    """Cut to a drawn frame about the lungs; beyond the picture there is nothing, which is dark.

    Raises:
        InputError: no lung is on the picture.
    """
    places = np.argwhere(fields)
    if not len(places):
        raise InputError("no lung falls on the picture.", "Give a CT of the whole chest.")
    low, high = places.min(axis=0), places.max(axis=0) + 1
    wanted = np.ceil(rng.uniform(*rule.frame_mm, size=2) / np.array(pixel_mm)).astype(int)
    size = np.maximum(wanted, high - low + 2 * _MARGIN)
    spare = size - (high - low)
    start = low - np.rint(rng.uniform(0.25, 0.75, 2) * spare).astype(int)
    return _cut(image, start, size), _cut(fields, start, size)


def _cut(picture: Pixels, start: np.ndarray, size: np.ndarray) -> Pixels:
    found = np.zeros(size.tolist(), dtype=picture.dtype)
    first, last = np.maximum(start, 0), np.minimum(start + size, picture.shape)
    (top, left), (bottom, right) = first, last
    (row, column) = first - start
    found[row : row + bottom - top, column : column + right - left] = picture[top:bottom, left:right]
    return found
