"""hilum's surface figures beside the surface-distance package: the same numbers, in what time.

    python benchmarks/surface_distances.py [--repeat 3]

All surface figures of one pair of masks together: Hausdorff 100 and 95, both directed averages, surface Dice at 2 mm.
The pairs are whole arrays, since cropping is part of the work. The median of `repeat` runs of each counts, taken in
turn, in time of the processor (all threads), which other work on the machine changes least; the last column is the
largest difference between any two figures. The machine's load is said before and after.
"""

import argparse
import os
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import surface_distance
from numpy.typing import NDArray

from hilum.metrics.surface import hausdorff_mm, surface_dice, surface_distances

Mask = NDArray[np.bool_]
Figures = tuple[float, ...]
CT, CT_MM = (133, 512, 512), (2.5, 0.7, 0.7)
XRAY, XRAY_MM = (512, 512), (0.7, 0.7)


@dataclass(frozen=True)
class Pair:
    """Two masks to compare."""

    name: str
    pred: Mask
    truth: Mask
    spacing_mm: tuple[float, ...]


def ellipsoid(shape: Sequence[int], centre: Sequence[float], radii: Sequence[float]) -> Mask:
    grid = np.ogrid[tuple(slice(n) for n in shape)]
    terms = [((x - c) / r) ** 2 for x, c, r in zip(grid, centre, radii, strict=True)]
    return np.asarray(sum(terms) <= 1)


def lungs(move: int, grow: int) -> Mask:
    left, right = ((66, 256 + move, column + move) for column in (150, 370))
    radii = (60, 180 + grow, 90 - grow)
    return ellipsoid(CT, left, radii) | ellipsoid(CT, right, radii)


def pairs() -> Iterator[Pair]:
    rng = np.random.default_rng(0)
    for name, radius in (("nodule of 5 mm", 2.5), ("nodule of 15 mm", 7.5), ("mass of 60 mm", 30.0)):
        radii = [radius / step for step in CT_MM]
        moved = ellipsoid(CT, (60, 201, 202), [1.1 * r for r in radii])
        yield Pair(name, moved, ellipsoid(CT, (60, 200, 200), radii), CT_MM)
    yield Pair("both lungs", lungs(3, 4), lungs(0, 0), CT_MM)
    specks = rng.random(CT) < 2e-5
    yield Pair("nodule and false alarms everywhere", specks, ellipsoid(CT, (60, 200, 200), (3, 11, 11)), CT_MM)
    yield Pair("nodule in a lung", lungs(0, 0), ellipsoid(CT, (60, 256, 150), (6, 22, 22)), CT_MM)
    ball, core = (ellipsoid(CT, (66, 256, 256), (radius, 3.57 * radius, 3.57 * radius)) for radius in (60, 30))
    yield Pair("ball in a ball", ball, core, CT_MM)
    disc = ellipsoid(XRAY, (300, 200), (14, 14))
    yield Pair("X-ray, nodule of 20 mm", np.roll(disc, (1, 2), (0, 1)), disc, XRAY_MM)


def ours(pair: Pair) -> Figures:
    distances = surface_distances(pair.pred, pair.truth, pair.spacing_mm)
    averages = distances.directed_average_mm[::-1]
    return hausdorff_mm(distances), hausdorff_mm(distances, 95), *averages, surface_dice(distances, 2)


def theirs(pair: Pair) -> Figures:
    distances = surface_distance.compute_surface_distances(pair.truth, pair.pred, pair.spacing_mm)
    robust = (surface_distance.compute_robust_hausdorff(distances, percent) for percent in (100, 95))
    averages = surface_distance.compute_average_surface_distance(distances)
    return *robust, *averages, surface_distance.compute_surface_dice_at_tolerance(distances, 2)


def timed(compute: Callable[[Pair], Figures], pair: Pair) -> tuple[float, Figures]:
    start = time.process_time()
    figures = compute(pair)
    return time.process_time() - start, figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    repeat = parser.parse_args().repeat
    # The package calls SciPy by names that SciPy has deprecated.
    warnings.simplefilter("ignore", DeprecationWarning)
    print(f"Load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    start = time.perf_counter()
    surface_distances(np.ones((2, 2, 2), dtype=bool), np.ones((2, 2, 2), dtype=bool), (1, 1, 1))
    print(f"First call, with its imports and tables: {time.perf_counter() - start:.2f} s\n")
    print("| pair | hilum, ms | surface-distance, ms | share | largest difference |\n|---|---|---|---|---|")
    for pair in pairs():
        runs = [(timed(ours, pair), timed(theirs, pair)) for _ in range(repeat)]
        own, other = (float(np.median([run[k][0] for run in runs])) * 1000 for k in (0, 1))
        apart = np.abs(np.subtract(runs[0][0][1], runs[0][1][1])).max()
        print(f"| {pair.name} | {own:.1f} | {other:.1f} | {own / other:.2f} | {apart:.1e} |", flush=True)
    print(f"\nLoad: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
