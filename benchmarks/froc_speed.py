"""How long LUNA16's figures take: 55,000 made-up marks on 888 scans, from CSV files to every figure and the picture.

    python benchmarks/froc_speed.py [--data FOLDER] [--marks 55000] [--bootstraps 1000]

With --data (a folder that holds luna16/) the marks are made up around LUNA16's own lists, held-out patients left out;
without, nodules are made up too. The figures say nothing about a detector; only the seconds matter.
"""

import argparse
import csv
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.datasets.splits import is_held_out
from hilum.io.lidc import lidc_scans
from hilum.io.luna16 import CENTRE, DIAMETER, PROBABILITY, SERIES, read_points, read_series_list
from hilum.report.froc import froc_picture
from hilum.workflows.froc import FrocFiles, FrocOptions, froc_figures, read_froc_files

SCANS, NODULES, EXCLUDED = 888, 1186, 35192
LIMIT_S = 2.0


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one of LUNA16's files."""

    series: Sequence[str]
    centre_lps_mm: NDArray[np.float64]
    value: NDArray[np.float64]

    def write(self, path: Path, value_column: str) -> Path:
        """The rows as a file with LUNA16's columns."""
        with path.open("w", newline="") as stream:
            table = csv.writer(stream)
            table.writerow((SERIES, *CENTRE, value_column))
            for uid, centre, value in zip(self.series, self.centre_lps_mm.tolist(), self.value.tolist(), strict=True):
                table.writerow((uid, *centre, value))
        return path


def made_up_findings(series: Sequence[str], count: int, diameter_mm: Iterable[float], seed: int) -> Rows:
    rng = np.random.default_rng(seed)
    where = rng.integers(len(series), size=count)
    return Rows([series[n] for n in where], rng.uniform(-150, 150, (count, 3)), np.array(list(diameter_mm)))


def made_up_marks(nodules: Rows, series: Sequence[str], count: int, seed: int, share_found: float = 0.9) -> Rows:
    """Marks jittered around most nodules (a third of the radius), and marks anywhere with lower probabilities."""
    rng = np.random.default_rng(seed)
    found = np.flatnonzero(rng.random(len(nodules.series)) < share_found)
    jitter = rng.normal(size=(len(found), 3)) * nodules.value[found, None] / 6
    where = rng.integers(len(series), size=count - len(found))
    return Rows(
        [nodules.series[n] for n in found] + [series[n] for n in where],
        np.concatenate([nodules.centre_lps_mm[found] + jitter, rng.uniform(-150, 150, (len(where), 3))]),
        np.concatenate([rng.beta(6, 2, len(found)), rng.beta(1, 5, len(where))]),
    )


def real_files(folder: Path, work: Path) -> tuple[FrocFiles, Rows, list[str]]:
    """LUNA16's own lists; held-out patients' series are left off the list of those that count."""
    held_out = {scan.series_uid for scan in lidc_scans() if is_held_out(scan.patient)}
    series = [uid for uid in read_series_list(folder / "seriesuids.csv").series if uid not in held_out]
    listed = work / "seriesuids.csv"
    listed.write_text("\n".join(series))
    points = read_points(folder / "annotations.csv", DIAMETER)
    kept = np.array([uid not in held_out for uid in points.series])
    uids = [uid for uid in points.series if uid not in held_out]
    nodules = Rows(uids, points.centre_lps_mm[kept], points.value[kept])
    files = FrocFiles(work / "x", folder / "annotations.csv", folder / "annotations_excluded.csv", listed)
    return files, nodules, series


def made_up_files(work: Path) -> tuple[FrocFiles, Rows, list[str]]:
    series = [f"1.2.{n}" for n in range(SCANS)]
    (work / "seriesuids.csv").write_text("\n".join(series))
    nodules = made_up_findings(series, NODULES, np.random.default_rng(0).gamma(3, 2.5, NODULES) + 3, 1)
    excluded = made_up_findings(series, EXCLUDED, np.full(EXCLUDED, -1.0), 2)
    files = FrocFiles(
        work / "x",
        nodules.write(work / "annotations.csv", DIAMETER),
        excluded.write(work / "excluded.csv", DIAMETER),
        work / "seriesuids.csv",
    )
    return files, nodules, series


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--marks", type=int, default=55_000)
    parser.add_argument("--bootstraps", type=int, default=1000)
    parser.add_argument("--keep", type=Path, help="folder that keeps predictions.csv and seriesuids.csv")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        work = options.keep or Path(name)
        work.mkdir(exist_ok=True, parents=True)
        files, nodules, series = real_files(options.data / "luna16", work) if options.data else made_up_files(work)
        marks = made_up_marks(nodules, series, options.marks, 3).write(work / "predictions.csv", PROBABILITY)
        files = FrocFiles(marks, files.annotations, files.excluded, files.seriesuids)
        started, cpu = time.perf_counter(), time.process_time()
        given = read_froc_files(files)
        read = time.perf_counter()
        result = froc_figures(given, FrocOptions(bootstraps=options.bootstraps))
        judged, cpu = time.perf_counter(), time.process_time() - cpu
        froc_picture(result.picture)
        drawn = time.perf_counter()
    print(f"{len(given.marks.scan)} marks, {len(given.series)} scans, {options.bootstraps} bootstraps")
    print(f"read {read - started:.2f} s, figures {judged - read:.2f} s, picture {drawn - judged:.2f} s")
    verdict = "under" if judged - started < LIMIT_S else "OVER"
    print(f"files to figures {judged - started:.2f} s ({cpu:.2f} s of one core): {verdict} {LIMIT_S:g} s")
    print(f"CPM of the made-up marks: {result.cpm}")


if __name__ == "__main__":
    main()
