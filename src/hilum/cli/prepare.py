"""`hilum prepare`."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.failures import say_failures
from hilum.cli.options import RUN, TABULATED_KEV, Debug, Force, MaxFailures, Seed, Share, Workers

if TYPE_CHECKING:
    from hilum.datasets.looks import Range, Variation
    from hilum.workflows.prepare import Prepared

prepare = App(
    name="prepare",
    help="""Raw data to a data set: images, masks, per-nodule truth, and a stored split by patient.

```
hilum prepare drr-pairs lidc-drr pairs    published pairs, LIDC's truth attached
hilum prepare drr-pairs LIDC-IDRI pairs   CTs, rendered
hilum prepare jsrt JSRT films             real radiographs, a nodule's centre and size known
hilum prepare over-time pairs over-time   an earlier picture of each, and what changed since
hilum prepare slices slices.npz slices    CT crops of nodules, what each reader outlined
hilum prepare cubes cubes.npz cubes       cubes of CTs around nodules, what one reader outlined
hilum prepare lidc LIDC-IDRI lidc         pieces of CTs, nodules as their readers outlined them
hilum prepare luna16 LUNA16 luna16        pieces of CTs, nodules as balls of their diameter
hilum prepare tumour-ct Task06_Lung lung  pieces of CTs, tumours by masks or boxes
hilum prepare inserted ct.nii.gz inserted --nodules cubes   real nodules put into whole CTs, synthetic
hilum prepare covid-qu-ex SRC classes     chest X-rays: healthy lung, COVID-19 and other infection
hilum prepare cxr-masks SRC classes --layout cxr-infection   chest X-rays with bit masks
hilum prepare lung-drrs ct.nii.gz lungs    X-rays of CTs with their lung fields
hilum prepare xray-pack pairs pairs.npz   a data set as one file, to train from elsewhere
```
""",
)

Ends = Annotated[tuple[float, ...], Parameter(consume_multiple=True, negative="")]


@Parameter(name="*", group="Views")
@dataclass(frozen=True)
class Views:
    """How CTs are seen and shown."""

    style: Annotated[
        tuple[Literal["radiograph", "raw", "source"], ...], Parameter(consume_multiple=True, negative="")
    ] = ("radiograph",)
    "As a radiograph, as raw −ln of the signal, or in the published pairs' style; of several each view draws one."
    geometry: Annotated[tuple[Literal["parallel", "cone"], ...], Parameter(consume_multiple=True, negative="")] = (
        "parallel",
    )
    "Parallel keeps millimetres as they are, a cone magnifies; of several each view draws one."
    views: int = 1
    "Pictures of each CT; the first stands straight, the others are turned and shifted at random."
    turn_deg: float = 5.0
    "Largest turn about each axis, in degrees."
    shift_mm: float = 10.0
    "Largest shift along each axis, in mm."
    pixel_mm: float | None = None
    "Side of a pixel in mm; the CT's smallest spacing (times the magnification) when not given."


@Parameter(name="*", group="Physics")
@dataclass(frozen=True)
class Physics:
    """What happens on the way: one number, or the two ends of a range from which each view draws its own."""

    energy_kev: Annotated[Ends | None, Parameter(validator=TABULATED_KEV)] = None
    "Energy of the photons in keV, 30 to 150."
    photons_per_mm2: Ends | None = None
    "Photons per mm² of detector in the open beam, for noise (1.5e6 is a usual chest exposure); none without it."
    scatter: Ends = (0.0,)
    "Scattered share of the signal behind the patient, 0 to below 1."
    blur_mm: Ends = (0.0,)
    "Sigma in mm of the detector's blur."


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class Running:
    """How the work is done; of these the result depends on the seed alone."""

    seed: Seed = 0
    "Of all that is drawn."
    workers: Workers = 1
    "Processes at a time."
    max_failures: MaxFailures = 20
    "Inputs that may fail before the run stops."
    force: Force = False
    "Replace what another run of hilum left in OUT."


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class OverTimeRunning(Running):
    """The same, with fewer failures."""

    max_failures: MaxFailures = 5
    "Pictures that may fail before the run stops."


@prepare.command(name="drr-pairs")
def drr_pairs(
    src: Path,
    out: Path,
    /,
    *,
    consensus: Share = 0.5,
    outline_rule: Literal["inside", "outline"] = "inside",
    views: Views | None = None,
    physics: Physics | None = None,
    running: Running | None = None,
    debug: Debug = False,
) -> int:
    """Chest X-rays made of CTs (DRRs), each with the masks of its nodules.

    SRC is one of two things. Published pairs (NAME_drr.png and NAME_drr_mask.png): they are copied, and LIDC's truth is
    attached to them. Or CTs of LIDC patients: they are rendered from the front. A NIfTI, MHD/MHA or NRRD file, and a
    folder of DICOM slices, is a CT; a LIDC-IDRI-0001 in its path, or DICOM's Patient ID, says whose. Its outlines come
    from LIDC's XML beside the slices, or from the installed database.

    OUT then holds 1-200/NAME_drr.png and NAME_drr_mask.png (all readers, all nodules), truth/NAME/ with nodules.json,
    the consensus mask and each nodule's silhouettes (of CTs also its path length, 0.01 mm a step, and what its shadow
    measures), and dataset.json with the split, what was drawn and every file's SHA-256. Patients whose number is
    divisible by 5 are left out, always.

    A run that was stopped, however it was, goes on when it is started again. An input that fails is listed in
    failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare drr-pairs lidc-drr pairs
    hilum prepare drr-pairs LIDC-IDRI pairs --workers 8
    hilum prepare drr-pairs LIDC-IDRI pairs --views 4 --turn-deg 8 --energy-kev 55 75 --seed 1
    hilum prepare drr-pairs LIDC-IDRI pairs --geometry parallel cone --scatter 0.1 0.5 --blur-mm 0.05 0.25
    hilum prepare drr-pairs LIDC-IDRI pairs --style source
    ```

    Parameters
    ----------
    src
        Folder with published pairs, or with CTs.
    out
        Folder for the data set.
    consensus
        Share of a nodule's readers who need to have a voxel.
    outline_rule
        Whether the pixels under the readers' lines belong to a nodule's silhouettes: inside leaves them out (LIDC's
        readers marked the first pixel outside), outline takes them in.
    debug
        Show the traceback of each input that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.ops import OutlineRule
    from hilum.workflows.pair_case import CaseOptions
    from hilum.workflows.prepare import PrepareOptions, prepare_drr_pairs

    running = running or Running()
    with checked_options():
        variation = _variation(views or Views(), physics or Physics())
        case = CaseOptions(consensus, OutlineRule(outline_rule), variation, running.seed)
        options = PrepareOptions(case, running.workers, running.max_failures, running.force)
    return say_prepared(prepare_drr_pairs(src, out, options, bar), debug=debug)


@prepare.command
def jsrt(
    src: Path,
    out: Path,
    /,
    *,
    halves: Annotated[bool, Parameter(negative="")] = False,
    max_failures: MaxFailures = 20,
    force: Force = False,
    debug: Debug = False,
) -> int:
    """JSRT's chest radiographs, with the centre, size and subtlety of their nodules: films to test on.

    SRC holds images/ (square, of any size, showing the whole film), metadata.csv (id, subtlety, size_mm, x_2048,
    y_2048, state, and what else is known) and, where there are any, masks/ (a bit field: 1 left lung, 2 right lung, 4
    heart, 8 and 16 clavicles).

    OUT then holds images/, masks/ORGAN/, truth/KEY/nodules.json (centre_px in the picture's own pixels, size_mm, and
    subtlety) and dataset.json. Films without a nodule are cases with an empty truth. Every film is in the split "test",
    unless --halves is given. Predictions are judged by hilum evaluate --data OUT --split test, truth "points".

    A film whose row or files can't be used is listed in failures.json, and the exit code is 3.

    ```
    hilum prepare jsrt JSRT films
    ```

    Parameters
    ----------
    src
        Folder with images/, metadata.csv and masks/.
    out
        Folder for the data set.
    halves
        Put half of the films, by a hash of the patient's name, into the split "train", for networks that adapt to films
        without their labels (hilum train --unlabeled); the other half is for testing.
    max_failures
        Films that may fail before the run stops.
    force
        Replace what another run of hilum left in OUT.
    debug
        Show the traceback of each film that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.prepare_jsrt import JsrtOptions, prepare_jsrt

    return say_prepared(prepare_jsrt(src, out, JsrtOptions(max_failures, force, halves), bar), debug=debug)


@prepare.command(name="over-time")
def over_time(
    pairs: Path,
    out: Path,
    /,
    *,
    variants: Annotated[int, Parameter(validator=Number(gte=1))] = 3,
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    running: OverTimeRunning | None = None,
    debug: Debug = False,
) -> int:
    """Pairs over time: for each published pair an earlier X-ray of the same patient, and what became of each lesion.

    Nobody has published such pairs with truth, so the earlier picture is made of the current one. Lesions grow, shrink,
    come and go in stated shares (50 % unchanged, 20 % grown, 10 % shrunk, 10 % gone, 10 % new); real nodules are
    changed by LIDC's outlines, and more are inserted where the shares need them: training patients' shapes for
    training patients, validation patients' for validation patients. Then the patient stands and breathes differently,
    and the picture is exposed and processed differently. It is registered to the current one as at prediction, and as
    the true warp is known, the error that is left is stored with each case.

    OUT then holds cases/KEY/ with current.png, earlier.png (as taken), prior.png (registered), the masks of all
    three, changes.json with lesions.png and prior_lesions.png (which lesion each pixel belongs to); dataset.json with
    the split, the shares wanted and reached, and what was drawn; and qa.png, some lesions of each kind to be looked at.

    A run that was stopped, however it was, goes on when it is started again; what lacks a file, or was drawn when
    another picture couldn't be read, is made anew. A picture that fails is listed in failures.json, once for all its
    variants; the exit code is 3.

    ```
    hilum prepare over-time pairs over-time
    hilum prepare over-time pairs over-time --variants 5 --seed 1 --workers 8
    hilum prepare over-time pairs still --set pose.breathing_mm=0 --set pose.rotate_deg=0
    ```

    Parameters
    ----------
    pairs
        A prepared data set of published pairs (hilum prepare drr-pairs).
    out
        Folder for the data set.
    variants
        Earlier pictures of each training picture, lesions changed anew for each; validation pictures have one.
    settings
        Other settings than the usual: --set lesions.shares.new=0.2 --set lesions.shares.unchanged=0.4.
    debug
        Show the traceback of each picture that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.prepare_over_time import OverTimeOptions, over_time_config, prepare_over_time

    running = running or OverTimeRunning()
    with checked_options():
        config = over_time_config(settings)
        options = OverTimeOptions(config, variants, running.seed, running.workers, running.max_failures, running.force)
    prepared = prepare_over_time(pairs, out, options, bar)
    return say_prepared(prepared, debug=debug)


@prepare.command(name="xray-pack")
def xray_pack(
    src: Path,
    out: Path,
    /,
    *,
    recipe: str = "xray",
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = (),
    force: Annotated[bool, Parameter(negative="")] = False,
    debug: Debug = False,
) -> int:
    """A prepared data set as one file, for training where it can't be carried whole.

    OUT holds what a run of the recipe reads: pictures and truth of both splits, on the recipe's pixels, without loss,
    and the nodules that are inserted. hilum train --data OUT learns from it as from SRC, and so does a machine that has
    only PyTorch and NumPy (experiments/gpu_queue.md). The published pairs at 0.7 mm make 37 MB; a note says when it is
    more than 60 MB.

    Cases that can't be read are named, on stderr and within OUT, and the exit code is 3.

    ```
    hilum prepare xray-pack pairs pairs.npz
    hilum prepare xray-pack pairs half.npz --set data.pixel_mm=1.4
    hilum prepare xray-pack pairs plain.npz --recipe xray_unet
    ```

    Parameters
    ----------
    src
        A prepared data set (hilum prepare drr-pairs).
    out
        File for the result; its name ends in .npz.
    recipe
        That says which pixels, which truth, and whether nodules are inserted; hilum recipes lists them.
    settings
        Other settings than the recipe's: --set data.truth=consensus --set insertion.share=0.
    force
        Write over a file that exists.
    debug
        Show the traceback of each case that failed; `hilum --debug`.
    """
    from hilum.workflows.train_config import resolved_config
    from hilum.workflows.xray_pack import CARRIED_MB, pack_xrays

    with checked_options():
        config = resolved_config(recipe, settings=settings)
    packed = pack_xrays(src, out, config, force=force)
    pictures = f"{packed.training} pictures to learn from, {packed.validation} to be judged on"
    print(f"Done: {packed.path}, {packed.megabytes:.1f} MB: {pictures}, {packed.nodules} nodules to insert")
    if packed.is_large:
        print(
            f"hilum: note: {packed.path} is larger than {CARRIED_MB} MB; larger pixels make it smaller", file=sys.stderr
        )
    return say_failures(packed.failures, debug=debug)


def _variation(views: Views, physics: Physics) -> "Variation":
    from hilum.datasets.looks import Variation
    from hilum.drr.display import Style
    from hilum.drr.projection import Beam

    return Variation(
        styles=tuple(Style(one) for one in views.style),
        views=views.views,
        turn_deg=views.turn_deg,
        shift_mm=views.shift_mm,
        energy_kev=None if physics.energy_kev is None else _range("energy-kev", physics.energy_kev),
        photons_per_mm2=None if (quanta := physics.photons_per_mm2) is None else _range("photons-per-mm2", quanta),
        pixel_mm=views.pixel_mm,
        scatter=_range("scatter", physics.scatter),
        blur_mm=_range("blur-mm", physics.blur_mm),
        beams=tuple(Beam(one) for one in views.geometry),
    )


def _range(option: str, ends: tuple[float, ...]) -> "Range":
    from hilum.core import InputError

    if len(ends) not in (1, 2):
        raise InputError(f"--{option} takes one number or the two ends of a range, got {len(ends)}.", "Leave some out.")
    return ends[0], ends[-1]


def say_prepared(prepared: "Prepared", *, debug: bool, of: str = "held-out patients") -> int:
    """Tell what a run left, and give the exit code."""
    from hilum.workflows.prepare import FAILED

    state = "Already there" if prepared.was_done else "Done"
    left_out = f", {len(prepared.left_out)} of {of} left out" if prepared.left_out else ""
    print(f"{state}: {prepared.folder / 'dataset.json'}, {prepared.cases} cases{left_out}")
    if prepared.note:
        print(f"hilum: note: {prepared.note}", file=sys.stderr)
    return say_failures(prepared.failures, listed_in=prepared.folder / FAILED, debug=debug)
