"""Real chest X-rays of one patient on two days, laid over each other.

    python benchmarks/serial_films.py SRC [--pictures OUT]

SRC is a folder with `metadata.csv` (image, patient, day_offset, view, lungmask), `images/` and `lungmasks/`. Every
frontal film is compared with the patient's next one. The films don't say how large their pixels are; the mean chest
does. Printed for each pair: Dice of the lungs' masks with the films laid middle over middle, and after registration;
the misfit; what is doubted. Then how often a lateral, a mirrored or another patient's film is doubted.
"""

import argparse
import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from PIL import Image

from hilum.datasets.chest import fit_chest
from hilum.datasets.xray_grid import PixelGrid
from hilum.drr.source_style import published_look
from hilum.followup.prior_doubts import prior_doubts
from hilum.followup.xray_registration import XrayRegistration, register_xray

PIXEL_MM = 1.4


@dataclass(frozen=True, eq=False)
class Film:
    """A film on pixels of `PIXEL_MM`, as far as the mean chest tells their size."""

    name: str
    patient: str
    day: float
    is_lateral: bool
    picture: np.ndarray
    lungs: np.ndarray | None


def film(row: dict[str, str], source: Path) -> Film:
    grey = np.asarray(Image.open(source / "images" / row["image"]).convert("L"), dtype=np.float64)
    look = published_look(grey)
    step = fit_chest(look).step_mm
    grid = PixelGrid(look.shape, (step, step), PIXEL_MM)
    drawn = source / "lungmasks" / row["lungmask"] if row["lungmask"] else None
    lungs = None
    if drawn is not None and drawn.is_file():
        lungs = grid.nearest(np.asarray(Image.open(drawn).convert("L"))) > 0
    day = float(row["day_offset"]) if row["day_offset"] else np.nan
    return Film(row["image"], row["patient"], day, row["view"] == "L", grid.mean(look).astype(np.float32), lungs)


def pairs(films: list[Film]) -> Iterator[tuple[Film, Film]]:
    """(earlier, current): each dated frontal film and the patient's next one of a later day."""
    frontal = sorted((one for one in films if not one.is_lateral and one.day == one.day), key=lambda one: one.day)
    for patient in dict.fromkeys(one.patient for one in frontal):
        yield from ((a, b) for a, b in pairwise([one for one in frontal if one.patient == patient]) if a.day < b.day)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return 2 * float((one & other).sum()) / float(one.sum() + other.sum())


def middle_over_middle(mask: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """A mask laid into another size with its middle on the other's."""
    index = [np.arange(b) + (a - b) // 2 for a, b in zip(mask.shape, shape, strict=True)]
    within = [(one >= 0) & (one < side) for one, side in zip(index, mask.shape, strict=True)]
    found = np.zeros(shape, dtype=bool)
    found[np.ix_(*within)] = mask[np.ix_(*(one[ok] for one, ok in zip(index, within, strict=True)))]
    return found


def picture(earlier: Film, current: Film, found: XrayRegistration) -> Image.Image:
    """Current, earlier as registered, and both in one: current red, earlier cyan."""
    moved = np.asarray(found.moved(earlier.picture))
    both = np.stack((current.picture, moved, moved), axis=-1)
    grey = [np.repeat(one[..., None], 3, axis=-1) for one in (current.picture, moved)]
    return Image.fromarray((np.hstack((*grey, both)) * 255).clip(0, 255).astype(np.uint8))


def report_pairs(found: list[tuple[Film, Film]], out: Path | None) -> None:
    before, after, doubted = [], [], 0
    for number, (earlier, current) in enumerate(found, 1):
        registration = register_xray(earlier.picture, current.picture, PIXEL_MM)
        doubts = prior_doubts(earlier.picture, current.picture, registration)
        doubted += bool(doubts)
        line = f"{number:3} {current.patient:>4} day {earlier.day:g} to {current.day:g}"
        if earlier.lungs is not None and current.lungs is not None:
            before.append(dice(middle_over_middle(earlier.lungs, current.lungs.shape), current.lungs))
            after.append(dice(registration.moved(earlier.lungs, nearest=True), current.lungs))
            line += f"  lungs {before[-1]:.2f} -> {after[-1]:.2f}"
        misfit = registration.misfit
        print(f"{line}  correlation {misfit.correlation:.2f}  areas {misfit.least_area:.2f} to {misfit.most_area:.2f}")
        for note in (*registration.notes, *doubts):
            print(f"      {note}")
        if out:
            picture(earlier, current, registration).save(out / f"{number:02}.png")
    print(f"{len(found)} pairs, {len({b.patient for _, b in found})} patients; doubted: {doubted}")
    if after:
        print(
            f"lungs' Dice, {len(after)} pairs: mean {np.mean(before):.3f} before, {np.mean(after):.3f} after", end="; "
        )
        print(f"better in {sum(b > a for a, b in zip(before, after, strict=True))}, least after {min(after):.2f}")


def report_wrong(name: str, wrong: list[tuple[np.ndarray, np.ndarray]]) -> None:
    noticed = sum(
        bool(prior_doubts(prior, current, register_xray(prior, current, PIXEL_MM))) for prior, current in wrong
    )
    print(f"{name}: {noticed} of {len(wrong)} doubted")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    with (options.source / "metadata.csv").open(newline="", encoding="utf-8") as file:
        films = [film(row, options.source) for row in csv.DictReader(file)]
    found = list(pairs(films))
    report_pairs(found, options.pictures)
    frontal = [current for _, current in found]
    others = [
        next(one for one in frontal[n:] + frontal if one.patient != frontal[n].patient) for n in range(len(frontal))
    ]
    report_wrong("another patient's", [(a.picture, b.picture) for a, b in zip(others, frontal, strict=True)])
    report_wrong("mirrored", [(a.picture[:, ::-1], b.picture) for a, b in found])
    report_wrong("bright and dark exchanged", [(1 - a.picture, b.picture) for a, b in found])
    report_wrong("on its head", [(a.picture[::-1], b.picture) for a, b in found])
    laterals = [one for one in films if one.is_lateral]
    report_wrong("lateral", [(one.picture, frontal[n % len(frontal)].picture) for n, one in enumerate(laterals)])


if __name__ == "__main__":
    main()
