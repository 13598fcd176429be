"""Predictions of any tool: where a case's file is, and what its numbers mean. Nothing is guessed silently."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Literal

import numpy as np

from hilum.core import AmbiguousError, Geometry, GeometryError, InputError, Mask, Quantity, UnsupportedError, Volume
from hilum.core.mask import Labels
from hilum.core.volume import Voxels
from hilum.io.kinds import RASTERS, VOLUMES, recognise
from hilum.metrics.probability import STORED_LEVELS
from hilum.ops import Interpolation, resample_to
from hilum.workflows.evaluate_data import MASK_SUFFIXES

INDEX = "predictions.json"


class As(StrEnum):
    """What a prediction's numbers are."""

    AUTO = "auto"
    """16-bit pictures and numbers with fractions are probabilities, other whole numbers labels."""
    MASKS = "masks"
    PROBABILITIES = "probabilities"


@dataclass(frozen=True)
class Found:
    """A case's files: at least one."""

    mask: Path | None
    probability: Path | None


@dataclass(frozen=True, eq=False)
class Numbers:
    """A file's numbers, understood.

    Attributes:
        array: labels (unsigned integers), or probabilities (float32, 0 to 1).
        is_probability: which of the two.
        geometry: the grid, in 3D.
    """

    array: Voxels
    is_probability: bool
    geometry: Geometry | None = None


@dataclass(frozen=True)
class Reading:
    """How numbers are to be understood.

    Attributes:
        kind: what they are, if somebody said.
        labels: declared classes.
        has_threshold: whether a threshold was given, so that numbers that are 0 and 1 only may be probabilities.
    """

    kind: As = As.AUTO
    labels: tuple[int, ...] = (1,)
    has_threshold: bool = False


def find_prediction(folder: Path, key: str) -> Found:
    """A case's prediction: `KEY/mask.*` and `KEY/probability.*`, or `KEY.png`, `KEY.nii.gz` and so on.

    Raises:
        InputError: there is none.
        AmbiguousError: there are several of a kind.
    """
    own = folder / key
    if own.is_dir():
        mask, probability = (_only(own, name) for name in ("mask", "probability"))
        if mask or probability:
            return Found(mask, probability)
    plain = _only(folder, key)
    if plain is None:
        raise InputError(
            f"{key} has no prediction.",
            "It would be a picture or volume of that name, or mask.png in a folder of it; an empty one is a file, too.",
        )
    return Found(plain, None)


def _only(folder: Path, stem: str) -> Path | None:
    there = [path for suffix in MASK_SUFFIXES if (path := folder / f"{stem}{suffix}").is_file()]
    if len(there) > 1:
        raise AmbiguousError(
            f"{' and '.join(path.name for path in there)} are both there.", "Keep the one that is meant."
        )
    return there[0] if there else None


def read_numbers(path: Path, reading: Reading) -> Numbers:
    """A prediction's numbers as labels or probabilities.

    Args:
        path: picture or volume.
        reading: how to understand it.

    Raises:
        InputError: unreadable, NaN, neither labels nor probabilities, or it can't be told which.
    """
    found = recognise(path)
    if found in RASTERS:
        from hilum.io.raster import read_picture

        pixels = read_picture(path, keep_indices=True).pixels
        return _of_numbers(pixels, path, reading) if pixels.dtype.kind == "f" else _of_picture(pixels, path, reading)
    if found in VOLUMES:
        from hilum.io.volumes import read_stored

        stored = read_stored(path)
        scaled = (stored.slope, stored.intercept) != (1.0, 0.0)
        array = stored.array * stored.slope + stored.intercept if scaled else stored.array
        return replace(_of_numbers(array, path, reading), geometry=stored.geometry)
    raise UnsupportedError(f"{path.name} is {found.phrase}; a mask or a probability map was expected.", "")


def _of_picture(pixels: Voxels, path: Path, reading: Reading) -> Numbers:
    highest = STORED_LEVELS if pixels.dtype.itemsize > 1 else 255
    kind = reading.kind
    if kind is As.AUTO and highest == STORED_LEVELS:
        if pixels.any() and np.isin(pixels, [0, *reading.labels]).all():
            raise AmbiguousError(
                f"{path.name} has 16 bits and only the values of labels: a mask, or hardly any probability?",
                "Say which: --as masks or --as probabilities.",
            )
        kind = As.PROBABILITIES
    if kind is As.PROBABILITIES:
        return Numbers(pixels.astype(np.float32) / np.float32(highest), is_probability=True)
    return Numbers(as_declared(pixels, path, reading.labels), is_probability=False)


def _of_numbers(array: Voxels, path: Path, reading: Reading) -> Numbers:
    is_float = array.dtype.kind == "f"
    if is_float and not np.isfinite(array).all():
        raise UnsupportedError(
            f"{path.name} has {int((~np.isfinite(array)).sum())} values that are NaN or infinite.",
            "Nothing is made of them; predict the case again.",
        )
    whole = not is_float or bool((np.trunc(array) == array).all())
    low, high = float(array.min()), float(array.max())
    kind = reading.kind
    if kind is As.AUTO:
        fits = not whole or (is_float and high <= 1 and reading.has_threshold)
        kind = As.PROBABILITIES if fits else As.MASKS
    if kind is As.MASKS:
        if not whole or low < 0:
            raise _no_labels(path, f"from {low:g} to {high:g}")
        return Numbers(as_declared(array, path, reading.labels), is_probability=False)
    if low < 0 or high > 1:
        raise UnsupportedError(
            f"{path.name} has values from {low:g} to {high:g}; probabilities are 0 to 1.",
            "If these are logits, apply the logistic function; if labels, say --as masks.",
        )
    return Numbers(array.astype(np.float32), is_probability=True)


def as_declared(array: Voxels, path: Path, labels: Sequence[int]) -> Labels:
    """Labels as declared; where there is one class, 255 stands for it, as pictures have masks.

    Raises:
        UnsupportedError: other values.
    """
    there = {int(value) for value in np.unique(array)} - {0}
    if there <= set(labels):
        return np.asarray(array, dtype=np.uint8 if max(labels, default=1) < 256 else np.uint16)
    if there == {255} and len(labels) == 1:
        return np.asarray((array != 0) * np.uint8(labels[0]), dtype=np.uint8)
    shown = ", ".join(str(value) for value in sorted(there)[:6]) + (", …" if len(there) > 6 else "")
    raise _no_labels(path, shown)


def _no_labels(path: Path, what: str) -> UnsupportedError:
    return UnsupportedError(
        f"{path.name} has values that are no declared label: {what}.",
        "Declare classes with --classes, or say --as probabilities (8 bit: 255 = 1).",
    )


def on_grid(numbers: Numbers, truth: Mask, path: Path, *, resample: bool) -> Voxels:
    """The prediction's array on the truth's grid; another grid is refused unless resampling was asked for.

    Raises:
        GeometryError: the grids differ.
    """
    if is_on_grid(numbers, truth):
        return numbers.array
    if not resample:
        here, there = (" × ".join(str(n) for n in array.shape) for array in (numbers.array, truth.labels))
        same = ", at another place" if here == there else ""
        raise GeometryError(
            f"{path.name} lies on another grid ({here}{same}) than the truth ({there}).",
            "Resample it, or let hilum do it: --resample.",
        )
    if truth.geometry is None or numbers.geometry is None:
        return _resized(numbers, truth.labels.shape, path)
    if not numbers.is_probability:
        return resample_to(Mask(numbers.array, numbers.geometry), truth.geometry).labels
    volume = Volume(numbers.array, numbers.geometry, Quantity.DISPLAY)
    return np.clip(resample_to(volume, truth.geometry, Interpolation.LINEAR).array, 0, 1)


def is_on_grid(numbers: Numbers, truth: Mask) -> bool:
    """Whether every pixel of the prediction lies on one of the truth."""
    if truth.geometry is not None and numbers.geometry is not None:
        return numbers.geometry.is_same_grid(truth.geometry)
    return numbers.array.shape == truth.labels.shape


def _resized(numbers: Numbers, shape: tuple[int, ...], path: Path) -> Voxels:
    """Pictures without a place: both are taken to show the same field; masks by the nearest pixel."""
    from scipy import ndimage

    if len(shape) != 2 or numbers.array.ndim != 2:
        raise GeometryError(f"{path.name} and its truth don't have the same number of axes.", "")
    places = [(np.arange(n) + 0.5) * m / n - 0.5 for n, m in zip(shape, numbers.array.shape, strict=True)]
    index = np.stack(np.meshgrid(*places, indexing="ij"))
    order: Literal[0, 1] = 1 if numbers.is_probability else 0
    return np.asarray(ndimage.map_coordinates(numbers.array, index, order=order, mode="nearest"))


def require_folder(folder: Path) -> None:
    """Predictions are files in a folder.

    Raises:
        InputError: there is no such folder; a bare word may have been meant as a model.
    """
    if folder.is_dir():
        return
    if folder.exists():
        raise InputError(f"{folder} is a file; a folder of predictions was expected.", "Name the folder.")
    if len(folder.parts) == 1 and not folder.suffix:
        raise InputError(
            f"there is neither a folder of predictions nor a model called {folder}.",
            "hilum models lists the models, and hilum train makes one; or give a folder with a mask or map for "
            "each case.",
        )
    raise InputError(f"there is no folder {folder}.", "Give a folder with a mask or probability map for each case.")


def stray_files(folder: Path, keys: Mapping[str, object]) -> list[str]:
    """Names of predictions in the folder that no reported case asks for."""
    from hilum.workflows.evaluate_data import key_of

    named = {key_of(path) or (path.name if path.is_dir() else "") for path in folder.iterdir()}
    return sorted(named - set(keys) - {""})
