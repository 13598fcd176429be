"""Chest X-rays to masks and nodules (`hilum predict`)."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from hilum import __version__
from hilum.core import Failure, HilumError, InputError, Prediction, Radiograph, SpacingPlane
from hilum.core.mask import Selection
from hilum.core.radiograph import PixelMm
from hilum.datasets.prepared import SPLITS, index_of, read_prepared
from hilum.infer.device import resolved_device
from hilum.infer.loaded import LoadedModel, load_model, model_folder
from hilum.infer.xray import XrayOptions, XrayPredictor
from hilum.infer.xray_domain import XrayStyle
from hilum.infer.xray_prior import EarlierXray
from hilum.io import read_mask, read_radiograph
from hilum.io.inputs import require_path
from hilum.io.json_file import read_json, write_json
from hilum.io.kinds import RASTERS, Kind, recognise
from hilum.io.nodules_file import write_nodules
from hilum.io.raster import write_png
from hilum.io.read import files_in
from hilum.io.text_file import write_bytes
from hilum.metrics.probability import STORED_LEVELS
from hilum.workflows.evaluate_predictions import INDEX
from hilum.workflows.journal import Journal, finished_note, journalled, was_finished
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.predict_prior import PriorSource, header_doubts, with_priors
from hilum.workflows.track import Track, silently

SCHEMA = "hilum.predictions/1"
DEFAULT = "default"
DEFAULT_XRAY = "xray"
PIXEL_MM = (0.01, 10.0)
"""Sides of pixels that an X-ray can have."""
FAILED = "failures.json"
PUBLISHED_ENDING = "_drr.png"
"""How pictures of the published pairs are called: they are in the style that the shipped model learnt."""

PAIRS, OVER_TIME = "drr-pairs", "xray-over-time"
"""Kinds of data sets whose pictures are in that style: of the first those that are called so, of the second all."""

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class PredictOptions:
    """How X-rays are predicted.

    Attributes:
        model: a shipped model's name, `DEFAULT`, or the folder of a trained one.
        split: of a data set: "train", "validation", "test" or "all".
        style: what the pictures' grey levels are; None goes by the data set's kind or the file's name.
        pixel_mm: side of a pixel, for pictures that don't say.
        threshold: from which probability a pixel is in the mask; the model's own when None.
        tta: average over turned and resized views: six times the work.
        device: "auto", "cpu" or "cuda".
        prior: an earlier X-ray of the same patient, for one X-ray and a model that looks at it.
        prior_mask: the lesions that are known of it, on its pixels.
        prior_pixel_mm: side of its pixels, where it doesn't say; None is `pixel_mm` for a picture of the same rows and
            columns, and else what the mean chest tells.
    """

    model: str = DEFAULT
    split: str = "all"
    style: XrayStyle | None = None
    pixel_mm: float | None = None
    threshold: float | None = None
    tta: bool = False
    device: str = "auto"
    prior: Path | None = None
    prior_mask: Path | None = None
    prior_pixel_mm: float | None = None

    def __post_init__(self) -> None:
        if self.threshold is not None and not 0 < self.threshold <= 1:
            raise InputError(f"a threshold is above 0 and at most 1, got {self.threshold}.")
        for side_mm in (self.pixel_mm, self.prior_pixel_mm):
            if side_mm is not None and not PIXEL_MM[0] <= side_mm <= PIXEL_MM[1]:
                raise InputError(
                    f"the side of an X-ray's pixel is {PIXEL_MM[0]:g} to {PIXEL_MM[1]:g} mm, got {side_mm}.",
                    "Millimetres are meant: .143 for 143 µm.",
                )
        if self.prior_mask is not None and self.prior is None:
            raise InputError("a mask of known lesions is that of an earlier X-ray.", "Name it, too: --prior FILE.")
        if self.prior_pixel_mm is not None and self.prior is None:
            raise InputError("--prior-pixel-mm is that of an earlier X-ray.", "Name it, too: --prior FILE.")


@dataclass(frozen=True)
class XraySource:
    """One X-ray to predict.

    Attributes:
        key: names its folder.
        path: of the picture.
        style: what its grey levels are.
        pixel_mm: row and column step that the data set or the user states; None leaves it to the file.
        patient: whose it is, where a data set says so.
        prior: what is known from before; None when there is nothing.
    """

    key: str
    path: Path
    style: XrayStyle
    pixel_mm: tuple[float, float] | None = None
    patient: str = ""
    prior: PriorSource | None = None


@dataclass(frozen=True)
class Predicted:
    """What was predicted.

    Attributes:
        folder: with `predictions.json` and a folder a case.
        model: which model it was.
        keys: of the cases that worked.
        marked: how many of them have a nodule in their mask.
        failures: inputs that could not be predicted.
        was_done: whether the folder held this result already.
        note: that other code of hilum has made some of it; "" when it hasn't.
        notes: what was assumed or is doubted, and of which cases.
    """

    folder: Path
    model: str
    keys: tuple[str, ...]
    marked: int
    failures: tuple[Failure, ...] = field(default=())
    was_done: bool = False
    note: str = ""
    notes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def run_predict(
    inputs: Sequence[Path],
    out: Path,
    options: PredictOptions | None = None,
    *,
    force: bool = False,
    track: Track = silently,
) -> Predicted:
    """Find nodules on chest X-rays; leaves `predictions.json` and a folder a case in `out`.

    A killed run goes on where it was.

    Args:
        inputs: pictures, DICOM files, folders of them, or a prepared data set.
        out: folder for the results.
        options: see there.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: there is nothing to predict, or no such split.
        MissingError: there is no such model.
        ConfigError: the device is asked for and not there, or an earlier X-ray is missing or given in vain.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or PredictOptions()
    name = DEFAULT_XRAY if options.model == DEFAULT else options.model
    sources = with_priors(xray_sources(inputs, options), name, _stated_prior(options))
    run = predict_run(sources, name, options)
    if was_finished(out, run) and not force:
        return replace(_as_left(out), note=finished_note(out, run))
    model = load_model(name)
    predictors = _predictors(model, {source.style for source in sources}, options)
    with journalled(out, run, force=force) as journal:
        done = journal.entries()
        for source in track([one for one in sources if one.key not in done], "predicting"):
            journal.add(source.key, _one(source, predictors[source.style], out))
        _finish(out, journal, sources, model)
        journal.finish(run)
    return replace(_as_left(out), was_done=False, note=journal.note)


def xray_sources(inputs: Sequence[Path], options: PredictOptions) -> tuple[XraySource, ...]:
    """Every X-ray that the inputs name, with keys that differ.

    Raises:
        InputError: there is none.
    """
    found = [source for path in inputs for source in _sources(path, options)]
    if not found:
        raise InputError("nothing to predict.", "Name X-rays (PNG, JPEG, TIFF, DICOM), a folder of them or a data set.")
    return tuple(_distinct(found))


def _stated_prior(options: PredictOptions) -> PriorSource | None:
    if options.prior is None:
        return None
    for path in filter(None, (options.prior, options.prior_mask)):
        require_path(path)
    side_mm = options.prior_pixel_mm
    stated = None if side_mm is None else (side_mm, side_mm)
    style = options.style or _style_of(options.prior)
    return PriorSource(options.prior, options.prior_mask, style, pixel_mm=stated)


def _sources(path: Path, options: PredictOptions) -> Iterator[XraySource]:
    if index_of(path).is_file():
        yield from _of_dataset(path, options)
        return
    stated = None if options.pixel_mm is None else (options.pixel_mm, options.pixel_mm)
    folder = recognise(path) is Kind.FOLDER
    for file in files_in(path) if folder else [path]:
        if folder and recognise(file) not in (*RASTERS, Kind.DICOM):
            continue
        yield XraySource(_key(file), file, options.style or _style_of(file), stated)


def _style_of(file: Path) -> XrayStyle:
    return XrayStyle.PUBLISHED if file.name.endswith(PUBLISHED_ENDING) else XrayStyle.FILM


def _of_dataset(path: Path, options: PredictOptions) -> Iterator[XraySource]:
    data = read_prepared(path)
    wanted = set(data.splits[options.split]) if options.split in SPLITS else None
    if wanted is None and options.split != "all":
        raise InputError(f"there is no split {options.split!r}.", f"There are: {', '.join(SPLITS)} and all.")
    for case in data.cases(data.truth_name()):
        if case.image is None or (wanted is not None and case.patient not in wanted):
            continue
        published = data.kind == OVER_TIME or (data.kind == PAIRS and case.image.name.endswith(PUBLISHED_ENDING))
        style = options.style or (XrayStyle.PUBLISHED if published else XrayStyle.FILM)
        prior = None
        if case.prior_image is not None:
            prior = PriorSource(case.prior_image, case.prior, style, is_laid_over=True, notes=case.prior_notes)
        yield XraySource(case.key, case.image, style, case.pixel_mm, case.patient, prior)


def _key(path: Path) -> str:
    stem = path.name.removesuffix(PUBLISHED_ENDING).split(".")[0] if path.suffix else path.name
    return _UNSAFE.sub("_", stem).strip("._") or "xray"


def _distinct(sources: Sequence[XraySource]) -> Iterator[XraySource]:
    """The same sources; a key that is taken gets a number."""
    taken: set[str] = set()
    for source in sources:
        key, number = source.key, 2
        while key in taken:
            key, number = f"{source.key}-{number}", number + 1
        taken.add(key)
        yield replace(source, key=key)


def predict_run(sources: Sequence[XraySource], model: str, options: PredictOptions) -> Run:
    """What determines a prediction: pictures and model by their content, and the options."""
    folder = model_folder(model)
    inputs = {source.key: _hash(source.path) for source in sources}
    for source in sources:
        if source.prior is not None:
            inputs |= {f"{source.key} prior {what}": digest for what, digest in source.prior.hashes}
    inputs |= {f"model {path.name}": sha256_of(path) for path in sorted(folder.iterdir()) if path.is_file()}
    # The earlier X-ray is an input, known by its content.
    stated = asdict(options).items()
    settings: dict[str, object] = {name: value for name, value in stated if name not in ("prior", "prior_mask")}
    if options.prior_pixel_mm is None:
        del settings["prior_pixel_mm"]
    settings["styles"] = {source.key: str(source.style) for source in sources}
    return Run("predict", inputs, settings)


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:  # listed as a failure when its turn comes
        return "unreadable"


def _predictors(
    model: LoadedModel, styles: Collection[XrayStyle], options: PredictOptions
) -> dict[XrayStyle, XrayPredictor]:
    """The model for pictures of each style."""
    device = resolved_device(options.device)
    return {style: XrayPredictor(model, XrayOptions(style, options.threshold, options.tta, device)) for style in styles}


def _one(source: XraySource, predictor: XrayPredictor, out: Path) -> dict[str, object]:
    """Predict one X-ray and write its folder; what the index says about it, or why it failed."""
    try:
        xray, earlier = read_source(source)
        found = predictor(source.key, xray, earlier)
        write_prediction(out / source.key, xray, found)
    except HilumError as error:
        return {"failure": Failure(str(source.path), error.message, error.remedy)}
    marked = int(found.mask.labels.any())
    said = {"marked": marked, "nodules": len(found.nodules), "notes": found.notes}
    beside = {} if source.prior is None else {"prior": dict(source.prior.hashes)}
    return {**said, **beside, "provenance": predictor.provenance}


def read_source(source: XraySource) -> tuple[Radiograph, EarlierXray | None]:
    """The picture, and what is known from before.

    Raises:
        InputError: one of the files can't be read.
    """
    xray = _as_stated(read_radiograph(source.path), source.pixel_mm)
    return xray, _earlier(source, xray)


def _earlier(source: XraySource, xray: Radiograph) -> EarlierXray | None:
    """What is known from before, read; a stated pixel size holds for a picture of the X-ray's rows and columns, too."""
    prior = source.prior
    if prior is None:
        return None
    picture, stated = read_radiograph(prior.image), prior.pixel_mm
    # On the current picture's pixels it has their size, however that is known.
    if stated is None and not prior.is_laid_over and picture.array.shape == xray.array.shape:
        stated = source.pixel_mm
    picture = _as_stated(picture, stated)
    mask = None if prior.mask is None else read_mask(prior.mask).labels > 0
    notes = prior.notes if prior.is_laid_over else (*prior.notes, *header_doubts(prior.image, source.path))
    return EarlierXray(picture, mask, prior.style, prior.is_laid_over, prior.hashes, notes)


def _as_stated(xray: Radiograph, pixel_mm: PixelMm | None) -> Radiograph:
    """With the pixel size that the data set or the user states, where the file gives none."""
    if pixel_mm is None or xray.pixel_mm is not None:
        return xray
    return replace(xray, pixel_mm=pixel_mm, plane=SpacingPlane.PATIENT)


def write_prediction(folder: Path, xray: Radiograph, found: Prediction, known: Selection | None = None) -> None:
    """Leave `probability.png` (16 bit), `mask.png`, `nodules.json` and `overlay.png`.

    Args:
        folder: made when it isn't there.
        xray: that was predicted.
        found: the prediction.
        known: [y, x] nodules that are there, for the picture.
    """
    from hilum.report.prediction import prediction_picture

    write_png((found.probability * STORED_LEVELS).round().astype("uint16"), folder / "probability.png")
    write_png(found.mask.labels.astype("uint8"), folder / "mask.png")
    threshold = found.provenance.thresholds["mask"]
    study: dict[str, object] = {
        "key": found.key,
        "pixel_mm": xray.pixel_mm,
        "notes": found.notes,
        "threshold": threshold,
    }
    if files := found.provenance.options.get("prior_files"):
        study["prior"] = files
    write_nodules(folder / "nodules.json", study, found.nodules)
    write_bytes(folder / "overlay.png", prediction_picture(xray, found, known))


def _finish(out: Path, journal: Journal, sources: Sequence[XraySource], model: LoadedModel) -> None:
    entries = journal.entries()
    done = {one.key: entries[one.key] for one in sources if "failure" not in entries[one.key]}
    cases = [
        {"key": key, **{name: entry[name] for name in ("marked", "nodules", "notes", "prior") if name in entry}}
        for key, entry in done.items()
    ]
    provenance = next((entry["provenance"] for entry in done.values()), {"model": model.name, "version": __version__})
    write_json(out / FAILED, [entry["failure"] for entry in entries.values() if "failure" in entry])
    write_json(out / INDEX, {"schema": SCHEMA, "provenance": provenance, "cases": cases})


def _as_left(out: Path) -> Predicted:
    """What a finished run's folder says."""
    index = read_json(out / INDEX)
    failures = tuple(Failure(one["input"], one["error"], one["remedy"]) for one in read_json(out / FAILED))
    cases = index["cases"]
    marked = sum(case["marked"] for case in cases)
    keys = tuple(case["key"] for case in cases)
    every = dict.fromkeys(note for case in cases for note in case["notes"])
    notes = {note: tuple(case["key"] for case in cases if note in case["notes"]) for note in every}
    return Predicted(out, index["provenance"]["model"], keys, marked, failures, was_done=True, notes=notes)
