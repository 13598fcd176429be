"""Pieces of a CT of a data set to masks, or the nodule at a point of a CT (`hilum predict` with a model of pieces)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hilum.core import ConfigError, InputError, Mask, Quantity, Volume
from hilum.core.geometry import Triple
from hilum.datasets.data_kind import CT_PATCHES
from hilum.datasets.patch_load import patch_point
from hilum.datasets.prepared import CaseSource, index_of, read_prepared
from hilum.infer.postprocess import PostRule, post_processed
from hilum.infer.volumes import PatchPredictor
from hilum.io import read_mask, read_volume, write_mask, write_volume
from hilum.ops import label_parts
from hilum.workflows.predict_case import hash_of
from hilum.workflows.predict_ct import run_ct
from hilum.workflows.predict_left import Predicted, Worker, work_through
from hilum.workflows.predict_options import PredictOptions
from hilum.workflows.predict_point import patch_predictor, run_point, slices_run
from hilum.workflows.track import Track


@dataclass(frozen=True)
class Piece:
    """One piece to predict.

    Attributes:
        key: names its folder.
        case: of the data set.
        image: its file.
        notes: of its data set, one line each.
    """

    key: str
    case: CaseSource
    image: Path
    notes: tuple[str, ...] = ()


def run_patches(inputs: Sequence[Path], out: Path, options: PredictOptions, *, force: bool, track: Track) -> Predicted:
    """Predict the pieces of a data set, or find the nodules of CTs or, where a point is given, the nodule there.

    Args:
        inputs: a data set of pieces, or CTs; with a point one CT.
        out: folder to fill.
        options: with the model's name or folder.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: there is nothing to predict, or a CT is named beside a data set.
        MissingError: there is no such model.
        ConfigError: an option is for X-rays or slices.
        OutputError: `out` holds something else, or can't be written.
    """
    of_others = [*options.of_xrays, *(name for name in options.of_slices if name not in ("--point", "--series"))]
    if of_others:
        raise ConfigError(
            f"{' and '.join(of_others)} {'are' if len(of_others) > 1 else 'is'} not for models of pieces of a CT, such "
            f"as {options.model}.",
            "Leave it out; such a model takes --point x,y,z (LPS mm).",
        )
    if options.point is not None:
        return run_point(inputs, out, options, options.point, force=force, track=track)
    if inputs and not any(index_of(path).is_file() for path in inputs):
        return run_ct(inputs, out, options, force=force, track=track)
    pieces = {one.key: one for path in inputs for one in _pieces(path, options.split)}

    def ready() -> Worker:
        predictor = patch_predictor(options)
        places = {key: one.image for key, one in pieces.items()}
        return Worker(predictor.name, lambda key: _piece(pieces[key], predictor, out), places)

    run = slices_run({key: hash_of(one.image) for key, one in pieces.items()}, options)
    return replace(work_through(list(pieces), run, out, ready, force=force, track=track), what="pieces")


def _pieces(path: Path, split: str) -> list[Piece]:
    if not index_of(path).is_file():
        raise InputError(
            f"{path} is no data set of pieces of CTs, and others of the inputs are.",
            "Predict CTs by a run of their own.",
        )
    data = read_prepared(path)
    if data.kind != CT_PATCHES:
        raise InputError(
            f"{path} is a data set of the kind {data.kind}, and the model marks nodules in pieces of a CT.",
            "Name a data set of pieces, or a model of its kind.",
        )
    found = [Piece(case.key, case, case.image, data.notes) for case in data.cases_in(split) if case.image is not None]
    if not found:
        raise InputError(f"there is no piece in the split {split!r} of {path}.", "Choose another: --split all.")
    return found


def _piece(piece: Piece, predictor: PatchPredictor, out: Path) -> dict[str, object]:
    """Predict a piece and write `mask.nii.gz` and `probability.nii.gz`; what the index says about it."""
    volume = read_volume(piece.image)
    volume.require(Quantity.HU)
    found = predictor(volume, _point(piece, volume) if predictor.takes_point else None)
    marked = post_processed(found.array, volume.geometry.spacing_zyx_mm, PostRule(predictor.threshold))
    folder = out / piece.key
    write_mask(Mask(marked.astype(np.uint8), volume.geometry, names={1: "nodule"}), folder / "mask.nii.gz")
    write_volume(found, folder / "probability.nii.gz")
    return {
        "marked": int(marked.any()),
        "nodules": int(label_parts(marked).max()),
        "notes": piece.notes,
        "provenance": predictor.provenance,
    }


def _point(piece: Piece, volume: Volume) -> Triple | None:
    """Where the data set says that the nodule is, in LPS mm."""
    if piece.case.patch is None:
        return None
    truth = read_mask(piece.case.truth, volume.geometry).labels > 0
    place = patch_point(piece.case.patch, volume.geometry, truth)
    if place is None:
        return None
    x, y, z = (float(one) for one in volume.geometry.to_lps_mm(place))
    return x, y, z
