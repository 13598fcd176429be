"""Pretrained weights: torchxrayvision's keys by rule, its Nodule row, and what is said of every other file."""

import urllib.error
import urllib.request
from pathlib import Path

import pytest
import torch

from hilum.core import MissingError, UnreadableError, UnsupportedError
from hilum.models.catalogue import build_model
from hilum.models.network import FROM_SCRATCH
from hilum.models.resnet import ResNetEncoder, ResNetShape
from hilum.models.torchxrayvision import PATHOLOGIES, URL, download_torchxrayvision, load_torchxrayvision
from tests.models.small import narrow
from tests.resnet_weights import fake, saved, torchvision_resnet50

FILE = "pc-nih-rsna-siim-vin-resnet50-test512-e400-state.pt"


def test_the_encoder_has_torchvisions_keys():
    with torch.device("meta"):
        own = {key: tuple(value.shape) for key, value in ResNetEncoder(ResNetShape()).state_dict().items()}
    theirs = torchvision_resnet50()
    assert {key: shape for key, shape in theirs.items() if not key.startswith("fc.")} == own
    assert len(theirs) == 320


@pytest.mark.parametrize("prefix", ["", "model."])
def test_the_file_loads_with_its_nodule_row(tmp_path, prefix):
    state = {prefix + key: value for key, value in fake(torchvision_resnet50()).items()}
    weights = load_torchxrayvision(saved(tmp_path / FILE, {**state, "op_threshs": torch.zeros(18)}))
    assert PATHOLOGIES.index("Nodule") == 11
    assert weights.nodule_row.shape == (1, 2048)
    assert (weights.nodule_row == 11).all()
    assert weights.nodule_bias.tolist() == pytest.approx([1.1])
    network = build_model("original", {"nodule_row": True})
    assert network.weights_origin == FROM_SCRATCH
    network.load_pretrained(weights)
    assert network.weights_origin == f"torchxrayvision resnet50-res512-all ({FILE})"
    assert (network.encoder.layer4[2].conv3.weight == 0.01).all()
    assert (network.nodule.row == 11).all()
    assert network.nodule.row.shape == (1, 2048, 1, 1)


def test_an_encoder_alone_loads_where_no_row_is_wanted(tmp_path):
    shapes = {key: shape for key, shape in torchvision_resnet50().items() if not key.startswith("fc.")}
    weights = load_torchxrayvision(saved(tmp_path / FILE, fake(shapes)))
    plain = build_model("original")
    with torch.device("meta"):
        wants_row = build_model("original", {"nodule_row": True})
    plain.load_pretrained(weights)
    assert "encoder alone" in plain.weights_origin
    with pytest.raises(UnsupportedError, match="no classifier, so no Nodule row"):
        wants_row.load_pretrained(weights)


def test_a_narrow_encoder_takes_no_pretrained_weights(tmp_path):
    weights = load_torchxrayvision(saved(tmp_path / FILE, fake(torchvision_resnet50())))
    with pytest.raises(UnsupportedError, match="for ResNet-50 alone, not for width 4"):
        narrow("original").load_pretrained(weights)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classes": 14}, r"fc.weight \[14, 2048\] for \[18, 2048\]"),
        ({"inputs": 3}, r"1 of another shape: conv1.weight \[64, 3, 7, 7\] for \[64, 1, 7, 7\]"),
    ],
)
def test_another_shape_is_named(tmp_path, change, says):
    with pytest.raises(UnsupportedError, match=says):
        load_torchxrayvision(saved(tmp_path / FILE, fake(torchvision_resnet50(**change))))


def test_another_architecture_is_named_by_its_keys(tmp_path):
    dense = {"features.conv0.weight": torch.zeros(1), "classifier.weight": torch.zeros(1)}
    with pytest.raises(
        UnsupportedError, match=r"318 missing: conv1.weight, .* and 315 more; 2 unknown: features.conv0"
    ):
        load_torchxrayvision(saved(tmp_path / FILE, dense))
    deeper = fake(torchvision_resnet50()) | {"layer3.6.conv1.weight": torch.zeros(1)}
    with pytest.raises(UnsupportedError, match=r"don't fit a ResNet-50 .*: 1 unknown: layer3.6.conv1.weight"):
        load_torchxrayvision(saved(tmp_path / FILE, deeper))


def test_a_file_that_is_no_state_dict_is_refused(tmp_path):
    with pytest.raises(MissingError, match="are not there") as error:
        load_torchxrayvision(tmp_path / FILE)
    assert URL in error.value.remedy
    (tmp_path / "text.pt").write_text("not weights")
    (tmp_path / "empty.pt").write_bytes(b"")
    whole = saved(tmp_path / "whole.pt", fake(torchvision_resnet50())).read_bytes()
    (tmp_path / "cut.pt").write_bytes(whole[: len(whole) // 2])
    saved(tmp_path / "module.pt", torch.nn.Linear(2, 2))  # a pickled class would run code
    saved(tmp_path / "list.pt", [1, 2])
    for name in ("text", "empty", "cut", "module", "list"):
        with pytest.raises(UnreadableError, match=f"{name}.pt"):
            load_torchxrayvision(tmp_path / f"{name}.pt")


def test_the_download_is_asked_for_once_and_fails_clearly_offline(tmp_path, monkeypatch):
    asked = []

    def offline(url, path):
        asked.append(url)
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlretrieve", offline)
    with pytest.raises(MissingError, match=r"can't be fetched.*no route") as error:
        download_torchxrayvision(tmp_path)
    assert "train from scratch" in error.value.remedy
    assert list(tmp_path.iterdir()) == []

    monkeypatch.setattr(urllib.request, "urlretrieve", lambda _url, path: Path(path).write_bytes(b"weights"))
    assert download_torchxrayvision(tmp_path).read_bytes() == b"weights"
    monkeypatch.setattr(urllib.request, "urlretrieve", offline)
    assert download_torchxrayvision(tmp_path) == tmp_path / FILE
    assert asked == [URL]
