"""The nodule at a point of a CT, in three dimensions (`hilum predict CT OUT --point x,y,z`)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hilum.core import ConfigError, InputError, Provenance, Volume
from hilum.core.geometry import Triple
from hilum.datasets.data_kind import CT_PATCHES, SLICES
from hilum.datasets.prepared import index_of
from hilum.infer.crf import CrfConfig
from hilum.infer.device import resolved_device
from hilum.infer.loaded import load_model, model_folder, model_kind
from hilum.infer.prompted import Prompted, nodule_at
from hilum.infer.prompted_volume import nodule_in_volume
from hilum.infer.slices import SliceOptions, SlicePredictor
from hilum.infer.volumes import PatchPredictor, VolumeOptions
from hilum.io import read_volume
from hilum.io.inputs import require_path
from hilum.io.nodules_file import write_nodules
from hilum.io.read import files_in
from hilum.io.text_file import write_bytes
from hilum.io.volumes import write_mask
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.predict_case import hash_of, key_of
from hilum.workflows.predict_left import Predicted, Worker, work_through
from hilum.workflows.predict_options import NO_MODEL, PredictOptions
from hilum.workflows.track import Track

_SEARCH_OVERLAP = 0.25
_DATA_OF = {".mhd": (".raw", ".zraw"), ".nhdr": (".raw", ".raw.gz")}
"""Endings of the files with the voxels, beside a header's."""


@dataclass(frozen=True, eq=False)
class PointFinder:
    """A model of slices or of pieces of a CT, ready to find the nodule at a point.

    Attributes:
        name: of the model.
        threshold: from which probability a voxel is in the mask.
        provenance: what predictions are made with.
        find: the nodule at a point (x, y, z) in LPS mm.
    """

    name: str
    threshold: float
    provenance: Provenance
    find: Callable[[Volume, Triple], Prompted]


def run_point(
    inputs: Sequence[Path], out: Path, options: PredictOptions, point: Triple, *, force: bool, track: Track
) -> Predicted:
    """Segment the nodule at a point; leaves `mask.nii.gz` on the CT's grid, `nodules.json` and `overlay.png`.

    Args:
        inputs: one CT.
        out: folder to fill.
        options: with the model's name or folder.
        point: (x, y, z) in LPS mm.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: it is no CT, or the point lies outside it or in air.
        OutputError: `out` holds something else, or can't be written.
    """
    if len(inputs) != 1 or index_of(inputs[0]).is_file():
        raise InputError("a point is one of one CT.", "Name one CT: a DICOM series, NIfTI, MHD/MHA or NRRD.")
    path = require_path(inputs[0])
    key = key_of(path, "ct")

    def ready() -> Worker:  # before the folder is touched: what can't be read or found is one clear line
        finder = _FINDERS[model_kind(options.model)](options)
        volume = read_volume(path, series=options.series)
        found = finder.find(volume, point)

        def write(_: str) -> dict[str, object]:
            _write(out / key, volume, point, found, finder.threshold)
            is_there = int(found.nodule is not None)
            said: dict[str, object] = {"marked": is_there, "nodules": is_there, "notes": found.notes}
            return {**said, "provenance": finder.provenance}

        return Worker(finder.name, write, {key: path})

    hashes = {f"{key} {file.relative_to(path)}" if path.is_dir() else key: hash_of(file) for file in ct_parts(path)}
    done = work_through([key], slices_run(hashes, options), out, ready, force=force, track=track)
    return replace(done, what="CTs")


def ct_parts(path: Path) -> list[Path]:
    """The files that a CT is made of: all below a folder, or one with what lies beside a header (MHD, NHDR)."""
    if path.is_dir():
        return files_in(path)
    stem = path.name.removesuffix(path.suffix)
    beside = [path.with_name(stem + ending) for ending in _DATA_OF.get(path.suffix.lower(), ())]
    return [path, *(one for one in beside if one.is_file())]


def slices_run(inputs: dict[str, str], options: PredictOptions) -> Run:
    """What determines a prediction: pictures and model by their content, and the options."""
    names = ["model", "split", "pixel_mm", "threshold", "tta", "device", "point", "crf", "point_px"]
    names += [
        name for name in ("detector", "ensemble", "score", "series") if getattr(options, name)
    ]  # younger than runs there are
    models = {
        "model": options.model,
        **{f"model {number}": one for number, one in enumerate(options.ensemble, start=2)},
    }
    if options.detector is not None and options.detector != NO_MODEL:
        models["detector"] = options.detector
    hashes = {
        f"{what} {path.name}": sha256_of(path)
        for what, one in models.items()
        for path in sorted(model_folder(one).iterdir())
    }
    return Run("predict", inputs | hashes, {name: getattr(options, name) for name in names})


def slice_predictor(options: PredictOptions) -> SlicePredictor:
    """The model, as the options use it."""
    crf = CrfConfig() if options.crf else None
    device = resolved_device(options.device)
    return SlicePredictor(load_model(options.model), SliceOptions(options.threshold, options.tta, crf, device))


def patch_predictor(options: PredictOptions, *, searches: bool = False) -> PatchPredictor:
    """A model of pieces of a CT, as the options use it.

    Args:
        options: see there.
        searches: whether it only has to find places that are looked at again: quicker, and less exact.
    """
    device = resolved_device(options.device)
    used = VolumeOptions(options.threshold, options.tta, device)
    if searches:
        used = replace(used, tta=False, overlap=_SEARCH_OVERLAP, precision="auto")
    return PatchPredictor(load_model(options.model), used, [load_model(one) for one in options.ensemble])


def _by_slices(options: PredictOptions) -> PointFinder:
    predictor = slice_predictor(options)
    name, threshold = predictor.model.name, predictor.rule.threshold
    return PointFinder(name, threshold, predictor.provenance, lambda ct, point: nodule_at(ct, point, predictor))


def outliner(options: PredictOptions) -> PatchPredictor:
    """A model of pieces of a CT that outlines nodules, as the options use it.

    Raises:
        ConfigError: it gives boxes.
    """
    predictor = patch_predictor(options)
    if predictor.model.network.finds_boxes:
        raise ConfigError(
            f"{predictor.model.name} is a detector: it gives boxes, and outlines nothing.",
            f"Name a model that outlines (--model), and the detector apart: --detector {options.model}",
        )
    return predictor


def _by_pieces(options: PredictOptions) -> PointFinder:
    predictor = outliner(options)
    name, threshold = predictor.name, predictor.threshold
    return PointFinder(name, threshold, predictor.provenance, lambda ct, point: nodule_in_volume(ct, point, predictor))


_FINDERS: Mapping[str, Callable[[PredictOptions], PointFinder]] = {SLICES: _by_slices, CT_PATCHES: _by_pieces}
"""By the kind of data that the model has learnt."""


def _write(folder: Path, volume: Volume, point: Triple, found: Prompted, threshold: float) -> None:
    from hilum.report.prompted import prompted_picture

    write_mask(found.mask, folder / "mask.nii.gz")
    study = {
        "key": folder.name,
        "point_lps_mm": point,
        "threshold": threshold,
        "notes": found.notes,
        "volume_rule": "number of voxels in the mask times a voxel's volume",
    }
    write_nodules(folder / "nodules.json", study, [] if found.nodule is None else [found.nodule])
    write_bytes(folder / "overlay.png", prompted_picture(volume, found.mask, point, found.notes))
