"""`hilum prepare`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

if TYPE_CHECKING:
    from hilum.workflows.prepare import Prepared

SOME_FAILED = 3

prepare = App(
    name="prepare",
    help="""Raw data to a data set: images, masks, per-nodule truth, and a stored split by patient.

```
hilum prepare drr-pairs lidc-drr pairs    published pairs, LIDC's truth attached
hilum prepare drr-pairs LIDC-IDRI pairs   CTs, rendered
```
""",
)


@prepare.command(name="drr-pairs")
def drr_pairs(
    src: Path,
    out: Path,
    /,
    *,
    style: Literal["radiograph", "raw", "source"] = "radiograph",
    views: int = 1,
    turn: float = 5.0,
    shift: float = 10.0,
    energy: Annotated[tuple[float, float] | None, Parameter(negative="")] = None,
    photons: float | None = None,
    pixel: float | None = None,
    consensus: float = 0.5,
    seed: int = 0,
    workers: int = 1,
    max_failures: int = 20,
    force: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Chest X-rays made of CTs (DRRs), each with the masks of its nodules.

    SRC is one of two things. Published pairs (NAME_drr.png and NAME_drr_mask.png): they are copied, and LIDC's truth is
    attached to them. Or CTs of LIDC patients: they are rendered from the front. A NIfTI, MHD/MHA or NRRD file, and a
    folder of DICOM slices, is a CT; a LIDC-IDRI-0001 in its path, or DICOM's Patient ID, says whose. Its outlines come
    from LIDC's XML beside the slices, or from the installed database.

    OUT then holds 1-200/NAME_drr.png and NAME_drr_mask.png (all readers, all nodules), truth/NAME/ with nodules.json,
    the consensus mask and each nodule's silhouettes, and dataset.json with the split and every file's SHA-256. Patients
    whose number is divisible by 5 are left out, always.

    A run that was stopped, however it was, goes on when it is started again. An input that fails is listed in
    failures.json and costs nothing else; the exit code is 3.

    For example:

    hilum prepare drr-pairs lidc-drr pairs

    hilum prepare drr-pairs LIDC-IDRI pairs --workers 8

    hilum prepare drr-pairs LIDC-IDRI pairs --views 4 --turn 8 --energy 55 75 --photons 20000 --seed 1

    hilum prepare drr-pairs LIDC-IDRI pairs --style source

    Parameters
    ----------
    src
        Folder with published pairs, or with CTs.
    out
        Folder for the data set.
    style
        How CTs are shown: as a radiograph, as raw −ln of the signal, or in the published pairs' style.
    views
        Pictures of each CT; the first is straight, the others are turned and shifted at random.
    turn
        Largest turn about each axis, in degrees.
    shift
        Largest shift along each axis, in mm.
    energy
        Lowest and highest energy of the photons in keV; each view draws its own.
    photons
        Photons per mm² of detector, for noise; none without it.
    pixel
        Side of a pixel in mm; the CT's smallest spacing without it.
    consensus
        Share of a nodule's readers who need to have a voxel.
    seed
        Of all that is drawn.
    workers
        Processes at a time.
    max_failures
        Inputs that may fail before the run stops.
    force
        Replace what another run of hilum left in OUT.
    """
    from hilum.cli.progress import bar
    from hilum.drr.display import Style
    from hilum.workflows.pair_case import CaseOptions
    from hilum.workflows.pair_render import Variation
    from hilum.workflows.prepare import PrepareOptions, prepare_drr_pairs

    variation = Variation(Style(style), views, turn, shift, energy, photons, pixel)
    case = CaseOptions(consensus=consensus, variation=variation, seed=seed)
    return _say(prepare_drr_pairs(src, out, PrepareOptions(case, workers, max_failures, force), bar))


def _say(prepared: "Prepared") -> int:
    state = "Already there" if prepared.was_done else "Done"
    left_out = f", {len(prepared.left_out)} of held-out patients left out" if prepared.left_out else ""
    print(f"{state}: {prepared.folder / 'dataset.json'}, {prepared.cases} cases{left_out}")
    for failure in prepared.failures:
        print(f"hilum: {failure.input}: {failure.error} {failure.remedy}".rstrip(), file=sys.stderr)
    return SOME_FAILED if prepared.failures else 0
