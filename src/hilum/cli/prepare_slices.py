"""`hilum prepare slices`."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.options import Debug
from hilum.cli.prepare import Running, say_prepared
from hilum.cli.prepare import prepare as prepare

if TYPE_CHECKING:
    from hilum.workflows.slice_negatives import NegativesFrom


@Parameter(name="*", group="Negatives")
@dataclass(frozen=True)
class Negatives:
    """Slices that show no nodule, for training."""

    negatives: Path | None = None
    "Folder of a tumour CT (DICOM) beside LIDC's."
    boxes: Path | None = None
    "Folder with its tumour's boxes: a Pascal-VOC XML for each slice that has one, named by SOP Instance UID."
    licence: str | None = None
    'Source and licence of both, for model cards: "Lung-PET-CT-Dx: CC BY 4.0".'
    each: Annotated[int, Parameter(validator=Number(gte=1))] = 4
    "Crops of each of its slices, at most."
    away_mm: Annotated[float, Parameter(validator=Number(gte=0))] = 15.0
    "Distance that is kept from every box, in mm."


@prepare.command
def slices(
    src: Path,
    out: Path,
    /,
    *,
    spacing: Path | None = None,
    negatives: Negatives | None = None,
    running: Running | None = None,
    debug: Debug = False,
) -> int:
    """CT crops of LIDC's nodules, with what each reader outlined.

    SRC is an .npz with three arrays: image [n, y, x] of 8 bit, each crop stretched from its darkest to its brightest
    pixel; reader_bits [n, y, x], bit k set where reader k has the pixel; key [n, 3], the patient's number, the
    nodule's, the slice's.

    OUT then holds cases/KEY/ with image.png, the masks consensus.png (what at least half of the readers have who
    outlined this nodule, on whatever slice) and union.png, nodules.json with each reader's own mask; qa.png, some of
    them to be looked at; and dataset.json with the split, the nodule and its reader count of each slice, and every
    file's SHA-256. Left out, and listed there, are held-out patients, LIDC-IDRI-0001, and patients whose pixel size
    nobody knows: of several series with different pixels the crops don't say which they are of.

    With --negatives, crops of a tumour CT away from its tumour come into the training split. They show lung and no
    marked tumour, and are cases with an empty truth; that nobody looked for small nodules there is their price.

    A run that was stopped, however it was, goes on when it is started again. A nodule that fails is listed in
    failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare slices slices.npz slices
    hilum prepare slices slices.npz slices --spacing sizes.csv --workers 4
    hilum prepare slices slices.npz slices --negatives CT --boxes annotation --licence "Lung-PET-CT-Dx: CC BY 4.0"
    ```

    Parameters
    ----------
    src
        File with the crops.
    out
        Folder for the data set.
    spacing
        CSV with the columns patient, pixel_spacing_mm and slice_spacing_mm; scan_spacing.csv beside SRC when not given.
    debug
        Show the traceback of each nodule that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.prepare_slices import SliceOptions, prepare_slices

    running = running or Running()
    with checked_options():
        wanted = _negatives(negatives or Negatives(), running.seed)
        options = SliceOptions(spacing, wanted, running.workers, running.max_failures, running.force)
    return say_prepared(prepare_slices(src, out, options, bar), debug=debug, of="patients who are in no split")


def _negatives(asked: Negatives, seed: int) -> "NegativesFrom | None":
    from hilum.core import InputError
    from hilum.datasets.slice_negatives import NegativeRule
    from hilum.workflows.slice_negatives import UNKNOWN_LICENCE, NegativesFrom

    if asked.negatives is None and asked.boxes is None:
        return None
    if asked.negatives is None or asked.boxes is None:
        raise InputError("--negatives and --boxes belong together.", "Name the CT's folder and that of its boxes.")
    rule = NegativeRule(asked.each, asked.away_mm, seed=seed)
    return NegativesFrom(asked.negatives, asked.boxes, asked.licence or UNKNOWN_LICENCE, rule)
