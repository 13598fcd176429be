"""How well known warps of real CTs are undone, and what is refused.

    python benchmarks/ct_registration.py CT [CT …] [--sizes 5 10 20] [--warps 1] [--threads 2] [--other]

Each CT (a NIfTI file or a folder of DICOM) is moved by known warps (`hilum.datasets.warps`: breath, posture, a random
field, lung density), put on pixels twice as wide, with noise of 15 HU, and registered. In mm, median and 95 % of the
lung's places: how far they moved beyond posture, what an affine map leaves, what registration leaves; the share of
places whose error is within what `error_mm` says; and the registration's own figures. Processor seconds are of all
threads. --other registers the first CT with the second as if they were one patient's.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from hilum.core import HilumError, Mask, Volume
from hilum.core.geometry import Floats
from hilum.datasets.ct_lungs import find_lungs
from hilum.datasets.warps import WarpRule, draw_warp, lungs_box_mm, warped
from hilum.followup.ct_registration import CtRegistration, register_ct
from hilum.io import read_volume
from hilum.ops import Deformation, to_lps_axes

NOISE_HU = 15.0
POINTS = 5000
HEAD = (
    "| CT | warp | seed | moved | affine leaves | registration leaves | 99 % | within error_mm | apart | Dice "
    "| similarity | folded | CPU s | s | memory MB |"
)


def of_lengths(lengths: Floats) -> str:
    return "{:.2f} / {:.2f}".format(*np.nanpercentile(lengths, (50, 95)))


def moved(ct: Volume, back: Deformation, rng: np.random.Generator, threads: int) -> Volume:
    z, y, x = ct.geometry.spacing_zyx_mm
    other = warped(ct, back, ct.geometry.with_spacing((z, 2 * y, 2 * x)), threads)
    noisy = other.array + rng.normal(0, NOISE_HU, other.array.shape)
    return Volume(np.rint(noisy).clip(-1024, 3071).astype(np.int16), other.geometry)


def one(name: str, ct: Volume, lungs: Mask, rule: WarpRule, seed: int, threads: int) -> str:
    rng = np.random.default_rng(seed)
    back = draw_warp(lungs_box_mm(lungs), rule, rng)
    current = moved(ct, back, rng, threads)
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    started, used, before = time.perf_counter(), time.process_time(), memory_mb("VmRSS")
    found = register_ct(ct, current, threads=threads)
    seconds, processor, grown = time.perf_counter() - started, time.process_time() - used, memory_mb("VmHWM") - before
    places = lungs.require_geometry().to_lps_mm(np.argwhere(lungs.labels))
    return row(found, back, places[:: max(1, len(places) // POINTS)], (name, rule.size_mm, seed)) + (
        f" {processor:.0f} | {seconds:.0f} | {grown:.0f} |"
    )


def row(found: CtRegistration, back: Deformation, places: Floats, what: tuple[str, float, int]) -> str:
    truth = back.origins_mm(places)
    bend = np.linalg.norm(back.bends_mm(truth), axis=-1)
    error = np.linalg.norm(found.to_current_mm(places) - truth, axis=-1)
    affine = np.linalg.norm(Deformation.of_affine(found.forward.affine).places_mm(places) - truth, axis=-1)
    said, figures = found.error_mm(places), found.misfit
    cells = (
        f"{what[0]} | {what[1]:g} mm | {what[2]}",
        *map(of_lengths, (bend, affine, error)),
        f"{np.nanpercentile(error, 99):.2f} | {np.mean(error <= said):.1%}",
        f"{figures.apart_median_mm:.2f} / {figures.apart_p95_mm:.2f} | {figures.dice:.3f}",
        f"{figures.similarity:.2f} | {figures.folded:.2%} |",
    )
    return "| " + " | ".join(cells)


def memory_mb(name: str) -> float:
    """Of Linux: VmRSS now, VmHWM at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def other(cts: list[Volume], threads: int) -> None:
    try:
        found = register_ct(cts[0], cts[1], threads=threads)
    except HilumError as error:
        print(f"\nfirst and second CT as one patient's: refused: {error}")
    else:
        print(f"\nfirst and second CT as one patient's: {found.misfit}, doubts: {found.doubts}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cts", type=Path, nargs="+")
    parser.add_argument("--sizes", type=float, nargs="*", default=(5.0, 10.0, 20.0))
    parser.add_argument("--warps", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--other", action="store_true")
    options = parser.parse_args()
    cts = [to_lps_axes(read_volume(path)) for path in options.cts]
    print(HEAD, "|" + "---|" * (HEAD.count("|") - 1), sep="\n")
    for path, ct in zip(options.cts, cts, strict=True):
        lungs = find_lungs(ct)
        for size in options.sizes:
            for seed in range(options.warps):
                print(one(path.name.split(".")[0], ct, lungs, WarpRule(size), seed, options.threads), flush=True)
    if options.other:
        other(cts, options.threads)


if __name__ == "__main__":
    main()
