"""Repeat scans of real nodules in a real CT, through the shipped segmenter: what `ct_growth.py` fits and judges."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hilum.core import HilumError, Volume
from hilum.core.geometry import Triple
from hilum.core.mask import Selection
from hilum.datasets.ct_appearance import appearance
from hilum.datasets.ct_lungs import find_lungs
from hilum.datasets.growth_phantom import How, Placed, scanned
from hilum.datasets.growth_shape import Growable, growable
from hilum.datasets.insertion_places import InsertionRule, Taken, depths, draw_place
from hilum.datasets.patch_places import PieceRule
from hilum.datasets.prepared import CaseSource, read_prepared
from hilum.datasets.rescan import Background, Breath, background
from hilum.followup.volume_change import VolumeChange, change_between
from hilum.infer.prompted_volume import part_at
from hilum.infer.volumes import PatchPredictor
from hilum.io import read_volume
from hilum.measure import axial_axes, volume_mm3
from hilum.measure.partial_volume import around, edge_volume
from hilum.ops import to_lps_axes
from hilum.workflows.inserted_scan import cut_of
from hilum.workflows.inserted_sources import cut_cases, own_marks
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.predict_point import outliner
from hilum.workflows.whole_ct import whole_ct

BLOCK_MM = 34.0
SIZES_MM, SCALES = (5.5, 20.0), (0.6, 1.7)
LARGEST_MM = 26.0
NOISE_HU, SIGMAS_MM, SLICES_MM = (6.0, 35.0), (0.55, 0.9), (1.25, 2.5)
SHIFT_MM, POINT_MM = 3.0, 1.0
GROWN, TEN_MM, VDT_DAYS, AFTER_DAYS = 1.25, (8.5, 11.5), 400.0, 90.0


@dataclass(frozen=True, eq=False)
class Stage:
    """A CT, and where nodules come into it."""

    seen: Background
    places: list[Triple]
    predictor: PatchPredictor

    @classmethod
    def of(cls, ct_path: Path, annotations: Path | None, seed: int) -> "Stage":
        """Of a CT, its own nodules left out."""
        ct = to_lps_axes(read_volume(ct_path))
        rng = np.random.default_rng((seed, 0))
        within = depths(ct, find_lungs(ct))
        taken = Taken([], [one for one in own_marks(whole_ct(ct_path), annotations) if one.is_nodule], PieceRule())
        drawn = (draw_place(within, rng.uniform(3, 9), taken, InsertionRule(), rng) for _ in range(150))
        places = [one for one in drawn if one is not None]
        return cls(background(ct, appearance(ct)), places, outliner(PredictOptions(model="ct_nodules", device="cpu")))

    def block(self, place: Triple) -> Background:
        """What the segmenter looks at around a place."""
        grid = self.seen.ct.geometry
        steps, middle = np.array(grid.spacing_zyx_mm), grid.to_index(place)
        low = np.clip(np.floor(middle - BLOCK_MM / steps), 0, None).astype(int)
        high = np.minimum(np.ceil(middle + BLOCK_MM / steps) + 1, grid.shape_zyx).astype(int)
        (k, j, i), (nz, ny, nx) = low.tolist(), (high - low).tolist()
        part = tuple(slice(a, b) for a, b in zip(low.tolist(), high.tolist(), strict=True))
        return replace(self.seen, ct=self.seen.ct.crop((k, j, i), (nz, ny, nx)), kept=self.seen.kept[part])


@dataclass(frozen=True)
class Look:
    """How one scan differs from the others of its nodule."""

    name: str
    factor: float
    slice_mm: float
    sigma_mm: float


@dataclass(frozen=True, eq=False)
class Scan:
    """One scan, as the segmenter sees it."""

    look: Look
    volume_mm3: float
    ct: Volume
    mask: Selection

    @property
    def counted_mm3(self) -> float:
        """Volume of the mask's voxels."""
        return volume_mm3(self.mask, self.ct.geometry)


def repeats(stage: Stage, cubes: Path, split: str, draws: int, seed: int, out: Path) -> None:
    """Add rows to a file of JSON lines: one for each pair of scans."""
    known = cut_cases(read_prepared(cubes), split)
    cases = [one for one in known if one.patch is not None and one.patch.diameter_mm < LARGEST_MM]
    rng = np.random.default_rng((seed, len(split)))
    deck: list[int] = []
    for number in range(draws):
        deck = deck or rng.permutation(len(cases)).tolist()
        about, shape = _shape(cases[deck.pop()])
        diameter, looks, noise = _drawn(shape, number, rng)
        place = stage.places[int(rng.integers(len(stage.places)))]
        placed = Placed(shape, math.pi / 6 * diameter**3, place)
        found = {one.name: _scan(stage, placed, one, noise, looks[0].slice_mm, rng) for one in looks}
        facts = {**about, "draw": f"{split}{seed}-{number}", "diameter_mm": diameter, "noise_hu": noise}
        with out.open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(facts | row) + "\n" for row in rows(found))
        print(number, about["key"], f"{diameter:.1f} mm", [one is not None for one in found.values()], flush=True)


def _shape(case: CaseSource) -> tuple[dict[str, object], Growable]:
    cut = cut_of(case)
    return {"key": cut.id, "patient": cut.patient, "texture": cut.nodule.texture}, growable(cut)


def _drawn(shape: Growable, number: int, rng: np.random.Generator) -> tuple[float, list[Look], float]:
    """Size, scans and noise of a draw: two alike, one grown, every other time one that differs."""
    own = shape.own_diameter_mm
    ends = np.log([max(SIZES_MM[0], SCALES[0] * own), min(SIZES_MM[1], SCALES[1] * own)])
    diameter, noise = float(np.exp(rng.uniform(*ends))), float(np.exp(rng.uniform(*np.log(NOISE_HU))))
    slice_mm, sigma = float(rng.choice(SLICES_MM)), float(rng.uniform(*SIGMAS_MM))
    looks = [Look(name, factor, slice_mm, sigma) for name, factor in (("A", 1.0), ("B", 1.0), ("C", GROWN))]
    if number % 2 == 0:
        mirrored = sum(SIGMAS_MM) - sigma
        other = mirrored if abs(mirrored - sigma) > 0.12 else sigma + 0.2
        has_slices = bool(rng.integers(2))
        looks.append(
            Look("D", 1.0, sum(SLICES_MM) - slice_mm if has_slices else slice_mm, sigma if has_slices else other)
        )
    if TEN_MM[0] <= diameter <= TEN_MM[1]:
        looks.append(Look("E", 2 ** (AFTER_DAYS / VDT_DAYS), slice_mm, sigma))
    return diameter, looks, noise


def _scan(
    stage: Stage, placed: Placed, look: Look, noise_hu: float, usual_mm: float, rng: np.random.Generator
) -> Scan | None:
    """One scan through the segmenter; None where it marks nothing."""
    block = stage.block(placed.centre_lps_mm)
    breath = Breath.draw(block.ct.geometry, SHIFT_MM, rng)
    how = How(look.slice_mm, look.sigma_mm, noise_hu * math.sqrt(usual_mm / look.slice_mm), breath)
    made = scanned(block, [replace(placed, volume_mm3=placed.volume_mm3 * look.factor)], how, rng)
    x, y, z = (np.array(made.centres_lps_mm[0]) + rng.normal(0, POINT_MM, 3)).tolist()
    try:
        part = part_at(made.ct, (x, y, z), stage.predictor)
    except HilumError:
        return None
    if part is None:
        return None
    whole = np.zeros(made.ct.array.shape, dtype=bool)
    whole[part.place] = part.mask
    return Scan(look, placed.volume_mm3 * look.factor, *around(made.ct, whole))


def rows(found: dict[str, Scan | None]) -> Iterator[dict[str, object]]:
    """What each pair of scans measures."""
    edges = {name: None if one is None else edge_volume(one.ct, one.mask) for name, one in found.items()}
    for first, second in ("AB", "AC", "AD", "AE"):
        before, after, ends = found.get(first), found.get(second), (edges.get(first), edges.get(second))
        if before is not None and after is not None and ends[0] is not None and ends[1] is not None:
            yield _row(before, after, change_between(*ends))
        elif second in found:
            yield {"pair": first + second, "missed": True}


def _row(before: Scan, after: Scan, change: VolumeChange) -> dict[str, object]:
    ends = (change.prior, change.current)
    axes = [axial_axes(one.inside, one.block.geometry) for one in ends]
    return {
        "pair": before.look.name + after.look.name,
        "slice_mm": [before.look.slice_mm, after.look.slice_mm],
        "sigma_mm": [before.look.sigma_mm, after.look.sigma_mm],
        "true": math.log(after.volume_mm3 / before.volume_mm3),
        "paired": change.log_ratio,
        "alone": math.log(change.current.volume_mm3 / change.prior.volume_mm3),
        "mask": math.log(after.counted_mm3 / before.counted_mm3),
        "mean_diameter": math.log((axes[1].long_mm + axes[1].short_mm) / (axes[0].long_mm + axes[0].short_mm)),
        "long_axis": math.log(axes[1].long_mm / axes[0].long_mm),
        "mass": math.log(change.current.mass_mg / change.prior.mass_mg),
        "edge_error": math.log(change.prior.volume_mm3 / before.volume_mm3),
        "mask_error": math.log(before.counted_mm3 / before.volume_mm3),
        "is_paired": change.is_paired,
    }


def read_rows(paths: Sequence[Path]) -> list[dict[str, object]]:
    """Rows of files that `repeats` wrote."""
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
