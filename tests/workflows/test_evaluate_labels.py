"""Films' labels judged alone, as a classifier gives them: against scikit-learn, and on films of unknown pixels, too."""

import json

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, recall_score, roc_auc_score

from hilum.cli.app import main
from hilum.core import InputError
from hilum.datasets.bit_masks import read_layout
from hilum.datasets.class_source import LABELS
from hilum.datasets.prepared import read_prepared
from hilum.io import read_mask, write_png
from hilum.io.json_file import read_json, write_json
from hilum.workflows.compare import run_compare
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions
from hilum.workflows.prepare_covid_qu_ex import prepare_covid_qu_ex
from hilum.workflows.prepare_cxr_masks import MaskOptions, prepare_cxr_masks
from tests.classes import bit_films, covid_qu_ex

NAMES = [str(one) for one in LABELS]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("labels")
    prepare_cxr_masks(bit_films(folder / "src"), folder / "data", MaskOptions(read_layout("cxr-infection")))
    return folder / "data"


def cases_of(data):
    return [one for one in read_prepared(data).cases("classes") if one.film.image_label]


def say(folder, key, chances, *, is_unsure=False):
    """What a classifier leaves of a film."""
    labels = dict(zip(NAMES, chances, strict=True))
    best = None if is_unsure else max(labels, key=labels.get)
    write_json(
        folder / key / "classes.json",
        {"schema": "hilum.classes/1", "classes": [], "labels": labels, "label": best, "is_unsure": is_unsure},
    )


@pytest.fixture(scope="module")
def said(data, tmp_path_factory):
    """Guesses that are often right, every fifth of them left open."""
    folder, rng = tmp_path_factory.mktemp("said") / "said", np.random.default_rng(0)
    rows = []
    for place, case in enumerate(cases_of(data)):
        truth = NAMES.index(case.film.image_label)
        chances = rng.dirichlet(np.where(np.arange(3) == truth, 2.0, 0.9))
        say(folder, case.key, chances.tolist(), is_unsure=place % 5 == 0)
        rows.append((truth, chances, place % 5 == 0))
    return folder, rows


def test_labels_alone_are_judged_as_scikit_learn_does(data, said, tmp_path, capsys):
    folder, rows = said
    words = ["evaluate", str(folder), str(tmp_path / "out"), "--data", str(data), "--split", "all"]
    assert main([*words, "--bootstraps", "200"]) == 0
    printed = capsys.readouterr().out
    stored = read_json(tmp_path / "out" / "evaluation.json")
    truth, unsure = np.array([one[0] for one in rows]), np.array([one[2] for one in rows])
    chances = np.stack([one[1] for one in rows])
    answer, figures, films = chances.argmax(axis=1), stored["figures"], stored["films"]
    counts = np.array(films["label_counts"])
    assert np.array_equal(counts[:, :3], confusion_matrix(truth[~unsure], answer[~unsure], labels=[0, 1, 2]))
    assert counts[:, 3].tolist() == np.bincount(truth[unsure], minlength=3).tolist()
    recalls = recall_score(truth[~unsure], answer[~unsure], labels=[0, 1, 2], average=None)
    for number, name in enumerate(NAMES):
        assert figures[f"label_sensitivity_{name}"]["value"] == pytest.approx(recalls[number])
        area = roc_auc_score(truth == number, chances[:, number])
        assert figures[f"label_auc_{name}"]["value"] == pytest.approx(area)
        assert figures[f"label_auc_{name}"]["low"] < area < figures[f"label_auc_{name}"]["high"]
    assert 0 < figures["label_ece"]["low"] < figures["label_ece"]["value"] < figures["label_ece"]["high"] < 1
    assert figures["label_unsure"]["value"] == pytest.approx(unsure.mean())
    assert f"{len(rows)} cases, by their labels alone" in printed
    assert "label_accuracy" in printed
    assert "Dice" not in printed
    page = (tmp_path / "out" / "report.html").read_text()
    assert "how good are these labels?" in page
    assert "Dice" not in page
    assert len((tmp_path / "out" / "cases.csv").read_text().splitlines()) == 1 + len(rows)


def test_a_second_run_finds_the_same(data, said, tmp_path):
    wanted, options = TruthWanted(data, "all"), EvaluateOptions(bootstraps=0)
    first = run_evaluate(said[0], wanted, tmp_path / "out", options)
    again = run_evaluate(said[0], wanted, tmp_path / "out", options)
    assert again.was_done
    assert again.evaluation.is_of_labels
    assert not again.evaluation.is_of_points
    assert dict(again.evaluation.figures).keys() == dict(first.evaluation.figures).keys()
    with pytest.raises(InputError, match="one judges films' labels alone"):
        run_compare({"one": tmp_path / "out", "other": tmp_path / "out"}, tmp_path / "compared")


def test_sure_and_right_has_no_calibration_error_and_sure_and_wrong_has_one(data, tmp_path):
    wanted, options = TruthWanted(data, "all"), EvaluateOptions(bootstraps=0)
    for name, shift, error in (("right", 0, 0.0), ("wrong", 1, 1.0)):
        for case in cases_of(data):
            place = (NAMES.index(case.film.image_label) + shift) % 3
            say(tmp_path / name, case.key, np.eye(3)[place].tolist())
        found = run_evaluate(tmp_path / name, wanted, tmp_path / f"{name}_out", options).evaluation
        assert found.figures["label_ece"].value == pytest.approx(error)
        assert found.figures["label_accuracy"].value == 1 - error


def test_a_film_without_a_prediction_is_listed_and_rings(data, said, tmp_path, capsys):
    folder, rows = said
    first = cases_of(data)[0].key
    for one in cases_of(data)[1:]:
        target = tmp_path / "some" / one.key / "classes.json"
        target.parent.mkdir(parents=True)
        target.write_bytes((folder / one.key / "classes.json").read_bytes())
    words = ["evaluate", str(tmp_path / "some"), str(tmp_path / "out"), "--data", str(data), "--split", "all"]
    assert main([*words, "--bootstraps", "0"]) == 3
    assert f"{len(rows) - 1} of {len(rows)} cases judged" in capsys.readouterr().out
    failed = json.loads((tmp_path / "out" / "failures.json").read_text())
    assert [one["input"] for one in failed] == [first]
    names = [one["name"] for one in read_json(tmp_path / "out" / "evaluation.json")["alarms"]]
    assert "cases_failed" in names


def test_a_threshold_is_for_pixels(data, said, tmp_path):
    with pytest.raises(InputError, match="--threshold is for pixels"):
        run_evaluate(said[0], TruthWanted(data, "all"), tmp_path / "out", EvaluateOptions(threshold=0.5))
    assert not (tmp_path / "out").exists()


def test_films_whose_pixels_nobody_knows_have_labels_all_the_same(tmp_path):
    """COVID-QU-Ex: nobody outlined an infection of non-COVID films, so no overlap of them can be judged."""
    prepare_covid_qu_ex(covid_qu_ex(tmp_path / "src"), tmp_path / "data")
    cases = cases_of(tmp_path / "data")
    for case in cases:
        say(tmp_path / "said", case.key, np.eye(3)[NAMES.index(case.film.image_label)].tolist())
        if not case.film.unknown_pixels:
            write_png(read_mask(case.truth).labels.astype(np.uint8), tmp_path / "said" / case.key / "mask.png")
    wanted, options = TruthWanted(tmp_path / "data", "all"), EvaluateOptions(bootstraps=0)
    found = run_evaluate(tmp_path / "said", wanted, tmp_path / "out", options).evaluation
    known = sum(not case.film.unknown_pixels for case in cases)
    assert found.n_cases == known < len(cases)
    assert np.sum(found.films.label_counts) == len(cases)
    assert np.trace(np.array(found.films.label_counts)) == len(cases)
