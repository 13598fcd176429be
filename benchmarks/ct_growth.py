"""Growth of nodules on CT: how far measured changes lie from true ones, and whether their intervals say so.

    python benchmarks/ct_growth.py scan CT train.jsonl --cubes DATA --split train --draws 300 [--annotations own.csv]
    python benchmarks/ct_growth.py readers readers.jsonl --patients 80
    python benchmarks/ct_growth.py fit train.jsonl --readers readers.jsonl --out src/hilum/followup/volume_error.json
    python benchmarks/ct_growth.py scan CT validation.jsonl --cubes DATA --split validation --draws 300
    python benchmarks/ct_growth.py figures validation.jsonl

`scan` puts real nodules (hilum prepare cubes) into a real CT, scans each several times (two alike, one grown by 25 %,
one with other slices or sharpness, at 10 mm one grown by what a doubling time of 400 days gives in 90) with new noise
and another breath, outlines each by the shipped model at a point, and measures every pair. A file grows: run it again
with another --seed. `fit` learns from training patients; `figures` judges on validation patients.
"""

import argparse
import json
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from growth_repeats import Stage, read_rows, repeats
from scipy import optimize, special, stats

from hilum.datasets.lidc import lidc_nodules
from hilum.datasets.splits import Role, role
from hilum.evaluate.bootstrap import mean_figures, resample_patients
from hilum.followup.growth import AtDate, HowSure, growth, has_grown, power_after, told_after_days
from hilum.followup.volume_error import Comparability, Kind, Method, Spread, Subject, is_subsolid, volume_error
from hilum.io.lidc import lidc_reads
from hilum.measure import equivalent_diameter_mm

Row = dict[str, Any]
METHODS = (Method.PAIRED, Method.ALONE, Method.MASK)
KINDS = (Kind.MEAN_DIAMETER, Kind.LONG_AXIS, Kind.MASS)
GROWN = ("AC", "AE")
DEGREES = (1e6, 8.0, 4.0)
GAINS = {"paired": (1.0, 1.0)}
"""`paired` counts what surroundings take, so it sees growth whole, on average over kinds of it; others are fitted."""
ANY_GAIN = (0.6, 1.4)
FOLDS = 5
PRIORS = {"by_ln_diameter": (-1.0, 0.5), "by_slice_mm": (0.15, 0.15), "subsolid": (0.2, 0.2), "other_scan": (0.4, 0.3)}
"""Mean and standard deviation of what each coefficient is thought to be before any data: few nodules can't tell all."""
LEAST_SD = 1e-3
GAIN_SD = {"paired": 0.03}
"""Without noise .93 to .98 of ln(true) is seen, by what becomes of the surroundings (`growth_kinds.py`)."""
READER_WCV = {5.0: 0.33, 8.0: 0.31, 14.0: 0.27, 24.0: 0.27}
"""LIDC's readers among themselves by diameter in mm, of the public contours by the mask rule: taken where no file of
`readers` is given."""


def volumes_of(row: Row, method: Method) -> tuple[float, float]:
    """What a follow-up measures at both dates, in mm³."""
    true = math.pi / 6 * row["diameter_mm"] ** 3
    if method is Method.MASK:
        before = true * math.exp(row["mask_error"])
        return before, before * math.exp(row["mask"])
    before = true * math.exp(row["edge_error"])
    after = before * math.exp(row["alone"])
    if method is Method.ALONE:
        return before, after
    share, both = math.exp(row["paired"]), before + after
    return both / (1 + share), both * share / (1 + share)


def subject_of(row: Row) -> Subject:
    """What a pair's error depends on, as a follow-up knows it."""
    diameter = sum(equivalent_diameter_mm(one) for one in volumes_of(row, Method.PAIRED)) / 2
    return Subject(diameter, max(row["slice_mm"]), is_subsolid(row["texture"]), row["pair"] == "AD")


def fitted(rows: Sequence[Row], name: str, power: float = 1.0) -> Spread:
    """The error of one measurement, widened until its intervals hold nodules that it was not fitted on.

    Coefficients of few nodules fit these better than others. So each fifth of the nodules is judged by a fit of the
    other four, and the scale is multiplied by what makes 95 % intervals hold 95 % of the errors there.

    Args:
        rows: pairs, measured.
        name: of the measurement.
        power: true ln ratios of volume are multiplied by it: a third for lengths.
    """
    whole = likeliest(rows, name, power, DEGREES)
    keys = sorted({row["key"] for row in rows})
    scales, gain_sd = [], GAIN_SD.get(name, 0.0)
    for number in range(FOLDS):
        apart = {key for place, key in enumerate(keys) if place % FOLDS == number}
        learnt = likeliest([row for row in rows if row["key"] not in apart], name, power, (whole.degrees,))
        for row in rows:
            if row["key"] in apart:
                error = row[name] - learnt.gain * power * row["true"] - learnt.bias
                scales.append(abs(error) / math.hypot(learnt.sd(subject_of(row)), gain_sd * row["true"]))
    wider = max(1.0, float(np.quantile(scales, 0.95)) / whole.quantile(0.975))
    return whole.model_copy(update={"ln_sd": round(whole.ln_sd + math.log(wider), 4), "gain_sd": gain_sd})


def likeliest(rows: Sequence[Row], name: str, power: float, tails: Sequence[float]) -> Spread:
    """The coefficients of the largest likelihood, and the tail of those tried that fits best."""
    gains = GAINS.get(name, ANY_GAIN)
    design = _design([subject_of(row) for row in rows])
    seen, true = (np.array([row[one] * by for row in rows]) for one, by in ((name, 1.0), ("true", power)))
    nodules = len({row["key"] for row in rows})

    def spread_of(values: Iterable[float], degrees: float) -> Spread:
        ln_sd, diameter, slices, subsolid, other, gain, bias = values
        return Spread(
            ln_sd=max(ln_sd, math.log(LEAST_SD)),
            by_ln_diameter=min(diameter, 0.0),
            by_slice_mm=max(slices, 0.0),
            subsolid=max(subsolid, 0.0),
            other_scan=max(other, 0.0),
            gain=min(max(gain, gains[0]), gains[1]),
            bias=bias,
            degrees=degrees,
            n=nodules,
        )

    def cost(values: Iterable[float], degrees: float) -> float:
        values = np.array(list(values))
        limits = [(math.log(LEAST_SD), 3.0), (-5.0, 0.0), *[(0.0, 5.0)] * 3]
        ln_sd = design @ np.array([np.clip(one, *ends) for one, ends in zip(values[:5], limits, strict=True)])
        scales = (seen - np.clip(values[5], *gains) * true - values[6]) / np.exp(ln_sd)
        likely = _ln_density(scales, degrees) - ln_sd
        thought = sum(((v - mean) / wide) ** 2 for v, (mean, wide) in zip(values[1:5], PRIORS.values(), strict=True))
        return float(-likely.sum() + thought / 2 + ((values[5] - 1) / 0.1) ** 2 / 2 + (values[6] / 0.05) ** 2 / 2)

    start = [math.log(max(float(np.std(seen - true)), 0.01)), *(mean for mean, _ in PRIORS.values()), 1.0, 0.0]
    options = {"maxiter": 2500, "maxfev": 2500, "xatol": 1e-3, "fatol": 1e-3}
    found = [(optimize.minimize(cost, start, (one,), method="Nelder-Mead", options=options), one) for one in tails]
    best, degrees = min(found, key=lambda one: float(one[0].fun))
    return spread_of([round(float(one), 4) for one in best.x], degrees)


def _design(subjects: Sequence[Subject]) -> np.ndarray:
    """What each coefficient of `Spread.sd` is multiplied by."""
    rows = [
        (1.0, math.log(min(max(s.diameter_mm, 5.0), 20.0) / 10), s.slice_mm - 2.5, s.is_subsolid, s.is_other_scan)
        for s in subjects
    ]
    return np.array(rows, dtype=np.float64)


def _ln_density(scales: np.ndarray, degrees: float) -> np.ndarray:
    """Of Student's t."""
    level = special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2) - math.log(degrees * math.pi) / 2
    return np.asarray(level - (degrees + 1) / 2 * np.log1p(scales**2 / degrees))


def single(rows: Sequence[Row], name: str) -> Spread:
    """The error of one volume; one pair of each draw is enough."""
    firsts = [{**row, "true": 0.0, name: row[name]} for row in rows if row["pair"] == "AB"]
    return fitted(firsts, name)


def reader_spread(rows: Sequence[Row]) -> Spread:
    """Readers against their own mean, by diameter; a change is told by two of them."""
    size, error = (np.array([row[one] for row in rows]) for one in ("diameter_mm", "error"))
    slope, level = np.polyfit(np.log(size / 10), np.log(np.maximum(np.abs(error), 0.01)), 1)
    slope = min(float(slope), 0.0)
    scaled = error / np.exp(slope * np.log(size / 10))
    level = math.log(float(np.sqrt(np.mean(scaled**2))))
    count = len({row["nodule"] for row in rows})
    return Spread(ln_sd=round(level, 4), by_ln_diameter=round(slope, 4), degrees=1e6, n=count)


def _stated_readers() -> Spread:
    sizes, wcv = (np.log(np.array(list(one))) for one in (READER_WCV.keys(), READER_WCV.values()))
    slope, level = np.polyfit(sizes - math.log(10), wcv, 1)
    return Spread(ln_sd=round(float(level), 4), by_ln_diameter=round(min(float(slope), 0.0), 4))


def readers(patients: int, out: Path) -> None:
    """Volumes of LIDC's readers against the mean of each nodule's, training patients, three readers or more."""
    known = [one for one in lidc_reads() if one.patient and role(one.patient) is Role.TRAIN and one.slices_z_mm]
    with out.open("w", encoding="utf-8") as stream:
        for read in known[:patients]:
            for nodule in lidc_nodules(read):
                if nodule.reader_count < 3:
                    continue
                grid = read.relative_grid(nodule.outlines)
                volumes = [float((one.labels > 0).sum()) * grid.voxel_mm3 for one in nodule.masks(grid)]
                if min(volumes) <= 0:
                    continue
                logs = np.log(volumes) - np.mean(np.log(volumes))
                errors = logs * math.sqrt(len(volumes) / (len(volumes) - 1))
                about = {"nodule": f"{read.patient} {nodule.id}", "slice_mm": grid.spacing_zyx_mm[0]}
                size = equivalent_diameter_mm(float(np.exp(np.mean(np.log(volumes)))))
                for error in errors.tolist():
                    stream.write(json.dumps({**about, "diameter_mm": size, "error": error}) + "\n")


def fit(paths: Sequence[Path], reader_rows: Path | None, out: Path) -> None:
    """Write the coefficients."""
    rows = [row for row in read_rows(paths) if "missed" not in row]
    change = {str(one): fitted(rows, str(one)) for one in METHODS}
    lone = {str(Method.ALONE): single(rows, "edge_error"), str(Method.MASK): single(rows, "mask_error")}
    drawn = _stated_readers() if reader_rows is None else reader_spread(read_rows([reader_rows]))
    lone[str(Method.READER)] = drawn
    change[str(Method.READER)] = drawn.model_copy(update={"ln_sd": round(drawn.ln_sd + math.log(2) / 2, 4)})
    lengths = {str(one): fitted(rows, str(one), 1.0 if one is Kind.MASS else 1 / 3) for one in KINDS}
    draws = len({row["draw"] for row in rows})
    content = {
        "made_by": "python benchmarks/ct_growth.py fit",
        "fitted_on": (
            f"{len(rows)} pairs of scans of {len({row['key'] for row in rows})} real nodules of training patients "
            f"(LIDC-IDRI, one reader's contour) in {draws} draws, put into one real CT, synthetic growth; readers of "
            "LIDC-IDRI among themselves" + (", by READER_WCV" if reader_rows is None else ", training patients")
        ),
        **{
            name: {key: one.model_dump() for key, one in some.items()}
            for name, some in (("change", change), ("single", lone), ("others", lengths))
        },
    }
    out.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    for key, one in (change | lengths).items():
        print(key, one.model_dump())


def share(rows: Sequence[Row], hits: Sequence[bool]) -> str:
    """A share, its exact 95 % binomial interval as if draws were independent, and one by bootstrap over patients."""
    n, k = len(hits), sum(hits)
    if not n:
        return "none"
    ends = stats.binomtest(k, n).proportion_ci(0.95, "exact")
    resamples = resample_patients([row["patient"] for row in rows], np.random.default_rng(0))
    values = {"share": np.array(hits, dtype=np.float64)}
    found = mean_figures(values, resamples, are_shares=True)["share"]
    drawn = f"{100 * ends.low:.1f}–{100 * ends.high:.1f}"
    return f"{100 * k / n:.1f} % ({k} of {n}; {drawn}; patients {100 * found.low:.1f}–{100 * found.high:.1f})"


def table(title: str, header: Sequence[str], body: Iterable[Sequence[object]]) -> None:
    """As Markdown."""
    print(f"\n## {title}\n\n| {' | '.join(header)} |\n|{'---|' * len(header)}")
    for row in body:
        print(f"| {' | '.join(str(cell) for cell in row)} |")


def grown_of(row: Row, method: Method, days: float = 90.0) -> tuple[bool, bool]:
    """Whether a pair's interval holds the truth, and whether it is said to have grown."""
    facts = {"slice_mm": max(row["slice_mm"]), "texture": row["texture"]}
    before, after = volumes_of(row, method)
    how = HowSure(method, Comparability(is_other_scan=row["pair"] == "AD"))
    found = growth(AtDate(before, **facts), AtDate(after, **facts), days, how)
    percent = found.changes[0].percent
    return percent.low <= 100 * math.expm1(row["true"]) <= percent.high, has_grown(found)


def is_found(row: Row, method: Method) -> bool:
    """Whether a pair is said to have grown; one that wasn't outlined at both dates isn't."""
    return "missed" not in row and grown_of(row, method)[1]


def figures(paths: Sequence[Path]) -> None:
    """The tables of the report."""
    rows = read_rows(paths)
    missed = sum("missed" in row for row in rows)
    about = f"{len({r['draw'] for r in rows})} draws of {len({r['key'] for r in rows})} nodules"
    print(f"{about} of {len({r['patient'] for r in rows})} patients; pairs not outlined at both dates: {missed}")
    _of_rows("all sizes", rows)
    for size, large in (("8 mm or more", True), ("below 8 mm", False)):
        for kind, subsolid in (("solid", False), ("part-solid or ground glass", True), ("all textures", None)):
            _of_rows(
                f"{size}, {kind}",
                [r for r in rows if (r["diameter_mm"] >= 8) is large and subsolid in (None, is_subsolid(r["texture"]))],
            )
    _ten_mm(rows)


def _of_rows(name: str, rows: Sequence[Row]) -> None:
    """Repeatability, growths found and missed, coverage, and bias."""
    if not rows:
        return
    seen = [row for row in rows if "missed" not in row]
    alike, grown = ([r for r in rows if r["pair"] == pair] for pair in ("AB", "AC"))
    body = []
    for method in METHODS:
        errors = np.array([r[str(method)] - r["true"] for r in seen if r["pair"] == "AB"])
        wcv = float(np.sqrt(np.mean(errors**2) / 2))
        robust = float(1.4826 * np.median(np.abs(errors)) / math.sqrt(2))
        body.append(
            (
                method,
                f"{100 * wcv:.1f} % (median-based {100 * robust:.1f} %)",
                share(grown, [is_found(r, method) for r in grown]),
                share(alike, [is_found(r, method) for r in alike]),
                share(seen, [grown_of(r, method)[0] for r in seen]),
            )
        )
    header = ("method", "wCV", "25 % growth found", "stable called grown", "95 % intervals that hold the truth")
    table(f"{name}: {len(alike)} draws, {len(rows) - len(seen)} pairs missed", header, body)
    firsts = [r for r in seen if r["pair"] == "AB"]
    bias = [_bias_row(method, [r[f"{method}_error"] for r in firsts]) for method in ("edge", "mask")]
    table(f"{name}: volume at one date against the truth", ("by", "n", "median", "mean of ln", "sd of ln"), bias)


def _bias_row(name: str, errors: Sequence[float]) -> tuple[object, ...]:
    if not errors:
        return name, 0, "", "", ""
    percents = (f"{100 * math.expm1(float(one)):+.1f} %" for one in (np.median(errors), np.mean(errors)))
    return name, len(errors), *percents, f"{np.std(errors):.3f}"


def _ten_mm(rows: Sequence[Row]) -> None:
    """A doubling time of 400 days against none, after 90 days, of nodules of about 10 mm."""
    slow = [r for r in rows if r["pair"] == "AE"]
    body = []
    for method in METHODS:
        spread, subject = volume_error().of_change(method), Subject(10.0, 2.5)
        body.append(
            (
                method,
                share(slow, [is_found(r, method) for r in slow]),
                f"{100 * power_after(90, 400, spread, subject):.0f} %",
                f"{told_after_days(400, spread, subject):.0f}",
            )
        )
    table(
        "10 mm: a doubling time of 400 days at 90 days",
        ("method", "found", "power by the error model", "days for a power of 80 %"),
        body,
    )


def _scan(given: argparse.Namespace) -> None:
    stage = Stage.of(given.ct, given.annotations, given.seed)
    repeats(stage, given.cubes, given.split, given.draws, given.seed, given.out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    scan = commands.add_parser("scan")
    scan.add_argument("ct", type=Path)
    scan.add_argument("out", type=Path)
    scan.add_argument("--cubes", type=Path, required=True)
    scan.add_argument("--split", choices=("train", "validation"), default="train")
    scan.add_argument("--annotations", type=Path)
    scan.add_argument("--draws", type=int, default=300)
    scan.add_argument("--seed", type=int, default=0)
    told = commands.add_parser("readers")
    told.add_argument("out", type=Path)
    told.add_argument("--patients", type=int, default=80)
    learn = commands.add_parser("fit")
    learn.add_argument("rows", type=Path, nargs="+")
    learn.add_argument("--readers", type=Path)
    learn.add_argument("--out", type=Path, required=True)
    judge = commands.add_parser("figures")
    judge.add_argument("rows", type=Path, nargs="+")
    given = parser.parse_args()
    run: dict[str, Callable[[], None]] = {
        "scan": lambda: _scan(given),
        "readers": lambda: readers(given.patients, given.out),
        "fit": lambda: fit(given.rows, given.readers, given.out),
        "figures": lambda: figures(given.rows),
    }
    run[given.command]()


if __name__ == "__main__":
    main()
