"""How long judging takes: 109 predictions on X-rays of 512², every 2D figure, 1,000 bootstraps. The limit is 60 s.

    python benchmarks/evaluation_speed.py [--images 109] [--resamples 1000] [--command | --data-set]

Masks and probabilities are made up: up to four discs as truth, and a prediction that finds some of them. With --command
they are written as files, and `hilum evaluate --workers 2` judges them: reading, lesions, FROC, alarms, pictures and
the report as well. With --data-set they are the validation split of a data set with three times as many for training,
so that the rivals learn and are judged by both truths, too. The machine's load is said before and after.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.cli.app import main as evaluate
from hilum.evaluate.bootstrap import Resamples, mean_figures, pooled_figure, resample_patients
from hilum.evaluate.statistics import compare_paired, paired_differences
from hilum.io import write_png
from hilum.metrics.calibration import (
    adaptive_calibration_error,
    brier,
    calibration_error_of_sums,
    calibration_region,
    equal_width_edges,
    reliability,
)
from hilum.metrics.overlap import Counts, Ratio, confusion, volume_error_mm3, volume_error_percent
from hilum.metrics.probability import (
    ScoreCounts,
    average_precision,
    average_precision_of_sums,
    count_on_levels,
    roc_auc,
    roc_auc_of_sums,
)
from hilum.metrics.surface import (
    average_surface_distance_mm,
    hausdorff_mm,
    robust_surface_distance_mm,
    surface_dice,
    surface_distances,
)

SIZE, PIXEL_MM = (512, 512), (0.7, 0.7)
INTERVAL_LEVELS = 1000
TRAINING_TIMES = 3
"""Training images for each reported one, as in the published pairs."""
Floats = NDArray[np.float64]
Image = tuple[NDArray[np.float32], NDArray[np.bool_]]


@dataclass(frozen=True)
class Judged:
    """One image's figures, and what it adds to the pooled ones."""

    figures: dict[str, float]
    counts: Counts
    scores: ScoreCounts
    bins: Floats


@contextmanager
def stage(name: str, seconds: dict[str, float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0) + time.perf_counter() - start


def example(rng: np.random.Generator) -> Image:
    """Probability and truth of one image."""
    rows, columns = np.ogrid[: SIZE[0], : SIZE[1]]
    truth, probability = np.zeros(SIZE, dtype=bool), 0.05 * rng.random(SIZE, dtype=np.float32)
    for _ in range(rng.integers(0, 5)):
        (row, column), radius = rng.uniform(30, 480, 2), rng.uniform(4, 18)
        away = np.hypot(rows - row, columns - column)
        truth |= away <= radius
        height = rng.choice([0.2, 0.9])
        probability = np.maximum(probability, height / (1 + np.exp(away - radius + rng.normal()))).astype(np.float32)
    return probability, truth


def judge(probability: NDArray[np.float32], truth: NDArray[np.bool_], seconds: dict[str, float]) -> Judged:
    pred = probability >= 0.5
    with stage("overlap", seconds):
        counts = confusion(pred, truth)
        figures = {ratio.name: ratio(counts) for ratio in Ratio}
        figures |= {"area_error_mm2": volume_error_mm3(counts, 0.49), "area_error_%": volume_error_percent(counts)}
    with stage("surfaces", seconds):
        distances = surface_distances(pred, truth, PIXEL_MM)
        figures |= {
            "hausdorff_mm": hausdorff_mm(distances),
            "hd95_mm": hausdorff_mm(distances, 95),
            "assd_mm": average_surface_distance_mm(distances),
            "robust_mm": robust_surface_distance_mm(distances),
            "nsd_2mm": surface_dice(distances, 2),
        }
    with stage("ranking", seconds):
        scores = count_on_levels(probability, truth)
        figures |= {"auc": roc_auc(scores), "ap": average_precision(scores)}
        # Intervals of the pooled curves on coarser levels; the pooled value itself comes from the fine ones.
        coarse = count_on_levels(probability, truth, INTERVAL_LEVELS)
    with stage("calibration", seconds):
        region = calibration_region(pred, truth, PIXEL_MM)
        near = probability[region], truth[region]
        diagram = reliability(*near, equal_width_edges())
        figures |= {"ece": diagram.error, "ace": adaptive_calibration_error(*near), "brier": brier(*near)}
    bins = np.concatenate([diagram.count, diagram.probability_sum, diagram.positives])
    return Judged(figures, counts, coarse, bins)


def pooled(cases: list[Judged], resamples: Resamples) -> None:
    sums = np.array([one.counts.array() for one in cases])
    for ratio in Ratio:
        pooled_figure(ratio.name, sums, ratio.of_sums, resamples)
    scores = np.array([np.concatenate([one.scores.positives, one.scores.negatives]) for one in cases])
    for of_sums in (roc_auc_of_sums, average_precision_of_sums):
        pooled_figure("pooled", scores, lambda both, of=of_sums: of(*np.split(both, 2, axis=-1)), resamples)
    bins = np.array([one.bins for one in cases])
    pooled_figure("ece", bins, lambda all_: calibration_error_of_sums(*np.split(all_, 3, axis=-1)), resamples)


def by_command(images: list[Image], resamples: int) -> float:
    """Seconds that `hilum evaluate` takes from files to report."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        whose = ["key,patient"]
        for n, (probability, truth) in enumerate(images):
            write_png(truth, folder / "truth" / f"case{n}.png")
            write_png(np.rint(65535 * probability).astype(np.uint16), folder / "pred" / f"case{n}.png")
            whose.append(f"case{n},patient{n // 2}")
        (folder / "whose.csv").write_text("\n".join(whose))
        paths = [str(folder / "pred"), str(folder / "out"), "--data", str(folder / "truth")]
        paths += ["--patients", str(folder / "whose.csv")]
        words = ["--pixel-mm", "0.7", "--threshold", "0.5", "--workers", "2", "--bootstraps", str(resamples)]
        return timed([*paths, *words])


def with_data_set(images: list[Image], resamples: int, rng: np.random.Generator) -> float:
    """Seconds that `hilum evaluate` takes against a data set: rivals learn from its training images."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for n, (probability, _) in enumerate(images):
            write_png(np.rint(65535 * probability).astype(np.uint16), folder / "pred" / f"validation{n}.png")
        training = (example(rng) for _ in range(TRAINING_TIMES * len(images)))
        cases = [*write_cases(folder / "data", "validation", images), *write_cases(folder / "data", "train", training)]
        splits: dict[str, object] = {
            split: [str(case["patient"]) for case in cases if str(case["key"]).startswith(split)]
            for split in ("train", "validation", "test")
        }
        splits |= {"rule": "made up", "seed": 0, "hash": "made-up"}
        index = {"schema": "hilum.dataset/1", "kind": "made-up", "cases": cases, "splits": splits}
        (folder / "data" / "dataset.json").write_text(json.dumps(index))
        paths = [str(folder / "pred"), str(folder / "out"), "--data", str(folder / "data"), "--split", "validation"]
        return timed([*paths, "--threshold", "0.5", "--workers", "2", "--bootstraps", str(resamples)])


def write_cases(folder: Path, split: str, images: Iterable[Image]) -> list[dict[str, object]]:
    """Pictures, both truths, and what the data set's index says of them."""
    cases: list[dict[str, object]] = []
    for n, (probability, truth) in enumerate(images):
        key = f"{split}{n}"
        write_png(np.rint(60 + 150 * probability).astype(np.uint8), folder / f"{key}_x.png")
        for name in ("union", "consensus"):
            write_png(truth, folder / f"{key}_{name}.png")
        masks = {name: f"{key}_{name}.png" for name in ("union", "consensus")}
        case: dict[str, object] = {"key": key, "patient": f"{split} {n // 2}", "image": f"{key}_x.png", "masks": masks}
        cases.append(case | {"nodules": None, "pixel_mm": PIXEL_MM, "sha256": key})
    return cases


def timed(words: list[str]) -> float:
    """Seconds of `hilum evaluate` with these words."""
    start = time.perf_counter()
    code = evaluate(["evaluate", *words])
    took = time.perf_counter() - start
    if code:
        raise SystemExit(f"hilum evaluate ended with {code}: a broken run has no time.")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=109)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--command", action="store_true", help="time hilum evaluate on files, not its parts")
    parser.add_argument("--data-set", action="store_true", help="the same against a data set with training images")
    options = parser.parse_args()
    rng, seconds = np.random.default_rng(0), dict[str, float]()
    images = [example(rng) for _ in range(options.images)]
    print(f"Load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores\n")
    if options.command or options.data_set:
        took = (
            with_data_set(images, options.resamples, rng) if options.data_set else by_command(images, options.resamples)
        )
        print(f"\nhilum evaluate, {options.images} images of {SIZE}, {options.resamples} resamples: {took:.1f} s")
        print(f"\nLoad: {os.getloadavg()[0]:.1f}")
        return
    cases = [judge(*image, seconds) for image in images]
    columns = {name: np.array([one.figures[name] for one in cases]) for name in cases[0].figures}
    patients = [f"patient {n // 2}" for n in range(options.images)]
    with stage("bootstrap of means", seconds):
        resamples = resample_patients(patients, rng, options.resamples)
        figures = mean_figures(columns, resamples)
    with stage("bootstrap of pooled figures", seconds):
        pooled(cases, resamples)
    with stage("paired comparison of all figures", seconds):
        for name, column in columns.items():
            compare_paired(name, paired_differences(column, column + rng.normal(0.01, 0.1, len(column)), patients), rng)
    print(f"{options.images} images of {SIZE}, {len(columns)} figures each, {options.resamples} resamples\n")
    print("| stage | seconds |\n|---|---|")
    for name, took in (*seconds.items(), ("all", sum(seconds.values()))):
        print(f"| {name} | {took:.2f} |")
    one = figures["DICE"]
    print(f"\nDice {one.value:.3f} ({one.low:.3f} to {one.high:.3f}), n = {one.n}")


if __name__ == "__main__":
    main()
