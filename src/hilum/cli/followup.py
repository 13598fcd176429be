"""`hilum followup`."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from hilum.cli.exit_code import ExitCode, UsageError, checked_options
from hilum.cli.options import Force

Several = Parameter(consume_multiple=True, negative="")


@Parameter(name="*", group="CTs")
@dataclass(frozen=True)
class OfCts:
    """What is known of the CTs."""

    dates: Annotated[tuple[date, ...], Several] = ()
    "Of each CT, in their order, where files carry none or a wrong one."
    nodules: Annotated[tuple[Path, ...], Several] = ()
    "Of each CT a mask (each label a nodule) or a nodules.json; none for one whose nodules are to be found."
    landmarks: Path | None = None
    """A CSV of places found on both CTs, in LPS mm (prior_x, prior_y, prior_z, current_x, current_y, current_z; of
    more than two CTs also pair, such as 1-2): how far off registration is there."""
    patient: str | None = None
    "A name for the report."
    one_patient: Annotated[bool, Parameter(negative="")] = False
    "The CTs are of one person although what files say of him differs."


@Parameter(name="*", group="Patient")
@dataclass(frozen=True)
class OfPatient:
    """What is known of the patient, for rule sets."""

    risk: Literal["low", "high"] | None = None
    "Risk of lung cancer."
    age_years: Annotated[float | None, Parameter(validator=Number(gt=0))] = None
    "Age."
    known_cancer: Annotated[bool | None, Parameter(negative="--no-known-cancer")] = None
    "Has or had a cancer."
    immunosuppressed: Annotated[bool | None, Parameter(negative="--no-immunosuppressed")] = None
    "Is immunosuppressed."
    screening: Annotated[bool | None, Parameter(negative="--no-screening")] = None
    "The study belongs to a screening programme."


def followup(
    *paths: Path,
    cts: OfCts | None = None,
    ruleset: Annotated[tuple[str, ...], Several] = ("fleischner-2017", "lung-rads-2022"),
    known: OfPatient | None = None,
    score: Annotated[float | None, Parameter(validator=Number(gt=0, lte=1))] = None,
    threads: Annotated[int, Parameter(validator=Number(gte=1))] = 2,
    force: Force = False,
) -> int:
    """The same nodules on CTs of two or more dates: which are one, how they grew, and what guidelines say.

    PATHS are CTs of one patient (DICOM folders, NIfTI, MHD, NRRD), the earliest first, and, last, the folder for the
    results. Their lungs are laid over each other, nodules are found and outlined on each, matched, and measured on both
    dates at once; where one date has a nodule and another none, that place is looked at again.

    OUT then holds report.html and report.pdf (timeline, nodules side by side, growth with its 95 % interval, advice
    with its reason), followup.json with all of it, studies/N/ with each CT's masks and nodules, and corrections.json.
    Edit that file to put nodules together, to keep them apart or to name a better mask, and run the same command again.

    Refused: CTs of several patients (unless --one-patient), of one day, the same CT twice, the later one first, and
    CTs of different regions.

    Decision support, not a medical device: a clinician decides.

    ```
    hilum followup 2026-01 2026-05 out
    hilum followup a.nii.gz b.nii.gz c.nii.gz out --dates 2026-01-31 2026-05-02 2027-01-15
    hilum followup 2026-01 2026-05 out --nodules reader.nii.gz none --risk high --ruleset bts-2015
    ```

    Parameters
    ----------
    paths
        The CTs, then the folder for the results.
    ruleset
        Whose advice is asked for.
    score
        From which a finding is called a nodule; chosen on validation when not given.
    threads
        Of registration.
    """
    from hilum.cli.progress import bar
    from hilum.workflows.followup import FollowupOptions, run_followup
    from hilum.workflows.followup_advice import AdviceWanted
    from hilum.workflows.followup_studies import StudyChoice
    from hilum.workflows.predict_options import NO_MODEL, PredictOptions

    if len(paths) < 2:
        raise UsageError("two CTs and the folder for the results are needed.", "hilum followup --help")
    *scans, out = paths
    cts, known = cts or OfCts(), known or OfPatient()
    with checked_options():
        options = FollowupOptions(
            choice=StudyChoice(cts.dates, cts.one_patient),
            given=tuple(None if str(one) == NO_MODEL else one for one in cts.nodules),
            advice=AdviceWanted(ruleset, {one.name: getattr(known, one.name) for one in fields(OfPatient)}),
            patient=cts.patient,
            landmarks=cts.landmarks,
            predict=PredictOptions(score=score),
            threads=threads,
        )
    found = run_followup(scans, out, options, bar, force=force)
    _tell(found.record)
    print(f"{'Was done' if found.was_done else 'Done'}: {out / 'report.html'}")
    return ExitCode.DONE


def _tell(record: Mapping[str, Any]) -> None:
    for line in _said(record):
        print(line)
    for warning in record["warnings"]:
        print(f"hilum: note: {warning}", file=sys.stderr)


def _said(record: Mapping[str, Any]) -> Iterator[str]:
    """A line for each pair of dates of a nodule, for what is new or gone, and for each rule set."""
    days = {one["id"]: one["date"] for one in record["studies"]}
    for pair in record["pairs"]:
        between = f"{days[pair['prior_study']]} to {days[pair['current_study']]}"
        change = pair["volume_change_percent"]
        words = "volume unknown" if change is None else _percent(change)
        likely = pair["probability_of_growth"]
        sure = "" if likely is None else f", grew with a probability of {100 * likely:.0f} %"
        yield f"{pair['nodule']}  {between}: {words}{sure}"
    for fate in ("new", "gone"):
        for one in record[fate]:
            yield f"{one['nodule']}  {fate} on {days[one['study']]}"
    for advice in record["advice"]:
        category = advice["category"] or "no answer"
        yield f"{advice['ruleset']}: {category}, {advice['management'] or advice['because']}"


def _percent(change: Mapping[str, float | None]) -> str:
    value, low, high = (change[name] for name in ("value", "low", "high"))
    if value is None or low is None or high is None:
        return "volume unknown"
    return f"volume {value:+.0f} % ({low:+.0f} to {high:+.0f})"
