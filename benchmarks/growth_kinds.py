"""How much of a growth the common region of both dates sees, by what becomes of the surroundings.

    python benchmarks/growth_kinds.py

A made ball of 12 mm among vessels grows by 25 %, drawn over them or pushing them aside; and the readers' own nodule of
the sample CT grows by `hilum.datasets.swelling`, which pushes aside. No noise. Shares of ln(true), with what
surroundings take counted, and without; `alone` is each date by itself.
"""

import math
from collections.abc import Iterator

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from hilum.core import Geometry, Volume
from hilum.core.mask import Selection
from hilum.datasets.rescan import Background, Noise
from hilum.datasets.swelling import Swelling
from hilum.followup import volume_change as module
from hilum.io import read_volume
from hilum.io.installed import SAMPLE_PATIENT, sample_ct_path
from hilum.io.lidc import lidc_reads
from hilum.ops import place
from hilum.workflows.demo_scene import Scene

STEP, SIZE, RADIUS, GROWTH = 0.7, 60, 6.0, 1.25
LUNG_HU, RISE_HU, TISSUE_HU, BLUR_MM = -850.0, 890.0, 40.0, 0.65
CUTS, DOUBLING_DAYS, DAYS = (1.2, 0.6, 0.2), (200.0, 400.0), 90.0
BLOCK_MM = 50.0

Pair = tuple[Volume, Selection, Volume, Selection]


def ball_among_vessels(cut: float, is_pushed: bool) -> tuple[float, Pair]:
    """The vessels' mean share of the ball's contrast, and both dates."""
    grid = Geometry.regular((SIZE,) * 3, (STEP,) * 3, (0.0, 0.0, 0.0))
    ways = (np.indices((SIZE,) * 3) - (SIZE - 1) / 2) * STEP
    away, radii = np.linalg.norm(ways, axis=0), (RADIUS, RADIUS * GROWTH ** (1 / 3))
    texture = gaussian_filter(np.random.default_rng(5).normal(size=(SIZE,) * 3), 1.5)
    share = np.clip(texture / texture.std() - cut, 0, 1)
    before = np.cbrt(np.maximum(away**3 - radii[1] ** 3 + radii[0] ** 3, 0))
    came = ways * before / np.maximum(away, STEP) / STEP + (SIZE - 1) / 2
    later = map_coordinates(share, came, order=1, mode="nearest") if is_pushed else share
    inside = [np.clip((radius - away) / STEP + 0.5, 0, 1) for radius in radii]
    hu = [
        gaussian_filter((1 - own) * (LUNG_HU + RISE_HU * old) + own * TISSUE_HU, BLUR_MM / STEP)
        for own, old in zip(inside, (share, later), strict=True)
    ]
    first, second = (Volume(one.astype(np.int16), grid) for one in hu)
    return float(share.mean()), (first, inside[0] > 0.5, second, inside[1] > 0.5)


def own_nodule(growth: float) -> Pair:
    """The readers' nodule of the sample CT, before and after."""
    scene = Scene(read_volume(sample_ct_path()), lidc_reads(SAMPLE_PATIENT)[0])
    ct = scene.upright
    mask = place(scene.agreed[0], ct.geometry).select(1)
    ends = np.argwhere(mask)
    margin = np.ceil(BLOCK_MM / 2 / np.array(ct.geometry.spacing_zyx_mm)).astype(int)
    low = np.maximum(ends.min(axis=0) - margin, 0)
    shape = np.minimum(ends.max(axis=0) + margin + 1, mask.shape) - low
    (k, j, i), (nz, ny, nx) = low.tolist(), shape.tolist()
    mask, ct = mask[k : k + nz, j : j + ny, i : i + nx], ct.crop((k, j, i), (nz, ny, nx)).astype(np.float32)
    swelling = Swelling.of(mask, ct.geometry, growth)
    kept, noise = np.ones(mask.shape, np.float32), Noise(0.0, 0.0, np.ones((1, 1, 1)))
    after = swelling.applied(Background(ct, kept, noise, BLUR_MM)).ct
    moved = swelling.applied(Background(Volume(mask.astype(np.float32), ct.geometry), kept, noise, BLUR_MM)).ct
    return ct, mask, after, moved.array > 0.5


def cases() -> Iterator[tuple[str, float, Pair]]:
    for cut in CUTS:
        for is_pushed in (False, True):
            share, pair = ball_among_vessels(cut, is_pushed)
            yield f"ball, vessels of {share:.2f}, {'pushed aside' if is_pushed else 'drawn over'}", GROWTH, pair
    for days in DOUBLING_DAYS:
        growth = math.exp2(DAYS / days)
        yield f"the sample CT's nodule, grown by {growth - 1:.1%}", growth, own_nodule(growth)


def main() -> None:
    counted = module._seen_share
    print("| what grows | paired | nothing taken counted | alone |\n|---|---|---|---|")
    for name, growth, pair in cases():
        shares = []
        for seen in (counted, lambda *_: 1.0):
            module._seen_share = seen
            found = module.volume_change(*pair)
            shares.append(found.log_ratio / math.log(growth))
        alone = math.log(found.current.volume_mm3 / found.prior.volume_mm3) / math.log(growth)
        print(f"| {name} | {shares[0]:.2f} | {shares[1]:.2f} | {alone:.2f} |", flush=True)


if __name__ == "__main__":
    main()
