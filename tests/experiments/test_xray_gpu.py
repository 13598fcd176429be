"""A run with PyTorch and NumPy alone is the house's run, goes on where it was stopped, and can be adopted."""

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from experiments.adopt import adopt

from experiments import gpu_configs, xray_gpu
from hilum.config import merged
from hilum.core import ConfigError
from hilum.datasets.xray_pack import XrayPack, read_pack, write_pack
from hilum.infer.loaded import load_model
from hilum.train.config import Machine, TrainConfig
from hilum.workflows.train import TrainOptions, run_train
from hilum.workflows.train_config import resolved_config
from hilum.workflows.xray_pack import pack_xrays
from tests.datasets.test_insertion import bank
from tests.xrays import chest, write_xrays

ROOT = Path(xray_gpu.__file__).parents[1]
EPOCHS = 4
TINY = resolved_config(
    "xray",
    settings=[
        "data.pixel_mm=1.0",
        "model.options={widths: [4, 8], blocks: [1, 1]}",
        "augment.crop_px=[32, 32]",
        "augment.crop_on_lesion=1",
        f"trainer={{epochs: {EPOCHS}, batch_size: 2, precision: '32', panels_every: 0, ema: 0.9}}",
    ],
)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A packed data set with a bank, and the configuration of a run."""
    folder = tmp_path_factory.mktemp("gpu")
    places = {"LIDC-IDRI-0002": (30, 20), "LIDC-IDRI-0003": (20, 40), "LIDC-IDRI-0004": (35, 45)}
    judged = {"LIDC-IDRI-0006": (28, 30), "LIDC-IDRI-0011": (15, 20)}
    drawn = [chest(patient, lesions=((centre, 6),)) for patient, centre in (places | judged).items()]
    drawn += [chest("LIDC-IDRI-0002", lesions=()), chest("LIDC-IDRI-0011", lesions=())]
    without = TINY.model_copy(update={"insertion": TINY.insertion.model_copy(update={"share": 0.0})})
    pack_xrays(write_xrays(folder / "pairs", drawn), folder / "plain.npz", without)
    plain = read_pack(folder / "plain.npz")
    write_pack(folder / "pack.npz", XrayPack(plain.splits, plain.about, bank()))
    (folder / "run.json").write_text(json.dumps(TINY.plain()))
    return folder


def words(files, out, *more):
    return [
        *(str(files / "pack.npz"), str(out), "--config", str(files / "run.json"), "--every", "1"),
        *("--workers", "0", "--device", "cpu", *more),
    ]


def go(files, out, *more):
    given = xray_gpu.arguments(words(files, out, *more))
    run = xray_gpu.Run(given, xray_gpu.configured(given.config, given.set))
    run.go()
    return run


def rows_of(path):
    with path.open() as stream:
        return [{name: float(value) for name, value in row.items() if value} for row in csv.DictReader(stream)]


@pytest.fixture(scope="module")
def done(files, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "exact"
    go(files, out, "--exact")
    return out


def test_it_is_the_houses_run(files, done, tmp_path):
    """Same loss, rates, figures and best epoch in every epoch; the kept weights differ by rounding to 16 bits."""
    run_train(TINY, files / "pack.npz", tmp_path / "house", TrainOptions(Machine(device="cpu", threads=1)))
    house, twin = rows_of(tmp_path / "house" / "metrics.csv"), rows_of(done / "log.csv")
    assert len(house) == len(twin) == EPOCHS
    for theirs, ours in zip(house, twin, strict=True):
        assert ours["loss"] == pytest.approx(theirs["train_loss"], rel=1e-4)
        for name in ("dice_mean", "dice_pooled", "threshold", "false_positives_per_image"):
            assert ours[name] == pytest.approx(theirs[name], rel=1e-4), name
    kept, own = load_model(str(tmp_path / "house")), xray_gpu.weights_of(done / "best.npz")
    for name, value in kept.network.state_dict().items():
        torch.testing.assert_close(own[name], value, rtol=2e-3, atol=1e-4)


def test_it_goes_on_where_its_minutes_were_over(files, tmp_path, monkeypatch):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    go(files, whole)
    go(files, parts, "--minutes", "0.17")  # ten seconds are kept for the end, so this is an epoch or a few
    monkeypatch.setattr(xray_gpu.Run, "left", lambda run: 60.0 if run.epoch < 2 else 0.0)
    go(files, parts)
    monkeypatch.undo()
    go(files, parts)
    assert (whole / "log.csv").read_text() == (parts / "log.csv").read_text()
    one, other = (xray_gpu.weights_of(out / "best.npz") for out in (whole, parts))
    assert all(one[name].equal(other[name]) for name in one)
    assert (parts / "best.npz").stat().st_size < 16e6


REFUSING = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked}:
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import torch
torch.set_num_threads(1)
from experiments.xray_gpu import main
main()
"""


def test_pytorch_and_numpy_are_enough(files, tmp_path):
    blocked = {"pydantic", "scipy", "skimage", "monai", "pytorch_lightning", "lightning", "PIL", "numba", "yaml"}
    script = REFUSING.replace("{blocked}", repr(blocked | {"safetensors", "SimpleITK", "pydicom", "nibabel"}))
    command = [sys.executable, "-c", script, *words(files, tmp_path / "out", "--set", "trainer.epochs=1")]
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("done: 1 of 1 epochs")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"best.npz", "log.csv", "run.json", "state.pt"}


def test_what_it_left_becomes_a_model(files, done, tmp_path):
    facts = adopt(done, files / "pack.npz", tmp_path / "model", Machine(device="cpu", threads=1))
    model = load_model(str(tmp_path / "model"))
    assert model.threshold == facts.fitted.best["threshold"]
    stored = json.loads((tmp_path / "model" / "config.json").read_text())
    assert TrainConfig.of(stored["config"]).hash == stored["hash"]
    assert stored["config"]["augment"] == TINY.plain()["augment"]
    assert stored["threshold"]["patients"] == ["LIDC-IDRI-0006", "LIDC-IDRI-0011"]
    best = json.loads((done / "run.json").read_text())["best"]
    assert facts.found.figures["dice_mean"].value == pytest.approx(best["dice_mean"], abs=2e-3)
    card = (tmp_path / "model" / "card.md").read_text()
    for said in ("trained on a processor", "synthetic", f"kept: epoch {best['epoch']}", "from scratch"):
        assert said in card


def test_only_what_belongs_together_is_adopted(files, done, tmp_path):
    with pytest.raises(ConfigError, match="not what the run learnt from"):
        adopt(done, files / "plain.npz", tmp_path / "model")
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(ConfigError, match="no run that has come to anything"):
        adopt(tmp_path, files / "pack.npz", tmp_path / "model")


def test_bfloat16_learns_nearly_the_same(files, done, tmp_path):
    run = go(files, tmp_path, "--set", 'trainer.precision="bf16"', "--exact")
    assert run.precision == "bf16"
    assert run.rows[-1]["loss"] == pytest.approx(rows_of(done / "log.csv")[-1]["loss"], rel=0.05)


def test_a_run_begins_with_anothers_weights(files, done, tmp_path):
    given = xray_gpu.arguments(words(files, tmp_path, "--start", str(done / "best.npz")))
    begun = xray_gpu.Run(given, TINY.plain()).network.state_dict()
    assert all(value.equal(begun[name]) for name, value in xray_gpu.weights_of(done / "best.npz").items())


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (["--set", "trainer.epoch=3"], "no setting 'trainer.epoch'"),
        (["--set", "trainer.accumulate=2"], "trainer.accumulate can only be 1"),
        (["--set", "schedule.kind=plateau"], "in one phase"),
        (["--set", 'start.parts=["encoder"]'], "start.parts can only be"),
        (["--set", "trainer.deterministic=true"], "trainer.deterministic can only be False"),
        (["--set", "adaptation.method=gradient_reversal"], "adaptation.method can only be none"),
        (["--set", "optimiser.lr=fast"], "fast is no such value"),
        (["--set", "optimiser.lr=NaN"], "NaN is no such value"),
        (["--set", "trainer.epochs=1.5"], "1.5 is no such value"),
        (["--set", "trainer=3"], "3 is no such value"),
        (["--set", "data.pixel_mm=0.7"], "the pack has data.pixel_mm 1.0"),
    ],
)
def test_what_cannot_be_is_one_clear_line(files, tmp_path, settings, said):
    with pytest.raises(SystemExit, match=said):
        go(files, tmp_path / "out", *settings)


def test_another_runs_state_and_a_loss_that_is_no_number_stop_it(files, done, tmp_path):
    with pytest.raises(SystemExit, match="of another run"):
        go(files, tmp_path / "out", "--state", str(done / "state.pt"), "--set", "trainer.seed=1")
    with pytest.raises(SystemExit, match="the loss became nan"):
        go(files, tmp_path / "nan", "--set", "optimiser.lr=1e30", "--set", "trainer.clip_norm=0")
    with np.load(tmp_path / "nan" / "failed_batch.npz") as saved:
        assert saved["image"].shape == saved["target"].shape == (2, 1, 32, 32)


def test_held_out_patients_and_missing_nodules_are_refused(files):
    pack = read_pack(files / "plain.npz")
    with pytest.raises(SystemExit, match="the pack has none"):
        xray_gpu.require_pack(pack, TINY.plain())
    sample = pack.splits["train"][0]
    held = XrayPack({"train": [type(sample)(**{**vars(sample), "patient": "LIDC-IDRI-0005"})]}, pack.about, bank())
    with pytest.raises(SystemExit, match="LIDC-IDRI-0005 is held out"):
        xray_gpu.require_pack(held, TINY.plain())
    both = XrayPack({"train": [replace(sample, patient="p")], "validation": [replace(sample, patient="p")]}, pack.about)
    for patient, said in (("LIDC-IDRI-0001", "is demonstration"), ("LIDC-IDRI-0006", "is validation")):
        wrong = XrayPack({"train": [replace(sample, patient=patient)]}, pack.about, bank())
        with pytest.raises(SystemExit, match=said):
            xray_gpu.require_pack(wrong, TINY.plain())
    with pytest.raises(SystemExit, match="in training and in validation"):
        xray_gpu.require_pack(replace(both, bank=bank()), TINY.plain())


@pytest.mark.parametrize("name", gpu_configs.SETTINGS)
def test_prepared_configurations_are_their_recipes(name):
    """A setting that is newer than the file has its default when the run is adopted."""
    stored = json.loads((gpu_configs.RUNS / f"{name}.json").read_text())
    recipe, settings = gpu_configs.SETTINGS[name]
    config = resolved_config(recipe, settings=settings).plain()
    assert merged(config, stored) == config, "run: python -m experiments.gpu_configs"
    xray_gpu.configured(gpu_configs.RUNS / f"{name}.json", [])


def test_weights_are_small_and_norms_keep_their_bits(tmp_path):
    state = {"conv.weight": torch.rand(3, 2, 3, 3), "norm.running_var": torch.tensor([1e-9, 1e6]), "n": torch.tensor(7)}
    xray_gpu.write_weights(tmp_path / "w.npz", state)
    back = xray_gpu.weights_of(tmp_path / "w.npz")
    torch.testing.assert_close(back["conv.weight"], state["conv.weight"], rtol=1e-3, atol=0)
    assert back["norm.running_var"].equal(state["norm.running_var"])
    assert back["n"].dtype == torch.int64
    assert np.load(tmp_path / "w.npz")["conv.weight"].dtype == np.float16
