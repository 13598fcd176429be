"""How well the mean chest tells the pixel size of X-rays that don't say.

    python benchmarks/chest_width.py PAIRS [JSRT]

PAIRS is a prepared data set of DRR pairs, of which the validation pictures are used; JSRT one of films (`hilum prepare
jsrt`). Both know their pixels. Printed: quantiles of the estimated over the true size, and of the correlation for
pictures as they are, on their heads, and with bright and dark exchanged.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hilum.datasets.chest import correlation, fit_chest
from hilum.datasets.prepared import read_prepared
from hilum.drr.source_style import published_look
from hilum.io import read_radiograph

QUANTILES = (5, 25, 50, 75, 95)


def pictures(data: Path, split: str | None) -> Iterator[tuple[np.ndarray, float]]:
    """Each picture in the published style, and the side of its pixels."""
    found = read_prepared(data)
    for case in found.cases(found.truth_name()):
        if case.image is None or case.pixel_mm is None or (split and case.patient not in found.splits[split]):
            continue
        grey = read_radiograph(case.image).array.astype(np.float64)
        yield (grey / 255 if split else published_look(grey)), case.pixel_mm[1]


def line(name: str, values: list[float]) -> str:
    return f"{name:28}" + "".join(f"{value:8.2f}" for value in np.percentile(values, QUANTILES))


def report(name: str, data: Path, split: str | None) -> None:
    found = [(fit_chest(picture), picture, step) for picture, step in pictures(data, split)]
    print(f"{name}, {len(found)} pictures" + "".join(f"{f'{q} %':>8}" for q in QUANTILES))
    print(line("estimated / true size", [fit.step_mm / step for fit, _, step in found]))
    print(line("correlation", [fit.correlation for fit, _, _ in found]))
    print(line("on their heads", [correlation(picture[::-1], step) for _, picture, step in found]))
    print(line("exchanged", [correlation(1 - picture, step) for _, picture, step in found]))


if __name__ == "__main__":
    report("validation pairs", Path(sys.argv[1]), "validation")
    if len(sys.argv) > 2:
        report("films", Path(sys.argv[2]), None)
