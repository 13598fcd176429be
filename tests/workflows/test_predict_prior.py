"""`hilum predict` with an earlier X-ray: laid over the current one, doubted if it does not fit, asked for if needed."""

import json

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from hilum.cli.app import main
from hilum.core import InputError, Radiograph, SpacingPlane
from hilum.datasets.xray_config import XrayDataConfig
from hilum.datasets.xray_load import load_samples
from hilum.datasets.xray_prior import shuffled_once
from hilum.infer.loaded import load_model
from hilum.infer.xray import XrayOptions, XrayPredictor
from hilum.infer.xray_domain import XrayStyle
from hilum.infer.xray_prior import EarlierXray
from hilum.io.dicom.dx import DxDetails, write_dx
from hilum.io.json_file import write_json
from hilum.models.catalogue import ModelConfig
from hilum.workflows import predict
from hilum.workflows.output import sha256_of
from hilum.workflows.predict import PredictOptions, run_predict
from hilum.workflows.predict_prior import header_doubts
from tests.datasets.test_chest import chest
from tests.over_time import VALIDATION, write_pairs_over_time
from tests.trained import STEP_MM

INPUTS = {"none": 1, "same": 2, "shuffled": 2, "earlier": 2, "lesions": 3}


pytestmark = pytest.mark.usefixtures("one_thread")


def model_of(folder, kind):
    """A tiny random network, stored as a run of this arm stores it."""
    config = ModelConfig(name="unet", options={"widths": (4, 8), "inputs": INPUTS[kind], "start_probability": 0.3})
    torch.manual_seed(0)
    weights = config.build().state_dict()
    weights["head.0.weight"] *= 30  # so that it says something about every pixel
    folder.mkdir()
    save_file(weights, folder / "weights.safetensors")
    prior = "earlier" if kind == "lesions" else kind
    data = {"pixel_mm": STEP_MM, "prior": prior, "prior_lesions": kind == "lesions"}
    settings = {"config": {"model": config.plain(), "data": data}, "schema": "hilum.model/1", "hash": "x"}
    write_json(folder / "config.json", settings | {"threshold": {"value": 0.3, "chosen_on": "validation"}})
    return folder


@pytest.fixture
def models(tmp_path):
    return {kind: model_of(tmp_path / kind, kind) for kind in INPUTS}


def textured(shift_px=0):
    """The mean chest with structure on it, moved down."""
    picture = chest(STEP_MM)
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.random((60, 60)), np.ones((6, 6)))[: picture.shape[0], : picture.shape[1]]
    return np.roll(np.clip(0.7 * picture + 0.25 * coarse, 0, 1), shift_px, axis=0)


@pytest.fixture
def films(tmp_path):
    """Now, before (10 mm further down), and a lesion known then."""
    folder = tmp_path / "films"
    folder.mkdir()
    before = textured(round(10 / STEP_MM))
    known = np.zeros(before.shape, np.uint8)
    known[100:112, 60:72] = 255
    for name, picture in (("now", textured() * 255), ("before", before * 255), ("known", known)):
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{name}.png")
    return folder


def options(model, films, **more):
    style = XrayStyle.PUBLISHED
    return PredictOptions(str(model), pixel_mm=STEP_MM, style=style, prior=films / "before.png", **more)


def notes_of(out, key="now"):
    return json.loads((out / key / "nodules.json").read_text())["study"]["notes"]


def size_of_overlay(out):
    with Image.open(out / "now" / "overlay.png") as picture:
        return picture.size


def test_the_earlier_film_is_laid_over_the_current_one(films, models):
    now, before = (
        Radiograph(np.array(Image.open(films / f"{name}.png")), pixel_mm=(STEP_MM, STEP_MM), plane=SpacingPlane.PATIENT)
        for name in ("now", "before")
    )
    known = np.array(Image.open(films / "known.png")) > 0
    predictor = XrayPredictor(load_model(str(models["lesions"])), XrayOptions(XrayStyle.PUBLISHED))
    found = predictor("p", now, EarlierXray(before, known, XrayStyle.PUBLISHED, hashes=(("image", "abc"),)))
    middle = slice(40, -40), slice(40, -40)
    picture = now.array[middle] / 255
    apart = [np.abs(one[middle] - picture).mean() for one in (found.prior, before.array / 255)]
    assert apart[0] < apart[1] / 3
    rows = np.argwhere(found.prior_lesions)[:, 0]
    assert rows.mean() == pytest.approx(105.5 - 10 / STEP_MM, abs=1)
    assert found.prior_lesions.sum() == pytest.approx(known.sum(), rel=0.15)
    assert found.provenance.options["prior_files"] == {"image": "abc"}
    assert found.provenance.options["prior"] == "earlier"


def test_the_files_say_which_earlier_film_it_was(films, models, tmp_path):
    done = run_predict(
        [films / "now.png"], tmp_path / "out", options(models["lesions"], films, prior_mask=films / "known.png")
    )
    assert done.keys == ("now",)
    expected = {what: sha256_of(films / f"{name}.png") for what, name in (("image", "before"), ("mask", "known"))}
    assert json.loads((tmp_path / "out" / "now" / "nodules.json").read_text())["study"]["prior"] == expected
    (case,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["cases"]
    assert case["prior"] == expected
    wide = size_of_overlay(tmp_path / "out")
    run_predict([films / "now.png"], tmp_path / "alone", PredictOptions(str(models["none"]), pixel_mm=STEP_MM))
    assert wide[0] > 1.8 * size_of_overlay(tmp_path / "alone")[0]
    again = run_predict(
        [films / "now.png"], tmp_path / "out", options(models["lesions"], films, prior_mask=films / "known.png")
    )
    assert again.was_done


def test_a_mirrored_earlier_film_is_doubted(films, models, tmp_path):
    Image.fromarray(np.array(Image.open(films / "before.png"))[:, ::-1].copy()).save(films / "before.png")
    run_predict([films / "now.png"], tmp_path / "out", options(models["earlier"], films))
    assert "mirrored" in " ".join(notes_of(tmp_path / "out"))


@pytest.mark.parametrize(("stated", "size_mm"), [(None, None), (0.9, 0.9)])
def test_the_earlier_films_pixels_are_not_the_current_ones(stated, size_mm, films, models, tmp_path, monkeypatch):
    """A picture of other rows and columns has the size that is stated for it, or none; never the current one's."""
    with Image.open(films / "before.png") as before:
        smaller = before.resize((before.width * 3 // 4, before.height * 3 // 4))
    smaller.save(films / "before.png")
    seen = []

    def kept(_, key, xray, earlier):
        seen.append(earlier.picture.pixel_mm)
        raise InputError("enough.")

    monkeypatch.setattr(XrayPredictor, "__call__", kept)
    run_predict([films / "now.png"], tmp_path / "out", options(models["earlier"], films, prior_pixel_mm=stated))
    assert seen == [None if size_mm is None else (size_mm, size_mm)]


def dicom(path, patient, day):
    """An X-ray of nothing, of a patient and a day."""
    flat = Radiograph(np.zeros((64, 64), np.uint16), (1.0, 1.0), plane=SpacingPlane.DETECTOR)
    write_dx(flat, path, DxDetails("AP", ("L", "F")))
    dataset = pydicom.dcmread(path)
    dataset.PatientID, dataset.StudyDate = patient, day
    dataset.save_as(path)
    return path


@pytest.mark.parametrize(
    ("patient", "day", "says"),
    [
        ("one", "20200101", []),
        ("one", "20200601", []),
        ("", "", []),
        ("other", "20200101", ["another patient's"]),
        ("one", "20210101", ["2021-01-01, after"]),
        ("other", "20210101", ["another patient's", "2021-01-01, after"]),
    ],
)
def test_headers_of_another_patient_or_a_later_day_are_noticed(patient, day, says, tmp_path):
    prior, current = dicom(tmp_path / "a.dcm", patient, day), dicom(tmp_path / "b.dcm", "one", "20200601")
    found = header_doubts(prior, current)
    assert len(found) == len(says)
    assert all(part in doubt for part, doubt in zip(says, found, strict=True))


def test_what_the_headers_say_stands_in_the_notes(films, models, tmp_path, monkeypatch):
    monkeypatch.setattr(predict, "header_doubts", lambda *paths: (f"{paths[0].stem} to {paths[1].stem}",))
    run_predict([films / "now.png"], tmp_path / "out", options(models["earlier"], films))
    assert notes_of(tmp_path / "out") == ["the earlier X-ray: before to now"]


def test_pictures_say_nothing_of_their_patient(films):
    assert header_doubts(films / "before.png", films / "now.png") == ()


def test_doubts_are_said_in_the_terminal(films, models, tmp_path, capsys):
    words = ["--model", str(models["earlier"]), "--prior", str(films / "now.png"), "--pixel-mm", str(STEP_MM)]
    words += ["--style", "published"]
    for _ in range(2):  # the second time it is there already
        assert main(["predict", str(films / "now.png"), str(tmp_path / "out"), *words]) == 0
        said = capsys.readouterr().err
        assert said == "hilum: note: now: the earlier X-ray is the current one, or a copy of it\n"


def test_a_doubt_of_many_is_one_line(models, tmp_path, capsys):
    data = write_pairs_over_time(tmp_path / "pairs")
    words = ["--model", str(models["shuffled"]), "--split", "validation"]
    assert main(["predict", str(data), str(tmp_path / "out"), *words]) == 0
    assert "note: 2 X-rays: the model has learnt with other patients'" in capsys.readouterr().err


def test_one_that_belongs_is_not(films, models, tmp_path):
    run_predict([films / "now.png"], tmp_path / "out", options(models["earlier"], films))
    assert notes_of(tmp_path / "out") == []


def test_a_control_says_that_the_patients_own_tells_it_nothing(films, models, tmp_path):
    run_predict([films / "now.png"], tmp_path / "out", options(models["shuffled"], films))
    assert "the patient's own tells it nothing" in " ".join(notes_of(tmp_path / "out"))


@pytest.mark.parametrize(
    ("kind", "words", "says", "code"),
    [
        ("earlier", [], "looks at an earlier X-ray of the patient beside the current one, and there is none", 1),
        ("lesions", ["--prior", "{films}/before.png"], "Give it with --prior-mask FILE", 1),
        ("none", ["--prior", "{films}/before.png"], "looks at no earlier X-ray", 1),
        ("same", ["--prior", "{films}/before.png"], "looks at no earlier X-ray", 1),
        ("earlier", ["--prior", "{films}/before.png", "--prior-mask", "{films}/known.png"], "no lesions known", 1),
        ("earlier", ["--prior", "{films}/nothing.png"], "nothing.png", 1),
        ("lesions", ["--prior-mask", "{films}/known.png"], "Name it, too: --prior FILE", 2),
        ("earlier", ["--prior-pixel-mm", "0.7"], "Name it, too: --prior FILE", 2),
        ("earlier", ["--prior", "{films}/before.png", "--prior-pixel-mm", "143"], "143 µm", 2),
    ],
)
def test_what_is_missing_or_in_vain_is_one_line(kind, words, says, code, films, models, tmp_path, capsys):
    more = [word.format(films=films) for word in words]
    assert main(["predict", str(films / "now.png"), str(tmp_path / "out"), "--model", str(models[kind]), *more]) == code
    assert says in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_one_earlier_film_is_of_one_patient(films, models, tmp_path, capsys):
    words = ["--model", str(models["earlier"]), "--prior", str(films / "before.png")]
    assert main(["predict", str(films), str(tmp_path / "out"), *words]) == 1
    assert "3 X-rays are to be predicted" in capsys.readouterr().err


def test_a_mask_of_another_size_is_a_failure_that_is_said(films, models, tmp_path):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(films / "known.png")
    done = run_predict(
        [films / "now.png"], tmp_path / "out", options(models["lesions"], films, prior_mask=films / "known.png")
    )
    assert "the mask of its lesions" in done.failures[0].error


@pytest.mark.parametrize("kind", INPUTS)
def test_a_data_set_over_time_brings_its_own(kind, models, tmp_path):
    """The network is given what training gives it: the registered picture, its lesions, or another's picture."""
    data = write_pairs_over_time(tmp_path / "pairs")
    done = run_predict([data], tmp_path / "out", PredictOptions(str(models[kind]), split="validation"))
    assert done.keys == ("case-2", "case-3")
    assert not done.failures
    index = json.loads((tmp_path / "out" / "predictions.json").read_text())
    other = {"case-2": "case-3", "case-3": "case-2"}
    for case in index["cases"]:
        whose = other[case["key"]] if kind == "shuffled" else case["key"]
        place = data / "cases" / whose
        expected = {"image": sha256_of(place / "prior.png"), "mask": sha256_of(place / "prior_mask.png")}
        expected = {} if kind in ("none", "same") else expected if kind == "lesions" else {"image": expected["image"]}
        assert case.get("prior", {}) == expected
    assert index["provenance"]["options"].get("prior", "none") == ("earlier" if kind == "lesions" else kind)


def test_another_patients_picture_has_the_size_that_training_gives_it(models, tmp_path, monkeypatch):
    """Two patients with pixels of unequal size: each is shown the other's, in millimetres."""
    data = write_pairs_over_time(tmp_path / "pairs")
    index = json.loads((data / "dataset.json").read_text())
    index["cases"][-1]["pixel_mm"] = [0.6, 0.6]
    (data / "dataset.json").write_text(json.dumps(index))
    seen = []

    def kept(_, image, second):
        seen.append(second.picture)
        return np.zeros_like(image)

    monkeypatch.setattr(XrayPredictor, "probability", kept)
    run_predict([data], tmp_path / "out", PredictOptions(str(models["shuffled"]), split="validation"))
    samples, _ = load_samples(data, "validation", XrayDataConfig(pixel_mm=STEP_MM, prior="shuffled"))
    expected = [sample.prior for sample in shuffled_once(samples)]
    assert [one.shape for one in seen] == [one.shape for one in expected]
    assert seen[0].shape != seen[1].shape
    for one, other in zip(seen, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=0.01)


def test_a_data_sets_own_is_doubted_by_how_it_lies_and_by_what_its_registration_says(models, tmp_path):
    data = write_pairs_over_time(tmp_path / "pairs")
    index = json.loads((data / "dataset.json").read_text())
    index["cases"][2]["prior"]["registration"] = {"converged": False, "notes": ["areas change too much"]}
    index["cases"][3]["prior"]["registration"] = {"converged": False}
    (data / "dataset.json").write_text(json.dumps(index))
    found = {}
    for kind in ("earlier", "shuffled"):
        run_predict([data], tmp_path / f"out-{kind}", PredictOptions(str(models[kind]), split="validation"))
        cases = json.loads((tmp_path / f"out-{kind}" / "predictions.json").read_text())["cases"]
        found[kind] = [" | ".join(case["notes"]) for case in cases]
    assert "areas change too much" in found["earlier"][0]
    assert "has not converged" in found["earlier"][1]
    assert all("fits the current one by" in one for one in found["earlier"])  # noise, which nothing was laid over
    assert not any("areas" in one or "converged" in one or "fits" in one for one in found["shuffled"])
    assert all("as a control" in one for one in found["shuffled"])


def test_a_data_set_without_earlier_pictures_is_one_line(models, tmp_path, capsys):
    data = write_pairs_over_time(tmp_path / "pairs")
    index = json.loads((data / "dataset.json").read_text())
    for case in index["cases"]:
        del case["prior"]
    (data / "dataset.json").write_text(json.dumps(index))
    assert main(["predict", str(data), str(tmp_path / "out"), "--model", str(models["earlier"])]) == 1
    assert "hilum prepare over-time" in capsys.readouterr().err


def test_a_model_is_judged_on_a_data_set_over_time_beside_the_copied_mask(models, tmp_path):
    data, out = write_pairs_over_time(tmp_path / "pairs"), tmp_path / "judged"
    words = ["--data", str(data), "--split", "validation", "--bootstraps", "0", "--workers", "1"]
    assert main(["evaluate", str(models["lesions"]), str(out), *words]) == 0
    found = json.loads((out / "evaluation.json").read_text())
    assert found["n_cases"] == len(VALIDATION)
    rivals = {one["name"]: one["figures"] for one in found["rivals"]}
    assert rivals["prior's mask copied"]["dice_mean"]["value"] > 0.3
