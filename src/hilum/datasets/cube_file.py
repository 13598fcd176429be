"""Cubes of CTs around nodules in one array file, and one reader's mask of each: the layout of published LIDC cubes.

`image` [n, y, x, z] holds v from 0 to 1, of HU = 1600 v - 1200; what is brighter than 400 HU is 1, so bone and calcium
can't be told from contrast. `mask` [n, y, x, z] is what one reader has, the outline's own pixels in. Steps are 1 mm.
`name` [n], `patient` [n] (LIDC's number), `attributes` [n, m] and `attribute_names` [m] are the rest.

The last axis runs from head to foot, the first two along rows and columns: so a reader's mask is what LIDC's outlines
give, and neither upside down nor with the first two axes exchanged (`tests/datasets/test_cube_file.py`). Where in the
patient a cube lies, nobody says.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hilum.core import Geometry, Mask, UnreadableError, Volume
from hilum.core.mask import Selection

HU_SCALE, HU_LEAST = 1600.0, -1200.0
STEP_MM = 1.0
ARRAYS = ("image", "mask", "name", "patient", "attributes", "attribute_names")
_MOST_NUMBER = 9999

Arrays: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class NoduleCube:
    """One cube.

    Attributes:
        patient: "LIDC-IDRI-0002" and so on.
        name: as the file has it.
        hu: int16 HU on a grid in LPS directions whose zero is the cube's middle: where that is, nobody knows.
        mask: one reader's, on the same grid.
        ratings: the reader's, by name; without those that are missing.
    """

    patient: str
    name: str
    hu: Volume
    mask: Mask
    ratings: dict[str, float]


def cube_patients(arrays: Arrays) -> list[str]:
    """Whose each cube is.

    Raises:
        UnreadableError: an array is missing or has another form.
    """
    missing = [name for name in ARRAYS if name not in arrays]
    if missing:
        raise UnreadableError(f"the file lacks {', '.join(missing)}.", f"It has to hold {', '.join(ARRAYS)}.")
    image, mask, patient = (arrays[name] for name in ("image", "mask", "patient"))
    if image.ndim != 4 or not image.size or image.dtype.kind != "f":
        raise UnreadableError(f"image is [n, y, x, z] of 0 to 1, got {image.dtype} {list(image.shape)}.", "Save it so.")
    if mask.shape != image.shape or mask.dtype.kind not in "biu":
        raise UnreadableError(
            f"mask is as large as image {list(image.shape)}, of whole numbers, got {mask.dtype} {list(mask.shape)}.",
            "Save one mask for each cube.",
        )
    _require_rows(arrays, len(image))
    if patient.dtype.kind not in "iu" or patient.min() < 1 or patient.max() > _MOST_NUMBER:
        raise UnreadableError(f"patient has numbers of LIDC from 1 to {_MOST_NUMBER}.", "Give each cube's patient.")
    return [f"LIDC-IDRI-{number:04}" for number in patient.tolist()]


def _require_rows(arrays: Arrays, count: int) -> None:
    wanted = {"name": (count,), "patient": (count,), "attributes": (count, len(arrays["attribute_names"]))}
    for name, shape in wanted.items():
        if arrays[name].shape != shape:
            raise UnreadableError(f"{name} has the shape {list(arrays[name].shape)}, {list(shape)} was expected.", "")
    if arrays["attributes"].dtype.kind not in "fiu":
        raise UnreadableError(f"attributes are numbers, got {arrays['attributes'].dtype}.", "")


def part_of(arrays: Arrays, number: int) -> Arrays:
    """What the file has of one cube, in the same form."""
    common = "attribute_names"
    return {name: array if name == common else array[number : number + 1].copy() for name, array in arrays.items()}


def nodule_cube(arrays: Arrays) -> NoduleCube:
    """The one cube of `part_of`, in the patient's directions.

    Raises:
        UnreadableError: it has numbers beside 0 to 1, or no voxel of a nodule.
    """
    image, name = _upright(arrays["image"][0]).astype(np.float32), str(arrays["name"][0])
    if not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise UnreadableError(f"the image of {name} has numbers that are not from 0 to 1.", "Save it anew.")
    mask: Selection = _upright(arrays["mask"][0]) > 0
    if not mask.any():
        raise UnreadableError(f"the mask of {name} is empty.", "Leave it out: it shows no nodule.")
    z, y, x = image.shape
    middle = tuple(-(size - 1) / 2 * STEP_MM for size in (x, y, z))
    grid = Geometry.regular((z, y, x), (STEP_MM,) * 3, (middle[0], middle[1], middle[2]))
    ratings = dict(zip(arrays["attribute_names"].tolist(), arrays["attributes"][0].tolist(), strict=True))
    return NoduleCube(
        patient=f"LIDC-IDRI-{int(arrays['patient'][0]):04}",
        name=name,
        hu=Volume(np.rint(HU_SCALE * image + HU_LEAST).astype(np.int16), grid),
        mask=Mask.of(mask, grid),
        ratings={str(key): float(value) for key, value in ratings.items() if np.isfinite(value)},
    )


def _upright(cube: NDArray[Any]) -> NDArray[Any]:
    """[y, x, z from head to foot] to [z, y, x] with z towards the head."""
    return np.ascontiguousarray(cube.transpose(2, 0, 1)[::-1])
