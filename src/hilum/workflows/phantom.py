"""Nodules that grow by a known share in a real CT, as scans at several dates (`hilum phantom`)."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from hilum.core import Diameters, InputError, Nodule, Volume
from hilum.core.geometry import Triple
from hilum.datasets.ct_appearance import appearance
from hilum.datasets.ct_lungs import find_lungs, inside
from hilum.datasets.growth_phantom import DENSE_HU, MOST_DENSE, How, Placed, Scanned, dense_share, scanned, whole
from hilum.datasets.growth_shape import Growable, Scanner, ball, drawn, growable
from hilum.datasets.insertion_places import Depths, InsertionRule, Taken, depths, draw_place
from hilum.datasets.patch_places import Marked, PieceRule
from hilum.datasets.prepared import read_prepared
from hilum.datasets.rescan import Background, Breath, background
from hilum.io import read_volume
from hilum.io.dicom.write import write_series
from hilum.io.json_file import plain, write_json
from hilum.io.nifti import write_nifti
from hilum.io.nodules_file import write_nodules
from hilum.io.volumes import storable, write_mask
from hilum.measure import equivalent_diameter_mm
from hilum.ops import to_lps_axes
from hilum.workflows.inserted_scan import cut_of
from hilum.workflows.inserted_sources import cut_cases, own_marks
from hilum.workflows.output import Run, is_done, output_folder, sha256_of
from hilum.workflows.phantom_plan import SCHEMA, SYNTHETIC, TRUTH, NodulePlan, PhantomOptions
from hilum.workflows.track import Track, silently
from hilum.workflows.whole_ct import WholeCt, whole_ct

_PATIENT = "SYNTHETIC-PHANTOM"
_TRIES = 40


@dataclass(frozen=True)
class PhantomResult:
    """What a run left.

    Attributes:
        folder: where it is.
        was_done: whether it was there already.
        scans: files or folders of the scans, the first date first.
        nodules: how many there are.
        notes: what a person should know, one line each.
    """

    folder: Path
    was_done: bool
    scans: tuple[Path, ...]
    nodules: int
    notes: tuple[str, ...]


def make_phantom(
    ct_path: Path, out: Path, options: PhantomOptions | None = None, track: Track = silently, *, force: bool = False
) -> PhantomResult:
    """Scan a CT with growing nodules at several dates; leaves a scan, a mask and nodules for each, and `truth.json`.

    Args:
        ct_path: a CT: DICOM folder, NIfTI, MHD/MHA or NRRD.
        out: folder to fill.
        options: see there.
        track: shows how far it is.
        force: replace what an earlier run of hilum left there.

    Raises:
        InputError: the CT can't be used, is of somebody held out, or a nodule has no place in its lungs.
        UnitError: the CT is not in HU.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or PhantomOptions()
    source = whole_ct(ct_path, options.series)
    run = Run("phantom", _inputs(source, options), {"options": plain(asdict(options))})
    names = [f"day-{day:03}" + ("" if options.as_dicom else ".nii.gz") for day in options.dates.days]
    scans = tuple(out / name for name in names)
    if is_done(out, run) and not force:
        return PhantomResult(out, True, scans, len(options.nodules), ())
    ct = read_volume(ct_path, series=options.series)
    scene = _Scene.of(ct, own_marks(source, options.annotations), options)
    notes = tuple(_notes(scene, options))
    with output_folder(out, run, force=force) as folder:
        dates = [_date(scene, number, folder / name) for number, name in track(list(enumerate(names)), "Dates")]
        write_json(folder / TRUTH, _truth(source, scene, dates, notes))
    return PhantomResult(out, False, scans, len(options.nodules), notes)


def _inputs(source: WholeCt, options: PhantomOptions) -> dict[str, str]:
    cubes = {} if options.source.cubes is None else {"nodules": sha256_of(read_prepared(options.source.cubes).index)}
    marks = {} if options.annotations is None else {"annotations": sha256_of(options.annotations)}
    return {f"ct {source.name}": source.hash} | cubes | marks


@dataclass(frozen=True, eq=False)
class _Scene:
    """The CT, and its nodules at the first date.

    Attributes:
        seen: the CT without noise.
        own_texture: whether the noise's texture is the CT's own.
        first: the nodules at the first date.
        options: as asked.
    """

    seen: Background
    own_texture: bool
    first: tuple[Placed, ...]
    options: PhantomOptions

    @classmethod
    def of(cls, ct: Volume, known: Sequence[Marked], options: PhantomOptions) -> "_Scene":
        axial = to_lps_axes(ct)
        own = replace(axial.geometry, frame_uid=None)  # each date is a study of its own
        axial = Volume(axial.array, own, axial.quantity)
        lungs = find_lungs(axial)
        looks = appearance(axial)
        seen = background(axial, looks)
        rng = np.random.default_rng((options.seed, 0))
        shapes = _shapes(options, rng)
        places = _Places(seen, depths(axial, lungs), known, options)
        placed: list[Placed] = []
        for plan, shape in zip(options.nodules, shapes, strict=True):
            volume = shape.own_mm3 if plan.diameter_mm is None else math.pi / 6 * plan.diameter_mm**3
            at = plan.at
            if at is not None and not inside(lungs, np.array([at]))[0]:
                raise InputError(
                    f"{_words(at)} lies outside of the lungs.",
                    "LPS mm: x to the patient's left, y to the back, z to the head; without --at a place is drawn.",
                )
            placed.append(places.found(Placed(shape, volume, at or (0.0, 0.0, 0.0)), plan, placed, rng))
        return cls(seen, looks.has_own_texture, tuple(placed), options)

    def at(self, day: int) -> list[Placed]:
        """The nodules so many days later."""
        pairs = zip(self.first, self.options.nodules, strict=True)
        return [replace(one, volume_mm3=plan.volume_mm3(one.volume_mm3, day)) for one, plan in pairs]


def _shapes(options: PhantomOptions, rng: np.random.Generator) -> list[Growable]:
    source = options.source
    if source.cubes is None:
        return [ball(source.texture, source.axes)] * len(options.nodules)
    cases = cut_cases(read_prepared(source.cubes), source.split)
    if not cases:
        raise InputError(f"{source.cubes} has no nodule of the {source.split} split.", "Choose another: --split")
    order = [int(one) for one in rng.permutation(len(cases))]
    return [growable(cut_of(cases[order[number % len(order)]])) for number in range(len(options.nodules))]


@dataclass(frozen=True, eq=False)
class _Places:
    """Where nodules may lie.

    Attributes:
        seen: the CT.
        within: how deep places lie in its lungs.
        known: its own nodules.
        options: as asked.
    """

    seen: Background
    within: Depths
    known: Sequence[Marked]
    options: PhantomOptions

    def found(self, one: Placed, plan: NodulePlan, others: Sequence[Placed], rng: np.random.Generator) -> Placed:
        """The nodule at a place where it fits, at every date.

        Raises:
            InputError: it doesn't at the place that was asked for, or at none that was drawn.
        """
        largest = self._largest(one, plan)
        if plan.at is not None:
            self._require(replace(one, volume_mm3=largest), others)
            return one
        radius = one.nodule.reach_mm * one.nodule.scale_to(largest)
        taken = Taken([_marked(other, other.volume_mm3) for other in others], self._known_nodules(), PieceRule())
        for _ in range(_TRIES):
            place = draw_place(self.within, radius, taken, InsertionRule(touching=0.0), rng)
            if place is None:
                break
            there = replace(one, volume_mm3=largest, centre_lps_mm=place)
            try:
                self._require(there, others)
            except InputError:
                continue
            return replace(one, centre_lps_mm=place)
        raise InputError(
            f"no place in the lungs was found for a nodule of {2 * radius:.0f} mm.",
            "Make it smaller, or give a place: --at x,y,z (with --touching it may lie on vessels).",
        )

    def _largest(self, one: Placed, plan: NodulePlan) -> float:
        """Its volume at the date when it is largest."""
        return max(plan.volume_mm3(one.volume_mm3, day) for day in self.options.dates.days)

    def _known_nodules(self) -> list[Marked]:
        return [one for one in self.known if one.is_nodule]

    def _require(self, one: Placed, others: Sequence[Placed]) -> None:
        """Refuse a place that is taken."""
        there = whole(
            drawn(one.nodule, one.volume_mm3, one.centre_lps_mm, self.seen.ct.geometry, Scanner(self.seen.sigma_mm)),
            one,
        )
        mine = _marked(one, one.volume_mm3)
        last = self.options.dates.days[-1]
        plans = zip(others, self.options.nodules, strict=False)
        grown = [
            _marked(other, max(other.volume_mm3, plan.volume_mm3(other.volume_mm3, last))) for other, plan in plans
        ]
        if any(_apart_mm(mine, other) < 0 for other in grown):
            raise InputError(f"{_words(one.centre_lps_mm)} lies on another nodule of the phantom.", "Move one of them.")
        if self.options.touching:
            return
        if any(_apart_mm(mine, other) < 0 for other in self._known_nodules()):
            raise InputError(
                f"{_words(one.centre_lps_mm)} lies on a nodule that the CT has of its own.", "Move it, or --touching"
            )
        share = dense_share(self.seen, there)
        if share > MOST_DENSE:
            raise InputError(
                f"{100 * share:.0f} % of the nodule at {_words(one.centre_lps_mm)} would lie on what is denser than "
                f"{DENSE_HU:g} HU already: a vessel, the wall or another nodule.",
                "Move it or make it smaller, or take it as it is: --touching",
            )


def _marked(one: Placed, volume_mm3: float) -> Marked:
    return Marked(one.centre_lps_mm, one.nodule.reach_mm * one.nodule.scale_to(volume_mm3), is_nodule=True)


def _apart_mm(one: Marked, other: Marked) -> float:
    between = np.linalg.norm(np.subtract(one.centre_lps_mm, other.centre_lps_mm))
    return float(between) - one.radius_mm - other.radius_mm


def _words(place: Triple) -> str:
    return ", ".join(f"{one:.1f}" for one in place)


def _date(scene: _Scene, number: int, path: Path) -> dict[str, object]:
    """Write one date; what truth.json says of it."""
    dates = scene.options.dates
    day, slice_mm = dates.days[number], dates.slices()[number]
    rng = np.random.default_rng((scene.options.seed, 1, number))
    moves = number > 0 and dates.shift_mm > 0
    breath = Breath.draw(scene.seen.ct.geometry, dates.shift_mm, rng) if moves else None
    nodules = scene.at(day)
    made = scanned(scene.seen, nodules, How(slice_mm=slice_mm, breath=breath), rng)
    _write_scan(made.ct, path, scene.options, day)
    stem = path.name.removesuffix(".nii.gz")
    measured = [_measured(str(n), one, centre) for n, (one, centre) in _numbered(nodules, made)]
    write_mask(made.mask, path.with_name(f"{stem}_mask.nii.gz"))
    study = {"key": stem, "synthetic": True, "note": SYNTHETIC, "volume_rule": "within the drawn surface: exact"}
    write_nodules(path.with_name(f"{stem}_nodules.json"), study, measured)
    return {
        "day": day,
        "date": dates.on(day).isoformat(),
        "scan": path.name,
        "mask": f"{stem}_mask.nii.gz",
        "slice_mm": made.ct.geometry.spacing_zyx_mm[0],
        "shift_mm": 0.0 if breath is None else dates.shift_mm,
        "nodules": [_record(one, nodule.volume_mm3) for one, nodule in zip(measured, nodules, strict=True)],
    }


def _write_scan(ct: Volume, path: Path, options: PhantomOptions, day: int) -> None:
    """A series or a NIfTI, either of which says in its own header what it is."""
    about, when = f"SYNTHETIC growth phantom, day {day}", options.dates.on(day)
    if options.as_dicom:
        write_series(ct, path, patient=_PATIENT, description=about, date=when, comments=SYNTHETIC)
    else:
        write_nifti(storable(ct.array, path), ct.geometry, path, ct.quantity, remark=about)


def _numbered(nodules: Sequence[Placed], made: Scanned) -> Iterator[tuple[int, tuple[Placed, Triple]]]:
    return enumerate(zip(nodules, made.centres_lps_mm, strict=True), start=1)


def _measured(name: str, one: Placed, centre: Triple) -> Nodule:
    """Its true size at a date: the axes of the surface as it was taken, enlarged."""
    scale = one.nodule.scale_to(one.volume_mm3)
    long_mm, short_mm = one.nodule.axes_mm
    lengths = Diameters(long_mm * scale, short_mm * scale, equivalent_diameter_mm(one.volume_mm3))
    return Nodule(name, centre_lps_mm=centre, volume_mm3=one.volume_mm3, diameters_mm=lengths)


def _record(one: Nodule, volume_mm3: float) -> dict[str, object]:
    lengths = one.diameters_mm
    return {
        "id": one.id,
        "centre_lps_mm": one.centre_lps_mm,
        "volume_mm3": volume_mm3,
        "equivalent_diameter_mm": lengths.equivalent_mm if lengths else None,
        "mean_diameter_mm": lengths.mean_mm if lengths else None,
        "long_axis_mm": lengths.long_axis_mm if lengths else None,
    }


def _truth(
    source: WholeCt, scene: _Scene, dates: Sequence[dict[str, object]], notes: Sequence[str]
) -> dict[str, object]:
    options, seen = scene.options, scene.seen
    noise = {"lung_noise_hu": seen.noise.lung_hu, "tissue_noise_hu": seen.noise.tissue_hu}
    pairs = zip(scene.first, options.nodules, strict=True)
    return {
        "schema": SCHEMA,
        "synthetic": True,
        "note": SYNTHETIC,
        "ct": source.name,
        "seed": options.seed,
        "scanner": {"sigma_mm": seen.sigma_mm, **noise},
        "notes": list(notes),
        "nodules": [
            {
                "id": str(number),
                "shape": one.nodule.source,
                "source": one.nodule.id,
                "doubling_days": plan.doubling_days if math.isfinite(plan.doubling_days) else None,
                "stable": math.isinf(plan.doubling_days),
            }
            for number, (one, plan) in enumerate(pairs, start=1)
        ],
        "dates": list(dates),
    }


def _notes(scene: _Scene, options: PhantomOptions) -> Iterator[str]:
    yield SYNTHETIC
    own_mm = scene.seen.ct.geometry.spacing_zyx_mm[0]
    if any(one is not None and one < own_mm - 1e-3 for one in options.dates.slices()):
        yield f"slices thinner than the CT's {own_mm:g} mm: the nodules are sharp in them, the patient is interpolated"
    if not scene.own_texture:
        yield "the CT shows too little soft tissue to tell its noise's texture: what is added is uncorrelated"
    if not math.isfinite(scene.seen.noise.tissue_hu) or scene.seen.noise.tissue_hu <= 0:
        yield "the CT shows no noise: none is added, and the dates differ by the nodules alone"
