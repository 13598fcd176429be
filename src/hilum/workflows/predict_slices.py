"""CT slices to masks and nodules (`hilum predict` with a model of slices)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hilum.core import ConfigError, InputError, Radiograph, SpacingPlane, UnsupportedError
from hilum.core.radiograph import PixelMm, Pixels
from hilum.datasets.data_kind import SLICES
from hilum.datasets.prepared import index_of, read_prepared
from hilum.datasets.slice_scale import canonical, stretched_hu
from hilum.infer.slices import SlicePredictor
from hilum.io import read_radiograph
from hilum.io.kinds import RASTERS, Kind, recognise
from hilum.io.read import files_in
from hilum.workflows.predict_case import distinct, hash_of, key_of, write_prediction
from hilum.workflows.predict_left import Predicted, Worker, work_through
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.predict_point import run_point, slice_predictor, slices_run
from hilum.workflows.track import Track

MOST_PX = 1024
"""Rows and columns that a CT slice can have; a larger picture is another one, such as an X-ray."""
TOLD = "told where the nodule is, by the data set: the middle of its box, which is made of the readers' outlines"
_PREPARE = "Crops in one file become a data set first: hilum prepare slices FILE.npz SLICES"
_SAY_WHERE = "Of a CT, say where the nodule is: --point x,y,z (LPS mm)."


@dataclass(frozen=True)
class SliceFile:
    """One slice to predict.

    Attributes:
        key: names its folder.
        path: of the picture.
        pixel_mm: row and column step that the data set or the user states.
        hu_ends: HU of the picture's darkest and brightest pixel; None when nobody knows.
        point_px: (row, column) where the nodule is; None when nobody says.
        is_of_dataset: whether it is a data set's own.
    """

    key: str
    path: Path
    pixel_mm: PixelMm | None = None
    hu_ends: tuple[float, float] | None = None
    point_px: tuple[float, float] | None = None
    is_of_dataset: bool = False


def run_slices(inputs: Sequence[Path], out: Path, options: PredictOptions, *, force: bool, track: Track) -> Predicted:
    """Predict slices one by one or, where a point is given, the nodule there.

    Args:
        inputs: 8-bit pictures of slices, folders of them, or a data set of slices; with a point one CT.
        out: folder to fill.
        options: with the model's name or folder.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: there is nothing to predict, or it is no slice.
        ConfigError: an option is for X-rays, or for whole CTs.
        OutputError: `out` holds something else, or can't be written.
    """
    if options.of_xrays:
        raise ConfigError(
            f"{' and '.join(options.of_xrays)} {'are' if len(options.of_xrays) > 1 else 'is'} for X-rays, and the "
            f"model {options.model} marks nodules on CT slices.",
            "Name a model of X-rays (--model xray), or leave it out.",
        )
    if options.of_cts:
        raise ConfigError(
            f"{' and '.join(options.of_cts)} {'are' if len(options.of_cts) > 1 else 'is'} for models of pieces of CTs, "
            f"and {options.model} marks nodules on CT slices.",
            "Leave it out, or name a model of pieces of CTs: --model FOLDER",
        )
    if options.point is not None:
        return run_point(inputs, out, options, options.point, force=force, track=track)
    files = slice_files(inputs, options)
    by_key = {one.key: one for one in files}

    def ready() -> Worker:
        predictor = slice_predictor(options)
        places = {one.key: one.path for one in files}
        return Worker(predictor.model.name, lambda key: _slice(by_key[key], predictor, out), places)

    run = slices_run({one.key: hash_of(one.path) for one in files}, options)
    done = work_through(list(by_key), run, out, ready, force=force, track=track)
    return replace(done, what="slices")


def slice_files(inputs: Sequence[Path], options: PredictOptions) -> tuple[SliceFile, ...]:
    """Every slice that the inputs name, with keys that differ.

    Raises:
        InputError: there is none.
    """
    files = tuple(distinct([one for path in inputs for one in _files(path, options)]))
    if not files:
        raise InputError(
            "nothing to predict.", "Name pictures of CT slices (PNG, 8 bit), a folder of them or a data set."
        )
    return files if options.point_px is None else (_pointed_at(files, options.point_px),)


def _pointed_at(files: Sequence[SliceFile], point_px: tuple[float, float]) -> SliceFile:
    """The one slice, and where its nodule is.

    Raises:
        InputError: there are several, or the point lies outside.
    """
    if len(files) != 1:
        raise InputError(f"--point-px is a point of one picture, and there are {len(files)}.", "Name one.")
    rows, columns = read_radiograph(files[0].path).array.shape
    if not (0 <= point_px[0] < rows and 0 <= point_px[1] < columns):
        row, column = (f"{one:g}" for one in point_px)
        raise InputError(
            f"row {row}, column {column} lies outside {files[0].path}, which has {rows} rows and {columns} columns.",
            "Both count from 0, rows from the top, columns from the left.",
        )
    return replace(files[0], point_px=point_px, is_of_dataset=False)


def _files(path: Path, options: PredictOptions) -> Iterator[SliceFile]:
    if index_of(path).is_file():
        yield from _of_dataset(path, options.split)
        return
    stated = None if options.pixel_mm is None else (options.pixel_mm, options.pixel_mm)
    kind = recognise(path)
    for file in files_in(path) if kind is Kind.FOLDER else [path]:
        if recognise(file) in RASTERS:
            yield SliceFile(key_of(file, "slice"), file, stated)
        elif kind is not Kind.FOLDER:
            remedy = _PREPARE if path.suffix == ".npz" else _SAY_WHERE
            raise UnsupportedError(f"{path} is {kind.phrase}; a picture of a CT slice was expected.", remedy)


def _of_dataset(path: Path, split: str) -> Iterator[SliceFile]:
    data = read_prepared(path)
    if data.kind != SLICES:
        raise InputError(
            f"{path} is a data set of the kind {data.kind}, and the model marks nodules on CT slices.",
            "Name a data set of slices, or a model of its kind.",
        )
    for case in data.cases_in(split):
        if case.image is not None:
            about = (None, None) if case.slice is None else (case.slice.hu_ends, case.slice.point_px)
            yield SliceFile(case.key, case.image, case.pixel_mm, *about, is_of_dataset=True)


def read_slice(file: SliceFile) -> Pixels:
    """[y, x] levels of a slice, or HU where the data set says what its levels are.

    Raises:
        InputError: it can't be read, or is larger than a slice can be.
    """
    levels = read_radiograph(file.path).array
    if max(levels.shape) > MOST_PX:
        raise UnsupportedError(
            f"{file.path} has {levels.shape[0]} by {levels.shape[1]} pixels, more than a CT slice.",
            "For X-rays take a model of X-rays: --model xray.",
        )
    return levels if file.hu_ends is None else stretched_hu(levels, *file.hu_ends)


def _slice(file: SliceFile, predictor: SlicePredictor, out: Path) -> dict[str, object]:
    """Predict a slice and write its folder; what the index says about it."""
    image = read_slice(file)
    found = predictor(file.key, image, file.pixel_mm, file.point_px)
    grey = (canonical(image, predictor.window) * 255).round().astype(np.uint8)
    plane = None if file.pixel_mm is None else SpacingPlane.PATIENT
    write_prediction(out / file.key, Radiograph(grey, file.pixel_mm, source=file.path.name, plane=plane), found)
    marked = int(found.mask.labels.any())
    is_told = predictor.takes_point and file.is_of_dataset and file.point_px is not None
    return {
        "marked": marked,
        "nodules": len(found.nodules),
        "point_px": file.point_px,
        "notes": (*found.notes, TOLD) if is_told else found.notes,
        "provenance": predictor.provenance,
    }
