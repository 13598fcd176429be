"""`hilum train --unlabeled`: films are adapted to, their labels are not looked at, and the card says so."""

import json
import shutil

import numpy as np
import pytest
from experiments.mean_of_models import averaged
from PIL import Image

from hilum.cli.app import main
from hilum.core import ConfigError, InputError
from hilum.datasets.prepared import read_prepared
from hilum.drr.source_style import published_look
from hilum.io import read_radiograph
from hilum.train.config import Machine
from hilum.workflows import train
from hilum.workflows.prepare_jsrt import JsrtOptions, prepare_jsrt
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_films import films_seen, read_films
from hilum.workflows.train_result import ship
from tests.films import source
from tests.xrays import chest, write_xrays

ROWS = [
    "N1.png,5,60,53,Male,1024,1024,malignant,l.upper lobe,lung cancer",
    "E1.png,,,30,Female,,,non-nodule,,",
    "E2.png,,,30,Female,,,non-nodule,,",
]
TINY = (
    "data.pixel_mm=1.4",
    "model.options.widths=[4, 8]",
    "augment.crop_px=[24, 24]",
    "trainer.epochs=1",
    "trainer.batch_size=2",
    "trainer.precision=32",
    "trainer.panels_every=0",
    "adaptation.method=gradient_reversal",
)
MACHINE = Machine(device="cpu", threads=1)


def configured(*settings):
    return resolved_config("xray_unet", settings=(*TINY, *settings))


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    """Prepared films of which nobody can look at the truth: it is gone."""
    folder = tmp_path_factory.mktemp("jsrt")
    prepare_jsrt(source(folder / "in", ROWS, 64), folder / "films")
    for name in ("truth", "masks"):
        shutil.rmtree(folder / "films" / name, ignore_errors=True)
    return folder / "films"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    drawn = [chest(patient) for patient in ("LIDC-IDRI-0002", "LIDC-IDRI-0003", "LIDC-IDRI-0006")]
    return write_xrays(tmp_path_factory.mktemp("pairs"), drawn)


def test_films_come_as_prediction_shows_them_and_their_truth_may_be_gone(films):
    found = read_films(films, configured(), ())
    assert {one.key for one in found.samples} == {"N1", "E1", "E2"}
    assert not any(one.has_lesion for one in found.samples)
    case = read_prepared(films).records[0]
    picture = read_radiograph(films / case["image"])
    grey = picture.array.astype(np.float64)
    step = case["pixel_mm"][0]
    native = read_films(films, configured(f"data.pixel_mm={step}"), ()).samples[0].image
    np.testing.assert_allclose(native, published_look(grey), atol=1e-5)
    assert found.facts.licence == "JSRT: research use"
    assert found.facts.pictures == (3, 3)


@pytest.fixture(scope="module")
def adapted(films, pairs, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "run"
    return run_train(configured(), pairs, out, TrainOptions(MACHINE, unlabeled=films)).folder


def test_a_model_that_saw_films_says_so_and_is_not_shipped(adapted, pairs, tmp_path):
    out = adapted
    card = (out / "model" / "card.md").read_text()
    for said in ("Not to be shipped", "3 unlabeled films of 3 patients", "JSRT: research use", "gradient reversal"):
        assert said in card
    stored = json.loads((out / "model" / "config.json").read_text())
    assert [one["name"] for one in stored["data"]["unlabeled"]] == ["jsrt films"]
    assert "-c config.json --unlabeled FILMS`" in card
    assert "unlabeled" in json.loads((out / "run.json").read_text())["inputs"]
    heads = (out / "metrics.csv").read_text().splitlines()[0].split(",")
    assert {"train_domain", "train_domain_accuracy", "train_adaptation_strength", "lr_domain"} <= set(heads)
    assert not any("classifier" in name or "adaptation" in name for name in weights(out))
    with pytest.raises(ConfigError, match="not to be shipped"):
        ship(str(out / "model"), pairs, tmp_path / "shipped", MACHINE)


@pytest.mark.parametrize("settings", [(), ("start.parts=[encoder]",)])
def test_films_are_not_forgotten_by_a_run_that_begins_with_what_saw_them(settings, adapted, pairs, tmp_path):
    """Two runs on, neither of which adapts to anything; the first was stopped before it could be finished."""
    plain = configured("adaptation.method=none", *settings)
    first = run_train(plain, pairs, tmp_path / "first", TrainOptions(MACHINE, start=str(adapted))).folder
    place = first / "model" / "config.json"
    stored = json.loads(place.read_text())
    place.write_text(json.dumps(stored | {"data": {"unlabeled": stored["data"]["unlabeled"]}}))
    second = run_train(plain, pairs, tmp_path / "second", TrainOptions(MACHINE, start=str(first))).folder
    card = (second / "model" / "card.md").read_text()
    assert "Not to be shipped" in card
    assert card.count("3 unlabeled films of 3 patients") == 1
    with pytest.raises(ConfigError, match=r"jsrt films \(JSRT: research use\), and is not to be shipped"):
        ship(str(second), pairs, tmp_path / "shipped", MACHINE)
    assert not (tmp_path / "shipped").exists()


def test_what_a_stopped_run_keeps_says_which_films_it_saw(films, pairs, tmp_path, monkeypatch):
    def stopped(*_):
        raise ConfigError("stopped")

    monkeypatch.setattr(train, "judged_facts", stopped)
    with pytest.raises(ConfigError, match="stopped"):
        run_train(configured(), pairs, tmp_path / "run", TrainOptions(MACHINE, unlabeled=films))
    kept = json.loads((tmp_path / "run" / "model" / "config.json").read_text())
    assert [one.name for one in films_seen(kept)] == ["jsrt films"]


def test_a_mean_of_models_has_seen_what_any_of_them_has(adapted, pairs, tmp_path):
    plain = configured("adaptation.method=none")
    alone = run_train(plain, pairs, tmp_path / "alone", TrainOptions(MACHINE)).folder
    facts = averaged([str(adapted), str(alone)], pairs, tmp_path / "mean", MACHINE)
    assert [one.name for one in facts.data.unlabeled] == ["jsrt films"]
    with pytest.raises(ConfigError, match="not to be shipped"):
        ship(str(tmp_path / "mean"), pairs, tmp_path / "shipped", MACHINE)


def test_films_are_known_of_models_that_said_it_otherwise():
    one = {"name": "jsrt films", "licence": "JSRT: research use", "pictures": [3, 3], "method": "gradient_reversal"}
    assert films_seen({"data": {"unlabeled": one}, "config": {}})[0].pictures == (3, 3)
    assert films_seen({"data": {"unlabeled": None}, "config": {}}) == films_seen({"config": {}}) == ()
    with pytest.raises(ConfigError, match="doesn't say to which"):
        films_seen({"config": {"adaptation": {"method": "feature_statistics"}}})


def weights(out):
    from safetensors.torch import load_file

    return load_file(out / "model" / "weights.safetensors")


def test_films_and_method_go_together(films, pairs, tmp_path, capsys):
    with pytest.raises(ConfigError, match="there are no films"):
        run_train(configured(), pairs, tmp_path / "a", TrainOptions(MACHINE))
    plain = configured("adaptation.method=none")
    with pytest.raises(ConfigError, match="nothing is made of them"):
        run_train(plain, pairs, tmp_path / "b", TrainOptions(MACHINE, unlabeled=films))
    code = main(["train", "xray_unet", str(tmp_path / "c"), "--data", str(pairs), "--unlabeled", str(films)])
    assert code == 1
    assert "adaptation.method" in capsys.readouterr().err


def test_whoever_is_judged_is_not_among_the_films(films, tmp_path):
    both = ["LIDC-IDRI-0002", "LIDC-IDRI-0006"]
    wrong = write_xrays(tmp_path / "pairs", [chest(one) for one in both], {"train": both, "validation": []})
    with pytest.raises(InputError, match="LIDC-IDRI-0006 is there to be judged on"):
        read_films(wrong, configured(), ())
    with pytest.raises(InputError, match="E1 is there to be judged on"):
        read_films(films, configured(), {"E1"})
    empty = tmp_path / "empty"
    empty.mkdir()
    (empty / "dataset.json").write_text(
        json.dumps({"schema": "hilum.dataset/1", "kind": "jsrt", "cases": [], "splits": {}})
    )
    with pytest.raises(InputError, match="no pictures"):
        read_films(empty, configured(), ())


def test_half_of_the_films_are_adapted_to_and_the_other_half_is_judged(tmp_path):
    prepare_jsrt(source(tmp_path / "in", ROWS, 64), tmp_path / "films", JsrtOptions(halves=True))
    prepared = read_prepared(tmp_path / "films")
    found = read_films(tmp_path / "films", configured(), prepared.splits["test"])
    seen = {one.patient for one in found.samples}
    assert seen == set(prepared.splits["train"])
    assert not seen & set(prepared.splits["test"])
    assert seen | set(prepared.splits["test"]) == {"N1", "E1", "E2"}
    assert found.facts.pictures == (len(seen), len(seen))
    assert found.facts.name == "jsrt films, split train"


def test_a_broken_film_is_a_failure(films, tmp_path):
    copy = tmp_path / "films"
    shutil.copytree(films, copy)
    (copy / read_prepared(copy).records[0]["image"]).write_bytes(b"no picture")
    Image.new("L", (64, 64), 90).save(copy / read_prepared(copy).records[1]["image"])
    found = read_films(copy, configured(), ())
    assert len(found.failures) == 2
    assert len(found.samples) == 1
