"""Are two films the same picture? By every pixel, or by a hash that survives resizing, compression and brightness.

The perceptual hash is a difference hash (Krawetz 2013, "Kind of like that"): the film's mean over 16 × 16 fields, and
of each two neighbours, which is brighter. Of 480 bits, the same film, recompressed (JPEG 60), resized to 256² or with
another gamma, differed in at most 29; of 31,375 pairs of 251 films, 43 were one film, or one patient's twice, and all
others at least 52 apart (`benchmarks/film_checks.py`). Cropping 2 % of each side costs up to 66 bits: that isn't always
found. Of 190,653 pairs of 618 films and DRRs, those within so many bits grow about 2.5-fold every 4 bits from 56 on; so
of 34,000 films some dozens of pairs would be taken for near-copies wrongly.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hilum.core.radiograph import Pixels
from hilum.datasets.xray_grid import axis_weights

_SIDE = 16
BITS = 2 * _SIDE * (_SIDE - 1)
NEAR_BITS = 32
"""At most so many of `BITS` differ between near-duplicates."""
_ROWS_AT_A_TIME = 512


def content_hash(pixels: Pixels) -> str:
    """SHA-256 of the decoded pixels [y, x] and their shape: the same picture in another file format has the same."""
    wide = np.ascontiguousarray(pixels.astype("<f8" if pixels.dtype.kind == "f" else "<i8"))
    return hashlib.sha256(repr(wide.shape).encode() + wide.tobytes()).hexdigest()


def difference_hash(pixels: Pixels) -> str:
    """The perceptual hash of a film [y, x], as hexadecimal text; the same whatever its size and levels."""
    rows, columns = (_fields(size) for size in pixels.shape)
    means = rows @ pixels.astype(np.float64) @ columns.T
    across, down = means[:, 1:] > means[:, :-1], means[1:] > means[:-1]
    return np.packbits(np.concatenate([across.ravel(), down.ravel()])).tobytes().hex()


def _fields(size: int) -> NDArray[np.float64]:
    """[16, size]: each field's share of the pixels along an axis; small pictures are interpolated."""
    return axis_weights(size, 1.0, size / _SIDE)[:_SIDE]


@dataclass(frozen=True, order=True)
class Twins:
    """Two films that are the same, or nearly.

    Attributes:
        first: key of one.
        second: key of the other, later in the alphabet.
        bits: how many of `BITS` differ; −1 where every pixel is the same.
    """

    first: str
    second: str
    bits: int

    @property
    def is_exact(self) -> bool:
        """Whether every pixel is the same."""
        return self.bits < 0


def twins(content: Mapping[str, str], perceptual: Mapping[str, str], most: int = NEAR_BITS) -> list[Twins]:
    """All pairs of films that are the same or nearly, sorted.

    Args:
        content: `content_hash` by key.
        perceptual: `difference_hash` by the same keys.
        most: bits that may differ.
    """
    keys = sorted(perceptual)
    packed = np.array([np.frombuffer(bytes.fromhex(perceptual[key]), dtype=np.uint8) for key in keys], dtype=np.uint8)
    words = np.ascontiguousarray(np.pad(packed.reshape(len(keys), -1), ((0, 0), (0, -BITS // 8 % 8)))).view(np.uint64)
    found = []
    for start in range(0, len(keys), _ROWS_AT_A_TIME):
        block = words[start : start + _ROWS_AT_A_TIME]
        apart = np.zeros((len(block), len(keys) - start), dtype=np.uint16)
        for word in range(words.shape[1]):
            apart += np.bitwise_count(block[:, word, None] ^ words[None, start:, word])
        near = np.argwhere(np.triu(apart <= most, 1))
        for i, j in near:
            first, second = keys[start + i], keys[start + j]
            same = content[first] == content[second]
            found.append(Twins(first, second, -1 if same else int(apart[i, j])))
    return sorted(found)


def groups(keys: Iterable[str], pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """The group of each key, named by its first member in the alphabet; keys that pairs connect are in one."""
    of = {key: key for key in keys}

    def top(key: str) -> str:
        while of[key] != key:
            of[key] = of[of[key]]
            key = of[key]
        return key

    for first, second in pairs:
        one, other = sorted((top(first), top(second)))
        of[other] = one
    return {key: top(key) for key in of}


def connected(found: Sequence[Twins]) -> list[tuple[str, str]]:
    """The pairs of keys alone."""
    return [(one.first, one.second) for one in found]
