"""A prepared data set of CT slices to training samples, all in memory, on one scale of brightness."""

from pathlib import Path

import numpy as np

from hilum.core import Failures, GeometryError, InputError, TrainError, UnitError
from hilum.core.radiograph import Pixels
from hilum.datasets.drr_pairs import CONSENSUS_READERS
from hilum.datasets.prepared import SLICES, CaseSource, SliceSource, read_each, read_prepared
from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.slice_point import point_map
from hilum.datasets.slice_sample import SliceSample
from hilum.datasets.slice_scale import canonical, stretched_hu
from hilum.datasets.xray_grid import PixelGrid
from hilum.datasets.xray_load import patients_of
from hilum.datasets.xray_sample import GREY_LEVELS, Picture
from hilum.io import read_mask, read_radiograph


def load_slices(dataset: Path, split: str, config: SliceDataConfig) -> tuple[list[SliceSample], Failures]:
    """Every slice of a split whose nodule has enough readers, and those without a nodule.

    Args:
        dataset: folder of a prepared data set, or its index.
        split: "train" or "validation"; validation keeps nodules of three readers and more, whatever is learnt from.
        config: which truth, of which nodules, on which pixels.

    Returns:
        The samples in the data set's order, and the cases that could not be read.

    Raises:
        InputError: no such data set, split or truth, or a patient in it who is not there for that.
        TooManyFailuresError: more cases can't be read than the configuration allows.
        TrainError: no sample has a nodule.
    """
    data = read_prepared(dataset)
    if data.kind != SLICES:
        raise InputError(
            f"{data.index} holds {data.kind}, and {SLICES} were expected.", "Make them: hilum prepare slices."
        )
    patients = patients_of(data.splits, split)
    least = config.least_readers if split == "train" else CONSENSUS_READERS
    own = [case for case in data.cases(data.truth_name(config.truth)) if case.patient in patients]
    seen_by = {case.key: case.slice.reader_count for case in own if case.slice is not None and case.slice.nodule}
    cases = [case for case in own if seen_by.get(case.key, least) >= least]
    failures = Failures(config.max_failures)
    samples = read_each(cases, lambda case: load_slice(case, config), failures)
    if not any(sample.has_lesion for sample in samples):
        raise TrainError(
            f"none of the {len(samples)} slices in the split {split!r} of {data.index.parent} shows a nodule that "
            f"{least} readers or more outlined, so there is nothing to "
            f"{'learn from' if split == 'train' else 'be judged by'}.",
            "Choose another data set, or fewer readers.",
        )
    return samples, failures


def load_slice(case: CaseSource, config: SliceDataConfig) -> SliceSample:
    """One slice on the one scale of brightness, on the pixels that are wanted.

    Raises:
        InputError: a file is missing or damaged, the case is no slice, or nobody says where its nodule is and the
            network is to be told.
        UnitError: nobody knows how large the pixels are.
        GeometryError: the mask has another size than the picture.
    """
    if case.image is None or case.slice is None:
        raise InputError(f"{case.key} is no slice with a picture.", "Prepare the data set again.")
    if config.point_share and case.slice.nodule and case.slice.point_px is None:
        raise InputError(f"nobody says where the nodule of {case.key} is.", "Prepare the data set again.")
    if case.pixel_mm is None:
        raise UnitError(f"nobody knows how large the pixels of {case.key} are.", "Give pixel_mm in the data set.")
    levels, truth = read_radiograph(case.image).array, read_mask(case.truth).labels > 0
    if truth.shape != levels.shape:
        raise GeometryError(
            f"{case.truth.name} has the shape {truth.shape}, its picture {levels.shape}.", "Prepare the data set again."
        )
    picture, pixel_mm = _picture(levels, case.slice, config.window), case.pixel_mm[1]
    point_px = case.slice.point_px
    if config.pixel_mm is not None:
        grid = PixelGrid(truth.shape, case.pixel_mm, config.pixel_mm)
        picture, truth, pixel_mm = grid.mean(picture).astype(np.float32), grid.lesions(truth), config.pixel_mm
        point_px = None if point_px is None else grid.moved(point_px)
    return SliceSample(
        key=case.key,
        patient=case.patient,
        nodule=case.slice.nodule,
        reader_count=case.slice.reader_count,
        image=(np.rint(picture * GREY_LEVELS) / GREY_LEVELS).astype(np.float32),
        truth=truth,
        weight=np.ones(truth.shape, dtype=np.float32),
        pixel_mm=pixel_mm,
        point_px=point_px,
        prior=point_map(truth.shape, point_px, (pixel_mm, pixel_mm)) if config.point_share else None,
    )


def _picture(levels: Pixels, about: SliceSource, window: str) -> Picture:
    """By the HU of its ends, which the data set keeps; else they are estimated."""
    if about.hu_ends is None:
        return canonical(levels, window)
    return canonical(stretched_hu(levels, *about.hu_ends), window)
