"""X-rays of CTs with their lung fields."""

import json
from dataclasses import replace

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.classes_load import load_class_pictures
from hilum.io import write_volume
from hilum.workflows.lung_drr import LungDrrRule
from hilum.workflows.prepare_lung_drrs import LungDrrOptions, prepare_lung_drrs
from tests.ct_patches import chest

QUICK = LungDrrOptions(views=5)


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    volume = chest()
    body = volume.array > -1000
    noise = np.random.default_rng(0).normal(0, 10, volume.array.shape)
    volume.array[...] = np.rint(volume.array + np.where(body, noise, 0))
    path = tmp_path_factory.mktemp("ct") / "somebody.nii.gz"
    write_volume(volume, path)
    return path


@pytest.fixture(scope="module")
def made(ct, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    assert main(["prepare", "lung-drrs", str(ct), str(out), "--views", "5", "--licence", "nobody's"]) == 0
    return out


def index_of(folder):
    return json.loads((folder / "dataset.json").read_text())


def test_views_of_one_ct_are_learnt_from_and_judged_and_that_is_said(made):
    index = index_of(made)
    assert index["splits"]["train"] == ["ct-somebody-train"]
    assert index["splits"]["validation"] == ["ct-somebody-validation"]
    assert [one["patient"] for one in index["cases"]].count("ct-somebody-validation") == 1
    assert any("same patients" in note for note in index["notes"])
    assert index["labels"] == {"1": "lung"}
    assert index["roles"] == {"lungs": [1], "findings": [], "label_of": {}}
    assert index["licences"] == ["nobody's"]


def test_each_view_shows_both_lungs_and_no_two_are_alike(made):
    samples, failures = load_class_pictures(made, "train", ClassDataConfig())
    assert not failures
    assert len(samples) == 4
    for sample in samples:
        lung, rest = sample.labels == 1, sample.labels == 0
        assert 0.05 < lung.mean() < 0.6
        assert np.median(sample.image[lung]) < np.median(sample.image[rest & (sample.image > 0.05)])
    assert len({sample.labels.sum() for sample in samples}) == 4


def test_lungs_are_judged_apart(made, tmp_path):
    truth = tmp_path / "truth"
    for case in index_of(made)["cases"]:
        (truth / case["key"]).mkdir(parents=True)
        (truth / case["key"] / "mask.png").write_bytes((made / case["masks"]["classes"]).read_bytes())
    words = ["evaluate", str(truth), str(tmp_path / "out"), "--data", str(made), "--split", "train"]
    assert main([*words, "--bootstraps", "0"]) == 0
    films = json.loads((tmp_path / "out" / "evaluation.json").read_text())["films"]
    assert films["lungs"]["lung_dice_mean"]["value"] == 1
    assert films["involved"] == {}


def test_the_same_options_make_the_same_views(ct, made, tmp_path):
    again = LungDrrOptions(views=5, rule=LungDrrRule(licence="nobody's"))
    prepare_lung_drrs([ct], tmp_path / "a", again)
    hashes = [[case["sha256"] for case in index_of(folder)["cases"]] for folder in (made, tmp_path / "a")]
    assert hashes[0] == hashes[1]
    assert prepare_lung_drrs([ct], tmp_path / "a", again).was_done


def test_a_ct_for_validation_is_learnt_from_nowhere(ct, tmp_path):
    other = tmp_path / "other.nii.gz"
    other.write_bytes(ct.read_bytes())
    prepare_lung_drrs([ct], tmp_path / "out", replace(QUICK, validation=(other,), views=1))
    index = index_of(tmp_path / "out")
    assert index["splits"]["train"] == ["ct-somebody"]
    assert index["splits"]["validation"] == ["ct-other"]


def test_wrong_inputs_are_one_clear_line(ct, tmp_path, capsys):
    held_out = tmp_path / "LIDC-IDRI-0005.nii.gz"
    held_out.write_bytes(ct.read_bytes())
    with pytest.raises(InputError, match="held out"):
        prepare_lung_drrs([held_out], tmp_path / "out", QUICK)
    learnt = tmp_path / "LIDC-IDRI-0002.nii.gz"
    learnt.write_bytes(ct.read_bytes())
    with pytest.raises(InputError, match="who is for train, not for validation"):
        prepare_lung_drrs([ct], tmp_path / "out", replace(QUICK, validation=(learnt,)))
    with pytest.raises(InputError, match="two CTs are called"):
        prepare_lung_drrs([ct, ct], tmp_path / "out", QUICK)
    with pytest.raises(InputError, match="5 or more views"):
        LungDrrOptions(views=4)
    with pytest.raises(InputError, match="a stretch"):
        LungDrrRule(stretch=1.0)
    assert main(["prepare", "lung-drrs", str(ct)]) == 2
    assert "at least one CT and the folder" in capsys.readouterr().err
