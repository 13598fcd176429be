"""A model judged in one go: its predictions on a data set's split, then `hilum evaluate` on them."""

from pathlib import Path

from hilum.core import InputError, MissingError
from hilum.datasets.prepared import index_of
from hilum.infer.loaded import model_folder
from hilum.workflows.evaluate_data import TruthWanted, truth_source
from hilum.workflows.predict import run_predict
from hilum.workflows.predict_options import DEFAULT, PredictOptions
from hilum.workflows.track import Track, silently


def is_model(words: str) -> bool:
    """Whether this names a model: `DEFAULT`, a shipped one, or a folder with weights."""
    if words == DEFAULT:
        return True
    try:
        model_folder(words)
    except MissingError:
        return False
    return True


def predictions_of(
    model: str,
    wanted: TruthWanted,
    out: Path,
    *,
    known_lesions: str | None = None,
    force: bool = False,
    track: Track = silently,
) -> Path:
    """Predict what is to be judged, into the folder beside `out` that is called `OUT_predictions`.

    Args:
        model: as `is_model` takes it.
        wanted: the data set and its split.
        out: where the evaluation will go.
        known_lesions: a model that looks at the lesions known from before again.
        force: replace what an earlier run of hilum left in the folder of predictions.
        track: shows how far it is.

    Raises:
        InputError: the truth is no prepared data set, so there are no pictures to predict, or it has no such split.
        OutputError: the folder holds something else.
    """
    if not index_of(wanted.data).is_file():
        raise InputError(
            f"{wanted.data} is no prepared data set, so there are no pictures for the model.",
            "Prepare one (hilum prepare), or predict first: hilum predict PICTURES PREDICTIONS",
        )
    split = truth_source(wanted).split  # before anything is predicted: what is refused later leaves predictions behind
    folder = out.with_name(f"{out.name}_predictions")
    options = PredictOptions(model, split, known_lesions=known_lesions)
    run_predict([wanted.data], folder, options, force=force, track=track)
    return folder
