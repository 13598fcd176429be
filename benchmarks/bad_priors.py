"""How often an earlier X-ray that doesn't belong is noticed, and how often one that belongs is doubted.

    python benchmarks/bad_priors.py PAIRS [--split train] [--cases 60] [--workers 2]

PAIRS is a prepared data set of DRR pairs. A picture's earlier one is itself in another pose, breath and tone, as `hilum
prepare over-time` draws them. Wrong ones are that of another patient, and its own mirrored, with bright and dark
exchanged, on its head, or on its side. Printed for each: quantiles of the local correlation after registration, the
share that is doubted, and how many of these for the right reason. The threshold, `prior_doubts.LEAST_LIKENESS`, is from
training patients.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.datasets.over_time_config import EarlierPoseConfig, EarlierToneConfig
from hilum.datasets.over_time_view import draw_view, places_before, seen_before
from hilum.datasets.prepared import CaseSource, read_prepared
from hilum.datasets.xray_grid import PixelGrid
from hilum.followup.prior_doubts import prior_doubts
from hilum.followup.xray_registration import register_xray
from hilum.io import read_radiograph

PIXEL_MM = 1.4
QUANTILES = (0, 1, 5, 50, 95, 99, 100)
WORDS = {
    "mirrored": "mirrored",
    "exchanged": "exchanged",
    "on its head": "stood on its head",
    "on its side": "lay on its side",
    "other": "another patient",
}
"""What the right reason says."""


@dataclass(frozen=True)
class Trial:
    """One earlier picture beside one current picture."""

    kind: str
    key: str
    correlation: float
    doubts: tuple[str, ...]


def picture(case: CaseSource) -> np.ndarray:
    grey = read_radiograph(case.image).array.astype(np.float64) / 255
    return PixelGrid(grey.shape, case.pixel_mm, PIXEL_MM).mean(grey).astype(np.float32)


def earlier(current: np.ndarray, seed: int) -> np.ndarray:
    view = draw_view(np.random.default_rng([seed, 6]), EarlierPoseConfig(), EarlierToneConfig())
    return seen_before(current, view, places_before(view, current.shape, PIXEL_MM), PIXEL_MM)


def trials(job: tuple[int, CaseSource, CaseSource]) -> list[Trial]:
    number, case, other = job
    current = picture(case)
    own = earlier(current, number)
    return [
        Trial(kind, case.key, *judged(np.ascontiguousarray(prior, dtype=np.float32), current))
        for kind, prior in (
            ("its own", own),
            ("other", earlier(picture(other), number)),
            ("mirrored", own[:, ::-1]),
            ("exchanged", 1 - own),
            ("on its head", own[::-1]),
            ("on its side", np.rot90(own)),
        )
    ]


def judged(prior: np.ndarray, current: np.ndarray) -> tuple[float, tuple[str, ...]]:
    registration = register_xray(prior, current, PIXEL_MM)
    return registration.misfit.correlation, prior_doubts(prior, current, registration)


def jobs(pairs: Path, split: str, count: int | None) -> Iterator[tuple[int, CaseSource, CaseSource]]:
    """Cases evenly spread over a split, each with the next one as another patient's."""
    found = read_prepared(pairs)
    patients = set(found.splits[split])
    cases = [case for case in found.cases(found.truth_name()) if case.patient in patients and not case.odd]
    chosen = [cases[i] for i in np.unique(np.linspace(0, len(cases) - 1, count or len(cases)).astype(int))]
    for number, case in enumerate(chosen):
        later = chosen[number + 1 :] + chosen
        yield number, case, next(one for one in later if one.patient != case.patient)


def report(found: list[Trial]) -> None:
    print(f"{'earlier picture':16}{'n':>5}" + "".join(f"{f'{q} %':>7}" for q in QUANTILES) + "  doubted  rightly named")
    for kind in dict.fromkeys(one.kind for one in found):
        some = [one for one in found if one.kind == kind]
        quantiles = "".join(f"{value:7.2f}" for value in np.percentile([one.correlation for one in some], QUANTILES))
        doubted = [one for one in some if one.doubts]
        named = sum(WORDS[kind] in " ".join(one.doubts) for one in doubted) if kind in WORDS else 0
        print(f"{kind:16}{len(some):5}{quantiles}  {len(doubted) / len(some):7.3f}  {named:5}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--split", default="validation", choices=("train", "validation"))
    parser.add_argument("--cases", type=int)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    with ProcessPoolExecutor(options.workers) as pool:
        found = [one for some in pool.map(trials, jobs(options.pairs, options.split, options.cases)) for one in some]
    print(f"{options.split} patients")
    report(found)


if __name__ == "__main__":
    main()
