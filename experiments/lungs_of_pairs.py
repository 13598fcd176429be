"""Lungs that a model marks on the published pairs' pictures, as a data set to learn from (self-training).

    python experiments/lungs_of_pairs.py pairs LUNGS OUT

Two CTs are all that lungs can be projected from here; the pairs are pictures of 433 patients without lungs. What
a model of the CTs marks there is no truth: its errors are learnt, too. So pictures are left out on which it marks no
two parts of plausible size, and nothing is judged on the result.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

from hilum.core import InputError
from hilum.datasets.prepared import LUNGS, CaseSource, read_prepared
from hilum.datasets.stored_split import lidc_split
from hilum.infer.classes import ClassPredictor, load_classes
from hilum.io import read_radiograph
from hilum.ops import label_parts, part_sizes
from hilum.workflows.class_case import AboutFilm, FilmPlanes, write_film
from hilum.workflows.class_set import Arranged, ClassSet, make_classes
from hilum.workflows.lung_drr import LUNG
from hilum.workflows.output import Run
from hilum.workflows.patch_set import Running
from hilum.workflows.track import silently

LEAST, MOST, LESSER = 0.03, 0.35, 0.4
"""Share of the picture that each lung has, and least share of the larger one that the smaller one has."""


@dataclass(frozen=True)
class Unmarked:
    """A picture whose lungs nobody has outlined."""

    key: str
    case: CaseSource


def lungs_case(wanted: Unmarked, out: Path, predictor: ClassPredictor) -> Mapping[str, object]:
    """Its case.

    Raises:
        InputError: there are no two lungs of plausible size.
    """
    picture = read_radiograph(wanted.case.image)
    found = predictor(wanted.key, picture).mask
    parts = label_parts(found.labels == LUNG)
    sizes = np.sort(part_sizes(parts))[::-1] / parts.size
    if len(sizes) < 2 or sizes[1] < max(LEAST, LESSER * sizes[0]) or sizes[0] > MOST:
        raise InputError(f"{wanted.key}: shares of {sizes[:3].round(3).tolist()} are no two lungs.")
    two = np.argsort(-part_sizes(parts))[:2] + 1
    lungs = np.isin(parts, two)
    about = AboutFilm(wanted.key, wanted.case.patient, wanted.case.image.name, finding="lungs by a model")
    return write_film(
        about, FilmPlanes(picture.array, lungs.astype(np.uint8), {LUNGS: lungs}, wanted.case.pixel_mm), out
    )


def arranged(records, unit_of):
    """By LIDC's one rule."""
    del unit_of
    patient_of = {one["key"]: one["patient"] for one in records}
    return Arranged(patient_of, lidc_split(patient_of.values()))


def main() -> None:
    """See the module."""
    pairs, model, out = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
    torch.set_num_threads(1)
    data, predictor = read_prepared(pairs), ClassPredictor(load_classes(model))
    used = {*data.splits["train"], *data.splits["validation"]}
    wanted = ClassSet(
        run=Run("lungs of pairs", {"model": predictor.provenance.weights_hash}, {"least": LEAST, "most": MOST}),
        jobs=[Unmarked(one.key, one) for one in data.cases("union") if one.patient in used],
        make=partial(lungs_case, predictor=predictor),
        arrange=arranged,
        classes={LUNG: "lung"},
        about={"source": {"kind": "published pairs, lungs by a model"}},
        notes=("lungs as a model marks them: no truth",),
    )
    made = make_classes(wanted, out, Running(max_failures=200), silently)
    print(f"{made.cases} pictures, {len(made.failures)} left out")


if __name__ == "__main__":
    main()
