"""A packed cache of X-ray samples: one file, without loss, for a machine that has nothing but numpy (and torch).

The published pairs at .7 mm a pixel, both splits, make 36 MB. Pictures are stored as differences along both axes,
modulo 256, which the archive's own compression takes to half of what it makes of the pixels.
"""

import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError, UnreadableError
from hilum.datasets.insertion import BankNodule, Gain, NoduleBank
from hilum.datasets.xray_sample import GREY_LEVELS, NoduleInfo, Picture, XraySample
from hilum.io.atomic import atomic_file

SCHEMA = "hilum.xray-pack/1"
_UNKNOWN_IS_NAN = ("size_mm", "visibility", "contrast")
_PRIOR, _LESIONS = "prior", "prior_lesions"
"""In a sample's record where an earlier picture, or its lesions, are stored."""

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class XrayPack:
    """What a packed cache holds.

    Attributes:
        splits: samples of each split, in their order.
        about: what it was made of, for people and for model cards: configuration, hashes.
        bank: nodules to insert; None when there are none.
    """

    splits: Mapping[str, Sequence[XraySample]]
    about: Mapping[str, Any] = field(default_factory=dict)
    bank: NoduleBank | None = None


def write_pack(path: Path, pack: XrayPack) -> None:
    """Write samples to one compressed `.npz`.

    Raises:
        InputError: a sample is not as it was loaded: brightness off the 8-bit levels, or a weight beside the lesions.
        OutputError: the place can't be written to.
    """
    samples = [sample for split in pack.splits.values() for sample in split]
    about = {
        "schema": SCHEMA,
        "about": dict(pack.about),
        "splits": {name: [_record(sample) for sample in split] for name, split in pack.splits.items()},
        "bank": _bank_record(pack.bank) if pack.bank else None,
    }
    arrays: dict[str, Any] = {
        "about": np.frombuffer(json.dumps(about, allow_nan=False).encode(), dtype=np.uint8),
        "shapes": np.array([sample.image.shape for sample in samples], dtype=np.int32).reshape(-1, 2),
        "images": _joined([_differences(_levels(sample, sample.image)).ravel() for sample in samples], np.uint8),
        "truths": _bits([sample.truth for sample in samples]),
        "weights": _joined([_lesion_weights(sample) for sample in samples], np.float32),
    }
    if pack.bank:
        arrays |= _bank_arrays(pack.bank)
    arrays |= _earlier_arrays(samples)
    with atomic_file(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, allow_pickle=False, **arrays)


def read_pack(path: Path) -> XrayPack:
    """The samples that `write_pack` wrote, equal to the last bit.

    Raises:
        UnreadableError: it is no such file, or damaged.
    """
    try:
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as stored:
            about = json.loads(stored["about"].tobytes())
            if about.get("schema") != SCHEMA:
                raise UnreadableError(f"{path} is no packed cache of the schema {SCHEMA}.", "Pack the data set again.")
            samples = _samples(stored, [one for split in about["splits"].values() for one in split])
            bank = _bank(stored, about["bank"]) if about["bank"] else None
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UnreadableError(f"{path} is no packed cache, or damaged: {error}.", "Pack the data set again.") from error
    remaining = iter(samples)
    splits = {name: [next(remaining) for _ in records] for name, records in about["splits"].items()}
    return XrayPack(splits, about["about"], bank)


def _samples(stored: Mapping[str, NDArray[Any]], records: Sequence[Mapping[str, Any]]) -> list[XraySample]:
    shapes, images, weights = stored["shapes"], stored["images"], stored["weights"]
    ends = np.concatenate([[0], np.cumsum(shapes.prod(axis=1, dtype=np.int64))])
    truths = np.unpackbits(stored["truths"], count=int(ends[-1])).astype(bool)
    samples, weighed = [], 0
    for record, shape, first, last in zip(records, shapes, ends[:-1], ends[1:], strict=True):
        truth = truths[first:last].reshape(shape)
        weight = np.ones(shape, dtype=np.float32)
        pixels = int(truth.sum())
        weight[truth] = weights[weighed : weighed + pixels]
        weighed += pixels
        samples.append(_sample(record, _summed(images[first:last].reshape(shape)), truth, weight))
    return _with_earlier(samples, stored, records)


def _earlier_arrays(samples: Sequence[XraySample]) -> dict[str, NDArray[Any]]:
    """Earlier pictures and their lesions, of the samples that have them."""
    pictures = [_differences(_levels(one, one.prior)).ravel() for one in samples if one.prior is not None]
    lesions = [one.prior_lesions for one in samples if one.prior_lesions is not None]
    stored = {"priors": _joined(pictures, np.uint8)} if pictures else {}
    return stored | ({"prior_lesions": _bits(lesions)} if lesions else {})


def _with_earlier(
    samples: Sequence[XraySample], stored: Mapping[str, NDArray[Any]], records: Sequence[Mapping[str, Any]]
) -> list[XraySample]:
    """The samples with what their records say to be stored of earlier."""
    pictures = stored["priors"] if any(_PRIOR in one for one in records) else np.empty(0, np.uint8)
    lesions = np.unpackbits(stored["prior_lesions"]) if any(_LESIONS in one for one in records) else pictures
    filled = []
    for sample, record in zip(samples, records, strict=True):
        shape, size = sample.image.shape, sample.image.size
        if record.get(_PRIOR):
            levels, pictures = _summed(pictures[:size].reshape(shape)), pictures[size:]
            sample = replace(sample, prior=(levels / GREY_LEVELS).astype(np.float32))
        if record.get(_LESIONS):
            known, lesions = lesions[:size].reshape(shape).astype(bool), lesions[size:]
            sample = replace(sample, prior_lesions=known)
        filled.append(sample)
    return filled


def _sample(record: Mapping[str, Any], levels: Bytes, truth: NDArray[np.bool_], weight: Picture) -> XraySample:
    return XraySample(
        key=record["key"],
        patient=record["patient"],
        image=(levels / GREY_LEVELS).astype(np.float32),
        truth=truth,
        weight=weight,
        pixel_mm=record["pixel_mm"],
        nodules=tuple(_nodule(one) for one in record["nodules"]),
        odd=tuple(record["odd"]),
    )


def _record(sample: XraySample) -> dict[str, object]:
    return {
        "key": sample.key,
        "patient": sample.patient,
        "pixel_mm": sample.pixel_mm,
        "nodules": [
            {name: None if name in _UNKNOWN_IS_NAN and math.isnan(value) else value for name, value in fields.items()}
            for fields in map(asdict, sample.nodules)
        ],
        "odd": sample.odd,
        **({_PRIOR: True} if sample.prior is not None else {}),
        **({_LESIONS: True} if sample.prior_lesions is not None else {}),
    }


def _nodule(record: Mapping[str, Any]) -> NoduleInfo:
    fields = dict(record)
    fields |= {name: math.nan for name in _UNKNOWN_IS_NAN if record[name] is None}
    if fields["centre_px"]:
        fields["centre_px"] = tuple(fields["centre_px"])
    return NoduleInfo(**fields)


def _bank_record(bank: NoduleBank) -> dict[str, object]:
    names = ("patient", "id", "reader_count", "size_mm")
    nodules = [{name: getattr(one, name) for name in names} for one in bank.nodules]
    return {"pixel_mm": bank.pixel_mm, "gain": asdict(bank.gain), "nodules": nodules}


def _bank_arrays(bank: NoduleBank) -> dict[str, NDArray[Any]]:
    return {
        "bank_shapes": np.array([one.extent.shape for one in bank.nodules], dtype=np.int32).reshape(-1, 2),
        "bank_thickness": _joined([one.thickness_mm.ravel() for one in bank.nodules], np.float32),
        "bank_silhouettes": _joined([one.silhouette.ravel() for one in bank.nodules], np.bool_),
        "bank_extents": _joined([one.extent.ravel() for one in bank.nodules], np.bool_),
        "bank_places": bank.places,
    }


def _bank(stored: Mapping[str, NDArray[Any]], record: Mapping[str, Any]) -> NoduleBank:
    shapes = stored["bank_shapes"]
    ends = np.cumsum(shapes.prod(axis=1, dtype=np.int64))[:-1]
    planes = (np.split(stored[f"bank_{name}"], ends) for name in ("thickness", "silhouettes", "extents"))
    nodules = [
        BankNodule(
            **about,
            thickness_mm=path.reshape(shape),
            silhouette=silhouette.reshape(shape),
            extent=extent.reshape(shape),
        )
        for path, silhouette, extent, shape, about in zip(*planes, shapes, record["nodules"], strict=True)
    ]
    return NoduleBank(nodules, record["pixel_mm"], Gain(**record["gain"]), stored["bank_places"])


def _levels(sample: XraySample, picture: Picture) -> Bytes:
    """The image of a sample, or its earlier picture, in whole numbers."""
    levels = np.rint(picture.astype(np.float64) * GREY_LEVELS)
    if not np.array_equal((levels / GREY_LEVELS).astype(np.float32), picture):
        raise InputError(f"{sample.key} is not on the {GREY_LEVELS + 1} levels of 8 bits.", "Pack samples as loaded.")
    return levels.astype(np.uint8)


def _lesion_weights(sample: XraySample) -> Picture:
    if (sample.weight[~sample.truth] != 1).any():
        raise InputError(f"{sample.key} has weights beside its lesions.", "Pack samples as loaded.")
    return sample.weight[sample.truth]


def _differences(levels: Bytes) -> Bytes:
    """To the neighbour on the left, then to the one above, modulo 256."""
    return np.diff(np.diff(levels, axis=1, prepend=np.uint8(0)), axis=0, prepend=np.uint8(0))


def _summed(differences: Bytes) -> Bytes:
    """What `_differences` were of."""
    return np.asarray(differences.cumsum(axis=0, dtype=np.uint8).cumsum(axis=1, dtype=np.uint8))


def _bits(masks: Sequence[NDArray[np.bool_]]) -> Bytes:
    """One after another, eight pixels a byte."""
    return np.packbits(_joined([mask.ravel() for mask in masks], np.bool_))


def _joined(parts: Sequence[NDArray[Any]], kind: type[np.generic]) -> NDArray[Any]:
    return np.concatenate(parts) if parts else np.empty(0, dtype=kind)
