"""Nodules on a picture: their shadows, thickness and figures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hilum.core import GeometryError, Mask, Nodule, Volume
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.drr.room import Taken
from hilum.drr.shadow import Shadow, contribution, shadow_of
from hilum.drr.source_style import source_mask
from hilum.drr.visibility import against_ring, overlaps
from hilum.drr.visibility_score import visibility
from hilum.measure import disc_diameter_mm
from hilum.ops import place, to_lps_axes

THICKNESS_STEP_MM = 0.01
"""Millimetres per grey level of the thickness map: 65535 levels reach 655 mm."""

_EDGES = (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1])


@dataclass(frozen=True, eq=False)
class Subject:
    """One nodule to be projected.

    Attributes:
        nodule: what is known of it.
        mask: its voxels, consensus where there are readers; None where they can't be told.
        readers: what each reader outlined.
        note: what a person should know: why there is no mask, or that it was drawn as a ball.
    """

    nodule: Nodule
    mask: Mask | None
    readers: tuple[Mask, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class ShadowFigures:
    """What one nodule's shadow measures; NaN where it can't be known.

    Attributes:
        silhouette_px: pixels of the silhouette.
        silhouette_mm2: its area on the detector.
        magnification: of the nodule's centre onto the detector.
        diameter_mm: of the disc with that area, brought back to the nodule's plane.
        longest_chord_mm: longest path through the nodule.
        mean_chord_mm: mean path over the silhouette.
        contribution_mean: what the nodule adds to the line integral, mean over the silhouette, no unit.
        contribution_max: its maximum.
        cnr: contrast to noise against the ring, as seen.
        own_cnr: what the nodule adds to −ln of the signal, over the ring's noise; NaN in the source's style.
        overlap: share of the silhouette by organ; empty when no organ mask was given.
        visibility: 0 to 1, by the formula of `hilum.drr.visibility`.
    """

    silhouette_px: int
    silhouette_mm2: float
    magnification: float
    diameter_mm: float
    longest_chord_mm: float
    mean_chord_mm: float
    contribution_mean: float
    contribution_max: float
    cnr: float
    own_cnr: float
    overlap: Mapping[str, float]
    visibility: float


@dataclass(frozen=True, eq=False)
class Cast:
    """One nodule with its shadow.

    Attributes:
        subject: the nodule.
        centre_px: (row, column) of its centroid, with fractions; None when its place is unknown or off the rays.
        shadow: of its consensus; None without a mask.
        readers: of each reader's outline.
        figures: None when nothing of it is in the picture.
    """

    subject: Subject
    centre_px: tuple[float, float] | None
    shadow: Shadow | None
    readers: tuple[Shadow, ...] = ()
    figures: ShadowFigures | None = None

    @property
    def in_view(self) -> bool:
        """Whether any of its shadow falls on the picture."""
        return self.shadow is not None and self.shadow.is_seen

    @property
    def warning(self) -> str:
        """What a person should be warned of; empty when all is well."""
        name = f"nodule {self.subject.nodule.id}"
        if self.shadow is None:
            return f"{name} is not in the picture: {self.subject.note}"
        if not self.in_view:
            return f"{name} is not in the picture: {self.subject.note or 'its shadow falls beside the detector'}"
        edges = (self.shadow.silhouette[edge].any() for edge in _EDGES)
        return f"{name} is cut off by the picture's edge" if any(edges) else ""


@dataclass(frozen=True, eq=False)
class Scenery:
    """What the nodules are seen in.

    Attributes:
        ct: HU.
        taken: the picture.
        organs: by name, which pixels' rays run through the organ; empty when that isn't known.
        energy_kev: at which contributions are computed.
    """

    ct: Volume
    taken: Taken
    organs: Mapping[str, Selection]
    energy_kev: float


def cast_all(subjects: Sequence[Subject], scenery: Scenery) -> tuple[Cast, ...]:
    """Every nodule's shadow and its figures; each one's ring leaves the others' shadows out."""
    casts = [_cast(subject, scenery) for subject in subjects]
    return tuple(
        replace(cast, figures=_figures(cast, union([one for one in casts if one is not cast], scenery.taken), scenery))
        if cast.in_view
        else cast
        for cast in casts
    )


def union(casts: Iterable[Cast], taken: Taken) -> Selection:
    """Which pixels of the picture lie in any silhouette."""
    together = np.zeros(taken.projection.shape_yx, dtype=bool)
    for cast in casts:
        if cast.shadow is not None:
            together |= cast.shadow.silhouette
    return together


def thickness(casts: Iterable[Cast], taken: Taken) -> NDArray[np.uint16]:
    """Path through all nodules, in steps of `THICKNESS_STEP_MM`."""
    total_mm = np.zeros(taken.projection.shape_yx)
    for cast in casts:
        if cast.shadow is not None:
            total_mm += cast.shadow.chord_mm
    steps: Floats = np.clip(np.rint(total_mm / THICKNESS_STEP_MM), 0, np.iinfo(np.uint16).max)
    return steps.astype(np.uint16)


def _cast(subject: Subject, scenery: Scenery) -> Cast:
    projection, centre = scenery.taken.projection, subject.nodule.centre_lps_mm
    pixel = projection.to_pixel(centre) if centre is not None else np.array([np.nan])
    centre_px = (float(pixel[0]), float(pixel[1])) if np.isfinite(pixel).all() else None
    if subject.mask is None:
        return Cast(subject, centre_px, None)
    shadow = _shadow(subject.mask, scenery)
    return Cast(subject, centre_px, shadow, tuple(_shadow(mask, scenery) for mask in subject.readers))


def _shadow(mask: Mask, scenery: Scenery) -> Shadow:
    """In the source's style the silhouette is the published masks': each row takes the nearest slice."""
    shadow = shadow_of(mask, scenery.taken.projection)
    if scenery.taken.primary_share is not None:
        return shadow
    upright = to_lps_axes(scenery.ct)
    try:
        return replace(shadow, silhouette=source_mask([place(mask, upright.geometry)], upright))
    except GeometryError:  # a drawn ball has finer voxels than the CT
        return shadow


def _figures(cast: Cast, others: Selection, scenery: Scenery) -> ShadowFigures | None:
    shadow, mask = cast.shadow, cast.subject.mask
    if shadow is None or mask is None:
        return None
    taken, inside = scenery.taken, shadow.silhouette
    pixel_mm = taken.projection.pixel_mm
    added = contribution(scenery.ct, mask, taken.projection, scenery.energy_kev)
    stand = against_ring(taken.signal, inside, pixel_mm, others)
    own = np.nan
    if taken.primary_share is not None and stand.noise > 0:
        own = float((added * taken.primary_share)[inside].mean() / stand.noise)
    covered = overlaps(inside, scenery.organs)
    area_mm2 = float(inside.sum() * pixel_mm[0] * pixel_mm[1])
    magnification = float(taken.projection.magnification(cast.subject.nodule.centre_lps_mm or np.full(3, np.nan)))
    diameter_mm = disc_diameter_mm(area_mm2) / magnification
    contrast = stand.contrast_to_noise if taken.primary_share is None else own
    return ShadowFigures(
        silhouette_px=int(inside.sum()),
        silhouette_mm2=area_mm2,
        magnification=magnification,
        diameter_mm=diameter_mm,
        longest_chord_mm=float(shadow.chord_mm.max()),
        mean_chord_mm=float(shadow.chord_mm[inside].mean()),
        contribution_mean=float(added[inside].mean()),
        contribution_max=float(added.max()),
        cnr=stand.contrast_to_noise,
        own_cnr=own,
        overlap=covered,
        visibility=visibility(contrast, diameter_mm, list(covered.values())),
    )
