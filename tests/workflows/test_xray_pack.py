"""`hilum prepare xray-pack`: a run from the packed file is the run from the data set."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file

from hilum.cli.app import main
from hilum.core import ConfigError
from hilum.datasets.odd import UPSIDE_DOWN
from hilum.train.config import Machine
from hilum.workflows import xray_pack
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.train_data import read_data
from tests.xrays import chest, write_xrays

TINY = (
    "model.options.widths=[4, 8]",
    "trainer.epochs=1",
    "trainer.batch_size=2",
    "trainer.precision=32",
    "trainer.panels_every=0",
)


@pytest.fixture
def pairs(tmp_path):
    drawn = [chest(patient) for patient in ("LIDC-IDRI-0002", "LIDC-IDRI-0003", "LIDC-IDRI-0006", "LIDC-IDRI-0011")]
    return write_xrays(tmp_path / "pairs", drawn)


def pack(*words):
    return main(["prepare", "xray-pack", *map(str, words), "--recipe", "xray_unet"])


def test_a_run_from_the_pack_is_the_run_from_the_data_set(pairs, tmp_path, capsys):
    path = tmp_path / "pairs.npz"
    assert pack(pairs, path) == 0
    assert f"{path}, {path.stat().st_size / 1e6:.1f} MB: 2 pictures to learn from, 2 to" in capsys.readouterr().out
    options = TrainOptions(Machine(device="cpu", threads=1))
    config = resolved_config("xray_unet", settings=TINY)
    runs = [run_train(config, data, tmp_path / name, options) for name, data in {"a": pairs, "b": path}.items()]
    one, other = (load_file(run.folder / "model" / "weights.safetensors") for run in runs)
    assert one.keys() == other.keys()
    assert all(one[name].equal(other[name]) for name in one)
    for name in ("dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image"):
        assert runs[1].figures[name] == pytest.approx(runs[0].figures[name]), name
    assert "(pairs.npz)" in json.loads((runs[1].folder / "model" / "config.json").read_text())["data"]["name"]


def test_the_same_data_give_the_same_bytes_and_nothing_is_written_over(pairs, tmp_path, capsys):
    path = tmp_path / "pairs.npz"
    assert pack(pairs, path) == 0
    first = path.read_bytes()
    assert pack(pairs, path) == 1
    assert "exists already" in capsys.readouterr().err
    assert pack(pairs, path, "--force") == 0
    assert path.read_bytes() == first


def test_what_was_packed_otherwise_is_refused(pairs, tmp_path):
    path = tmp_path / "pairs.npz"
    assert pack(pairs, path, "--set", "data.visibility_floor=0.5") == 0
    with pytest.raises(ConfigError, match=r"packed with data\.visibility_floor 0\.5; the configuration has 1"):
        read_data(path, resolved_config("xray_unet"))


def test_cases_that_fail_are_said_and_stay_known(pairs, tmp_path, capsys):
    (pairs / "LIDC-IDRI-0003-1.png").write_bytes(b"")
    assert pack(pairs, tmp_path / "pairs.npz") == 3
    assert "LIDC-IDRI-0003-1" in capsys.readouterr().err
    read = read_data(tmp_path / "pairs.npz", resolved_config("xray_unet"))
    assert read.facts.failed == ("LIDC-IDRI-0003-1",)


def test_whether_misplaced_pictures_teach_is_left_to_the_run(pairs, tmp_path):
    index = json.loads((pairs / "dataset.json").read_text())
    index["cases"][0]["odd"] = [UPSIDE_DOWN]
    (pairs / "dataset.json").write_text(json.dumps(index))
    assert pack(pairs, tmp_path / "pairs.npz") == 0
    for leaves, pictures in (("true", 1), ("false", 2)):
        config = resolved_config("xray_unet", settings=[f"data.leave_out_odd={leaves}"])
        (one, other) = (read_data(data, config) for data in (pairs, tmp_path / "pairs.npz"))
        assert one.facts.training == other.facts.training == (pictures, pictures)
        assert one.facts.notes == other.facts.notes


def test_a_large_file_is_said(pairs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(xray_pack, "CARRIED_MB", 0)
    assert pack(pairs, tmp_path / "pairs.npz") == 0
    assert "larger than 0 MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("out", "extra", "code"),
    [("pairs.zip", [], 1), ("pairs.npz", ["--set", "data.pixel=1"], 2), ("pairs.npz", ["--set", "data.pixel_mm=0"], 2)],
)
def test_wrong_words_write_nothing(pairs, tmp_path, out, extra, code):
    assert pack(pairs, tmp_path / out, *extra) == code
    assert not (tmp_path / out).exists()


def test_a_pack_is_not_packed_again(pairs, tmp_path, capsys):
    np.savez(tmp_path / "there.npz", a=1)
    assert pack(tmp_path / "there.npz", tmp_path / "out.npz") == 1
    assert "packed already" in capsys.readouterr().err
