"""A network on pieces of a CT of any size: cubes one after another, blended, in memory that the cubes bound."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hilum.core import ConfigError, Geometry, InputError, Provenance, Quantity, Volume
from hilum.core.geometry import Shape3, Triple
from hilum.datasets.data_kind import CT_PATCHES
from hilum.datasets.slice_point import point_map
from hilum.datasets.slice_scale import WINDOWS
from hilum.infer.device import computes_in_bf16
from hilum.infer.loaded import LoadedModel
from hilum.infer.sliding import slid
from hilum.infer.symmetry import mirror_images
from hilum.ops import resample_to

_AT_A_TIME = 2
"""Cubes. PyTorch computes small 3D convolutions of a single image by a plain loop, of a batch by oneDNN: a pair of 64³
takes .08 s on one core, and one alone .26 s (`slim_unet3d`, PyTorch 2.13). So one alone is seen as a pair, too."""


@dataclass(frozen=True)
class VolumeOptions:
    """How a network is used.

    Attributes:
        threshold: from which probability a voxel is in the mask; the model's own, chosen on validation, when None.
        tta: average over each cube and its seven mirror images.
        device: "cpu" or "cuda".
        cube: side in voxels of what the network sees at a time; smaller images are seen whole.
        overlap: share of a cube's side by which neighbours overlap.
        precision: "32"; or "auto" for a search, where speed counts more than the last digits: bf16 where the device
            multiplies in it.
    """

    threshold: float | None = None
    tta: bool = False
    device: str = "cpu"
    cube: int = 96
    overlap: float = 0.5
    precision: Literal["32", "auto"] = "32"

    def __post_init__(self) -> None:
        if self.cube < 1 or not 0 <= self.overlap < 1:
            raise InputError(f"there are no cubes of {self.cube} voxels that overlap by {self.overlap:g}.")


class PatchPredictor:
    """A loaded model, or several whose probabilities are averaged, ready for one volume after another.

    Attributes:
        name: of the model; of all of them.
        threshold: from which probability a voxel is in; of several models the mean of theirs.
        takes_point: whether any of them has learnt to be told where the nodule is.

    Args:
        model: of pieces of a CT.
        options: see there.
        others: further models, on the same voxels and window.

    Raises:
        ConfigError: a model is of something else, or of other voxels or another window than the first.
    """

    def __init__(
        self, model: LoadedModel, options: VolumeOptions | None = None, others: Sequence[LoadedModel] = ()
    ) -> None:
        self._models = (model, *others)
        for one in self._models:
            _require_alike(one, model)
        self.model = model
        self.name = " + ".join(one.name for one in self._models)
        self.options = options or VolumeOptions()
        self.threshold = self.options.threshold or sum(one.threshold for one in self._models) / len(self._models)
        self._told = [bool(_data_of(one).get("point_share", 0)) for one in self._models]
        self.takes_point = any(self._told)
        self._window = WINDOWS[_data_of(model)["window"]]
        self._networks = [one.network.to(self.options.device) for one in self._models]
        self._is_bf16 = self.options.precision == "auto" and computes_in_bf16(self.options.device)

    @property
    def provenance(self) -> Provenance:
        """What predictions are made with."""
        used: dict[str, object] = {"tta": self.options.tta, "cube": self.options.cube, "overlap": self.options.overlap}
        if len(self._models) > 1:
            used["ensemble"] = {one.name: one.weights_hash for one in self._models[1:]}
        return self.model.provenance({"mask": self.threshold}, used, is_stated=self.options.threshold is not None)

    def grid_of(self, geometry: Geometry) -> Geometry:
        """The voxels that the network sees of a grid: cubes of the side that it has learnt, over the same extent."""
        side = self.model.pixel_mm
        return geometry.with_spacing((side, side, side))

    def __call__(self, volume: Volume, point_lps_mm: Triple | None = None) -> Volume:
        """The probability of nodule at every voxel of a CT, or a part of one, on its own grid.

        Args:
            volume: in HU.
            point_lps_mm: where the nodule is; None when nobody says, and for models that aren't told.

        Raises:
            UnitError: the volume holds no HU.
        """
        volume.require(Quantity.HU)
        seen = resample_to(volume, self.grid_of(volume.geometry))
        point = None if point_lps_mm is None else _triple(seen.geometry.to_index(point_lps_mm))
        probability = Volume(self.probability(seen.array, point), seen.geometry, Quantity.DISPLAY)
        return resample_to(probability, volume.geometry)

    def probability(self, hu: NDArray[np.generic], point_zyx: Triple | None = None) -> NDArray[np.float32]:
        """[z, y, x] of HU on the voxels that the network has learnt.

        Args:
            hu: [z, y, x].
            point_zyx: where the nodule is, in these voxels; None when nobody says.
        """
        low, high = self._window
        image = np.clip((hu.astype(np.float32) - low) / (high - low), 0, 1)
        planes = [image]
        if self.takes_point and point_zyx is not None:
            planes.append(point_map(image.shape, point_zyx, (self.model.pixel_mm,) * 3))
        images = torch.from_numpy(np.stack(planes))[None]
        with torch.inference_mode():
            cube = cubes_of(image.shape, self.options.cube)
            found = slid(self._of_cube, images, cube, self.options.overlap, _AT_A_TIME)
        # A weighted mean of ones may round to a little more than one.
        return np.asarray(found[0, 0].clamp(0, 1).numpy(), dtype=np.float32)

    def _of_cube(self, images: Tensor) -> Tensor:
        images = images.to(self.options.device)
        return mirror_images(self._answer, images) if self.options.tta else self._answer(images)

    def _answer(self, images: Tensor) -> Tensor:
        pair = images.expand(_AT_A_TIME, -1, -1, -1, -1) if len(images) == 1 else images
        image, point = pair[:, :1], pair[:, 1:]
        found = []
        for network, is_told in zip(self._networks, self._told, strict=True):
            prior = (point if point.shape[1] else torch.zeros_like(image)) if is_told else None
            found.append(network(image, prior).first(len(images)).in_32_bits().probability())
        return torch.stack(found).mean(dim=0)


def _require_alike(one: LoadedModel, first: LoadedModel) -> None:
    if one.kind != CT_PATCHES:
        raise ConfigError(
            f"the model {one.name} marks nodules on data of the kind {one.kind}, not in pieces of a CT.",
            "Take one that was trained on such pieces: --model FOLDER",
        )
    if (one.pixel_mm, _data_of(one)["window"]) != (first.pixel_mm, _data_of(first)["window"]):
        raise ConfigError(
            f"{one.name} has learnt on voxels of {one.pixel_mm:g} mm in the window {_data_of(one)['window']}, and "
            f"{first.name} on {first.pixel_mm:g} mm in {_data_of(first)['window']}: they can't be averaged.",
            "Take models that have learnt on the same voxels.",
        )


def _data_of(model: LoadedModel) -> Mapping[str, Any]:
    """What it has learnt from, as its configuration has it."""
    data: Mapping[str, Any] = model.config["config"]["data"]
    return data


def cubes_of(sizes: tuple[int, ...], side: int) -> Shape3:
    """The size of the cubes in which an image is seen: never larger than itself."""
    z, y, x = (min(size, side) for size in sizes)
    return z, y, x


def _triple(index: NDArray[np.float64]) -> Triple:
    return float(index[0]), float(index[1]), float(index[2])
