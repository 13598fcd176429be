"""CT crops in one array file, and the nodules that they are slices of: the layout of published LIDC slices.

Three arrays: `image` [n, y, x], a crop each, stretched from its darkest to its brightest pixel; `reader_bits`
[n, y, x], bit k of a pixel set where reader k of this nodule has it; `key` [n, 3] with the LIDC patient's number, the
nodule's number within the patient, the slice's within the nodule. Bit k is one reader on all slices of a nodule; who
that is in another nodule nobody knows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import UnreadableError
from hilum.core.mask import Selection
from hilum.ops import consensus

LEVEL = 0.5
"""Of the `consensus` truth: at least this share of the nodule's readers, ties in (`definitions.md`)."""

_MOST_NUMBER = 9999


@dataclass(frozen=True, eq=False)
class NoduleStack:
    """All crops of one nodule, from its first slice to its last.

    Attributes:
        patient: "LIDC-IDRI-0002" and so on.
        number: of the nodule within the patient.
        slices: [z] numbers of the slices, ascending.
        images: [z, y, x] 8 bit.
        reader_bits: [z, y, x] bit k where reader k has the pixel.
    """

    patient: str
    number: int
    slices: tuple[int, ...]
    images: NDArray[np.uint8]
    reader_bits: NDArray[np.uint8]

    @property
    def name(self) -> str:
        """Of the nodule, unique in all patients; safe as a file name."""
        return f"{self.patient}_n{self.number:02}"

    def key(self, z: int) -> str:
        """Of one slice, by its place in the stack."""
        return f"{self.name}_s{self.slices[z]:03}"

    @property
    def drawn(self) -> Selection:
        """[readers, z, y, x] each reader's own mask; a reader is one who has a pixel on any slice."""
        each = np.array([(self.reader_bits >> bit & 1).astype(bool) for bit in range(8)])
        return np.asarray(each[each.any(axis=(1, 2, 3))])

    @property
    def reader_count(self) -> int:
        """How many readers outlined the nodule, on any slice."""
        return len(self.drawn)

    def votes(self) -> NDArray[np.uint8]:
        """[z, y, x] how many readers have each pixel."""
        return np.asarray(self.drawn.sum(axis=0), dtype=np.uint8)

    def consensus(self) -> Selection:
        """[z, y, x] what at least half of the nodule's readers have, whoever of them drew on that slice."""
        return consensus(self.votes(), self.reader_count, LEVEL)


def nodule_stacks(arrays: dict[str, NDArray[Any]]) -> list[NoduleStack]:
    """The nodules of a file, by patient and number; their slices ascend.

    Raises:
        UnreadableError: an array is missing or has another form, or a slice is there twice.
    """
    image, bits, key = _checked(arrays)
    order = np.lexsort(key.T[::-1])
    image, bits, key = image[order], bits[order], key[order]
    if len(twice := np.flatnonzero((key[1:] == key[:-1]).all(axis=1))):
        patient, nodule, number = key[twice[0]].tolist()
        raise UnreadableError(f"slice {number} of nodule {nodule} of patient {patient} is there twice.", "Keep one.")
    starts = np.flatnonzero((key[1:, :2] != key[:-1, :2]).any(axis=1)) + 1
    return list(_stacks(image, bits, key, [0, *starts.tolist(), len(key)]))


def _stacks(image: NDArray[Any], bits: NDArray[Any], key: NDArray[Any], edges: list[int]) -> Iterator[NoduleStack]:
    for first, end in pairwise(edges):
        patient, number, _ = key[first].tolist()
        slices = tuple(key[first:end, 2].tolist())
        yield NoduleStack(f"LIDC-IDRI-{patient:04}", number, slices, image[first:end], bits[first:end])


def _checked(arrays: dict[str, NDArray[Any]]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    wanted = ("image", "reader_bits", "key")
    if missing := [name for name in wanted if name not in arrays]:
        raise UnreadableError(f"the file lacks {', '.join(missing)}.", f"It has to hold {', '.join(wanted)}.")
    image, bits, key = (arrays[name] for name in wanted)
    if image.ndim != 3 or not image.size or image.dtype != np.uint8:
        raise UnreadableError(f"image is [n, y, x] of 8 bit, got {image.dtype} {list(image.shape)}.", "Save it so.")
    if bits.shape != image.shape or bits.dtype != np.uint8:
        raise UnreadableError(
            f"reader_bits is of 8 bit and as large as image {list(image.shape)}, got {bits.dtype} {list(bits.shape)}.",
            "Save one picture of bits for each crop.",
        )
    if key.shape != (len(image), 3) or key.dtype.kind not in "iu":
        raise UnreadableError(
            f"key is {[len(image), 3]} of whole numbers, got {key.dtype} {list(key.shape)}.",
            "A row is the patient's number, the nodule's, the slice's.",
        )
    if key.min() < 0 or key.max() > _MOST_NUMBER or (key[:, 0] < 1).any():
        raise UnreadableError(
            f"key has numbers from {key.min()} to {key.max()}.", f"Patients are 1 to {_MOST_NUMBER}, the rest from 0."
        )
    return image, bits, key
