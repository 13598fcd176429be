"""`hilum profile`: figures that fit together, and one clear line for what can't be measured."""

import json
import math

import pytest

from hilum.cli.app import main
from hilum.infer import probe
from hilum.io.json_file import write_json
from hilum.models.catalogue import build_model
from hilum.models.macs import count_macs
from hilum.workflows import profile
from hilum.workflows.profile import ProfileOptions, run_profile
from tests.trained import tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def here(monkeypatch):
    """Measured in this process, three times: a process of its own takes seconds to begin."""
    monkeypatch.setattr(probe, "REPEATS", (3, 3))
    monkeypatch.setattr(profile, "probe", probe.measured)


@pytest.fixture
def model(tmp_path):
    return tiny_model(tmp_path / "tiny")


def test_figures_fit_together(here, model):
    found = run_profile(str(model), ProfileOptions((96, 64), batch=4))
    network = build_model("unet", {"widths": (4, 8)})
    counted = count_macs(network, (96, 64))
    assert (found.model, found.network, found.origin) == ("tiny", "UNet", "trained")
    assert found.parameters == sum(own.numel() for own in network.parameters())
    assert found.macs == counted.total == found.macs_per_pixel * 96 * 64
    assert found.heaviest[0].macs == max(layer.macs for layer in counted.layers)
    assert 0 < found.latency.low_ms <= found.latency.median_ms <= found.latency.high_ms
    assert found.latency.image_ms == found.latency.median_ms / 4
    assert found.memory.features_mb == pytest.approx(4e-6 * sum(layer.writes for layer in counted.layers))
    assert (found.where.threads, found.where.device) == (1, "cpu")


def test_features_are_what_layers_read_and_write():
    """By hand: 24 × 16 pixels, and half of that inside; 1 channel in, 4 and 8 wide."""
    layers = {layer.name: layer for layer in count_macs(build_model("unet", {"widths": (4, 8)}), (24, 16)).layers}
    first, head = layers["encoder.stem.0"], layers["head.0"]
    assert (first.reads, first.writes) == (24 * 16, 4 * 12 * 8)
    assert (head.reads, head.writes) == (4 * 12 * 8, 12 * 8)


def test_energy_says_whether_it_was_measured(here, model, monkeypatch):
    class Counter:
        how = "a meter"
        read = 0.0

        def joules(self):
            self.read += 6.0
            return self.read

    monkeypatch.setattr(probe, "counter_for", lambda _: None)
    found = run_profile(str(model), ProfileOptions((32, 32))).energy
    assert found.kind == "modelled"
    assert found.low < found.joules < found.high
    monkeypatch.setattr(probe, "counter_for", lambda _: Counter())
    found = run_profile(str(model), ProfileOptions((32, 32), batch=2)).energy
    assert (found.kind, found.how) == ("measured", "a meter")
    assert found.joules == 6 / (3 * 2)
    assert math.isnan(found.low)


def test_people_and_programs(here, model, capsys):
    assert main(["profile", str(model), "--size", "40x33"]) == 0
    shown = capsys.readouterr().out
    for words in ("tiny: UNet, trained; 40x33 pixels", "1 thread", "heaviest layers", "ms (quartiles"):
        assert words in shown
    assert main(["profile", str(model), "--size", "40x33", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "hilum.profile/1"
    assert content["size_yx"] == [40, 33]
    assert content["energy"]["kind"] in ("measured", "modelled")


def test_in_a_process_of_its_own(model, capsys):
    """As it is used; nothing is put in its place."""
    assert main(["profile", str(model), "--size", "32x32", "--threads", "1", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["latency"]["repeats"] >= 10
    assert content["memory"]["peak_mb"] >= 0


@pytest.mark.parametrize("size", ["512", "512x", "0x512", "512x0", "9999x512", "512x9999999", "-1x5", "axb", ""])
def test_a_size_that_is_none_is_wrong_usage(size, capsys):
    assert main(["profile", "unet", f"--size={size}"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert "512x512" in said.err or "8192" in said.err


@pytest.mark.parametrize("flags", ["--threads=0", "--batch=0", "--batch=5000", "--device=tpu"])
def test_values_that_no_flag_can_have(flags, capsys):
    assert main(["profile", "unet", flags]) == 2
    assert "Traceback" not in capsys.readouterr().err


def _refused(words, capsys):
    assert main(words) == 1
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines[0].startswith("hilum: ")
    assert len(lines) <= 2  # what is wrong, and mostly what to do
    return said.err


def test_what_is_no_model_is_one_clear_line(tmp_path, capsys):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("no model")
    assert "there is no model 'vnet'" in _refused(["profile", "vnet"], capsys)
    assert "holds no model" in _refused(["profile", str(tmp_path / "other")], capsys)
    model = tiny_model(tmp_path / "cut")
    (model / "weights.safetensors").write_bytes(b"cut")
    assert "holds no weights" in _refused(["profile", str(model)], capsys)


def test_an_exported_folder_that_is_damaged_is_one_clear_line(tmp_path, capsys):
    folder = tmp_path / "graph"
    write_json(folder / "export.json", {"schema": "other/1"})
    assert "'hilum.export/1' was expected" in _refused(["profile", str(folder)], capsys)
    write_json(folder / "export.json", {"schema": "hilum.export/1", "format": "onnx"})
    assert "doesn't say what the graph is" in _refused(["profile", str(folder)], capsys)
    whole = {"schema": "hilum.export/1", "format": "onnx", "precision": "int8", "channels": 0, "size_yx": [64, 32]}
    write_json(folder / "export.json", whole)
    assert "model.onnx is missing" in _refused(["profile", str(folder)], capsys)
    (folder / "model.onnx").write_bytes(b"no graph")
    write_json(folder / "config.json", {"config": {"model": {"name": "unet", "options": {}}}})
    assert "64x32 pixels alone" in _refused(["profile", str(folder)], capsys)
