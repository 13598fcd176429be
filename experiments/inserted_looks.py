"""Could an inserted nodule be told from a real one? Edge widths and noise of both, in one CT.

    python experiments/inserted_looks.py CUBES
    python experiments/inserted_looks.py CUBES INSERTED ct.nii.gz annotations.csv inserted_looks.png

CUBES (`hilum prepare cubes`) gives the blur of training patients' cubes (`hilum.datasets.inserted3d.CUBE_SIGMA_MM`).
INSERTED was made with --whole of that one CT, or of that one and others; annotations.csv has the CT's own nodules
under its name. An edge's width is the distance from 90 to 10 % along rays in the slice from a nodule's centre, where
they go from soft tissue (-150 to 250 HU) straight to lung (below -700). Vessels are small dense parts within the lungs.
Noise is that of second differences 3 pixels and more within. The picture shows cubes' nodules beside inserted ones.
"""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage

from hilum.datasets.ct_appearance import second_differences, squared_blurs
from hilum.datasets.ct_lungs import find_lungs
from hilum.datasets.inserted3d import INSERTED
from hilum.datasets.prepared import read_prepared
from hilum.io import read_mask, read_volume
from hilum.io.luna16 import DIAMETER, read_points
from hilum.ops import resample_to, to_lps_axes

STEP_MM, RAYS = 0.1, 24
SOLID, LUNG = (-150, 250), -700
BESIDE = 20
"""Pairs of a cube's nodule and an inserted one on the picture."""


def blur_of_cubes(cubes: Path) -> None:
    data = read_prepared(cubes)
    cts = [read_volume(case.image) for case in data.cases_in("train")]
    for name, axes in (("within slices", (1, 2)), ("across slices", (0,))):
        found = np.concatenate([one for ct in cts for axis in axes for one in squared_blurs(ct, axis)])
        print(f"cubes, {name}: {np.sqrt(max(np.quantile(found, 0.25), 0)):.3f} mm, of {len(found)} edges")


def width_along(values):
    """From 90 to 10 % of the first edge between soft tissue and lung; NaN where there is none."""
    high = np.median(values[: max(5, len(values) // 5)])
    if not SOLID[0] < high < SOLID[1]:
        return np.nan
    half = (high - 850) / 2
    crossed = np.flatnonzero((values[:-1] >= half) & (values[1:] < half))
    if not len(crossed):
        return np.nan
    edge = crossed[0]
    low = values[edge : edge + round(4 / STEP_MM)].min()
    if low > LUNG:
        return np.nan
    above, below = high - 0.1 * (high - low), high - 0.9 * (high - low)
    first, last = edge, edge
    while first > 0 and values[first] < above:
        first -= 1
    while last < len(values) - 1 and values[last] > below:
        last += 1
    return (last - first) * STEP_MM


def widths(ct, centre, radius_mm):
    k, j, i = ct.geometry.to_index(centre)
    away = np.arange(0, radius_mm + 6, STEP_MM) / ct.geometry.spacing_zyx_mm[1]
    plane = ct.array[round(k)].astype(float)
    angles = np.linspace(0, 2 * np.pi, RAYS, endpoint=False)
    rays = [ndimage.map_coordinates(plane, [j + away * np.sin(a), i + away * np.cos(a)], order=1) for a in angles]
    found = np.array([width_along(ray) for ray in rays])
    return found[np.isfinite(found)]


def noise_within(ct, centre):
    """NaN of a nodule that is too small."""
    k, j, i = np.rint(ct.geometry.to_index(centre)).astype(int)
    block = ct.array[k - 2 : k + 3, max(j - 30, 0) : j + 30, max(i - 30, 0) : i + 30]
    parts, _ = ndimage.label((block > SOLID[0]) & (block < SOLID[1]))
    own = parts == parts[2, min(j, 30), min(i, 30)]
    inner = ndimage.binary_erosion(own & (parts > 0), np.ones((1, 3, 3)), iterations=3)[:, 1:-1, 1:-1]
    values = second_differences(block)[inner]
    return np.median(np.abs(values)) * 1.4826 if len(values) >= 60 else np.nan


def said(name, found, noise=()):
    quartiles = " / ".join(f"{one:.1f}" for one in np.quantile(found, [0.25, 0.5, 0.75]))
    inside = np.array(noise)[np.isfinite(noise)] if len(noise) else np.array([])
    heard = (
        f"; noise {np.median(inside):.1f} HU ({inside.min():.1f} to {inside.max():.1f}, {len(inside)})"
        if len(inside)
        else ""
    )
    print(f"{name}: 10-90 % edges, quartiles {quartiles} mm of {len(found)} rays{heard}")


def compare(inserted: Path, path: Path, annotations: Path) -> None:
    scans = inserted / "scans"
    points = read_points(scans / "annotations.csv", DIAMETER)
    found, noise = [], []
    for series in sorted(set(points.series)):
        ct = to_lps_axes(read_volume(scans / f"{series}.nii.gz"))
        rows = [n for n, one in enumerate(points.series) if one == series and points.value[n] >= 8]
        found += [widths(ct, points.centre_lps_mm[n], points.value[n] / 2) for n in rows]
        noise += [noise_within(ct, points.centre_lps_mm[n]) for n in rows]
    said("inserted, 8 mm and more", np.concatenate(found), noise)
    ct = to_lps_axes(read_volume(path))
    own = read_points(annotations, DIAMETER)
    name = path.name.removesuffix(".nii.gz")
    (first, *_) = [n for n, one in enumerate(own.series) if one == name and own.value[n] >= 8]
    centre = own.centre_lps_mm[first]
    said("the CT's own nodule", widths(ct, centre, own.value[first] / 2), [noise_within(ct, centre)])
    lung = resample_to(find_lungs(ct), ct.geometry).labels > 0
    parts, count = ndimage.label(lung & (ct.array > -100) & (ct.array < SOLID[1]))
    sizes = ndimage.sum_labels(parts > 0, parts, range(1, count + 1))
    small = np.flatnonzero((sizes > 12) & (sizes < 400)) + 1
    middles = ndimage.center_of_mass(parts > 0, parts, small[:600])
    said("its vessels", np.concatenate([widths(ct, ct.geometry.to_lps_mm(one), 3.0) for one in middles]))


def picture(cubes: Path, inserted: Path, out: Path) -> None:
    real = {case.patient: case for case in read_prepared(cubes).cases_in("all")}
    made = [one for one in read_prepared(inserted).cases_in("all") if one.patch.truth == INSERTED and one.patch.nodule]
    chosen = [made[n] for n in np.random.default_rng(0).permutation(len(made))[:BESIDE]]
    figure, places = plt.subplots(4, 2 * BESIDE // 4, figsize=(20, 8.4))
    for n, case in enumerate(chosen):
        for name, one, place in (("cube", real[case.patient], 0), ("inserted", case, 1)):
            ct, mask = read_volume(one.image), read_mask(one.truth)
            middle = ct.array.shape[0] // 2
            shown = slice(max(middle - 25, 0), middle + 26)
            axes = places.ravel()[2 * n + place]
            axes.imshow(ct.array[middle, shown, shown], cmap="gray", vmin=-1000, vmax=400)
            if place and mask.labels[middle, shown, shown].any():
                axes.contour(mask.labels[middle, shown, shown], [0.5], colors="r", linewidths=0.4)
            axes.set_title(f"{name} {case.patient[-4:]}", fontsize=7)
            axes.axis("off")
    figure.tight_layout()
    figure.savefig(out, dpi=70)


if __name__ == "__main__":
    blur_of_cubes(Path(sys.argv[1]))
    if len(sys.argv) > 2:
        cubes_, inserted_, ct_, own_, out_ = map(Path, sys.argv[1:6])
        compare(inserted_, ct_, own_)
        picture(cubes_, inserted_, out_)
