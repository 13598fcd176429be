"""torchxrayvision's ResNet-50 for chest X-rays (Cohen 2022): its weights, its Nodule row, where they come from.

The weights `resnet50-res512-all` were trained on PadChest, NIH ChestX-ray14, RSNA, SIIM and VinBigData at 512×512
pixels, values −1024 to 1024. The Nodule row of the classifier was trained on labels of whole images.
"""

import os
import pickle
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from hilum.core import MissingError, UnreadableError, UnsupportedError
from hilum.models.parts import require_fit
from hilum.models.resnet import ResNetEncoder, ResNetShape

URL = (
    "https://github.com/mlmed/torchxrayvision/releases/download/v1/pc-nih-rsna-siim-vin-resnet50-test512-e400-state.pt"
)
# The order of the classifier's rows, as torchxrayvision documents it for resnet50-res512-all.
PATHOLOGIES = (
    "Atelectasis",
    "Consolidation",
    "Infiltration",
    "Pneumothorax",
    "Edema",
    "Emphysema",
    "Fibrosis",
    "Effusion",
    "Pneumonia",
    "Pleural_Thickening",
    "Cardiomegaly",
    "Nodule",
    "Mass",
    "Hernia",
    "Lung Lesion",
    "Fracture",
    "Lung Opacity",
    "Enlarged Cardiomediastinum",
)
# What torch.load raises on damaged files, found by cutting files short and changing bytes.
_BROKEN = (pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, LookupError, TypeError, AttributeError)
_NOT_LAYERS = ("op_threshs",)  # the library keeps its operating points in the same state dict
_CLASSIFIER = ("fc.weight", "fc.bias")


@dataclass(frozen=True, eq=False)
class PretrainedResNet:
    """A pretrained encoder, and what its classifier knew of nodules.

    Attributes:
        encoder: a `ResNetEncoder`'s state dict.
        nodule_row: [1, 2048], the classifier's weights for Nodule; None when the file has no classifier.
        nodule_bias: [1], its bias; None with `nodule_row`.
        origin: where the weights came from, for the model card.
    """

    encoder: Mapping[str, Tensor]
    nodule_row: Tensor | None
    nodule_bias: Tensor | None
    origin: str


def load_torchxrayvision(path: Path) -> PretrainedResNet:
    """The weights in torchxrayvision's own file, or in a state dict of its whole model (keys that begin with `model.`).

    Raises:
        MissingError: there is no such file.
        UnreadableError: the file is no state dict, or holds more than tensors.
        UnsupportedError: the weights are of another architecture; says which keys or shapes differ.
    """
    if not path.is_file():
        raise MissingError(
            f"the pretrained weights {path} are not there.", f"Put this file there, or train from scratch: {URL}"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        raise UnreadableError(
            f"{path} is no state dict: {(str(error) or 'it is empty').splitlines()[0]}.",
            "Save the network's state_dict() alone.",
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UnreadableError(f"{path} holds no state dict.", "Save the network's state_dict() alone.")
    return pretrained_resnet(state, f"torchxrayvision resnet50-res512-all ({path.name})")


def pretrained_resnet(state: Mapping[str, Tensor], origin: str) -> PretrainedResNet:
    """The encoder and the Nodule row in a state dict with torchvision's keys.

    Raises:
        UnsupportedError: the weights are of another architecture; says which keys or shapes differ.
    """
    plain = {key.removeprefix("model."): value for key, value in state.items() if key not in _NOT_LAYERS}
    classifier = {key: plain.pop(key) for key in _CLASSIFIER if key in plain}
    with torch.device("meta"):
        own = ResNetEncoder(ResNetShape()).state_dict()
    require_fit(own, plain, "a ResNet-50 of one input channel")
    if not classifier:
        return PretrainedResNet(plain, None, None, f"{origin}, encoder alone")
    rows, features = len(PATHOLOGIES), ResNetShape().channels[-1]
    expected = {"fc.weight": torch.empty(rows, features), "fc.bias": torch.empty(rows)}
    require_fit(expected, classifier, f"a classifier of torchxrayvision's {rows} findings")
    row = PATHOLOGIES.index("Nodule")
    return PretrainedResNet(plain, classifier["fc.weight"][[row]], classifier["fc.bias"][[row]], origin)


def download_torchxrayvision(folder: Path | None = None) -> Path:
    """Fetch the weights (95 MB) from torchxrayvision's release on GitHub, once; nothing else in hilum does.

    Args:
        folder: where to put the file; by default where torchxrayvision itself keeps it, in the user's home.

    Raises:
        MissingError: the computer is offline, or the release is not there any more.
    """
    target = (folder or Path.home() / ".torchxrayvision" / "models_data") / URL.rsplit("/", 1)[-1]
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    half = target.with_suffix(f".{os.getpid()}.part")
    try:
        urllib.request.urlretrieve(URL, half)
        half.replace(target)
    except (OSError, urllib.error.ContentTooShortError) as error:
        raise MissingError(
            f"{URL} can't be fetched: {error}.", f"Copy the file to {target} by hand, or train from scratch."
        ) from error
    finally:
        half.unlink(missing_ok=True)
    return target


def weights_fit(shape: ResNetShape) -> None:
    """Check that pretrained weights can go into an encoder of this shape.

    Raises:
        UnsupportedError: they can't: only ResNet-50 has them.
    """
    if shape != ResNetShape():
        raise UnsupportedError(
            f"there are pretrained weights for ResNet-50 alone, not for width {shape.width}, blocks {shape.blocks}.",
            "Leave `resnet` at its default, or train from scratch.",
        )
