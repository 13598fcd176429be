"""A prepared data set of CT pieces to training samples, all in memory."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hilum.core import Failures, Geometry, GeometryError, InputError, TrainError
from hilum.core.geometry import Triple
from hilum.core.mask import Selection
from hilum.datasets.data_kind import CT_PATCHES
from hilum.datasets.patch_config import PatchDataConfig
from hilum.datasets.patch_sample import HARD, RANDOM, PatchSample
from hilum.datasets.patch_source import PatchSource
from hilum.datasets.prepared import CaseSource, read_each, read_prepared
from hilum.datasets.slice_point import point_map
from hilum.datasets.slice_scale import WINDOWS
from hilum.datasets.xray_load import patients_of
from hilum.datasets.xray_sample import Picture
from hilum.io import read_mask, read_volume

_SAME_STEP = 0.01
"""Share of a voxel's side up to which two are the same."""


def load_patches(dataset: Path, split: str, config: PatchDataConfig) -> tuple[list[PatchSample], Failures]:
    """Every piece of a split, those that show no nodule too.

    Args:
        dataset: folder of a prepared data set, or its index.
        split: "train" or "validation".
        config: which truth, on which voxels, in which window.

    Returns:
        The samples in the data set's order, and the cases that could not be read.

    Raises:
        InputError: no such data set, split or truth, or a patient in it who is not there for that.
        TooManyFailuresError: more cases can't be read than the configuration allows.
        TrainError: no sample shows a nodule.
    """
    data = read_prepared(dataset)
    if data.kind != CT_PATCHES:
        raise InputError(
            f"{data.index} holds {data.kind}, and {CT_PATCHES} were expected.", "Make them: hilum prepare luna16."
        )
    patients = patients_of(data.splits, split)
    cases = [case for case in data.cases(data.truth_name(config.truth)) if case.patient in patients]
    failures = Failures(config.max_failures)
    samples = read_each(cases, lambda case: load_patch(case, config), failures)
    if not any(sample.has_lesion for sample in samples):
        raise TrainError(
            f"none of the {len(samples)} pieces in the split {split!r} of {data.index.parent} shows a nodule, so there "
            f"is nothing to {'learn from' if split == 'train' else 'be judged by'}.",
            "Choose another data set.",
        )
    return samples, failures


def load_patch(case: CaseSource, config: PatchDataConfig) -> PatchSample:
    """One piece, in the window that is wanted.

    Raises:
        InputError: a file is missing or damaged, or the case is no piece of a CT, or its voxels have another size.
        GeometryError: the mask lies on another grid than the image.
        UnitError: the image is not in HU.
    """
    if case.image is None or case.patch is None:
        raise InputError(f"{case.key} is no piece of a CT.", "Prepare the data set again.")
    ct = read_volume(case.image)
    truth = read_mask(case.truth, ct.geometry).labels > 0
    spacing = ct.geometry.spacing_zyx_mm
    _require_voxels(case.key, spacing, config.voxel_mm)
    low, high = WINDOWS[config.window]
    image: Picture = np.clip((ct.array.astype(np.float32) - low) / (high - low), 0, 1).astype(np.float32)
    point = patch_point(case.patch, ct.geometry, truth)
    return PatchSample(
        key=case.key,
        patient=case.patient,
        nodule=case.patch.nodule,
        image=image,
        truth=truth,
        weight=np.ones(truth.shape, dtype=np.float32),
        voxel_mm=spacing,
        kind=case.patch.kind,
        truth_type=case.patch.truth,
        point_zyx=point,
        prior=point_map(truth.shape, point, spacing) if config.point_share else None,
    )


def _require_voxels(key: str, spacing: Sequence[float], wanted: float) -> None:
    if max(abs(step / wanted - 1) for step in spacing) > _SAME_STEP:
        steps = " × ".join(f"{step:g}" for step in spacing)
        raise GeometryError(
            f"the voxels of {key} are {steps} mm, and {wanted:g} mm are asked for.",
            f"Prepare the data set with --voxel-mm {wanted:g}, or set data.voxel_mm.",
        )


def patch_point(about: PatchSource, grid: Geometry, truth: Selection) -> Triple | None:
    """Where the nodule is, or what only looks like one, in voxels; None where nothing is.

    That is its centre as the source says it, else the middle of the box around its mask.
    """
    if about.kind == RANDOM:
        return None
    if about.centre_lps_mm is not None:
        k, j, i = grid.to_index(about.centre_lps_mm).tolist()
        return k, j, i
    if about.kind == HARD or not truth.any():
        return None
    places = np.argwhere(truth)
    k, j, i = ((places.min(axis=0) + places.max(axis=0)) / 2).tolist()
    return k, j, i
