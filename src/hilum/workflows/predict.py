"""Pictures to masks and nodules (`hilum predict`): X-rays here, CT slices in `predict_slices`."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from hilum.core import ConfigError, InputError, MissingError, Radiograph, SpacingPlane
from hilum.core.radiograph import PixelMm
from hilum.datasets.data_kind import CT_PATCHES, SLICES, XRAY, XRAY_CLASSES
from hilum.datasets.prepared import index_of, read_prepared
from hilum.infer.device import resolved_device
from hilum.infer.known_lesions import SecondLook
from hilum.infer.loaded import LoadedModel, load_model, model_folder, model_kind, prior_wanted, shipped_models
from hilum.infer.xray import XrayOptions, XrayPredictor
from hilum.infer.xray_domain import XrayStyle
from hilum.infer.xray_prior import EarlierXray, seen_by
from hilum.io import read_mask, read_radiograph
from hilum.io.inputs import require_path
from hilum.io.kinds import RASTERS, Kind, recognise
from hilum.io.read import files_in
from hilum.workflows.class_picture import require_opaque
from hilum.workflows.output import Run, sha256_of
from hilum.workflows.predict_case import PUBLISHED_ENDING, distinct, hash_of, key_of
from hilum.workflows.predict_case import write_prediction as write_prediction  # also for those who predict one by one
from hilum.workflows.predict_classes import require_for_classes, run_films
from hilum.workflows.predict_ct import is_ct
from hilum.workflows.predict_left import FAILED as FAILED
from hilum.workflows.predict_left import Predicted, Worker, work_through
from hilum.workflows.predict_options import DEFAULT as DEFAULT
from hilum.workflows.predict_options import DEFAULT_KNOWN_LESIONS, DEFAULT_NEW_LESIONS, NO_MODEL, SHIPPED_FOR
from hilum.workflows.predict_options import DEFAULT_XRAY as DEFAULT_XRAY
from hilum.workflows.predict_options import PredictOptions as PredictOptions
from hilum.workflows.predict_patches import run_patches
from hilum.workflows.predict_prior import PriorSource, header_doubts, with_priors
from hilum.workflows.predict_slices import run_slices
from hilum.workflows.track import Track, silently

PAIRS, OVER_TIME = "drr-pairs", "xray-over-time"
"""Kinds of data sets whose pictures are in that style: of the first those that are called so, of the second all."""
_OF_CTS = ("point", "point_px", "crf", "detector", "ensemble", "score", "series")
"""Options that X-rays don't have, so what determines a prediction of them doesn't name them."""
_PICTURES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".dcm")
"""Ends of names that promise an X-ray."""


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


def run_predict(
    inputs: Sequence[Path],
    out: Path,
    options: PredictOptions | None = None,
    *,
    force: bool = False,
    track: Track = silently,
) -> Predicted:
    """Find nodules on chest X-rays, mark those on CT slices, or tell films' classes; leaves a folder a case in `out`.

    `predictions.json` lists them. A killed run goes on where it was.

    Args:
        inputs: pictures, DICOM files, folders of them, or a prepared data set; with a point one CT.
        out: folder for the results.
        options: see there; the model's kind of data decides how the inputs are read.
        force: replace what an earlier run of hilum left there.
        track: shows how far it is.

    Raises:
        InputError: there is nothing to predict, or no such split.
        MissingError: there is no such model.
        ConfigError: an option is for another kind of data than the model's, the device is asked for and not there, or
            an earlier X-ray is missing or given in vain.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or PredictOptions()
    name = model_for(inputs, options)
    options = replace(options, model=name, known_lesions=_beside(name, options.known_lesions))
    return _PREDICT[model_kind(name)](inputs, out, options, force=force, track=track)


def model_for(inputs: Sequence[Path], options: PredictOptions) -> str:
    """The model's name or folder; of `DEFAULT` the shipped one that fits the inputs.

    Raises:
        MissingError: none is shipped for them.
    """
    if options.model != DEFAULT:
        return options.model
    fitting = _fitting(inputs, options)
    if fitting == XRAY and _knows_lesions(inputs, options):
        return DEFAULT_NEW_LESIONS
    name = SHIPPED_FOR.get(fitting)
    if name is None or (fitting != XRAY and name not in shipped_models()):
        words = "CT slices" if fitting == SLICES else "pieces of a CT"
        raise MissingError(f"no model of {words} comes with this hilum.", "Name a trained one: --model FOLDER")
    return name


def _knows_lesions(inputs: Sequence[Path], options: PredictOptions) -> bool:
    """Whether the lesions of an earlier X-ray are known: stated, or by data sets of pairs over time."""
    if options.prior_mask is not None:
        return True
    return bool(inputs) and all(index_of(one).is_file() and read_prepared(one).kind == OVER_TIME for one in inputs)


def _beside(model: str, known: str | None) -> str | None:
    """The model of known lesions beside a model; the shipped one where new lesions alone are not all of the answer."""
    if known is None and model_kind(model) == XRAY and prior_wanted(model).new_alone:
        return DEFAULT_KNOWN_LESIONS
    return None if known == NO_MODEL else known


def _fitting(inputs: Sequence[Path], options: PredictOptions) -> str:
    """The kind of model that inputs and options want: a point is one of a CT, or of a picture of a slice."""
    if options.point is not None:
        return CT_PATCHES
    return SLICES if options.point_px is not None else _kind_of(inputs)


def _kind_of(inputs: Sequence[Path]) -> str:
    """Slices or pieces of CTs where all inputs are data sets of one of them, or CTs; else X-rays."""
    kinds = {_kind_at(one) for one in inputs}
    return kind if len(kinds) == 1 and (kind := kinds.pop()) in (SLICES, CT_PATCHES) else XRAY


def _kind_at(path: Path) -> str:
    """What a data set is of, and a CT; a picture doesn't say it, and is taken for an X-ray."""
    if index_of(path).is_file():
        return read_prepared(path).kind
    return CT_PATCHES if is_ct(path) else XRAY


def _run_xrays(inputs: Sequence[Path], out: Path, options: PredictOptions, *, force: bool, track: Track) -> Predicted:
    """X-rays, by a model of X-rays."""
    if foreign := (*options.of_slices, *options.of_cts):
        raise ConfigError(
            f"{' and '.join(foreign)} {'are' if len(foreign) > 1 else 'is'} for CTs and their slices, and the model "
            f"{options.model} marks nodules on X-rays.",
            "Name a model of CTs or slices (--model FOLDER), or leave it out.",
        )
    name = options.model
    sources = with_priors(xray_sources(inputs, options), name, _stated_prior(options), options.known_lesions)
    by_key = {source.key: source for source in sources}

    def ready() -> Worker:
        model = load_model(name)
        styles = {source.style for source in sources}
        predictors, looks = _predictors(model, styles, options), _second_looks(styles, options)
        return Worker(
            model.name,
            lambda key: _one(by_key[key], predictors[by_key[key].style], out, looks.get(by_key[key].style)),
            {key: source.path for key, source in by_key.items()},
        )

    return work_through(list(by_key), predict_run(sources, name, options), out, ready, force=force, track=track)


def _run_classes(inputs: Sequence[Path], out: Path, options: PredictOptions, *, force: bool, track: Track) -> Predicted:
    """X-rays, by a model of classes."""
    require_for_classes(options)
    sources = xray_sources(inputs, options)
    by_key = {source.key: source for source in sources}
    run = predict_run(sources, options.model, options)

    def read(key: str) -> Radiograph:
        require_opaque(by_key[key].path)
        return read_source(by_key[key])[0]

    return run_films(sources, run, out, read, options, force=force, track=track)


_PREDICT = {XRAY: _run_xrays, SLICES: run_slices, CT_PATCHES: run_patches, XRAY_CLASSES: _run_classes}
"""By the kind of data that the model has learnt."""


def xray_sources(inputs: Sequence[Path], options: PredictOptions) -> tuple[XraySource, ...]:
    """Every X-ray that the inputs name, with keys that differ.

    Raises:
        InputError: there is none.
    """
    found = [source for path in inputs for source in _sources(path, options)]
    if not found:
        raise InputError("nothing to predict.", "Name X-rays (PNG, JPEG, TIFF, DICOM), a folder of them or a data set.")
    return tuple(distinct(found))


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
        if folder and recognise(file) not in (*RASTERS, Kind.DICOM) and file.suffix.lower() not in _PICTURES:
            continue  # what is called a picture and is none fails by its name
        yield XraySource(key_of(file), file, options.style or _style_of(file), stated)


def _style_of(file: Path) -> XrayStyle:
    return XrayStyle.PUBLISHED if file.name.endswith(PUBLISHED_ENDING) else XrayStyle.FILM


def _of_dataset(path: Path, options: PredictOptions) -> Iterator[XraySource]:
    data = read_prepared(path)
    for case in data.cases_in(options.split):
        if case.image is None:
            continue
        published = data.kind == OVER_TIME or (data.kind == PAIRS and case.image.name.endswith(PUBLISHED_ENDING))
        style = options.style or (XrayStyle.PUBLISHED if published else XrayStyle.FILM)
        prior = None
        if case.prior_image is not None:
            prior = PriorSource(case.prior_image, case.prior, style, is_laid_over=True, notes=case.prior_notes)
        yield XraySource(case.key, case.image, style, case.pixel_mm, case.patient, prior)


def predict_run(sources: Sequence[XraySource], model: str, options: PredictOptions) -> Run:
    """What determines a prediction: pictures and model by their content, and the options."""
    inputs = {source.key: hash_of(source.path) for source in sources}
    for source in sources:
        if source.prior is not None:
            inputs |= {f"{source.key} prior {what}": digest for what, digest in source.prior.hashes}
    inputs |= _hashes("model", model)
    # The earlier X-ray is an input, known by its content.
    stated = asdict(options).items()
    settings: dict[str, object] = {name: value for name, value in stated if name not in ("prior", "prior_mask")}
    settings = {name: value for name, value in settings.items() if name not in _OF_CTS}
    for name in ("prior_pixel_mm", "known_lesions"):  # runs of a time before these don't say them
        if settings[name] is None:
            del settings[name]
    if options.known_lesions is not None:
        inputs |= _hashes("known lesions' model", options.known_lesions)
    settings["styles"] = {source.key: str(source.style) for source in sources}
    return Run("predict", inputs, settings)


def _hashes(what: str, model: str) -> dict[str, str]:
    files = (path for path in sorted(model_folder(model).iterdir()) if path.is_file())
    return {f"{what} {path.name}": sha256_of(path) for path in files}


def _second_looks(styles: Collection[XrayStyle], options: PredictOptions) -> dict[XrayStyle, SecondLook]:
    """The model of known lesions for pictures of each style; nothing where none is given."""
    if options.known_lesions is None:
        return {}
    model, device = load_model(options.known_lesions), resolved_device(options.device)
    return {style: SecondLook(model, style, device) for style in styles}


def _predictors(
    model: LoadedModel, styles: Collection[XrayStyle], options: PredictOptions
) -> dict[XrayStyle, XrayPredictor]:
    """The model for pictures of each style."""
    device = resolved_device(options.device)
    return {style: XrayPredictor(model, XrayOptions(style, options.threshold, options.tta, device)) for style in styles}


def _one(source: XraySource, predictor: XrayPredictor, out: Path, look: SecondLook | None = None) -> dict[str, object]:
    """Predict one X-ray and write its folder; what the index says about it."""
    xray, earlier = read_source(source)
    found = predictor(source.key, xray, seen_by(earlier, predictor.model.prior))
    if look is not None and earlier is not None:
        found = look(found, xray, earlier, predictor.rule)
    write_prediction(out / source.key, xray, found)
    marked = int(found.mask.labels.any())
    said = {"marked": marked, "nodules": len(found.nodules), "notes": found.notes}
    beside: dict[str, object] = {} if source.prior is None else {"prior": dict(source.prior.hashes)}
    provenance = predictor.provenance
    if look is not None and found.known is not None:
        beside |= {"known": len(found.known), "gone": sum(one.is_gone for one in found.known)}
        options = {**provenance.options, "known_lesions": look.stated}
        provenance = replace(provenance, options=options)
    return {**said, **beside, "provenance": provenance}


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
