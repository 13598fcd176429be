"""`hilum export`: the graph gives what the network gives, at every size; int8 pays in Dice, or is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from hilum.cli.app import main
from hilum.core import MeasureError
from hilum.infer import extras
from hilum.infer.exported import Graph, open_graph, read_graph
from hilum.infer.graph import write_onnx
from hilum.infer.int8 import write_int8
from hilum.infer.loaded import load_model
from hilum.infer.parity import Check
from hilum.infer.subject import subject_of
from hilum.workflows import export as exporting
from hilum.workflows.export_parity import DiceCost, Pictures, checks, dice_cost, planes_of
from tests.models.small import narrow
from tests.trained import THRESHOLD, tiny_model

pytestmark = pytest.mark.usefixtures("one_thread")
SAME = {"openvino": "openvino", "onnx": "onnxruntime"}


def graphs(*packages):
    for one in ("onnx", "onnxscript", "onnxruntime", *packages):
        if not extras.installed(one):
            pytest.skip(f"{one} is not installed: {extras.INSTALL}")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return tiny_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module", params=list(SAME))
def exported(request, model, tmp_path_factory):
    """Both formats of a model that marks something."""
    graphs(SAME[request.param])
    out = tmp_path_factory.mktemp(request.param) / "graph"
    assert main(["export", str(model), str(out), "--format", request.param]) == 0
    return out


@pytest.mark.parametrize("size", [(1, 1, 1), (1, 96, 160), (3, 61, 47), (2, 8, 200)])
def test_any_batch_and_size_is_as_in_the_network(exported, model, size):
    batch, height, width = size
    image = np.random.default_rng(3).random((batch, 1, height, width), dtype=np.float32)
    with torch.inference_mode():
        wanted = load_model(str(model)).network(torch.from_numpy(image)).logits.sigmoid().numpy()
    found = open_graph(read_graph(exported))(image)
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-6)
    assert height == 1 or np.ptp(wanted) > 0.05  # it says something


def test_unpooling_is_written_for_any_size_too(tmp_path):
    """As in SegNet and ENet: where a maximum was is in the picture, not in the graph."""
    graphs()
    network = narrow("segnet", widths=[4, 8], convolutions=[1, 1], inputs=1).eval()
    network.head.weight.data *= 100  # so that it says something
    path = tmp_path / "model.onnx"
    write_onnx(network, path)
    run, draw = open_graph(Graph(path, "onnx")), np.random.default_rng(5)
    for shape in ((1, 1, 1, 1), (3, 1, 33, 17), (2, 1, 8, 64)):
        image = draw.random(shape, dtype=np.float32)
        with torch.inference_mode():
            wanted = network(torch.from_numpy(image)).logits.sigmoid().numpy()
        np.testing.assert_allclose(run(image), wanted, rtol=0, atol=2e-6)
    assert np.ptp(wanted) > 0.02


def test_a_batch_is_as_one_by_one(exported):
    image = np.random.default_rng(4).random((3, 1, 50, 70), dtype=np.float32)
    run = open_graph(read_graph(exported))
    np.testing.assert_allclose(run(image), np.concatenate([run(one[None]) for one in image]), rtol=0, atol=2e-6)


def test_the_folder_says_how_it_is_used(exported, capsys):
    facts = json.loads((exported / "export.json").read_text())
    assert facts["threshold"] == THRESHOLD
    assert facts["inputs"]["image"] == ["batch", 1, "height", "width"]
    assert "chest X-rays" in facts["domain"]
    card = (exported / "card.md").read_text()
    assert f"marked from a score of {THRESHOLD:g} on" in card
    parity = json.loads((exported / "parity.json").read_text())
    assert parity["max_difference"] < 2e-6
    assert len({tuple(check["size_yx"]) for check in parity["checks"]}) >= 4
    assert "random numbers" in parity["inputs"]
    assert all(check["max_difference"] <= check["taken"] for check in parity["checks"])
    assert main(["profile", str(exported), "--size", "33x64", "--json"]) == 0
    profile = json.loads(capsys.readouterr().out)
    assert profile["origin"] == f"exported ({facts['format']}, float32)"
    assert SAME[facts["format"]] in profile["where"]["runtime"]


def test_again_is_done_already_and_other_options_are_refused(exported, model, capsys):
    kind = json.loads((exported / "export.json").read_text())["format"]
    assert main(["export", str(model), str(exported), "--format", kind]) == 0
    assert "Already there" in capsys.readouterr().out
    assert main(["export", str(model), str(exported), "--format", kind, "--size", "64x64"]) == 1
    assert "--force" in capsys.readouterr().err
    assert main(["export", str(exported), str(exported.parent / "twice")]) == 1
    assert "exported already" in capsys.readouterr().err


def test_eight_bits_say_nearly_the_same(exported, model, tmp_path):
    """Scales from a few pictures; Dice against what the network itself marks falls little, and is counted by hand."""
    graphs("openvino", "nncf")
    exact = read_graph(exported)
    rounded = replace(exact, path=tmp_path / exact.path.name, precision="int8")
    samples = [Seen(seed) for seed in range(4)]
    run = open_graph(exact)
    half = float(np.median(run(samples[0].image[None, None])))  # so that about half of all pixels are marked
    for one in samples:
        one.truth = run(one.image[None, None])[0, 0] >= half
    pictures = Pictures("made", [planes_of(samples[0], 0)], samples, samples, threshold=half)
    write_int8(exact.path, rounded.path, exact.format, pictures.calibration(None))
    cost = dice_cost(subject_of(str(model)), exact, rounded, pictures, lambda items, _: items)
    marked = [open_graph(rounded)(one.image[None, None])[0, 0] >= half for one in samples]
    by_hand = [2 * (m & one.truth).sum() / (m.sum() + one.truth.sum()) for m, one in zip(marked, samples, strict=True)]
    assert cost.mean == (1, pytest.approx(np.mean(by_hand)))
    assert 0 < cost.loss < 0.2
    assert (cost.cases, cost.calibration) == (4, 4)


def test_one_size_is_kept_to(tmp_path, model, capsys):
    graphs()
    assert main(["export", str(model), str(tmp_path / "fixed"), "--size", "61x40"]) == 0
    graph = read_graph(tmp_path / "fixed")
    assert graph.size_yx == (61, 40)
    assert open_graph(graph)(np.zeros((5, 1, 61, 40), np.float32)).shape == (5, 1, 61, 40)
    capsys.readouterr()
    assert main(["profile", str(tmp_path / "fixed"), "--size", "64x64"]) == 1
    assert "61x40 pixels alone" in capsys.readouterr().err


def test_without_the_packages_it_is_one_clear_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(extras, "find_spec", lambda _: None)
    assert main(["export", "unet", str(tmp_path / "out"), "--format", "openvino"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 2
    assert "onnx and onnxscript and onnxruntime and openvino" in said[0]
    assert "pip install" in said[1]
    assert not (tmp_path / "out").exists()


def test_the_extra_is_pyprojects():
    import tomllib

    pyproject = Path(__file__).parents[2] / "pyproject.toml"
    stated = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"]["optional-dependencies"]["export"]
    assert stated == list(extras.EXPORT_EXTRA)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--int8"], "--data"),
        (["--size", "0x4"], "sides have 1 to 8192"),
        (["--size", "big"], "512x512"),
        (["--format", "tflite"], "format"),
        (["--max-dice-loss", "2"], "max-dice-loss"),
    ],
)
def test_wrong_usage(flags, words, tmp_path, capsys):
    assert main(["export", "unet", str(tmp_path / "out"), *flags]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


@pytest.fixture
def pretended(monkeypatch):
    """As if all packages were there; whoever gets as far as using one fails."""
    monkeypatch.setattr(extras, "installed", lambda _: True)


def test_what_cannot_be_exported_is_one_clear_line(pretended, tmp_path, capsys):
    out = str(tmp_path / "out")
    for words, said in (
        (["vnet", out], "there is no model 'vnet'"),
        ([str(tmp_path), out], "holds no model"),
        (["unet", out, "--int8", "--data", str(tmp_path)], "marks nothing yet"),
        (["swin_unetr", out], "a graph of SwinUNETR takes pictures of one size alone"),
    ):
        assert main(["export", *words]) == 1
        lines = capsys.readouterr().err.splitlines()
        assert said in lines[0]
        assert len(lines) == 2
    assert not (tmp_path / "out").exists()


def test_gates():
    right = Check(1, (4, 4), 1e-6, 1e-7, 1e-5)
    exporting._require_same("net", [right], "onnx")
    for wrong in (Check(2, (9, 7), 2e-5, 1e-7, 1e-5), Check(2, (9, 7), float("nan"), 0.0, 1e-5)):
        with pytest.raises(MeasureError, match="2 × 9x7"):
            exporting._require_same("net", [right, wrong], "onnx")
    exporting._require_cheap("net", DiceCost(9, 0.5, (0.8, 0.795), (0.8, 0.81), 0.005, 4), 0.01)
    for loss in (0.02, float("nan")):
        with pytest.raises(MeasureError, match="--max-dice-loss"):
            exporting._require_cheap("net", DiceCost(9, 0.5, (0.8, 0.78), (0.8, 0.8), loss, 4), 0.01)


class Seen:
    """A sample."""

    def __init__(self, seed):
        draw = np.random.default_rng(seed)
        self.image = draw.random((40, 48), dtype=np.float32)
        self.truth = self.image > 0.8
        self.prior, self.prior_lesions = self.image[::-1], self.truth[::-1]


def test_every_batch_and_size_is_tried_against_the_network():
    """The network in the graph's place: all differences are 0, and a size is among them that no stride divides."""
    network = narrow("res_unet", inputs=3).eval()
    shown = [planes_of(Seen(seed), 2) for seed in range(2)]
    assert shown[0].shape == (3, 40, 48)

    def run(image, prior=None):
        with torch.inference_mode():
            return network(torch.from_numpy(image), torch.from_numpy(prior)).logits.sigmoid().numpy()

    subject = type("S", (), {"network": network})
    found = checks(subject, run, Pictures("made", shown, channels=2), None)
    assert {check.size_yx for check in found} >= {(40, 48), (97, 131), (1, 1)}
    assert {check.batch for check in found} == {1, 2, 3}
    assert all(check.max_difference == 0 for check in found)
    fixed = checks(subject, run, Pictures("made", shown, channels=2), (32, 48))
    assert [(check.batch, check.size_yx) for check in fixed] == [(1, (32, 48)), (2, (32, 48))]
