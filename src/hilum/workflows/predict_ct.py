"""Whole CTs to nodules (`hilum predict CT OUT`): a detector's candidates, each outlined and measured."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from hilum.core import InputError, MissingError, Provenance, Volume
from hilum.datasets.prepared import index_of
from hilum.infer.candidates import CandidateFinder, CandidateOptions
from hilum.infer.ct_nodules import CtNodules, CtRule, Finder, nodules_in
from hilum.infer.loaded import load_model, shipped_models
from hilum.infer.volumes import PatchPredictor
from hilum.infer.whole_lungs import parts_in_lungs
from hilum.io import read_volume
from hilum.io.inputs import require_path
from hilum.io.kinds import VOLUMES, Kind, recognise
from hilum.io.luna16 import CENTRE, PROBABILITY, SERIES
from hilum.io.nodules_file import write_nodules
from hilum.io.read import files_in
from hilum.io.text_file import write_bytes, write_text
from hilum.io.volumes import write_mask
from hilum.workflows.predict_case import distinct, hash_of, key_of, safe_key
from hilum.workflows.predict_left import Predicted, Worker, work_through
from hilum.workflows.predict_options import DEFAULT_DETECTOR, NO_MODEL, PredictOptions
from hilum.workflows.predict_point import ct_parts, outliner, patch_predictor, slices_run
from hilum.workflows.track import Track

CANDIDATES = "candidates.csv"
"""All that was outlined, in LUNA16's columns, for `hilum froc`."""
_ENDINGS = (".nii.gz", ".nii", ".mhd", ".mha", ".nrrd", ".nhdr")
_SAY_CT = "Name CTs of the chest: DICOM series, NIfTI, MHD/MHA or NRRD, or a folder of such files."


@dataclass(frozen=True)
class CtFile:
    """One CT to predict.

    Attributes:
        key: names its folder, and the CT in `candidates.csv`: a file's name without its ending, so LUNA16's series UID.
        path: a file, or the folder of a DICOM series.
    """

    key: str
    path: Path

    @property
    def series(self) -> str:
        """What `candidates.csv` calls it: of DICOM the series' UID, as LUNA16 does, else its key."""
        if not self.path.is_dir():
            return self.key
        return next((uid for file in files_in(self.path) if (uid := _series_of(file))), self.key)


def _series_of(file: Path) -> str:
    if recognise(file) is not Kind.DICOM:
        return ""
    from hilum.io.dicom.files import read_header

    return read_header(file).text("SeriesInstanceUID")


def is_ct(path: Path) -> bool:
    """Whether a path is one CT, or a folder of volume files; told by the first file that says it."""
    if index_of(path).is_file():
        return False
    kind = recognise(path)
    if kind is not Kind.FOLDER:
        return kind in VOLUMES
    for file in files_in(path):
        one = recognise(file)
        if one in VOLUMES:
            return True
        if one is Kind.DICOM:
            return _modality(file) == "CT"
    return False


def _modality(file: Path) -> str:
    from hilum.io.dicom.files import read_header

    return read_header(file).text("Modality")


def ct_files(inputs: Sequence[Path]) -> tuple[CtFile, ...]:
    """The CTs that inputs name, with keys that differ.

    Raises:
        InputError: there is none.
    """
    found = [one for path in inputs for one in _files(require_path(path))]
    if not found:
        raise InputError("there is no CT to predict.", _SAY_CT)
    return tuple(distinct(found))


def _files(path: Path) -> Iterator[CtFile]:
    if recognise(path) is not Kind.FOLDER:
        yield CtFile(_key(path), path)
        return
    volumes = [file for file in files_in(path) if recognise(file) in VOLUMES]
    if not volumes:
        yield CtFile(key_of(path, "ct"), path)
    for file in volumes:
        yield CtFile(_key(file), file)


def _key(path: Path) -> str:
    """A file's name without its ending; dots within it are kept, as a series UID has them."""
    ending = next((one for one in _ENDINGS if path.name.lower().endswith(one)), "")
    return safe_key(path.name.removesuffix(path.name[len(path.name) - len(ending) :]), "ct")


def run_ct(inputs: Sequence[Path], out: Path, options: PredictOptions, *, force: bool, track: Track) -> Predicted:
    """Find the nodules of CTs; leaves a folder a CT, `candidates.csv` and `predictions.json`.

    A CT's folder holds `mask.nii.gz` (on its own grid, a label a nodule), `nodules.json`, `overlay.png` and its own
    `candidates.csv`.

    Args:
        inputs: CTs, or folders of volume files.
        out: folder to fill.
        options: with the names or folders of the model that outlines, and of the detector.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: there is no CT.
        MissingError: there is no such model.
        OutputError: `out` holds something else, or can't be written.
    """
    cts = {one.key: one for one in ct_files(inputs)}
    options = replace(options, detector=detector_for(options))
    run = slices_run({f"{key} {name}": digest for key, one in cts.items() for name, digest in _hashes(one)}, options)

    def ready() -> Worker:
        reader = ct_reader(options)
        return Worker(
            reader.name,
            lambda key: _one(cts[key], reader, out, options.series),
            {key: one.path for key, one in cts.items()},
        )

    done = work_through(list(cts), run, out, ready, force=force, track=track)
    if not done.was_done:
        write_text(out / CANDIDATES, _together(out / key / CANDIDATES for key in done.keys))
    return replace(done, what="CTs")


def _hashes(one: CtFile) -> Iterator[tuple[str, str]]:
    for file in ct_parts(one.path):
        yield str(file.relative_to(one.path) if one.path.is_dir() else file.name), hash_of(file)


def detector_for(options: PredictOptions) -> str:
    """The detector's name or folder, or `NO_MODEL`; the shipped one where nothing is said.

    Raises:
        MissingError: nothing is said, and none is shipped.
    """
    if options.detector is not None:
        return options.detector
    if DEFAULT_DETECTOR not in shipped_models():
        raise MissingError(
            "no detector of nodules on CTs comes with this hilum.",
            "Name a trained one (--detector RUN), have the model's own marks in the lungs taken (--detector none), or "
            "say where the nodule is: --point x,y,z (LPS mm).",
        )
    return DEFAULT_DETECTOR


@dataclass(frozen=True, eq=False)
class CtReader:
    """Models, ready for one CT after another.

    Attributes:
        name: of the model that outlines.
        finder: of candidates.
        segmenter: outlines them.
        rule: what is called a nodule.
        provenance: what predictions are made with.
    """

    name: str
    finder: Finder
    segmenter: PatchPredictor
    rule: CtRule
    provenance: Provenance

    def __call__(self, volume: Volume) -> CtNodules:
        """The nodules of a CT."""
        return nodules_in(volume, self.finder, self.segmenter, self.rule)

    @property
    def hand(self) -> str:
        """Whose outlines these are, so that those of other software or other weights are told apart."""
        return f"hilum's {self.name} ({self.provenance.weights_hash[:8]})"


def ct_reader(options: PredictOptions) -> CtReader:
    """The models, as the options use them.

    Raises:
        MissingError: there is no such model.
        ConfigError: a model is of something else.
    """
    segmenter, named = outliner(options), detector_for(options)
    if named == NO_MODEL:
        finder: Finder = partial(parts_in_lungs, predictor=patch_predictor(options, searches=True))
        detector: dict[str, object] = {}
    else:
        model = load_model(named)
        finder = CandidateFinder(model, CandidateOptions(segmenter.options.device))
        detector = {"detector": model.name, "detector_weights_sha256": model.weights_hash}
    rule = CtRule() if options.score is None else CtRule(options.score)
    own = segmenter.provenance
    provenance = replace(own, thresholds={**own.thresholds, "nodule": rule.score}, options={**own.options, **detector})
    return CtReader(segmenter.name, finder, segmenter, rule, provenance)


def _one(ct: CtFile, reader: CtReader, out: Path, series: str | None) -> dict[str, object]:
    """Predict a CT and write its folder; what the index says about it."""
    volume = read_volume(ct.path, series=series)
    found = reader(volume)
    write_found(out / ct.key, volume, found, reader, series or ct.series)
    said: dict[str, object] = {"marked": int(bool(found.nodules)), "nodules": len(found.nodules), "notes": found.notes}
    return {**said, "provenance": reader.provenance}


def write_found(
    folder: Path, volume: Volume, found: CtNodules, reader: CtReader, series: str, outlined_by: str | None = None
) -> None:
    """Leave `mask.nii.gz`, `nodules.json`, `candidates.csv`, where the CT is called `series`, and `overlay.png`.

    Who has outlined the nodules stands in `nodules.json`; the reader where nobody else is named.
    """
    from hilum.report.ct_nodules import ct_nodules_picture

    write_mask(found.mask, folder / "mask.nii.gz")
    study = {
        "key": folder.name,
        "threshold": reader.segmenter.threshold,
        "least_score": reader.rule.score,
        "outlined_by": outlined_by or reader.hand,
        "notes": found.notes,
        "volume_rule": "number of voxels in the mask times a voxel's volume",
        "texture_rule": "an estimate: share of inner voxels above -350 HU; below .2 non-solid (1), from .7 solid (5)",
    }
    write_nodules(folder / "nodules.json", study, found.nodules)
    write_text(folder / CANDIDATES, _table(series, found))
    write_bytes(folder / "overlay.png", ct_nodules_picture(volume, found.mask, found.nodules, found.notes))


def _table(series: str, found: CtNodules) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((SERIES, *CENTRE, PROBABILITY))
    for mark in found.marks:
        writer.writerow((series, *(f"{one:.3f}" for one in mark.centre_lps_mm), f"{mark.score:.6f}"))
    return text.getvalue()


def _together(tables: Iterable[Path]) -> str:
    """One table of several, with one line of names."""
    lines = [path.read_text(encoding="utf-8").splitlines(keepends=True) for path in tables]
    names = lines[0][:1] if lines else []
    return "".join([*names, *(line for table in lines for line in table[1:])])
