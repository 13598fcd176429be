"""Nodules of LIDC matched between two made-up dates: right and wrong matches, by what registration leaves.

    python benchmarks/ct_matching.py [--splits train validation] [--repeats 2] [--picture curve.png]

All nodules of LIDC patients with 3 and more on one CT (readers' outlines of 3 mm and more; held-out patients are left
out). Earlier date: a reader's centre, volume and texture; later date: another reader's, where there are several, moved
by a known warp (`hilum.datasets.warps`: breath, posture, random field); a nodule of one reader is moved, resized and
rated anew as two readers of a nodule of like size differ. Each nodule is gone with a probability of .1; new ones, as
many as .1 of all, with sizes and textures of other patients, are put at random into the box of the patient's own ones.

Registrations: one that leaves a smooth random field of a stated 95 %, and says so as its error at every place; the same
with what `ct_registration.py` measured for warps of each size; one that is right about posture and knows nothing of
the bend, whose 95 % it says as its error; and one that is off by more than it says.

Right: of nodules at both dates, those matched with themselves. Wrong: of all matches, those that join two nodules.
False fates: of nodules at both dates, those called gone, merged, new or split. 95 % intervals by bootstrap over
patients.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure as Canvas

from hilum.core import Figure, MeasureError, Nodule, SpacingError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.datasets.splits import role
from hilum.datasets.warps import WarpRule, draw_warp
from hilum.evaluate.bootstrap import pooled_figure, resample_patients
from hilum.followup.ct_likeness import diameter_mm
from hilum.followup.ct_matching import match_nodules
from hilum.followup.ct_tracks import DatedNodules, Fate
from hilum.io.lidc import Read, lidc_reads
from hilum.io.lidc.types import IMAGE_SIZE
from hilum.ops import Deformation

LEAST = 3
GONE = NEW = 0.1
MARGIN_MM = 20.0
BOX = ((-140.0, -100.0, -140.0), (140.0, 100.0, 140.0))
"""Of the lungs, x, y, z about the middle of the picture and of all slices: where warps are drawn."""
WARPS = 12
NEIGHBOURS = 30
SIZES, LEFT = (5.0, 10.0, 20.0, 40.0), (0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0, 16.0)
MEASURED = {5.0: 0.69, 10.0: 1.18, 20.0: 2.39}
"""What registration leaves of a known warp of a real CT, 95 %, in mm (`ct_registration.py`)."""
SAYS_MM, BELIEVED = 2.0, (4.0, 8.0, 12.0)
SHARE = {"right": (1, 0), "wrong": (3, 2), "false fates": (4, 0)}
TRUNK = "| registration | nodules on both | right | wrong | false fates |\n|---|---|---|---|---|"


@dataclass(frozen=True, eq=False)
class Patient:
    """What is known of one CT: of each nodule what each reader measured, in mm from the middle of the picture."""

    name: str
    readers: tuple[tuple[Nodule, ...], ...]


@dataclass(frozen=True, eq=False)
class Off:
    """From the earlier date to the later one by a map that is off by a field, and says by how much."""

    back: Deformation
    off: Deformation
    error: float

    def to_current_mm(self, points: Floats) -> Floats:
        """Through the known warp, then off."""
        there = self.back.origins_mm(points)
        return there + self.off.bends_mm(there)

    def to_prior_mm(self, points: Floats) -> Floats:
        """And back."""
        return self.back.places_mm(self.off.origins_mm(points))

    def error_mm(self, points: Floats) -> Floats:
        """The same everywhere."""
        return np.full(points.shape[:-1], self.error)

    def shown_on_current(self, points: Floats) -> Selection:
        """All of it."""
        return np.ones(points.shape[:-1], dtype=bool)

    shown_on_prior = shown_on_current


@dataclass(frozen=True)
class Way:
    """One line of the table: a warp, what is left of it, what the registration says of that, and of which curve."""

    name: str
    size_mm: float
    left_mm: float
    says_mm: float
    curve: str
    knows_bend: bool = True


def ways() -> list[Way]:
    found = [Way(f"leaves {left:g} mm of a warp of 10 mm", 10.0, left, left, "what is left, mm") for left in LEFT]
    found += [
        Way(f"leaves {left:g} mm of a warp of {size:g} mm, as measured", size, left, left, "warp, registered, mm")
        for size, left in MEASURED.items()
    ]
    found += [
        Way(f"posture alone, of a warp of {size:g} mm", size, size, size, "warp, posture alone, mm", knows_bend=False)
        for size in SIZES
    ]
    return found + [
        Way(f"leaves {left:g} mm and says {SAYS_MM:g} mm", 10.0, left, SAYS_MM, "what is left, 2 mm said, mm")
        for left in BELIEVED
    ]


def readers_of(one: LidcNodule, read: Read) -> tuple[Nodule, ...]:
    try:
        grid = read.relative_grid(one.outlines)
    except SpacingError:
        return ()
    middle = np.array([(IMAGE_SIZE - 1) / 2 * float(read.pixel_mm or 0)] * 2 + [np.mean(read.slices_z_mm)])
    return tuple(
        replace(own, centre_lps_mm=tuple((np.array(own.centre_lps_mm) - middle).tolist()))
        for own in one.by_reader(grid)
        if own.centre_lps_mm is not None and own.volume_mm3
    )


def patients(splits: Sequence[str]) -> Iterator[Patient]:
    for read in lidc_reads():
        if role(str(read.patient)).value in splits:
            readers = tuple(own for own in (readers_of(one, read) for one in lidc_nodules(read)) if own)
            if len(readers) >= LEAST:
                yield Patient(str(read.patient), readers)


@dataclass(frozen=True, eq=False)
class Jitter:
    """How two readers of one nodule differ, by its diameter."""

    diameters: Floats
    pairs: list[tuple[Nodule, Nodule]]

    @classmethod
    def of(cls, everyone: Sequence[Patient]) -> "Jitter":
        """All pairs of readers, both ways round."""
        pairs = [
            (own[a], own[b])
            for one in everyone
            for own in one.readers
            for a in range(len(own))
            for b in range(len(own))
            if a != b
        ]
        return cls(np.array([diameter_mm(first) for first, _ in pairs]), pairs)

    def other(self, nodule: Nodule, rng: np.random.Generator) -> Nodule:
        """What another reader might have said."""
        near = np.argsort(np.abs(self.diameters - diameter_mm(nodule)))[:NEIGHBOURS]
        first, second = self.pairs[int(rng.choice(near))]
        place = np.array(nodule.centre_lps_mm) + np.array(second.centre_lps_mm) - np.array(first.centre_lps_mm)
        ratio = float(second.volume_mm3 or 1) / float(first.volume_mm3 or 1)
        change = float(second.texture or 0) - float(first.texture or 0) if second.texture and first.texture else 0.0
        texture = None if nodule.texture is None else float(np.clip(nodule.texture + change, 1, 5))
        volume = float(nodule.volume_mm3 or 0) * ratio
        return replace(nodule, centre_lps_mm=tuple(place.tolist()), volume_mm3=volume, texture=texture)


def two_dates(
    patient: Patient, jitter: Jitter, everyone: Sequence[Patient], rng: np.random.Generator
) -> tuple[list[Nodule], list[Nodule]]:
    """Nodules at both dates, in one frame; equal ids are one nodule."""
    prior, current = [], []
    for number, own in enumerate(patient.readers):
        order = rng.permutation(len(own))
        first = own[order[0]]
        prior.append(replace(first, id=str(number)))
        second = own[order[1]] if len(own) > 1 else jitter.other(first, rng)
        if rng.random() >= GONE:
            current.append(replace(second, id=str(number)))
    centres = np.array([one.centre_lps_mm for one in prior])
    low, high = centres.min(axis=0) - MARGIN_MM, centres.max(axis=0) + MARGIN_MM
    for number in range(rng.binomial(len(prior), NEW)):
        others = everyone[int(rng.integers(len(everyone)))].readers
        like = others[int(rng.integers(len(others)))][0]
        current.append(replace(like, id=f"new {number}", centre_lps_mm=tuple(rng.uniform(low, high).tolist())))
    return prior, current


def scaled(warp: Deformation, size: float) -> Deformation:
    return Deformation(warp.affine, warp.bend_mm * np.float32(size), warp.geometry)


def judged(dates: tuple[list[Nodule], list[Nodule]], way: Way, unit: tuple[Deformation, Deformation]) -> list[int]:
    """Nodules at both dates; right ones of them; matches; wrong ones of them; false fates."""
    back, field = scaled(unit[0], way.size_mm), scaled(unit[1], way.left_mm)
    prior, now = dates
    straight = Off(scaled(back, 0.0), scaled(field, 0.0), way.says_mm)
    known = Off(back, field, way.says_mm) if way.knows_bend else straight
    places = back.origins_mm(np.array([one.centre_lps_mm for one in now]).reshape(-1, 3))
    moved = [replace(one, centre_lps_mm=tuple(place)) for one, place in zip(now, places.tolist(), strict=True)]
    found = match_nodules([DatedNodules("1", tuple(prior)), DatedNodules("2", tuple(moved))], {(0, 1): known})
    both = {one.id for one in prior} & {one.id for one in now}
    chosen = [(one.fate, one.prior, one.current) for one in found.decisions]
    pairs = [(a.nodule, b.nodule) for fate, a, b in chosen if fate is Fate.MATCHED and a and b]
    lost = {a.nodule for fate, a, _ in chosen if fate in (Fate.GONE, Fate.MERGED) and a}
    lost |= {b.nodule for fate, _, b in chosen if fate in (Fate.NEW, Fate.SPLIT) and b}
    right = sum(a == b for a, b in pairs)
    return [len(both), right, len(pairs), len(pairs) - right, len(lost & both)]


def shares(rows: list[list[int]], names: list[str]) -> dict[str, Figure | None]:
    """With their intervals over patients; None where there is nothing to be a share of."""
    sums = np.array(rows, dtype=np.float64)
    resamples = resample_patients(names, np.random.default_rng(0))
    found: dict[str, Figure | None] = {}
    for name, (upper, lower) in SHARE.items():
        try:
            found[name] = pooled_figure(
                name, sums, lambda s, u=upper, b=lower: s[..., u] / s[..., b], resamples, is_share=True
            )
        except MeasureError:
            found[name] = None
    return found


def line(way: Way, both: int, found: dict[str, Figure | None]) -> str:
    cells = ["–" if one is None else f"{one.value:.2%} ({one.low:.2%}–{one.high:.2%})" for one in found.values()]
    return f"| {way.name} | {both} | " + " | ".join(cells) + " |"


def curves(told: list[tuple[Way, dict[str, Figure | None]]]) -> Canvas:
    """Right and wrong matches against the size of what is left, or of the warp."""
    canvas = Canvas(figsize=(11, 5), layout="constrained")
    names = list(dict.fromkeys(way.curve for way, _ in told))
    panels = canvas.subplots(2, len(names), sharey="row")
    for column, curve in enumerate(names):
        some = [(way.size_mm if "warp" in curve else way.left_mm, found) for way, found in told if way.curve == curve]
        for panel, share, aim in zip(panels[:, column], ("right", "wrong"), (99.0, 1.0), strict=True):
            points = [(x, found[share]) for x, found in some if found[share] is not None]
            middle = [100 * one.value for _, one in points if one]
            ends = [[100 * abs(one.value - getattr(one, side)) for _, one in points if one] for side in ("low", "high")]
            panel.errorbar([x for x, _ in points], middle, yerr=ends, fmt="o-", color="#0072b2", capsize=2)
            panel.axhline(aim, color="#d55e00", linestyle="--", label=f"aim: {aim:g} %")
            panel.set(xlabel=curve, ylabel=f"{share}, %" if column == 0 else None)
            panel.grid(alpha=0.3)
    panels[0, 0].legend(fontsize=7)
    return canvas


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", nargs="+", default=("train", "validation"), choices=("train", "validation"))
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    everyone = list(patients(options.splits))
    jitter = Jitter.of(everyone)
    rng = np.random.default_rng(0)
    free = WarpRule(1.0, random_share=1.0, turn_deg=0.0, shift_mm=0.0)
    units = [(draw_warp(BOX, WarpRule(1.0), rng), draw_warp(BOX, free, rng)) for _ in range(WARPS)]
    known = [own for one in everyone for own in one.readers]
    apart = [float(np.linalg.norm(np.subtract(a.centre_lps_mm, b.centre_lps_mm))) for a, b in jitter.pairs]
    print(f"{len(everyone)} CTs, {len(known)} nodules, {sum(len(own) == 1 for own in known)} of one reader")
    print(
        "two readers' centres, mm, 50 / 95 / 99 %: {:.2f} / {:.2f} / {:.2f}".format(*np.percentile(apart, (50, 95, 99)))
    )
    cases = [one for one in everyone for _ in range(options.repeats)]
    drawn = [(two_dates(one, jitter, everyone, rng), units[int(rng.integers(WARPS))]) for one in cases]
    print(TRUNK)
    told = []
    for way in ways():
        rows = [judged(dates, way, unit) for dates, unit in drawn]
        told.append((way, shares(rows, [one.name for one in cases])))
        print(line(way, sum(row[0] for row in rows), told[-1][1]), flush=True)
    if options.picture:
        curves(told).savefig(options.picture, dpi=100)


if __name__ == "__main__":
    main()
