"""A prepared data set of X-rays to training samples, all in memory."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hilum.core import Failures, GeometryError, InputError, TrainError, UnitError, UnsupportedError
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm, Pixels
from hilum.datasets.drr_pairs import silhouette_centre
from hilum.datasets.prepared import CaseSource, StoredNodule, read_each, read_prepared, stored_nodules
from hilum.datasets.splits import Role, role
from hilum.datasets.xray_config import XrayDataConfig
from hilum.datasets.xray_grid import PixelGrid
from hilum.datasets.xray_sample import GREY_LEVELS, NoduleInfo, Picture, XraySample
from hilum.io import read_mask, read_radiograph

LEARNABLE = {"train": Role.TRAIN, "validation": Role.VALIDATION}
"""Splits that training reads, and what LIDC's patients in them have to be for."""


def load_samples(dataset: Path, split: str, config: XrayDataConfig) -> tuple[list[XraySample], Failures]:
    """Every case of a split, resampled, with its truth and weights.

    Args:
        dataset: folder of a prepared data set, or its index.
        split: "train" or "validation".
        config: which truth, on which pixels.

    Returns:
        The samples in the data set's order, and the cases that could not be read.

    Raises:
        InputError: no such data set, split or truth, or a patient in it who is not there for that.
        TooManyFailuresError: more cases can't be read than the configuration allows.
        TrainError: no sample has a lesion.
    """
    data = read_prepared(dataset)
    patients = patients_of(data.splits, split)
    cases = [case for case in data.cases(data.truth_name(config.truth)) if case.patient in patients]
    failures = Failures(config.max_failures)
    samples = read_each(cases, lambda case: load_sample(case, config), failures)
    if not any(sample.has_lesion for sample in samples):
        raise TrainError(
            f"none of the {len(samples)} pictures in the split {split!r} of {data.index.parent} has a lesion in its "
            f"{config.truth} truth, so there is nothing to {'learn from' if split == 'train' else 'be judged by'}.",
            "Choose another data set or truth.",
        )
    return samples, failures


def patients_of(splits: Mapping[str, Sequence[str]], split: str) -> frozenset[str]:
    """The patients of a split, of whom LIDC's have to be there for what it is for.

    Raises:
        InputError: there is no such split, it is empty, or somebody is in it who isn't for that.
    """
    if split not in LEARNABLE:
        raise InputError(f"training reads the splits {' and '.join(LEARNABLE)}, not {split!r}.")
    patients = frozenset(splits[split])
    if not patients:
        raise InputError(f"the data set's split {split!r} is empty.", "Prepare one that has it.")
    require_learnable(patients, split)
    return patients


def require_learnable(patients: Iterable[str], split: str) -> None:
    """Check that each patient of LIDC is in the split that the one rule puts it into.

    Raises:
        InputError: names the first who isn't.
    """
    wrong = sorted(one for one in patients if one.startswith("LIDC-IDRI-") and role(one) is not LEARNABLE[split])
    if wrong:
        raise InputError(f"{wrong[0]} is for {role(wrong[0])}, and stands in the split {split!r}.", "Split it anew.")


def load_sample(case: CaseSource, config: XrayDataConfig) -> XraySample:
    """One case, resampled.

    Raises:
        InputError: a file is missing or damaged.
        UnitError: nobody knows how large the picture's pixels are.
        GeometryError: a mask, a nodule's, or the earlier picture has another size than the picture.
    """
    if case.image is None:
        raise InputError(f"{case.key} has no picture.", "Prepare the data set again.")
    picture, truth = brightness(read_radiograph(case.image).array), read_mask(case.truth).labels > 0
    earlier = brightness(read_radiograph(case.prior_image).array) if case.prior_image else None
    known = read_mask(case.prior).labels > 0 if case.prior else None
    nodules = stored_nodules(case.nodules) if case.nodules else ()
    _require_shape(case.truth.name, truth.shape, picture.shape)
    for file, plane in ((case.prior_image, earlier), (case.prior, known)):
        if file is not None and plane is not None:
            _require_shape(file.name, plane.shape, picture.shape)
    for nodule in nodules:
        _require_shape(f"nodule {nodule.pair.nodule.id} of {case.key}", nodule.pair.votes.shape, picture.shape)
    grid = PixelGrid(truth.shape, _pixel_mm(case), config.pixel_mm)
    lesions = grid.lesions(truth)
    weight = np.ones(grid.shape_yx, dtype=np.float32)
    if config.visibility_floor < 1:
        seen = grid.nearest(visibility_map(nodules, truth.shape))[lesions]
        weight[lesions] = config.visibility_floor + (1 - config.visibility_floor) * seen
    return XraySample(
        key=case.key,
        patient=case.patient,
        image=on_levels(grid.mean(picture)),
        truth=lesions,
        weight=weight,
        pixel_mm=config.pixel_mm,
        nodules=tuple(_info(nodule, grid) for nodule in nodules),
        odd=case.odd,
        prior=None if earlier is None else on_levels(grid.mean(earlier)),
        prior_lesions=None if known is None else grid.lesions(known),
    )


def visibility_map(nodules: tuple[StoredNodule, ...], shape_yx: tuple[int, ...]) -> NDArray[np.float64]:
    """The visibility [y, x] of the nodule that is nearest to each pixel; the most visible where several lie.

    So the pixels under the readers' lines, which the union has and silhouettes have not, belong to their nodule.
    A nodule whose visibility is unknown counts as visible, and so does every pixel of a picture without nodules.
    """
    from scipy import ndimage

    seen = np.full(shape_yx, np.nan)
    for nodule in nodules:
        covered, value = nodule.pair.readers > 0, nodule.pair.visibility
        seen[covered] = np.fmax(seen[covered], 1.0 if np.isnan(value) else value)
    if np.isnan(seen).all():
        return np.ones(shape_yx)
    nearest = ndimage.distance_transform_edt(np.isnan(seen), return_distances=False, return_indices=True)
    return np.asarray(seen[tuple(nearest)])


def brightness(array: Pixels) -> Picture:
    """A picture [y, x] of 8 or 16 bits as 0 to 1.

    Raises:
        UnsupportedError: its numbers are no unsigned integers.
    """
    if array.dtype.kind != "u":
        raise UnsupportedError(f"a picture has unsigned integers, got {array.dtype}.", "Save it with 8 or 16 bits.")
    return np.asarray(array / np.float32(np.iinfo(array.dtype).max), dtype=np.float32)


def on_levels(picture: Floats) -> Picture:
    """Brightness 0 to 1 in steps of 1 / `GREY_LEVELS`."""
    return (np.rint(picture * GREY_LEVELS) / GREY_LEVELS).astype(np.float32)


def _pixel_mm(case: CaseSource) -> PixelMm:
    if case.pixel_mm is None:
        raise UnitError(f"nobody knows how large the pixels of {case.key} are.", "Give pixel_mm in the data set.")
    return case.pixel_mm


def _require_shape(name: str, shape: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        raise GeometryError(f"{name} has the shape {shape}, its picture {wanted}.", "Prepare the data set again.")


def _info(stored: StoredNodule, grid: PixelGrid) -> NoduleInfo:
    nodule = stored.pair
    silhouette: Selection = nodule.silhouette(stored.level)
    centre = silhouette_centre(silhouette)
    return NoduleInfo(
        nodule.nodule.id,
        stored.size_mm,
        nodule.reader_count,
        nodule.visibility,
        nodule.contrast_to_noise,
        grid.moved(centre) if centre else None,
    )
