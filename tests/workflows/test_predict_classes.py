"""A model of classes on films: what it leaves, what it refuses, and how `hilum evaluate` judges it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.classification import binary_f1_score

from hilum.cli.app import main
from hilum.core import ConfigError, Radiograph, View
from hilum.datasets.bit_masks import read_layout
from hilum.evaluate.gate import Gate
from hilum.evaluate.presence import Limit
from hilum.infer.classes import LOOKS_LIKE, ClassPredictor, load_classes
from hilum.infer.loaded import load_model
from hilum.infer.xray_domain import XrayStyle
from hilum.io import read_mask, read_radiograph, write_png
from hilum.io.json_file import read_json
from hilum.io.raster import read_picture
from hilum.measure import lung_sides
from hilum.report.films import film_lines
from hilum.train.config import Machine
from hilum.workflows.compare import run_compare
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions
from hilum.workflows.evaluate_read import read_evaluation
from hilum.workflows.predict import run_predict
from hilum.workflows.predict_classes import write_classes
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.prepare_cxr_masks import MaskOptions, prepare_cxr_masks
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from tests.classes import bit_films, chest

SMALL = ["data.height_px=32", "trainer.epochs=1", "trainer.precision='32'", "trainer.batch_size=4", "trainer.ema=0"]
SLIM = ["model.options.slim={widths: [4, 8], blocks: [0, 1]}", "trainer.panels_every=0", "data.fold=1"]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data set, a model that has not seen its first fold, and its predictions of that fold."""
    folder = tmp_path_factory.mktemp("classes")
    layout = read_layout("cxr-infection")
    prepare_cxr_masks(bit_films(folder / "src"), folder / "data", MaskOptions(layout))
    config = resolved_config("covid_slim", settings=[*SMALL, *SLIM, "model.options.finds=both"])
    run_train(config, folder / "data", folder / "run", TrainOptions(Machine(device="cpu", threads=1)))
    options = PredictOptions(str(folder / "run"), "fold-1", device="cpu")
    run_predict([folder / "data"], folder / "said", options)
    return folder


def test_a_case_has_classes_probabilities_shares_labels_and_a_picture(place):
    index = read_json(place / "data" / "dataset.json")
    keys = [one["key"] for one in index["cases"] if one["patient"] in index["folds"]["folds"][0]]
    assert [one["key"] for one in read_json(place / "said" / "predictions.json")["cases"]] == keys
    folder = place / "said" / keys[0]
    said, mask = read_json(folder / "classes.json"), read_mask(folder / "mask.png").labels
    for one in said["classes"]:
        assert one["pixels"] == (mask == one["number"]).sum()
        file = folder / f"probability_{one['number']}_{one['name'].replace(' ', '_')}.png"
        assert read_picture(file).pixels.max() / 65535 == pytest.approx(one["score"], abs=1e-5)
    assert sum(said["labels"].values()) == pytest.approx(1)
    assert said["label"] == max(said["labels"], key=said["labels"].get)
    lungs, findings = np.isin(mask, [1, 2, 3]).sum(), np.isin(mask, [2, 3]).sum()
    assert said["involved_percent"]["both"] == pytest.approx(100 * findings / lungs)
    assert (folder / "overlay.png").stat().st_size > 1000


def test_evaluate_says_classes_lungs_areas_presence_and_labels(place):
    wanted = TruthWanted(place / "data", "fold-1")
    done = run_evaluate(place / "said", wanted, place / "judged", EvaluateOptions(bootstraps=100))
    stored = read_json(place / "judged" / "evaluation.json")
    films = stored["films"]
    index = read_json(place / "data" / "dataset.json")
    reported = [one for one in index["cases"] if one["patient"] in index["folds"]["folds"][0]]
    for number, (name, figures) in enumerate(films["present"].items(), 1):
        has = sum(str(number) in one["film"]["class_pixels"] for one in reported)
        assert figures["image_sensitivity"]["n"] == has, name
    assert np.sum(films["pixels"]) == len(reported) * 64 * 64
    assert np.sum(films["label_counts"]) == len(reported)
    masks = [
        (read_mask(place / "said" / one["key"] / "mask.png"), read_mask(place / "data" / one["masks"]["classes"]))
        for one in reported
    ]
    overlaps = [binary_f1_score(*(torch.from_numpy(np.isin(one.labels, [1, 2, 3])) for one in pair)) for pair in masks]
    assert films["lungs"]["lung_dice_mean"]["value"] == pytest.approx(np.mean(overlaps))
    both = [[100 * np.isin(one.labels, [2, 3]).sum() / (one.labels > 0).sum() for one in pair] for pair in masks]
    errors = films["involved"]["both_error_percent"]
    assert (errors["value"], errors["n"]) == (pytest.approx(np.mean(np.abs(np.diff(both)))), len(reported))
    again = read_evaluation(place / "judged")
    lines = film_lines(again)
    assert lines == film_lines(done.evaluation)
    for group in done.evaluation.by_class:
        dice = group.figures["dice_mean"]
        (line,) = (one for one in lines if one.startswith(f"{group.name}, Dice"))
        assert line.split("Dice")[1].split()[0].rstrip(",") == (f"{dice.value:.3f}" if dice.n else "–")
        assert line.endswith(f", n {dice.n}")
    page = (place / "judged" / "report.html").read_text()
    assert "Classes on films" in page
    summary = page[page.index("Summary") : page.index("Alarms")]
    assert "no mean over classes is given" in summary
    for group in done.evaluation.by_class:
        assert group.name in summary
    for word in ("band", "lesion", "false positives"):  # parts of an area are no lesions
        assert word not in summary
    assert "By size" not in page
    assert "predicted class (columns)" in page
    rung = {alarm.name for alarm in done.evaluation.alarms}
    assert not rung & {"training_cases_reported", "seen_cases_reported"}


def test_the_commands_lines_are_of_classes_when_it_is_done_and_when_it_is_there_already(place, capsys):
    words = [str(place / "said"), str(place / "told"), "--data", str(place / "data"), "--split", "fold-1"]
    said = []
    for end in ("Done", "Already there"):
        assert main(["evaluate", *words]) == 0
        lines = capsys.readouterr().out.strip().splitlines()
        assert lines[-1].startswith(end)
        said.append(lines[:-1])
    assert said[0] == said[1]
    for start in ("lungs, Dice", "clear lung, Dice", "ground glass on a film, sensitivity", "involved", "rivals, Dice"):
        assert any(line.startswith(start) for line in said[0]), start
    assert not any("lesion" in line for line in said[0])


def test_models_are_compared_class_by_class(place):
    """No sentence on lesions or on a mean over classes, and each class's Dice is that of its evaluation."""
    wanted = TruthWanted(place / "data", "fold-1")
    done = run_evaluate(place / "said", wanted, place / "one", EvaluateOptions(bootstraps=100))
    pair = {"a": place / "one", "b": place / "one"}
    verdicts = run_compare(pair, place / "compared", bootstraps=100).verdicts
    names = [group.name for group in done.evaluation.by_class]
    assert [line.split(":")[0] for line in verdicts] == [f"Dice of {name}" for name in names]
    stored = read_json(place / "compared" / "comparison.json")
    assert stored["rivals"] == []
    for group in done.evaluation.by_class:
        assert stored["figures"]["a"][f"Dice of {group.name}"]["n"] == group.figures["dice_mean"].n
    lungs = done.evaluation.films.lungs["lung_dice_mean"].value
    assert stored["figures"]["b"]["Dice of both lungs"]["value"] == pytest.approx(lungs)
    assert "both lungs" in (place / "compared" / "report.html").read_text()


def test_a_fold_that_its_model_has_seen_rings(place):
    """Folds 2 and 3 chose and taught the model that kept out fold 1, though no split of theirs is called training."""
    for fold in ("fold-2", "fold-3"):
        run_predict([place / "data"], place / fold, PredictOptions(str(place / "run"), fold, device="cpu"))
        wanted = TruthWanted(place / "data", fold)
        done = run_evaluate(place / fold, wanted, place / f"judged-{fold}", EvaluateOptions(bootstraps=100))
        assert "seen_cases_reported" in [alarm.name for alarm in done.evaluation.alarms]


def test_it_is_no_model_of_nodules(place):
    with pytest.raises(ConfigError, match="marks no lesions"):
        load_model(str(place / "run"))
    options = PredictOptions(str(place / "run"), threshold=0.5, tta=True)
    with pytest.raises(ConfigError, match=r"--threshold and --tta are for models that mark nodules"):
        run_predict([place / "data"], place / "no", options)
    for style in XrayStyle:
        with pytest.raises(ConfigError, match=r"--style is for models that mark nodules"):
            run_predict([place / "data"], place / "no", PredictOptions(str(place / "run"), style=style))
    assert all("nodules" not in case for case in read_json(place / "said" / "predictions.json")["cases"])


def test_a_mask_is_no_film_and_a_film_of_few_greys_is_one(place, tmp_path):
    film, left, right = chest(7)
    lungs = (left | right).astype(np.uint8)
    Image.fromarray(lungs * 255).convert("1").save(tmp_path / "one_bit.png")
    write_png(lungs * 255, tmp_path / "mask.png")
    write_png(1 + lungs + left, tmp_path / "labels.png")
    coarse = film // 6 * 6
    assert 32 < len(np.unique(coarse)) <= 43
    write_png(coarse, tmp_path / "film.png")
    done = run_predict(
        sorted(tmp_path.glob("*.png")), tmp_path / "out", PredictOptions(str(place / "run"), device="cpu")
    )
    assert done.keys == ("film",)
    assert {Path(one.input).name: one.error for one in done.failures} == {
        f"{name}.png": f"{name}.png has {values} grey values, as masks have; films have hundreds."
        for name, values in (("labels", 3), ("mask", 2), ("one_bit", 2))
    }


def test_a_lateral_film_and_one_without_contrast_cost_themselves_alone(place, tmp_path):
    film, _, _ = chest(7)
    write_png(film, tmp_path / "films" / "good.png")
    write_png(np.full((64, 64), 9, dtype=np.uint8), tmp_path / "films" / "grey.png")
    Image.fromarray(np.dstack([film, film, film, film])).save(tmp_path / "films" / "laid_over.png")
    Image.fromarray(np.dstack([film, film // 2, film])).save(tmp_path / "films" / "pink.png")
    (tmp_path / "films" / "words.png").write_text("no picture")
    (tmp_path / "films" / "README.txt").write_text("no picture, and not called one")
    done = run_predict([tmp_path / "films"], tmp_path / "out", PredictOptions(str(place / "run"), device="cpu"))
    assert done.keys == ("good",)
    said = {Path(one.input).name: one.error for one in done.failures}
    assert said.keys() == {"grey.png", "laid_over.png", "pink.png", "words.png"}
    assert "one grey level" in said["grey.png"]
    assert "transparency" in said["laid_over.png"]
    assert "coloured" in said["pink.png"]
    predictor = ClassPredictor(load_classes(str(place / "run")))
    with pytest.raises(Exception, match="is a lateral view"):
        predictor("side", Radiograph(film, None, View.LATERAL, "side.png"))


def test_a_hybrids_sure_label_says_which_finding_is_marked_where_classes_are_bound_to_labels(place, monkeypatch):
    """The network's answer is made up; where findings lie stays, and so does the share of the lungs."""
    planes = np.random.default_rng(0).dirichlet(np.ones(4), size=(32, 32)).transpose(2, 0, 1)
    monkeypatch.setattr(ClassPredictor, "_said", lambda *_: (planes, np.array([0.1, 0.8, 0.1])))
    given = replace(load_classes(str(place / "run")), gate=Gate(healthy_from=2.0, sure_from=0.5))
    bound = replace(given, roles=replace(given.roles, label_of={2: "covid", 3: "non-covid"}))
    film = Radiograph(chest(7)[0], None)
    free, found = (ClassPredictor(one)("film", film) for one in (given, bound))
    assert {2, 3} <= set(np.unique(free.mask.labels))
    assert 3 not in found.mask.labels
    assert (found.mask.labels == 2).sum() >= np.isin(free.mask.labels, [2, 3]).sum()
    assert found.label == "covid"
    assert any("marked as its own" in note for note in found.notes)
    assert not any("marked as its own" in note for note in free.notes)


def test_a_finding_of_which_there_is_too_little_is_not_marked_and_a_note_says_so(place, monkeypatch, tmp_path):
    """The network's answer is made up: ground glass on about a quarter of the lungs. Probabilities and score stay."""
    planes = np.random.default_rng(0).dirichlet(np.ones(4), size=(32, 32)).transpose(2, 0, 1)
    monkeypatch.setattr(ClassPredictor, "_said", lambda *_: (planes, None))
    film = Radiograph(chest(7)[0], None)
    found = {}
    for name, limits in {"free": {}, "held": {2: Limit(90.0)}, "kept": {2: Limit(5.0)}}.items():
        predictor = ClassPredictor(replace(load_classes(str(place / "run")), limits=limits))
        found[name] = predictor("film", film)
        write_classes(tmp_path / name, film, found[name], predictor.model.roles)
    free, held, kept = found.values()
    assert (free.mask.labels == 2).any()
    assert not (held.mask.labels == 2).any()
    assert np.array_equal(kept.mask.labels, free.mask.labels)
    assert kept.notes == free.notes
    (note,) = set(held.notes) - set(free.notes)
    assert "is not marked: it is believed from 90.00 % on" in note
    glass = [read_json(tmp_path / name / "classes.json")["classes"][1] for name in found]
    assert glass[1] == glass[0] | {"pixels": 0, "percent_of_lungs": 0, "area_mm2": glass[1]["area_mm2"]}
    stored = read_picture(tmp_path / "held" / f"probability_2_{glass[1]['name'].replace(' ', '_')}.png")
    assert stored.pixels.max() / 65535 == pytest.approx(glass[1]["score"], abs=1e-5)


def test_limits_are_read_from_a_models_configuration(place, tmp_path):
    """Of a model from before there were any, too; what makes no sense is refused."""
    shutil.copytree(place / "run" / "model", tmp_path / "model")
    file = tmp_path / "model" / "config.json"
    config = read_json(file)
    for stored, wanted in (({"2": {"percent": 20.0}}, {2: 20.0}), ({}, {}), (None, None)):
        config["classes"].pop("limits", None)
        file.write_text(
            json.dumps(config | {"classes": config["classes"] | ({"limits": stored} if stored != {} else {})})
        )
        if wanted is None:
            with pytest.raises(ConfigError, match="doesn't say what its classes are"):
                load_classes(str(tmp_path / "model"))
        else:
            limits = load_classes(str(tmp_path / "model")).limits
            assert {number: limit.percent for number, limit in limits.items()} == wanted


def test_an_inverted_film_is_doubted_and_an_upright_one_is_not(place, real_data):
    """Real films: the mean chest that they are compared with is none of a drawn one."""
    predictor = ClassPredictor(load_classes(str(place / "run")))
    for path in sorted((real_data("jsrt") / "images").glob("*.png"))[:4]:
        film = read_radiograph(path)
        inverted = Radiograph(255 - film.array, None)
        assert LOOKS_LIKE not in predictor("film", film).notes
        assert LOOKS_LIKE in predictor("film", inverted).notes


def test_the_shipped_lungs_are_those_that_people_outline(real_data):
    """On films of another country and decade, of which it has learnt nothing; right and left are told apart."""
    folder = real_data("jsrt")
    predictor = ClassPredictor(load_classes("cxr_lungs"))
    for path in sorted((folder / "images").glob("JPCLN*.png"))[::19]:
        found = predictor(path.stem, read_radiograph(path)).mask.labels == 1
        bits = np.asarray(Image.open(folder / "masks" / path.name))
        outlined = [np.isin(bits & 3, own) for own in ((1, 2), (1,), (2,))]
        right, left = lung_sides(found)
        pairs = zip((found, left, right), outlined, strict=True)
        for own, truth in pairs:
            assert binary_f1_score(torch.from_numpy(own), torch.from_numpy(truth)) > 0.88
