"""`hilum prepare` of data sets of CT pieces."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.options import RUN, Debug, Force, MaxFailures, Seed, Share, Workers
from hilum.cli.prepare import say_prepared
from hilum.cli.prepare_slices import prepare as prepare

if TYPE_CHECKING:
    from hilum.datasets.patch_places import PieceRule
    from hilum.workflows.patch_set import Running

_NOT_LEARNT_FROM = "patients who are in no split"


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class PatchRunning:
    """How the work is done; the result doesn't depend on it."""

    workers: Workers = 1
    "Processes at a time."
    max_failures: MaxFailures = 20
    "Inputs that may fail before the run stops."
    force: Force = False
    "Replace what another run of hilum left in OUT."


@Parameter(name="*", group="Pieces")
@dataclass(frozen=True)
class Pieces:
    """Which pieces are taken of each CT."""

    size: Literal[48, 64, 96] = 64
    "Voxels along each side."
    voxel_mm: Annotated[float, Parameter(validator=Number(gte=0.2, lte=5))] = 1.0
    "Side of a voxel, in mm."
    random: Annotated[int, Parameter(validator=Number(gte=0))] = 3
    "Pieces at random places in the lungs that show no nodule."
    hard: Annotated[int, Parameter(validator=Number(gte=0))] = 6
    "Pieces where something looks like a nodule and is none."
    seed: Seed = 0
    "Of the places without a nodule."


def patch_rule(asked: Pieces | None) -> "PieceRule":
    """The rule of what was asked."""
    from hilum.datasets.patch_places import PieceRule

    asked = asked or Pieces()
    return PieceRule(asked.size, asked.voxel_mm, asked.random, asked.hard, asked.seed)


def patch_running(asked: PatchRunning | None) -> "Running":
    """How the work is done, as asked."""
    from hilum.workflows.patch_set import Running

    asked = asked or PatchRunning()
    return Running(asked.workers, asked.max_failures, asked.force)


@prepare.command
def cubes(src: Path, out: Path, /, *, running: PatchRunning | None = None, debug: Debug = False) -> int:
    """Cubes of LIDC's CTs around nodules, each with what one reader outlined.

    SRC is an .npz: image [n, y, x, z] from 0 to 1 (HU = 1600 v - 1200, so that what is above 400 HU is cut), mask of
    the same size, name and patient [n], attributes [n, m] and attribute_names [m]; 1 mm steps, z from head to foot.

    OUT then holds cases/KEY/ with image.nii.gz (HU), mask.nii.gz and nodules.json (size in mm and mm³, the reader's
    ratings); qa.png, some of them to be looked at; and dataset.json with the split and every file's SHA-256. Left out,
    and listed there, are held-out patients and LIDC-IDRI-0001.

    A run that was stopped, however it was, goes on when it is started again. A cube that fails is listed in
    failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare cubes cubes.npz cubes
    ```

    Parameters
    ----------
    src
        File with the cubes.
    out
        Folder for the data set.
    debug
        Show the traceback of each cube that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.prepare_cubes import prepare_cubes

    with checked_options():
        how = patch_running(running)
    return say_prepared(prepare_cubes(src, out, how, bar), debug=debug, of=_NOT_LEARNT_FROM)


@prepare.command
def stacks(
    src: Path,
    out: Path,
    /,
    *,
    voxel_mm: Annotated[float, Parameter(validator=Number(gte=0.2, lte=5))] = 1.0,
    least_readers: Annotated[int, Parameter(validator=Number(gte=1))] = 2,
    running: PatchRunning | None = None,
    debug: Debug = False,
) -> int:
    """Consecutive slices of nodules, put together to pieces of three axes, with the consensus of their readers.

    SRC is a data set of hilum prepare slices. HU are those that were estimated for each slice. Above and below a nodule
    nothing is there, so nothing there is learnt from: such pieces are to be learnt from beside others (hilum train
    nodule3d OUT --data cubes --also stacks). OUT is as hilum prepare cubes leaves it.

    ```
    hilum prepare stacks slices stacks
    hilum prepare stacks slices stacks --least-readers 3
    ```

    Parameters
    ----------
    src
        Data set of slices.
    out
        Folder for the data set.
    voxel_mm
        Side of a voxel, in mm.
    least_readers
        Nodules that fewer readers have outlined are left out.
    debug
        Show the traceback of each stack that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.prepare_stacks import StackRule, prepare_stacks

    with checked_options():
        how, rule = patch_running(running), StackRule(voxel_mm, least_readers)
    return say_prepared(prepare_stacks(src, out, rule, how, bar), debug=debug, of="nodules that make no stack")


@prepare.command
def luna16(
    src: Path,
    out: Path,
    /,
    *,
    annotations: Path | None = None,
    candidates: Path | None = None,
    patients: Path | None = None,
    single_scan: Annotated[bool, Parameter(negative="")] = False,
    pieces: Pieces | None = None,
    running: PatchRunning | None = None,
    debug: Debug = False,
) -> int:
    """LUNA16's CTs: pieces about nodules, at random places in the lungs, and where something only looks like one.

    SRC holds subset0 to subset9, or any of them, with SERIES.mhd and SERIES.raw; the tables lie beside them, in
    CSVFILES, or where they are named. A nodule is a ball of the diameter in annotations.csv, as nobody says more.
    Places of annotations_excluded.csv are neither nodules nor the middle of a piece without one. Hard negatives are the
    candidates of class 0 of --candidates, else dense blobs in the lungs that nobody has marked.

    OUT then holds cases/KEY/ with image.nii.gz (HU) and mask.nii.gz; qa.png, some of them to be looked at; and
    dataset.json with the split, the official folds, the diameter and the fold of each piece, and every file's SHA-256.
    Whose a series is says --patients, else LIDC's installed database: held-out patients and LIDC-IDRI-0001 are left
    out. Where nobody says it each series is a patient, and the result says so.

    With --single-scan, SRC is one CT, and training and validation are both of it: the way through can be tried without
    120 GB, and figures mean nothing. Every output says so.

    A run that was stopped, however it was, goes on when it is started again. A CT that fails (no lungs, a nodule beside
    it, damaged) is listed in failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare luna16 LUNA16 luna16 --workers 8
    hilum prepare luna16 LUNA16 luna16 --candidates candidates_V2.csv --hard 10 --size 48
    hilum prepare luna16 LUNA16 luna16 --patients LIDC-IDRI-mappingLUNA16.txt
    hilum prepare luna16 1.3.6.1.mhd one --annotations annotations.csv --single-scan
    ```

    Parameters
    ----------
    src
        Folder with the subsets, or one MHD.
    out
        Folder for the data set.
    annotations
        CSV with the columns seriesuid, coordX, coordY, coordZ (LPS mm) and diameter_mm.
    candidates
        CSV with the columns seriesuid, coordX, coordY, coordZ and class; LUNA16's is candidates_V2.csv.
    patients
        Table with a column of patients and one of series, by commas or blanks.
    single_scan
        Training and validation are both of the one CT.
    debug
        Show the traceback of each CT that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.luna16_sources import LunaTables
    from hilum.workflows.prepare_luna16 import LunaOptions, prepare_luna16

    with checked_options():
        tables = LunaTables(annotations, candidates, patients)
        options = LunaOptions(tables, patch_rule(pieces), patch_running(running), single_scan)
    return say_prepared(prepare_luna16(src, out, options, bar), debug=debug, of=_NOT_LEARNT_FROM)


@prepare.command(name="tumour-ct")
def tumour_ct(
    src: Path,
    out: Path,
    /,
    *,
    label: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    licence: str | None = None,
    pieces: Pieces | None = None,
    running: PatchRunning | None = None,
    debug: Debug = False,
) -> int:
    """CTs of lung tumours: pieces about them, at random places in the lungs, and where something only looks like one.

    SRC is one of two things. A task of the Medical Segmentation Decathlon, or what is laid out like one: dataset.json,
    imagesTr and labelsTr with NIfTI; each connected part of the tumour's label is a nodule. Or DICOM series with
    Pascal-VOC files anywhere below SRC, one for each slice with a tumour, named by its SOP Instance UID
    (Lung-PET-CT-Dx): what rectangles enclose from slice to slice is a nodule, and its truth is called "box", because a
    box holds more than the tumour. Series without boxes are left out.

    OUT then holds what hilum prepare luna16 leaves. Patients are split by a hash of their names. Slices more than 3 mm
    apart are noted: volumes and small nodules are not to be trusted there.

    A run that was stopped, however it was, goes on when it is started again. A CT that fails is listed in failures.json
    and costs nothing else; the exit code is 3.

    ```
    hilum prepare tumour-ct Task06_Lung lung --workers 8
    hilum prepare tumour-ct Lung-PET-CT-Dx dx --licence "Lung-PET-CT-Dx: CC BY 4.0" --size 96
    ```

    Parameters
    ----------
    src
        Folder with the CTs and what marks their tumours.
    out
        Folder for the data set.
    label
        Number of the tumour in masks; the only one, or the one that is called so, when not given.
    licence
        Source and licence, for model cards.
    debug
        Show the traceback of each CT that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.prepare_tumour_ct import TumourOptions, prepare_tumour_ct

    with checked_options():
        options = TumourOptions(label, licence, patch_rule(pieces), patch_running(running))
    return say_prepared(prepare_tumour_ct(src, out, options, bar), debug=debug, of="series without a mark")


@prepare.command
def lidc(
    src: Path,
    out: Path,
    /,
    *,
    xml: Path | None = None,
    consensus: Share = 0.5,
    outline_rule: Literal["inside", "outline"] = "inside",
    pieces: Pieces | None = None,
    running: PatchRunning | None = None,
    debug: Debug = False,
) -> int:
    """LIDC-IDRI's CTs: pieces about nodules with what half of their readers outlined, and pieces without one.

    SRC holds CTs of LIDC patients, as hilum prepare drr-pairs takes them. Their outlines come from LIDC's XML in --xml
    or beside the slices, else from the installed database. The XML also knows small nodules (< 3 mm), about which no
    piece is taken, and what readers called no nodule, which are the first hard negatives; dense blobs in the lungs are
    the rest.

    OUT then holds cases/KEY/ with image.nii.gz (HU), mask.nii.gz and nodules.json (size, reader count, ratings);
    qa.png, some of them to be looked at; and dataset.json with the split and every file's SHA-256. The truth of a piece
    says how many readers there were. Left out, and listed there, are held-out patients and LIDC-IDRI-0001.

    A run that was stopped, however it was, goes on when it is started again. A CT that fails is listed in failures.json
    and costs nothing else; the exit code is 3.

    ```
    hilum prepare lidc LIDC-IDRI lidc --workers 8
    hilum prepare lidc LIDC-IDRI lidc --xml LIDC-XML-only --voxel-mm 0.7 --size 96
    ```

    Parameters
    ----------
    src
        Folder with the CTs.
    out
        Folder for the data set.
    xml
        Folder with LIDC's XML, by series, wherever it lies below it.
    consensus
        Share of a nodule's readers who need to have a voxel.
    outline_rule
        Whether the pixels under the readers' lines belong to a nodule; LIDC's readers marked the first pixel outside.
    debug
        Show the traceback of each CT that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.ops import OutlineRule
    from hilum.workflows.prepare_lidc import LidcOptions, prepare_lidc

    with checked_options():
        options = LidcOptions(xml, consensus, OutlineRule(outline_rule), patch_rule(pieces), patch_running(running))
    return say_prepared(prepare_lidc(src, out, options, bar), debug=debug, of=_NOT_LEARNT_FROM)
