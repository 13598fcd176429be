"""A run learns, stops, goes on and refuses."""

import csv
import json
import signal
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from hilum.train.fit import fit
from tests.train.tiny import MACHINE, TINY, cases, changed


def run(out, config=TINY, data=None, weights_seed=0):
    torch.manual_seed(weights_seed)
    return fit(config.model.build(), data or cases(), config, MACHINE, out)


def rows_of(out):
    with (out / "metrics.csv").open() as stream:
        return list(csv.DictReader(stream))


def test_it_learns_and_leaves_what_it_promises(tmp_path):
    config = changed(epochs=10, panels_every=5)
    fitted = run(tmp_path, config)
    rows = rows_of(tmp_path)
    assert len(rows) == fitted.epochs == 10
    assert float(rows[-1]["train_loss"]) < 0.7 * float(rows[0]["train_loss"])
    assert fitted.best["dice_mean"] > 0.5
    assert {"train_bce", "train_dice", "validation_loss", "lr_encoder", "gradient_norm", "threshold"} <= rows[0].keys()
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    expected = {"training_curves.png", "model/weights.safetensors", "model/config.json", "checkpoints/last.ckpt"}
    assert expected | {"panels/epoch_005.png", "panels/epoch_010.png"} <= names
    assert any(name.startswith("tensorboard/events") for name in names)
    stored = json.loads((tmp_path / "model" / "config.json").read_text())
    assert stored["hash"] == config.hash
    assert stored["validation"]["epoch"] == fitted.best["epoch"]


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
from hilum.train.fit import fit
from tests.train.tiny import MACHINE, Discs, cases, changed

class Fatal(Discs):
    def draw(self, epoch, place, case):
        if epoch == 2 and place == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().draw(epoch, place, case)

data = cases()
config = changed(**eval(sys.argv[2]))
torch.manual_seed(0)
fit(config.model.build(), type(data)(Fatal(), data.judged), config, MACHINE, Path(sys.argv[1]))
"""


@pytest.mark.parametrize("options", [{}, {"ema": 0.9, "precision": "bf16"}])
def test_a_killed_run_goes_on_with_the_same_losses(tmp_path, options):
    config = changed(**options)
    run(tmp_path / "whole", config)
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), repr(options)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(rows_of(tmp_path / "killed")) == 2
    run(tmp_path / "killed", config, weights_seed=5)
    assert (tmp_path / "killed" / "metrics.csv").read_text() == (tmp_path / "whole" / "metrics.csv").read_text()
    whole, killed = (load_file(tmp_path / name / "model" / "weights.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], killed[name]) for name in whole)
