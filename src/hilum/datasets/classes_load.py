"""A prepared data set of chest X-rays by classes to samples, all in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hilum.core import Failures, GeometryError, InputError, TrainError, UnitError, UnreadableError
from hilum.core.geometry import Floats
from hilum.core.mask import Labels, Selection
from hilum.core.radiograph import PixelMm
from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.class_map import ClassMap
from hilum.datasets.class_sample import ClassSample
from hilum.datasets.class_source import CLASSES, UNKNOWN, ClassSource
from hilum.datasets.data_kind import XRAY_CLASSES
from hilum.datasets.prepared import SPLITS, CaseSource, Prepared, read_each, read_prepared
from hilum.datasets.stored_folds import StoredFolds
from hilum.datasets.xray_grid import PixelGrid
from hilum.datasets.xray_load import LEARNABLE, brightness, on_levels, require_learnable
from hilum.datasets.xray_sample import Picture
from hilum.drr.source_style import published_look
from hilum.io import read_json, read_mask, read_radiograph


@dataclass(frozen=True)
class Fold:
    """A side of a stored fold.

    Attributes:
        number: of the fold that is held out, from 1.
        held_out: that fold itself, to judge on; else all others, to learn from.
    """

    number: int
    held_out: bool = False

    def __str__(self) -> str:
        return f"fold {self.number}" if self.held_out else f"all folds but {self.number}"


def load_class_pictures(dataset: Path, part: str | Fold, config: ClassDataConfig) -> tuple[list[ClassSample], Failures]:
    """Every film of a split, or of a side of a fold.

    Args:
        dataset: folder of a prepared data set, or its index.
        part: "train", "validation", "test", or a `Fold`.
        config: on which pixels, with which masks.

    Returns:
        The samples in the data set's order, and the cases that could not be read.

    Raises:
        InputError: no such data set, split, fold or mask, a patient in it who is not there for that, or all are for
            testing.
        TooManyFailuresError: more cases can't be read than the configuration allows.
        TrainError: nothing to learn from: a declared class has no pixel there.
    """
    data = read_prepared(dataset)
    if data.kind != XRAY_CLASSES:
        raise InputError(
            f"{data.index} holds {data.kind}, and {XRAY_CLASSES} were expected.",
            "Make them: hilum prepare covid-qu-ex or hilum prepare cxr-masks.",
        )
    patients = _patients(data, part)
    cases = [case for case in data.cases(CLASSES) if case.patient in patients]
    _require_masks(cases, config.masks)
    failures = Failures(config.max_failures)
    samples = read_each(cases, lambda case: load_class_picture(case, config), failures)
    if not samples:
        raise TrainError(f"no film of {part} in {data.index.parent} could be read.", "Prepare the data set again.")
    if config.require_classes and (part == "train" or (isinstance(part, Fold) and not part.held_out)):
        require_classes(samples, data.labels, str(part))
    return samples, failures


def require_classes(samples: Sequence[ClassSample], names: Mapping[int, str], where: str) -> None:
    """Check that each declared class has a pixel somewhere.

    Args:
        samples: that are learnt from.
        names: of the declared classes.
        where: they are, in words.

    Raises:
        TrainError: names the first class that has none.
    """
    for number, name in names.items():
        if not any(sample.has_class(number) for sample in samples):
            raise TrainError(
                f"class {number} ({name}) has no pixel in {where}, {len(samples)} films: nothing can be learnt of it.",
                "Choose another split or fold, or prepare the data set without that class.",
            )


def _patients(data: Prepared, part: str | Fold) -> frozenset[str]:
    if isinstance(part, Fold):
        stored = read_json(data.index).get("folds")
        if not stored:
            raise InputError(f"{data.index} has no folds.", f"Take a split: {', '.join(SPLITS)}.")
        if not part.held_out and not (data.splits["train"] or data.splits["validation"]):
            raise InputError(
                f"all films of {data.index} are for testing, whatever their fold: none may be learnt from.",
                "To learn from them, prepare them with --purpose learn.",
            )
        found = StoredFolds.of_record(stored)
        if found.hash != stored.get("hash"):
            raise InputError(f"the folds of {data.index} are not those of their hash.", "Prepare the data set again.")
        return found.patients(part.number, held_out=part.held_out)
    if part not in SPLITS:
        raise InputError(f"there is no split {part!r}.", f"There are: {', '.join(SPLITS)}, and folds.")
    patients = frozenset(data.splits[part])
    if not patients:
        raise InputError(f"the data set's split {part!r} is empty.", "Prepare one that has it, or take a fold.")
    if part in LEARNABLE:
        require_learnable(patients, part)
    return patients


def _require_masks(cases: Sequence[CaseSource], wanted: tuple[str, ...] | None) -> None:
    there = {name for case in cases for name in _film(case).masks}
    if missing := [name for name in wanted or () if name not in there]:
        raise InputError(f"no film has a mask {missing[0]!r}.", f"There are: {', '.join(sorted(there))}.")


def load_class_picture(case: CaseSource, config: ClassDataConfig) -> ClassSample:
    """One film on the pixels that are wanted.

    Each new pixel takes the class that most of its area has (of equal ones the smaller number); unknown competes like
    any class. A structure keeps the pixels that it covers at least half of.

    Raises:
        InputError: a file is missing or damaged.
        UnitError: millimetres are wanted, and nobody knows how large the film's pixels are.
        GeometryError: a mask has another size than the picture.
    """
    if case.image is None:
        raise InputError(f"{case.key} has no picture.", "Prepare the data set again.")
    film, stored, labels = _film(case), read_radiograph(case.image).array, read_mask(case.truth).labels
    picture = brightness(stored)
    _require_shape(case.truth, labels.shape, picture.shape)
    grid, pixel_mm = _grid(case, (picture.shape[0], picture.shape[1]), config)
    classes = _majority(labels, grid)
    is_known = classes != UNKNOWN
    names = [name for name in film.masks if config.masks is None or name in config.masks]
    return ClassSample(
        key=case.key,
        patient=case.patient,
        image=shown_as(grid.mean(picture), config.look),
        labels=np.where(is_known, classes, 0).astype(np.uint8),
        weight=is_known.astype(np.float32),
        image_label=film.image_label,
        masks={name: _structure(film.masks[name], picture.shape, grid) for name in names},
        pixel_mm=pixel_mm,
        day=film.day,
    )


def shown_as(picture: Floats, look: str) -> Picture:
    """A picture [y, x] of brightness 0 to 1 as networks see it: as it is, or in the published DRRs' style."""
    return on_levels(published_look(picture) if look == "published" else picture)


def _film(case: CaseSource) -> ClassSource:
    if case.film is None:
        raise UnreadableError(f"{case.key} has no entry about its film.", "Prepare the data set again.")
    return case.film


def _grid(case: CaseSource, shape: tuple[int, int], config: ClassDataConfig) -> tuple[PixelGrid, float | None]:
    """The sample's pixels, and the side of one in mm where somebody knows it."""
    if config.height_px is None:
        if case.pixel_mm is None or config.pixel_mm is None:
            raise UnitError(f"nobody knows how large the pixels of {case.key} are.", "Set height_px, not pixel_mm.")
        return PixelGrid(shape, case.pixel_mm, config.pixel_mm), config.pixel_mm
    grid, side = grid_of_height(shape, case.pixel_mm, config.height_px)
    return grid, side if case.pixel_mm else None


def grid_of_height(shape: tuple[int, int], step_mm: PixelMm | None, height_px: int) -> tuple[PixelGrid, float]:
    """Square pixels, so many rows of them, and their side in mm.

    Of a picture whose pixels nobody knows, these are taken to be square, and the side is in pixels of its own.
    """
    step = step_mm or (1.0, 1.0)
    side = shape[0] * step[0] / height_px
    return PixelGrid(shape, step, side), side


def _majority(labels: Labels, grid: PixelGrid) -> ClassMap:
    values = np.unique(labels)
    shares = np.stack([grid.mean(labels == value) for value in values])
    return np.asarray(values[shares.argmax(axis=0)], dtype=np.uint8)


def _structure(path: Path, shape: tuple[int, ...], grid: PixelGrid) -> Selection:
    mask = read_mask(path).labels > 0
    _require_shape(path, mask.shape, shape)
    return np.asarray(grid.mean(mask) >= 0.5)


def _require_shape(path: Path, found: tuple[int, ...], wanted: tuple[int, ...]) -> None:
    if found != wanted:
        raise GeometryError(f"{path.name} has the shape {found}, its picture {wanted}.", "Prepare the data set again.")
