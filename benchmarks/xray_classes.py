"""Chest X-rays by classes over five folds: films of two collections as one data set, folds joined, what borders tell.

    python benchmarks/xray_classes.py merge CXR_INFECTION JSRT OUT     both collections; nodule-free films are healthy
    python benchmarks/xray_classes.py join DATA OUT PREDICTIONS...     each fold's predictions in one folder
    python benchmarks/xray_classes.py table JUDGED...                  rows of judged recipes, Markdown
    python benchmarks/xray_classes.py borders DATA                     labels guessed from the films' borders alone
    python benchmarks/xray_classes.py rivals DATA                      Dice of what looks at no film

A row of a table is then, for each fold K from 1 to 5:

    hilum train RECIPE runs/RECIPE-K --data DATA --fold K
    hilum predict DATA said/RECIPE-K --model runs/RECIPE-K --split fold-K

and once:

    python benchmarks/xray_classes.py join DATA joined/RECIPE said/RECIPE-*
    hilum evaluate joined/RECIPE judged/RECIPE --data DATA --split folds

Each film is judged by the model that has neither learnt from its fold nor been chosen on it; `join` refuses others.

Healthy films are all of another collection, whose scanner, digitiser and borders differ, so a classifier may tell these
apart instead of lungs. `borders` measures how far that goes: a logistic regression on a frame of a tenth of each film's
sides, where there is hardly any lung, over the same folds, ranked within each.

`rivals` gives Dice of each class on the films that have it, of two predictions that know nothing of it: the class's
average map over the other folds, and both lungs as people outlined them, all taken for that class.
"""

import csv
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from hilum.core.figures import Figure
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import CLASSES, LABELS
from hilum.datasets.classes_load import Fold, load_class_pictures
from hilum.datasets.prepared import LUNGS, read_prepared
from hilum.evaluate.area import auc_figure
from hilum.evaluate.bootstrap import mean_figures, resample_patients
from hilum.evaluate.rivals import map_of, small_truth
from hilum.io.json_file import read_json
from hilum.metrics.overlap import confusion, dice
from hilum.workflows.evaluate_learnt import seen_patients

KEPT_BITS = 1 | 2 | 16 | 32
"""Lungs, ground glass, consolidation."""
LAYOUT = """bits: {left_lung: 1, right_lung: 2, ground_glass: 16, consolidation: 32}
classes:
  - {name: clear lung, bits: [left_lung, right_lung]}
  - {name: ground glass, bits: [ground_glass]}
  - {name: consolidation, bits: [consolidation]}
lungs: [left_lung, right_lung]
findings: [ground glass, consolidation]
apart: [[left_lung, right_lung]]
finding: finding
labels: {COVID-19: covid, No Finding: healthy, "": non-covid}
licence: licence
"""
FRAME, ROWS = 0.1, 64
OVERLAP = ("dice_mean", "dice_pooled")
ABSENT = "–"


def merge(cxr: Path, jsrt: Path, out: Path) -> None:
    """One folder for hilum prepare cxr-masks OUT DATA --layout OUT/layout.yaml."""
    rows = []
    for row in csv.DictReader((cxr / "metadata.csv").open()):
        name = row["image"]
        put(out, name, cxr / "images" / name, cxr / "masks" / name)
        rows.append((name, f"cxr-{row['patientid']}", row["finding"], row["license"] or "unknown"))
    for path in sorted((jsrt / "images").glob("JPCNN*")):
        put(out, path.name, path, jsrt / "masks" / path.name)
        rows.append((path.name, path.stem, "No Finding", "JSRT: research use"))
    with (out / "metadata.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([("image", "patient", "finding", "licence"), *rows])
    (out / "layout.yaml").write_text(LAYOUT)
    print(f"{len(rows)} films: hilum prepare cxr-masks {out} DATA --layout {out / 'layout.yaml'}")


def put(out: Path, name: str, image: Path, mask: Path) -> None:
    """A film as it is, and its mask without the bits that only one collection has."""
    for part in ("images", "masks"):
        (out / part).mkdir(parents=True, exist_ok=True)
    shutil.copyfile(image, out / "images" / name)
    is_jsrt = name.startswith("JPCNN")
    bits = np.asarray(Image.open(mask)) & (3 if is_jsrt else KEPT_BITS)
    Image.fromarray(bits.astype(np.uint8)).save(out / "masks" / name)


def join(data: Path, out: Path, *folders: Path) -> None:
    """Predictions of films that no two folders share, by models that haven't seen them."""
    prepared = read_prepared(data)
    patient_of = {case.key: case.patient for case in prepared.cases(CLASSES)}
    for folder in folders:
        seen = seen_patients(folder, prepared.parts, prepared.split_hash)
        cases = sorted(one for one in folder.iterdir() if (one / "classes.json").is_file())
        known = [one.name for one in cases if not seen or patient_of[one.name] in seen]
        if known:
            sys.exit(f"{folder}: its model has seen {len(known)} of these films, or doesn't say: {known[:3]}")
        for case in cases:
            shutil.copytree(case, out / case.name)
    print(f"{sum(1 for _ in out.iterdir())} films: hilum evaluate {out} JUDGED --data {data} --split folds")


def table(*folders: Path) -> None:
    """What hilum evaluate left, a column each: overlap, whether a class is on the film, involved share, labels."""
    columns = [figures_of(read_json(folder / "evaluation.json")) for folder in folders]
    print("| | " + " | ".join(folder.name for folder in folders) + " |")
    print("|---" * (len(folders) + 1) + "|")
    for name in dict.fromkeys(name for column in columns for name in column):
        cells = [in_words(column.get(name)) for column in columns]
        if any(cell != ABSENT for cell in cells):
            print(f"| {name} | " + " | ".join(cells) + " |")


def figures_of(judged: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Of one evaluation the table's figures by their names, in its order."""
    films = judged["films"]
    found = {f"lungs, {name}": films["lungs"][f"lung_{name}"] for name in OVERLAP}
    for one in judged["by_class"]:
        found |= {f"{one['name']}, {name}": one["figures"][name] for name in (*OVERLAP, "iou_mean")}
        found |= {f"{one['name']}, {name}": figure for name, figure in films["present"][one["name"]].items()}
    found |= {f"involved, {name}": figure for name, figure in films["involved"].items()}
    return found | {f"label, {name}": figure for name, figure in films["label_figures"].items()}


def in_words(figure: dict[str, Any] | None) -> str:
    """Value, 95 % interval and number of films."""
    if figure is None or figure["value"] is None:
        return ABSENT
    value, low, high = (f"{figure[part]:.3f}" for part in ("value", "low", "high"))
    return f"{value} ({low}–{high}), {figure['n']}"


def borders(data: Path) -> None:
    """Area under the curve of each label against the others, guessed from a frame of each film."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sides = rest_and_own(data)
    for look in ("stored", "published"):
        for number, label in enumerate(LABELS):
            scores, truth, patients = [], [], []
            for rest, own in sides:
                model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
                is_it = np.array([one.label_number == number for one in rest])
                if not 0 < is_it.sum() < len(is_it):
                    continue
                model.fit(np.stack([frame(one, look) for one in rest]), is_it)
                scores += ranks(model.decision_function(np.stack([frame(one, look) for one in own]))).tolist()
                truth += [one.label_number == number for one in own]
                patients += [one.patient for one in own]
            draw = resample_patients(patients, np.random.default_rng(0))
            print(said(auc_figure(f"{label}, borders as {look}", np.array(scores), np.array(truth), draw)))


def ranks(scores: np.ndarray) -> np.ndarray:
    """0 to 1 within a fold: scores of models that were fitted apart have no common zero."""
    return (np.argsort(np.argsort(scores)) + 0.5) / len(scores)


def frame(film: ClassSample, look: str) -> np.ndarray:
    """Brightness along a frame of a tenth of the sides, on 64 by 64 cells whatever the film's shape."""
    from hilum.datasets.classes_load import shown_as

    picture = shown_as(film.image.astype(np.float64), look)
    cells = np.asarray(Image.fromarray((255 * picture).astype(np.uint8)).resize((ROWS, ROWS), Image.Resampling.BOX))
    width = round(FRAME * ROWS)
    is_frame = np.ones((ROWS, ROWS), dtype=bool)
    is_frame[width:-width, width:-width] = False
    return cells[is_frame] / 255


def rivals(data: Path) -> None:
    """Dice of each class by its average map, and by taking all of the lungs for it."""
    names = read_prepared(data).labels_of(CLASSES)
    sides = rest_and_own(data)
    for number, name in names.items():
        found: dict[str, list[float]] = {"average map of the other folds": [], "both outlined lungs": []}
        patients = []
        for rest, own in sides:
            where = map_of([small_truth(one.labels == number) for one in rest if one.has_class(number)])
            for one in (one for one in own if one.has_class(number)):
                truth = one.labels == number
                found["average map of the other folds"].append(dice(confusion(where.predict(truth.shape), truth)))
                found["both outlined lungs"].append(dice(confusion(one.masks[LUNGS], truth)))
                patients.append(one.patient)
        draw = resample_patients(patients, np.random.default_rng(0))
        values = {f"{name}, {rival}": np.array(each) for rival, each in found.items()}
        for figure in mean_figures(values, draw, are_shares=True).values():
            print(said(figure))


def rest_and_own(data: Path) -> list[tuple[list[ClassSample], list[ClassSample]]]:
    """Of each fold the other folds' films, and its own."""
    folds = range(1, len(read_prepared(data).folds) + 1)
    return [(of_fold(data, fold, held_out=False), of_fold(data, fold, held_out=True)) for fold in folds]


def of_fold(data: Path, number: int, *, held_out: bool) -> list[ClassSample]:
    config = ClassDataConfig(height_px=256, masks=(LUNGS,), require_classes=False)
    return load_class_pictures(data, Fold(number, held_out), config)[0]


def said(figure: Figure) -> str:
    return f"{figure.name:<40} {figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f}), n {figure.n}"


def main(words: Sequence[str]) -> None:
    what = {"merge": merge, "join": join, "table": table, "borders": borders, "rivals": rivals}[words[0]]
    what(*map(Path, words[1:]))


if __name__ == "__main__":
    main(sys.argv[1:])
