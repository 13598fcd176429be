"""Nodules inserted into a whole CT: how many are found, with how many false marks, how large, and how fast.

    python benchmarks/ct_nodules.py INSERTED [--model MODEL] [--detector DETECTOR] [--threads 2]

INSERTED is a data set of `hilum prepare inserted … --whole`: its validation scans and their tables. Only the lung that
validation's nodules are in is looked at, since training has seen the other one, and only marks beyond the plane between
the lungs count (`sides.csv`). Findings of 6 mm and more, by LUNA16's rule; smaller ones, and the CT's own nodules,
neither count as found nor as false. Printed for the detector alone, and with the second look: sensitivity by false
marks a lung, with 95 % by bootstrap over the nodules' patients, and the score there; of the found ones the measured
volume as a share of the true one; seconds a scan.
"""

import argparse
import csv
import json
import time
from pathlib import Path

import numpy as np
import torch

from hilum.core import Mask
from hilum.evaluate.bootstrap import resample_patients, sampled_figure
from hilum.infer.candidates import CandidateFinder
from hilum.infer.ct_nodules import CtRule, nodules_in
from hilum.infer.loaded import load_model
from hilum.infer.volumes import PatchPredictor
from hilum.io import read_volume
from hilum.metrics.luna16 import Places, judge
from hilum.workflows.predict_options import DEFAULT_CT, DEFAULT_DETECTOR

RATES = (0.25, 0.5, 1.0, 2.0, 4.0)
LEAST_MM = 6.0
EVERYTHING = 1e-9
"""A score that every mark has."""


def rows_of(path):
    """A table as a list of rows by name."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def places(rows, value, scans):
    """Rows of a table as points on numbered scans."""
    rows = [row for row in rows if row["seriesuid"] in scans]
    centre = [[float(row[f"coord{axis}"]) for axis in "XYZ"] for row in rows]
    return Places(
        np.array([scans.index(row["seriesuid"]) for row in rows], dtype=np.intp),
        np.array(centre, dtype=np.float64).reshape(-1, 3),
        np.array([float(row[value]) for row in rows], dtype=np.float64),
    )


def patients_of(data, nodules, scans):
    """Whose each inserted nodule is: by the piece about it."""
    index = json.loads((data / "dataset.json").read_text())
    about = [(one["patch"]["series"], one["patch"]["centre_lps_mm"], one["patient"]) for one in index["cases"]]
    found = []
    for scan, centre in zip(nodules.scan, nodules.centre_mm, strict=True):
        near = [
            (np.linalg.norm(np.array(at) - centre), name) for series, at, name in about if at and series == scans[scan]
        ]
        found.append(min(near)[1])
    return found


def on_side(lungs, side, between_mm):
    """The lung of one side: nothing of the other is looked at."""
    grid = lungs.require_geometry()
    index = np.argwhere(lungs.labels > 0)
    x = grid.to_lps_mm(index)[:, 0]
    kept = index[(x > between_mm) == (side == "left")]
    labels = np.zeros_like(lungs.labels)
    labels[tuple(kept.T)] = 1
    return Mask(labels, grid, names=lungs.names)


def sensitivity(marks, nodules, excluded, patients, scans, rate):
    """At so many false marks a scan: sensitivity with its interval, and the least score there."""
    judged = judge(marks, nodules, excluded, scans)
    false = np.sort(judged.found.score[~judged.found.is_hit])[::-1]
    allowed = int(rate * scans)
    least = float(false[allowed]) if allowed < len(false) else 0.0
    hit = (judged.score > least).astype(float)
    resamples = resample_patients(patients, np.random.default_rng(0))
    drawn = (resamples.weights @ hit) / resamples.weights.sum(axis=1)
    every = np.ones(len(hit), dtype=bool)
    figure = sampled_figure("sensitivity", float(hit.mean()), drawn, resamples, every, len(hit), is_share=True)
    return figure, least


def main():
    """See the module."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("data", type=Path)
    asked.add_argument("--model", default=DEFAULT_CT)
    asked.add_argument("--detector", default=DEFAULT_DETECTOR)
    asked.add_argument("--threads", type=int, default=2)
    given = asked.parse_args()
    torch.set_num_threads(given.threads)
    finder, segmenter = CandidateFinder(load_model(given.detector)), PatchPredictor(load_model(given.model))
    folder = given.data / "scans"
    sides = {row["seriesuid"]: row for row in rows_of(folder / "sides.csv")}
    scans = list(sides)
    alone, both, volumes, seconds = [], [], [], []
    for name, row in sides.items():
        start, side, between = time.perf_counter(), row["side"], float(row["between_lungs_x_mm"])
        volume = read_volume(folder / f"{name}.nii.gz")
        raw = []

        def seen(axial, lungs, raw=raw, side=side, between=between):
            raw.extend(finder(axial, on_side(lungs, side, between)))
            return raw

        found = nodules_in(volume, seen, segmenter, CtRule(EVERYTHING, least=EVERYTHING))
        seconds.append(time.perf_counter() - start)
        for table, marks in ((alone, raw), (both, found.marks)):
            for one in marks:
                x, y, z = one.centre_lps_mm
                if (x > between) == (side == "left"):
                    own = {"coordX": x, "coordY": y, "coordZ": z, "probability": one.score, "diameter": one.diameter_mm}
                    table.append({"seriesuid": name, **own})
        print(f"{name}: {len(raw)} candidates, {len(found.marks)} outlined, {seconds[-1]:.1f} s", flush=True)
    annotated = rows_of(folder / "annotations.csv")
    large = [row for row in annotated if float(row["diameter_mm"]) >= LEAST_MM]
    small = [row for row in annotated if float(row["diameter_mm"]) < LEAST_MM]
    nodules = places(large, "diameter_mm", scans)
    excluded = places([*rows_of(folder / "annotations_excluded.csv"), *small], "diameter_mm", scans)
    patients = patients_of(given.data, nodules, scans)
    print(
        f"{len(nodules.scan)} nodules of {len(set(patients))} patients, {len(scans)} scans, "
        f"{np.median(seconds):.1f} s each"
    )
    for words, table in (("the detector alone", alone), ("with the second look", both)):
        marks = places(table, "probability", scans)
        print(words)
        for rate in RATES:
            figure, least = sensitivity(marks, nodules, excluded, patients, len(scans), rate)
            print(f"  {rate:g} a lung: {figure.value:.3f} ({figure.low:.3f}-{figure.high:.3f}), score {least:.3f}")
    volumes = ratios(both, nodules, scans)
    quarters = np.percentile(volumes, (25, 50, 75))
    print(f"measured / true volume of {len(volumes)} found: quartiles {quarters.round(2)}, mean {volumes.mean():.2f}")


def ratios(table, nodules, scans):
    """Measured by true volume of each found nodule: of the surest mark inside it."""
    found = []
    for scan, centre, diameter in zip(nodules.scan, nodules.centre_mm, nodules.value, strict=True):
        inside = [
            row
            for row in table
            if row["seriesuid"] == scans[scan]
            and np.linalg.norm(np.array([row["coordX"], row["coordY"], row["coordZ"]]) - centre) < diameter / 2
        ]
        if inside:
            found.append((max(inside, key=lambda row: row["probability"])["diameter"] / diameter) ** 3)
    return np.array(found)


if __name__ == "__main__":
    main()
