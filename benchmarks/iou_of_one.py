"""How a COVID-19 IoU of 1.0 comes about: source D's three iterations, re-enacted on real films in its layout.

    python benchmarks/iou_of_one.py CXR_INFECTION JSRT OUT [EPOCHS]

CXR_INFECTION and JSRT are folders with images/, masks/ and metadata.csv (`hilum prepare cxr-masks` says what). OUT gets
COVID-QU-Ex's folders made of them, the data set that hilum prepares of these, and figures.json. The films are some
hundred, 64 rows each, and the network is small: which figure is how large says nothing about COVID-QU-Ex. What is shown
is where 1.0 and 0 come from: by the arithmetic of the figure, whatever the network.

Iterations 1 and 2: code published for these four classes skips each COVID-19 image whose mask file isn't found, without
a word; so neither training nor testing has a COVID-19 pixel. Iteration 3: the source's class weights, from the same
films. Figures by its rule: sums over a batch, intersection and union each plus a small number, then the batches' mean.
"""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from hilum.core import HilumError
from hilum.core.evaluation import Threshold
from hilum.core.figures import Figure
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.class_map import CLASS_NAMES, COVID_INFECTION, NonCovid
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import ImageLabel
from hilum.datasets.classes_load import load_class_pictures, require_classes
from hilum.evaluate.cases import JudgeRule, Pair, judge_case
from hilum.evaluate.evaluation import Judged, evaluation
from hilum.losses.catalogue import build_loss
from hilum.losses.classes import SOURCE_WEIGHTS
from hilum.models.catalogue import build_model
from hilum.workflows.covid_films import CovidRule
from hilum.workflows.prepare_covid_qu_ex import CovidOptions, prepare_covid_qu_ex

INFECTION, LUNG = "Infection Segmentation Data", "Lung Segmentation Data"
SPLITS = ("Train", "Train", "Val", "Test")
SIDE, ROWS, EPOCHS, BATCH, SMALL = 128, 64, 40, 8, 1e-6
NAMES = {0: "background", **CLASS_NAMES}


def make_layout(cxr: Path, jsrt: Path, out: Path) -> None:
    """Films with a finding by patient, and films without a nodule as normal ones, to the published folders."""
    rows = list(csv.DictReader((cxr / "metadata.csv").open()))
    patients = sorted({row["patientid"] for row in rows}, key=int)
    for number, row in enumerate(rows):
        if row["finding"] == "No Finding":
            continue
        label = "COVID-19" if row["finding"].startswith("COVID") else "Non-COVID"
        film, bits = (np.asarray(Image.open(cxr / part / row["image"])) for part in ("images", "masks"))
        infection = (bits & 48 > 0) if label == "COVID-19" else np.zeros_like(bits, dtype=bool)
        split = SPLITS[patients.index(row["patientid"]) % len(SPLITS)]
        put(out / INFECTION / split / label, f"{label} ({number})", film, bits & 3 > 0, infection)
    for number, path in enumerate(sorted((jsrt / "images").glob("JPCNN*"))):
        film, bits = (np.asarray(Image.open(folder / path.name)) for folder in (jsrt / "images", jsrt / "masks"))
        place = out / INFECTION / SPLITS[number % len(SPLITS)] / "Normal"
        put(place, f"Normal ({number})", film, bits & 3 > 0, np.zeros(bits.shape, dtype=bool))


def put(place: Path, stem: str, film: np.ndarray, lungs: np.ndarray, infection: np.ndarray) -> None:
    planes = {"images": film, "lung masks": lungs * np.uint8(255), "infection masks": infection * np.uint8(255)}
    for kind, plane in planes.items():
        (place / kind).mkdir(parents=True, exist_ok=True)
        how = Image.Resampling.BICUBIC if kind == "images" else Image.Resampling.NEAREST
        Image.fromarray(plane).resize((SIDE, SIDE), how).save(place / kind / f"{stem}.png")


def batches(films: Sequence[ClassSample], order: Sequence[int]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    for first in range(0, len(order), BATCH):
        some = [films[place] for place in order[first : first + BATCH]]
        images, labels = (np.stack([getattr(one, name) for one in some]) for name in ("image", "labels"))
        yield torch.from_numpy(images)[:, None], torch.from_numpy(labels.astype(np.float32))[:, None]


def learnt(films: Sequence[ClassSample], weights: Sequence[float] | None, epochs: int) -> torch.nn.Module:
    """A small softmax network after a few epochs of cross entropy."""
    torch.manual_seed(0)
    network = build_model("class_slim", {"slim": {"widths": [8, 16, 32, 48], "blocks": [0, 1, 1, 1]}})
    loss = build_loss("cross_entropy_dice", {"class_weights": weights, "dice_weight": 0.0})
    optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3)
    rng = np.random.default_rng(0)
    for _ in range(epochs):
        network.train()
        for image, target in batches(films, rng.permutation(len(films)).tolist()):
            optimiser.zero_grad()
            loss.of(network(image), target, None, None).total.backward()
            optimiser.step()
    return network.eval()


def said(network: torch.nn.Module, films: Sequence[ClassSample]) -> list[np.ndarray]:
    with torch.inference_mode():
        answers = [network(image).logits.argmax(1) for image, _ in batches(films, range(len(films)))]
    return list(torch.cat(answers).numpy().astype(np.uint8))


def by_the_source(preds: Sequence[np.ndarray], films: Sequence[ClassSample]) -> dict[str, float]:
    """IoU and Dice of each class as batch metrics with a small number have them, and accuracy."""
    found: dict[str, list[float]] = {}
    for first in range(0, len(films), BATCH):
        pred, truth = (
            np.stack(preds[first : first + BATCH]),
            np.stack([one.labels for one in films[first : first + BATCH]]),
        )
        for number, name in NAMES.items():
            both, either = ((pred == number) & (truth == number)).sum(), ((pred == number) | (truth == number)).sum()
            found.setdefault(f"IoU {name}", []).append((both + SMALL) / (either + SMALL))
            found.setdefault("Dice (absent 0)", []).append(2 * both / (both + either + SMALL))
        found.setdefault("accuracy", []).append((pred == truth).mean())
    return {name: float(np.mean(values)) for name, values in found.items()}


def by_hilum(preds: Sequence[np.ndarray], films: Sequence[ClassSample]) -> dict[str, object]:
    """Dice and IoU of each class on the films that have it, pooled IoU, and what rings."""
    rule = JudgeRule(dict(CLASS_NAMES), with_surfaces=False)
    results = [
        judge_case(Pair(one.key, one.patient, pred, one.labels), rule) for pred, one in zip(preds, films, strict=True)
    ]
    found = evaluation(results, Judged("layout of COVID-QU-Ex", "test", "", "classes", Threshold(), rule, samples=200))
    figures = {group.name: {name: shown(group.figures[name]) for name in SHOWN} for group in found.by_class}
    return {"classes": figures, "alarms": [alarm.name for alarm in found.alarms if not alarm.is_note]}


SHOWN = ("dice_mean", "iou_mean", "iou_pooled", "image_sensitivity", "image_specificity")


def shown(figure: Figure) -> str:
    return f"{figure.value:.3f} (n {figure.n})"


def main(cxr: Path, jsrt: Path, out: Path, epochs: int = EPOCHS) -> None:
    torch.set_num_threads(1)
    make_layout(cxr, jsrt, out / "layout")
    prepare_covid_qu_ex(out / "layout", out / "data", CovidOptions(CovidRule(NonCovid.LUNG)))
    config = ClassDataConfig(height_px=ROWS, masks=(), max_failures=0)
    every = {split: load_class_pictures(out / "data", split, config)[0] for split in ("train", "test")}
    skipped = {split: [one for one in some if one.image_label is not ImageLabel.COVID] for split, some in every.items()}
    figures: dict[str, object] = {
        "films": {split: len(some) for split, some in every.items()},
        "films left when COVID-19 is skipped": {split: len(some) for split, some in skipped.items()},
    }
    try:
        require_classes(skipped["train"], CLASS_NAMES, "train")
    except HilumError as error:
        figures["hilum stops such a training"] = error.message
    for name, train, weights in (
        ("iterations 1 and 2", skipped, None),
        ("iteration 3, weights .1/3/10/3", skipped, SOURCE_WEIGHTS),
        ("with the COVID-19 films", every, None),
        ("with the COVID-19 films, weights .1/3/10/3", every, SOURCE_WEIGHTS),
    ):
        network = learnt(train["train"], weights, epochs)
        figures[name] = judged = {}
        for test, films in (("test without COVID-19", skipped["test"]), ("whole test", every["test"])):
            preds = said(network, films)
            judged[test] = {"by the source's rule": by_the_source(preds, films), "by hilum": by_hilum(preds, films)}
        marked = sum(int((pred == COVID_INFECTION).sum()) for pred in said(network, skipped["test"]))
        judged["COVID-19 pixels marked where there are none"] = marked
        judged["after one such pixel, by the source's rule"] = one_pixel(network, skipped["test"])
    text = json.dumps(figures, indent=1)
    (out / "figures.json").write_text(text)
    print(text)


def one_pixel(network: torch.nn.Module, films: Sequence[ClassSample]) -> float:
    """The COVID-19 IoU when one pixel of each batch, and no other, is called COVID-19."""
    preds = [np.where(pred == COVID_INFECTION, 0, pred).astype(np.uint8) for pred in said(network, films)]
    for pred in preds[::BATCH]:
        pred[0, 0] = COVID_INFECTION
    return by_the_source(preds, films)[f"IoU {CLASS_NAMES[COVID_INFECTION]}"]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]), *map(int, sys.argv[4:5]))
