"""Films by classes from the prepared folder to a model: learnt, judged, carded, resumed; and what stops a run."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import ConfigError, HilumError
from hilum.datasets.bit_masks import read_layout
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.classes_load import load_class_pictures
from hilum.datasets.covid_qu_ex import Part
from hilum.infer import loaded
from hilum.infer.classes import load_classes
from hilum.io.json_file import read_json, write_json
from hilum.train.config import Machine
from hilum.workflows.prepare_covid_qu_ex import CovidOptions, prepare_covid_qu_ex
from hilum.workflows.prepare_cxr_masks import MaskOptions, prepare_cxr_masks
from hilum.workflows.train import TrainOptions, begun, run_train
from hilum.workflows.train_classes import renamed
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from hilum.workflows.train_result import ship
from tests.classes import bit_films, covid_qu_ex
from tests.resnet_weights import fake, saved, torchvision_resnet50

OPTIONS = TrainOptions(Machine(device="cpu", threads=1))
SMALL = ["data.height_px=32", "trainer.epochs=2", "trainer.precision='32'", "trainer.batch_size=4"]
SLIM = ["model.options.slim={widths: [4, 8], blocks: [0, 1]}", "trainer.panels_every=0", "trainer.ema=0"]


PANELS = "trainer.panels_every=2"


def config(recipe="covid_slim", *settings):
    return resolved_config(recipe, settings=[*SMALL, *SLIM, *settings])


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    folder = tmp_path_factory.mktemp("films")
    prepare_cxr_masks(bit_films(folder / "src"), folder / "data", MaskOptions(read_layout("cxr-infection")))
    return folder / "data"


@pytest.fixture(scope="module")
def multitask(films, tmp_path_factory):
    out = tmp_path_factory.mktemp("run") / "multitask"
    changed = config("covid_slim", "model.options.finds=both", "model.options.gates=true", "data.fold=2", PANELS)
    return run_train(changed, films, out, OPTIONS)


def test_a_run_leaves_a_model_that_says_what_its_classes_are(multitask):
    content = read_json(multitask.folder / "model" / "config.json")
    assert content["classes"]["names"] == {"1": "clear lung", "2": "ground glass", "3": "consolidation"}
    assert (content["classes"]["lungs"], content["classes"]["findings"]) == ([1, 2, 3], [2, 3])
    assert content["classes"]["label_temperature"] > 0
    assert content["classes"]["gate"]["sure_from"] >= 0
    assert np.sum(content["films"]["pixels"]) == sum(32 * 32 for _ in range(4))
    assert np.sum(content["films"]["label_counts"]) == 4
    assert "threshold" not in content
    assert (multitask.folder / "panels" / "epoch_002.png").stat().st_size > 1000


def test_its_card_tells_classes_lungs_labels_and_which_fold_was_kept_out(multitask):
    card = (multitask.folder / "model" / "card.md").read_text()
    for words in (
        "| ground glass |",
        "lung_dice_mean",
        "unsure",
        "## Gate",
        "## From when a finding is believed",
        "fold 2 was not looked at",
        "fold 3",
    ):
        assert words in card


def test_a_film_with_unknown_pixels_counts_for_its_label_alone(tmp_path):
    """Nobody says whether a class is on it, so marking it there is neither right nor wrong."""
    prepare_covid_qu_ex(covid_qu_ex(tmp_path / "src"), tmp_path / "data", CovidOptions(parts=(Part.INFECTION,)))
    films, _ = load_class_pictures(tmp_path / "data", "validation", ClassDataConfig(height_px=32))
    known = [film for film in films if film.is_known]
    assert 0 < len(known) < len(films)
    own = config("covid_slim", "model.options.finds=both", "model.options.classes=3")
    model = run_train(own, tmp_path / "data", tmp_path / "run", OPTIONS).folder / "model"
    content = read_json(model / "config.json")
    assert np.sum(content["films"]["pixels"]) == 32 * 32 * len(known)
    assert content["films"]["present"]["COVID-19 infection"]["image_specificity"]["n"] == sum(
        not film.has_class(2) for film in known
    )
    assert np.sum(content["films"]["label_counts"]) == len(films)
    assert f"{len(films) - len(known)} of these films count for labels alone" in (model / "card.md").read_text()


def test_a_finished_run_is_reported_as_done_and_a_longer_one_is_another(multitask, films):
    again = config("covid_slim", "model.options.finds=both", "model.options.gates=true", "data.fold=2", PANELS)
    assert run_train(again, films, multitask.folder, OPTIONS).was_done


def test_folds_are_apart(films):
    """What is judged in the end is neither learnt from nor chosen on; over all folds everybody is judged once."""
    judged = []
    folds = read_json(films / "dataset.json")["folds"]["folds"]
    for fold in range(1, 6):
        read = read_data(films, config("covid_slim", f"data.fold={fold}"))
        sides = [{one.patient for one in side} for side in (read.training, read.validation)]
        held = set(folds[fold - 1])
        assert not sides[0] & sides[1]
        assert not held & (sides[0] | sides[1])
        assert sides[1] == set(folds[fold % 5])
        judged += folds[fold - 1]
    assert len(judged) == len(set(judged)) == 10


def test_another_number_of_classes_is_told_with_what_to_set(films):
    with pytest.raises(ConfigError, match="declares 4 classes") as error:
        read_data(films, config("covid_slim", "model.options.classes=3"))
    assert "model.options.classes=4" in error.value.remedy


def test_a_class_that_training_lacks_stops_the_run(films, tmp_path):
    index = read_json(films / "dataset.json")
    index["labels"]["4"] = "effusion"
    index["cases"] = [{**one, "image": str(films / one["image"])} for one in index["cases"]]
    for one in index["cases"]:
        one["masks"] = {name: str(films / file) for name, file in one["masks"].items()}
    (tmp_path / "dataset.json").write_text(json.dumps(index))
    with pytest.raises(HilumError, match=r"class 4 \(effusion\) has no pixel in train"):
        read_data(tmp_path, config("covid_slim", "model.options.classes=5"))


def test_classes_of_further_data_are_matched_by_name(films):
    read = read_data(films, config())
    theirs = replace(read.classes, names={1: "consolidation", 3: "clear lung", 2: "ground glass"})
    for old, new in zip(read.training, renamed(read.training, theirs, read.classes, "more"), strict=True):
        assert np.array_equal(new.labels == 1, old.labels == 3)
        assert np.array_equal(new.labels == 2, old.labels == 2)
    with pytest.raises(ConfigError, match="'heart' of more is none"):
        renamed(read.training, replace(read.classes, names={1: "heart"}), read.classes, "more")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["model.name=unet"], "set it to one of class_unet, class_slim"),
        (["loss.name=bce"], "set loss.name to cross_entropy_dice"),
        (["trainer.monitor=label_auc"], "set trainer.monitor to dice_mean"),
        (["model.options.finds=labels"], "set trainer.monitor to label_auc"),
        (["sampling.hard_negatives=1"], "hard_negatives to 0"),
    ],
)
def test_what_does_not_belong_to_classes_is_refused(settings, words):
    with pytest.raises(ConfigError, match=words):
        resolved_config("covid_slim", settings=settings)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """What torchxrayvision's file would be: every weight is .01."""
    return saved(tmp_path_factory.mktemp("weights") / "resnet50.pt", fake(torchvision_resnet50()))


@pytest.mark.parametrize(
    ("recipe", "encoders"),
    [
        ("covid_unet", {"encoder"}),
        ("covid_classifier", {"encoder"}),
        ("covid_multitask", {"encoder"}),
        ("covid_hybrid", {"encoder", "own_encoder"}),
    ],
)
def test_pretrained_weights_go_into_every_encoder_and_nowhere_else(recipe, encoders, weights):
    network = begun(resolved_config(recipe), replace(OPTIONS, pretrained=str(weights)))
    for name, part in network.parts().items():
        filled = [bool((value == 0.01).all()) for key, value in part.named_parameters() if key.endswith("weight")]
        assert all(filled) if name in encoders else not any(filled), name
    assert encoders <= set(network.parts())
    assert network.weights_origin == "torchxrayvision resnet50-res512-all (resnet50.pt)"


@pytest.mark.parametrize(
    ("recipe", "wrong", "said"),
    [
        ("covid_unet", "colour", "conv1.weight"),
        ("covid_hybrid", "text", "is no state dict"),
        ("covid_classifier", "missing", "doesn't exist"),
        ("covid_slim", "right", "no pretrained weights for the network ClassSlim"),
    ],
)
def test_a_wrong_file_is_one_clear_line_and_leaves_nothing(recipe, wrong, said, films, weights, tmp_path, capsys):
    path = {"right": weights, "missing": tmp_path / "no.pt", "text": tmp_path / "text.pt"}.get(wrong)
    if wrong == "text":
        path.write_text("weights")
    if path is None:
        path = saved(tmp_path / "colour.pt", fake(torchvision_resnet50(inputs=3)))
    words = ["train", recipe, str(tmp_path / "run"), "--data", str(films), "--pretrained", str(path)]
    assert main(words) == 1
    shown = capsys.readouterr().err
    assert said in shown
    assert "Traceback" not in shown
    assert sum(line.startswith("hilum: ") for line in shown.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_what_has_learnt_from_x_rays_of_cts_alone_is_shipped_in_half_the_room(
    multitask, films, tmp_path, monkeypatch, capsys
):
    """The films stand in for such X-rays by what their index says; as films they are refused."""
    run, data = str(multitask.folder), tmp_path / "data"
    with pytest.raises(ConfigError, match=r"has learnt from films with bit masks \(data\), and is not to be shipped"):
        ship(run, films, tmp_path / "shipped", OPTIONS.machine)
    shutil.copytree(films, data)
    index = read_json(data / "dataset.json")
    write_json(data / "dataset.json", index | {"source": {"kind": "X-rays of CTs"}})
    ship(run, data, tmp_path / "shipped", OPTIONS.machine)
    big, small = (folder / "weights.safetensors" for folder in (multitask.folder / "model", tmp_path / "shipped"))
    assert small.stat().st_size < 0.75 * big.stat().st_size
    one, other = load_classes(run), load_classes(str(tmp_path / "shipped"))
    assert (one.names, one.roles) == (other.names, other.roles)
    assert other.label_temperature == pytest.approx(one.label_temperature, rel=0.05)
    assert "## Results" in (tmp_path / "shipped" / "card.md").read_text()
    monkeypatch.setattr(loaded, "SHIPPED", tmp_path)
    assert main(["models", "shipped"]) == 0
    shown = capsys.readouterr().out
    assert "marks clear lung, ground glass, consolidation on frontal chest X-rays" in shown
    assert "likeliest class" in shown
