"""What `docs/explanation/training-data.md` says of the published pairs: areas, pack, gain, inserted nodules, time.

    hilum prepare drr-pairs lidc-drr pairs
    python benchmarks/training_data.py pairs

Training patients only; the packed cache has both splits.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from hilum.datasets.augment2d import draw_augmentation
from hilum.datasets.insertion import NoduleBank, draw_insertions, inserted
from hilum.datasets.nodule_bank import build_bank
from hilum.datasets.prepared import read_prepared
from hilum.datasets.xray_config import AugmentConfig, InsertionConfig, XrayDataConfig
from hilum.datasets.xray_load import load_samples
from hilum.datasets.xray_pack import XrayPack, write_pack
from hilum.datasets.xray_sample import XraySample
from hilum.drr.visibility import against_ring
from hilum.io import read_mask

SIZES_MM = ((5, 8), (8, 15), (15, 40))
DRAWS = 1500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    pairs = parser.parse_args().pairs
    samples = load_samples(pairs, "train", XrayDataConfig())[0]
    print(f"union as published: {published_mm2(pairs):,.0f} mm²")
    for pixel_mm in (0.7, 1.4):
        areas = load_samples(pairs, "train", XrayDataConfig(pixel_mm=pixel_mm))[0]
        print(f"union at {pixel_mm} mm: {sum(s.truth.sum() for s in areas) * pixel_mm**2:,.0f} mm²")
    bank = build_bank(pairs)
    print(f"{len(bank.nodules)} shapes; {bank.gain}")
    validation = load_samples(pairs, "validation", XrayDataConfig())[0]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pairs.npz"
        write_pack(path, XrayPack({"train": samples, "validation": validation}, bank=bank))
        print(f"packed: {path.stat().st_size / 1e6:.1f} MB")
    beside_real_ones(samples, bank)
    times(samples, bank)


def published_mm2(pairs: Path) -> float:
    """Area of the training pictures' lesions on their own pixels."""
    data = read_prepared(pairs)
    cases = [case for case in data.cases("union") if case.patient in set(data.splits["train"])]
    return float(sum((read_mask(case.truth).labels > 0).sum() * np.prod(case.pixel_mm or np.nan) for case in cases))


def beside_real_ones(samples: Sequence[XraySample], bank: NoduleBank) -> None:
    """Contrast to noise of silhouettes against their rings, real (three readers and more) and inserted."""
    rng, config = np.random.default_rng(0), InsertionConfig(share=1, most=1)
    ours = []
    for _ in range(DRAWS):
        before = samples[int(rng.integers(len(samples)))]
        after = inserted(before, draw_insertions(rng, bank, config, before.patient), bank, "consensus")
        if after is not before:
            side = (after.pixel_mm, after.pixel_mm)
            stand = against_ring(after.image.astype(np.float64), after.truth & ~before.truth, side, before.truth)
            ours.append((after.nodules[-1].size_mm, stand.contrast_to_noise))
    real = [(n.size_mm, n.contrast) for s in samples for n in s.nodules if n.reader_count >= config.least_readers]
    print(f"{len(ours)} of {DRAWS} inserted")
    for name, pairs in (("real", np.array(real)), ("inserted", np.array(ours))):
        for low, high in SIZES_MM:
            ratios = pairs[(pairs[:, 0] >= low) & (pairs[:, 0] < high), 1]
            ratios = ratios[np.isfinite(ratios)]
            quantiles = " ".join(f"{q:.2f}" for q in np.quantile(ratios, [0.1, 0.25, 0.5, 0.75, 0.9]))
            print(f"{name} {low}-{high} mm: n {len(ratios)}, contrast to noise {quantiles}")


def times(samples: Sequence[XraySample], bank: NoduleBank) -> None:
    crop, insertion = AugmentConfig(crop_px=(256, 256)), InsertionConfig(share=1, most=1)

    def augment(sample: XraySample, rng: np.random.Generator) -> XraySample:
        return draw_augmentation(rng, crop)(sample)

    def insert(sample: XraySample, rng: np.random.Generator) -> XraySample:
        return inserted(sample, draw_insertions(rng, bank, insertion, sample.patient), bank)

    tasks: dict[str, Callable[[XraySample, np.random.Generator], XraySample]] = {"augment": augment, "insert": insert}
    for name, task in tasks.items():
        seconds = []
        for seed in range(200):
            rng, start = np.random.default_rng(seed), time.process_time()
            task(samples[seed], rng)
            seconds.append(time.process_time() - start)
        print(f"{name}: median {1e3 * np.median(seconds):.1f} ms of one core")


if __name__ == "__main__":
    main()
