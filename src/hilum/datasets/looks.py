"""A CT as a picture in one of the styles, with varied pose and exposure, and where masks cast their shadows."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeAlias

import numpy as np

from hilum.core import InputError, Mask, Radiograph, Volume
from hilum.core.mask import Selection
from hilum.datasets.drr_pairs import PairNodule, silhouette_centre
from hilum.datasets.lidc import LidcNodule
from hilum.drr.attenuation import attenuation_per_mm
from hilum.drr.display import Style
from hilum.drr.energies import RADIOGRAPH_KEV
from hilum.drr.exposure import Exposure, Spectrum
from hilum.drr.figures import Cast, Scenery, Subject, cast_all
from hilum.drr.projection import Beam, Pose, Setup
from hilum.drr.record import to_record
from hilum.drr.room import Room, Taken, remarks, take
from hilum.drr.shadow import shadow_of
from hilum.drr.source_style import source_mask
from hilum.ops import OutlineRule

Range: TypeAlias = tuple[float, float]


@dataclass(frozen=True)
class Variation:
    """How pictures of one CT may differ. The first view of a CT stands straight; all else is drawn for every view.

    Attributes:
        styles: how the pictures look, one drawn for each; the published style is one fixed recipe, so nothing varies in
            it, and it is not mixed with others.
        views: pictures of each CT.
        turn_deg: each of the three rotations is drawn from ± this.
        shift_mm: each of the three shifts is drawn from ± this.
        energy_kev: the photons' energy is drawn from this range; None for the usual one.
        photons_per_mm2: quanta per mm² of detector in the open beam, drawn from this range, in which each doubling is
            as likely as any other; None for no noise.
        pixel_mm: side of a pixel; None for the CT's smallest spacing (times the magnification).
        scatter: scattered share of the signal behind the patient, drawn from this range.
        blur_mm: sigma of the detector's blur, drawn from this range.
        beams: parallel or cone, one drawn for each picture.

    Raises:
        InputError: numbers that vary nothing or can't be.
    """

    styles: tuple[Style, ...] = (Style.RADIOGRAPH,)
    views: int = 1
    turn_deg: float = 5.0
    shift_mm: float = 10.0
    energy_kev: Range | None = None
    photons_per_mm2: Range | None = None
    pixel_mm: float | None = None
    scatter: Range = (0.0, 0.0)
    blur_mm: Range = (0.0, 0.0)
    beams: tuple[Beam, ...] = (Beam.PARALLEL,)

    def __post_init__(self) -> None:
        if self.views < 1 or min(self.turn_deg, self.shift_mm) < 0:
            raise InputError(
                f"a CT gives at least one view, turned and shifted by 0 or more; got {self.views} views, "
                f"{self.turn_deg:g}°, {self.shift_mm:g} mm."
            )
        if not self.styles or not self.beams:
            raise InputError("a picture has a style and a beam, got none.")
        self._require_ranges()
        if Style.SOURCE in self.styles and not self._varies_nothing():
            raise InputError(
                "the published style is one fixed recipe: one view, a parallel beam, no physics, no pixel size.",
                "Leave these options out, or choose --style radiograph.",
            )
        if Style.SOURCE in self.styles and len(set(self.styles)) > 1:
            raise InputError(
                "the published style is one fixed recipe, and not mixed with others.", "Make a data set of each style."
            )

    def _varies_nothing(self) -> bool:
        """Whether all is as it is by default, but for the style, and turns and shifts, which a first view has not."""
        names = {"styles", "turn_deg", "shift_mm"}
        return all(getattr(self, one.name) == one.default for one in fields(self) if one.name not in names)

    def _require_ranges(self) -> None:
        ranges = {
            "energies in keV": self.energy_kev,
            "photons per mm²": self.photons_per_mm2,
            "scattered shares": self.scatter,
            "blurs in mm": self.blur_mm,
        }
        for name, span in ranges.items():
            if span is not None and not span[0] <= span[1]:
                raise InputError(f"a range of {name} has the lower one first, got {span[0]:g} to {span[1]:g}.")
        for end in (0, 1):  # what no exposure has is refused here, not once for each CT
            photons = None if self.photons_per_mm2 is None else self.photons_per_mm2[end]
            Exposure(scatter_fraction=self.scatter[end], photons_per_mm2=photons, blur_mm=self.blur_mm[end])
            attenuation_per_mm(0.0, RADIOGRAPH_KEV if self.energy_kev is None else self.energy_kev[end])


@dataclass(frozen=True)
class Look:
    """One picture's parameters, as they were drawn.

    Attributes:
        style: how it looks.
        pose: how the patient stands.
        energy_kev: of the photons; None for the usual one.
        photons_per_mm2: quanta per mm² of detector in the open beam; None for no noise.
        pixel_mm: as in `Variation`.
        noise_seed: of the noise.
        scatter: scattered share of the signal behind the patient.
        blur_mm: sigma of the detector's blur.
        beam: parallel or cone.
    """

    style: Style
    pose: Pose = field(default_factory=Pose)
    energy_kev: float | None = None
    photons_per_mm2: float | None = None
    pixel_mm: float | None = None
    noise_seed: int = 0
    scatter: float = 0.0
    blur_mm: float = 0.0
    beam: Beam = Beam.PARALLEL

    @property
    def room(self) -> Room:
        """The X-ray room that takes this picture."""
        spectrum = Spectrum() if self.energy_kev is None else Spectrum((self.energy_kev,))
        exposure = Exposure(
            spectrum, scatter_fraction=self.scatter, photons_per_mm2=self.photons_per_mm2, blur_mm=self.blur_mm
        )
        return Room(Setup(beam=self.beam, pose=self.pose, pixel_mm=self.pixel_mm), exposure, self.style)


def draw_look(variation: Variation, key: str, view: int, seed: int) -> Look:
    """The parameters of one view of one CT: the same whatever else is made, before it or beside it.

    Args:
        variation: what may vary; to vary one thing more changes nothing in the others.
        key: the CT's.
        view: from 1; the first is in the plain pose.
        seed: of the data set.
    """
    of_key = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big")
    rng = np.random.default_rng([seed, of_key, view])
    turn, shift, energy = rng.uniform(-1, 1, 3), rng.uniform(-1, 1, 3), float(rng.uniform())
    noise_seed = int(rng.integers(2**31))
    photons, scatter, blur, style, beam = rng.uniform(size=5).tolist()
    a, b, c = (turn * variation.turn_deg).round(3).tolist()
    x, y, z = (shift * variation.shift_mm).round(3).tolist()
    return Look(
        style=variation.styles[int(style * len(variation.styles))],
        pose=Pose() if view == 1 else Pose((a, b, c), (x, y, z)),
        energy_kev=None if variation.energy_kev is None else _within(variation.energy_kev, energy),
        photons_per_mm2=None if variation.photons_per_mm2 is None else _doubled(variation.photons_per_mm2, photons),
        pixel_mm=variation.pixel_mm,
        noise_seed=noise_seed,
        scatter=_within(variation.scatter, scatter),
        blur_mm=_within(variation.blur_mm, blur),
        beam=variation.beams[int(beam * len(variation.beams))],
    )


def _within(span: Range, share: float) -> float:
    """The point of a range that lies at this share of it, to a thousandth."""
    return min(max(round(span[0] + share * (span[1] - span[0]), 3), span[0]), span[1])


def _doubled(span: Range, share: float) -> float:
    """The same by factors, to six digits."""
    return min(max(float(f"{span[0] * (span[1] / span[0]) ** share:.6g}"), span[0]), span[1])


@dataclass(frozen=True, eq=False)
class Rendered:
    """A picture of a CT.

    Attributes:
        taken: 8 bits in the published style, else 16; dense is bright. Its signal is what contrast is measured on.
        cast: a mask's shadow [row, column].
        energy_kev: mean of the photons'; that of contributions.
        odd: what a person should know, one sentence each.
        geometry: how points map to pixels, for `geometry.json`; None in the published style.
    """

    taken: Taken
    cast: Callable[[Mask], Selection]
    energy_kev: float
    odd: tuple[str, ...] = ()
    geometry: dict[str, object] | None = None

    @property
    def picture(self) -> Radiograph:
        """What is shown."""
        return self.taken.radiograph

    @property
    def pixel_mm(self) -> tuple[float, float]:
        """(row step, column step)."""
        return self.picture.require_pixel_mm()


def render(ct: Volume, look: Look) -> Rendered:
    """A CT, axes along the patient's, as a picture from the front.

    Raises:
        UnitError: the CT is not in HU.
        InputError: it shows no patient, or no contrast.
        GeometryError: the pose misses it.
    """
    room = look.room
    taken = take(ct, room, np.random.default_rng(look.noise_seed))
    if look.style is Style.SOURCE:
        return Rendered(taken, lambda mask: source_mask([mask], ct), room.exposure.spectrum.mean_kev)
    return Rendered(
        taken,
        lambda mask: shadow_of(mask, taken.projection).silhouette,
        room.exposure.spectrum.mean_kev,
        remarks(ct, taken),
        to_record(taken.projection, room.setup),
    )


def rendered_nodule(outlined: LidcNodule, ct: Volume, rendered: Rendered, rule: OutlineRule) -> PairNodule:
    """A nodule of a CT on a picture of it.

    Raises:
        GeometryError: an outline lies on no slice of the CT.
    """
    masks = outlined.masks(ct.geometry, rule)
    block = masks[0].require_geometry()
    agreeing = np.sum([mask.labels for mask in masks], axis=0, dtype=np.uint8)
    votes, readers = (np.zeros(rendered.picture.array.shape, dtype=np.uint8) for _ in range(2))
    for count in range(1, len(masks) + 1):
        votes[rendered.cast(Mask.of(np.asarray(agreeing >= count), block))] = count
    for number, mask in enumerate(masks):
        readers |= rendered.cast(mask).astype(np.uint8) << number
    found = PairNodule(outlined.measured(ct.geometry, rule=rule), votes, readers)
    return replace(found, nodule=replace(found.nodule, centre_px=silhouette_centre(found.silhouette())))


def physical_truth(
    nodules: Sequence[tuple[LidcNodule, PairNodule]],
    ct: Volume,
    rendered: Rendered,
    *,
    level: float = 0.5,
    rule: OutlineRule = OutlineRule.INSIDE,
) -> tuple[Cast, ...]:
    """What each nodule's shadow measures, by the rules of `hilum drr`: chords, contribution, own contrast, visibility.

    Args:
        nodules: all of the picture: as outlined, and as they fall on it.
        ct: HU, axes along the patient's.
        rendered: the picture.
        level: share of a nodule's readers who need to have a voxel.
        rule: what pixels under the readers' lines are.

    Raises:
        GeometryError: an outline lies on no slice of the CT.
    """
    subjects = [Subject(on.nodule, outlined.consensus(ct.geometry, level, rule)) for outlined, on in nodules]
    return cast_all(subjects, Scenery(ct, rendered.taken, {}, rendered.energy_kev))
