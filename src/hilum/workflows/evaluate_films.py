"""What predictions say of chest X-rays as a whole (`classes.json`), and all judged films together."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import UnreadableError
from hilum.core.films import FilmFigures
from hilum.datasets.class_source import LABELS
from hilum.evaluate.bootstrap import Resamples
from hilum.evaluate.film_labels import FilmSaid
from hilum.evaluate.films import FilmResult, film_figures
from hilum.io.json_file import read_json

CLASSES_FILE, SCHEMA = "classes.json", "hilum.classes/1"


def said_of_film(folder: Path, key: str) -> FilmSaid:
    """What a prediction says of a film; nothing where it has no `classes.json`, as those of other tools.

    Raises:
        UnreadableError: the file is not what hilum writes.
    """
    path = folder / key / CLASSES_FILE
    if not path.is_file():
        return FilmSaid()
    content = read_json(path)
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise UnreadableError(f"{path} is no {SCHEMA}.", "Predict the film again.")
    try:
        scores = {int(one["number"]): float(one["score"]) for one in content["classes"]}
        return FilmSaid(scores, _labels(content["labels"]), bool(content["is_unsure"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"{path} lacks {error}.", "Predict the film again.") from error


def _labels(said: Mapping[str, Any] | None) -> "np.ndarray[tuple[int], np.dtype[np.float64]] | None":
    return None if said is None else np.array([float(said[str(label)]) for label in LABELS])


def films_found(films: Sequence[FilmResult | None], names: Mapping[int, str], draw: Resamples) -> FilmFigures | None:
    """All judged films together; None where not every case is one.

    Args:
        films: of each judged case.
        names: of the declared classes.
        draw: of the cases' patients.
    """
    known = [one for one in films if one is not None]
    if not known or len(known) < len(films):
        return None
    return film_figures(known, names, [str(one) for one in LABELS], draw)
