"""`hilum phantom`."""

import datetime
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import checked_options
from hilum.cli.options import RUN, Force, Seed
from hilum.cli.points import point_of

if TYPE_CHECKING:
    from hilum.workflows.phantom_plan import PhantomOptions

Many = Parameter(consume_multiple=True, negative="")
Points = Annotated[tuple[str, ...], Parameter(negative="", allow_leading_hyphen=True)]
Signed = Annotated[tuple[float, ...], Parameter(negative="", allow_leading_hyphen=True)]


@Parameter(name="*", group="Nodules")
@dataclass(frozen=True)
class NoduleChoice:
    """What is put where."""

    at: Points = ()
    "Place of a nodule's centre, x,y,z in LPS mm; once for each nodule. Drawn in the lungs when not given."
    count: Annotated[int | None, Parameter(validator=Number(gte=1, lte=50))] = None
    "Nodules whose places are drawn; 1 when neither is given."
    nodules: Path | None = None
    "Data set of hilum prepare cubes: real nodules, drawn by --seed; without it shapes of even density."
    split: Literal["train", "validation"] = "validation"
    "Whose nodules of it."
    shape: Literal["ball", "ellipsoid"] = "ball"
    "Without --nodules: a ball, or an ellipsoid of 1 : 1.25 : 0.8."
    texture: Literal["solid", "part-solid", "ground-glass"] = "solid"
    "Without --nodules: its density."
    diameter_mm: Annotated[tuple[float, ...], Many] = ()
    "Diameter at the first date of the ball with the same volume: one, or one for each; 10 for shapes, real ones' own."
    touching: Annotated[bool, Parameter(negative="")] = False
    "Let nodules lie on vessels, on the wall or on the CT's own nodules."
    annotations: Path | None = None
    "The CT's own nodules, to keep away from: CSV as hilum prepare inserted takes it."


@Parameter(name="*", group="Growth and dates")
@dataclass(frozen=True)
class GrowthChoice:
    """How nodules grow, and when they are seen."""

    doubling_days: Signed = ()
    "Volume doubling time in days, negative to halve: once, or once for each nodule."
    growth_percent: Signed = ()
    "Growth of volume from the first date to the last, in percent: once, or once for each nodule."
    stable: Annotated[bool, Parameter(negative="")] = False
    "Nothing grows: only the scans differ."
    days: Annotated[tuple[int, ...], Many] = (0, 90)
    "Days of the scans, the first one 0."
    date: str = "2020-01-01"
    "Calendar day of the first scan."
    shift_mm: float = 0.0
    "From the second date on the lungs are displaced smoothly, by this at most, as another breath would."
    thickness: Annotated[tuple[float, ...], Many] = ()
    "Slice thickness in mm: one, or one for each date; the CT's own when not given."


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class PhantomRun:
    """How the work is done."""

    format: Literal["dicom", "nifti"] = "dicom"
    "A folder of DICOM slices for each date, or one NIfTI."
    series: str | None = None
    "Which DICOM series of the CT, where there are several: its UID or the end of it."
    seed: Seed = 0
    "Of places, nodules, noise and breath."
    force: Force = False
    "Replace what an earlier run of hilum left in OUT."


def phantom(
    ct: Path,
    out: Path,
    /,
    *,
    choice: NoduleChoice | None = None,
    growth: GrowthChoice | None = None,
    running: PhantomRun | None = None,
) -> int:
    """Put nodules of known growth into a real CT, and scan it at several dates. All of it is synthetic, and says so.

    A nodule is drawn within its exact volume, with the CT's blur, slices and noise; each date has noise of its own. It
    grows by uniform expansion about its centre, to V = V0 · 2^(days / doubling time).

    OUT then holds a scan of each date (day-000/, day-090/, … of DICOM slices with own study, date and UIDs; with
    --format nifti day-000.nii.gz, …), day-000_mask.nii.gz and day-000_nodules.json beside it, and truth.json: true
    volume, diameters and place of each nodule at each date, doubling times and the seed.

    ```
    hilum phantom ct.nii.gz grown --doubling-days 200
    hilum phantom ct.nii.gz grown --at -60,20,-150 --diameter-mm 8 --growth-percent 25 --shift-mm 3
    hilum phantom scans/patient7 stable --count 3 --stable --days 0 90 365 --format nifti
    hilum phantom ct.nii.gz real --nodules cubes --count 2 --doubling-days 150 --doubling-days -400
    ```

    Parameters
    ----------
    ct
        A CT of the chest: DICOM folder, NIfTI, MHD/MHA or NRRD.
    out
        Folder for the results.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.phantom import make_phantom

    running = running or PhantomRun()
    with checked_options():
        options = _options(choice or NoduleChoice(), growth or GrowthChoice(), running)
    found = make_phantom(ct, out, options, bar, force=running.force)
    for note in found.notes:
        print(f"hilum: note: {note}", file=sys.stderr)
    nodules = f"{found.nodules} nodule{'s' if found.nodules != 1 else ''}"
    dates = f"{len(found.scans)} date{'s' if len(found.scans) != 1 else ''}"
    print(f"{'Already there' if found.was_done else 'Done'}: {found.folder / 'truth.json'}; {nodules}, {dates}")
    return 0


def _options(choice: NoduleChoice, growth: GrowthChoice, running: PhantomRun) -> "PhantomOptions":
    from hilum.workflows.phantom_plan import Dates, Growing, NoduleSource, PhantomOptions, plans

    rates = Growing(growth.doubling_days, growth.growth_percent, growth.stable).doubling(growth.days[-1])
    wide = choice.diameter_mm or (() if choice.nodules else (10.0,))
    return PhantomOptions(
        nodules=plans([point_of(one) for one in choice.at], choice.count, wide, rates),
        source=NoduleSource(choice.nodules, choice.split, choice.shape, choice.texture),
        dates=Dates(growth.days, _day(growth.date), growth.thickness or (None,), growth.shift_mm),
        annotations=choice.annotations,
        touching=choice.touching,
        as_dicom=running.format == "dicom",
        series=running.series,
        seed=running.seed,
    )


def _day(words: str) -> datetime.date:
    from hilum.core import InputError

    try:
        return datetime.date.fromisoformat(words.strip())
    except ValueError as error:
        raise InputError(f"a date such as 2026-01-31 was expected, got {words!r}.", "Change --date.") from error
