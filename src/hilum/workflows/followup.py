"""CTs of one patient at two or more dates: the same nodules found again, their growth, and what rule sets say.

The folder keeps each study's nodules (`studies/N/`), the registrations (`registrations/N-M/`) and `corrections.json`;
whoever edits that file, or one of the masks that it names, runs the same command again, and only what depends on it is
made anew.
"""

import hashlib
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from hilum import __version__
from hilum.core import InputError, Volume
from hilum.followup.ct_registration import CtRegistration
from hilum.followup.ct_tracks import Fate
from hilum.io import read_volume
from hilum.io.json_file import plain, read_json, write_json
from hilum.io.text_file import write_bytes, write_text
from hilum.ops import to_lps_axes
from hilum.report.followup import followup_page
from hilum.report.page import Page, render
from hilum.report.pdf import to_pdf
from hilum.workflows.followup_advice import AdviceWanted, advice_on, unlike_growth
from hilum.workflows.followup_corrections import (
    CORRECTIONS,
    Corrections,
    corrections_files,
    offer_corrections,
    own_masks,
    read_corrections,
    set_aside,
)
from hilum.workflows.followup_folder import (
    FOLLOWUP,
    given_files,
    given_hash,
    is_as_written,
    remember,
    require_unedited,
    study_folders,
)
from hilum.workflows.followup_growth import growths_of
from hilum.workflows.followup_landmarks import Landmarks, landmark_errors, read_landmarks, remarked, require_shown
from hilum.workflows.followup_maps import MAPS, DatedVolume, registered
from hilum.workflows.followup_match import Matched, matched, name_of
from hilum.workflows.followup_nodules import CtStudy, study_of
from hilum.workflows.followup_record import FollowedUp, followup_record
from hilum.workflows.followup_studies import DatedCt, StudyChoice, dated_cts, require_unlike
from hilum.workflows.followup_view import view_of
from hilum.workflows.journal import FOLDER, journalled
from hilum.workflows.output import Run, is_done, sha256_of, stored_run
from hilum.workflows.predict_ct import CtReader, ct_reader
from hilum.workflows.predict_options import DEFAULT, DEFAULT_CT, PredictOptions
from hilum.workflows.prepare import require_apart
from hilum.workflows.track import Track, silently

REPORT, PDF = "report.html", "report.pdf"
_STUDY = "study "


@dataclass(frozen=True)
class FollowupOptions:
    """What `run_followup` may be told.

    Attributes:
        choice: dates, and whether all CTs are of one patient.
        given: of each CT a mask or `nodules.json`, or None; empty finds the nodules of all.
        advice: whose, with what is known of the patient.
        patient: a name for the report; None for that of the files.
        landmarks: a table of places that were found on both of two neighbouring CTs; None for none.
        predict: the models that find and outline nodules.
        threads: of registration.
    """

    choice: StudyChoice = field(default_factory=StudyChoice)
    given: tuple[Path | None, ...] = ()
    advice: AdviceWanted = field(default_factory=AdviceWanted)
    patient: str | None = None
    landmarks: Path | None = None
    predict: PredictOptions = field(default_factory=PredictOptions)
    threads: int = 2


@dataclass(frozen=True)
class FollowupResult:
    """What a run left.

    Attributes:
        folder: with `followup.json`, `report.html`, `report.pdf`, `corrections.json` and the studies.
        record: what `followup.json` says.
        was_done: whether it was there already.
        page: the report; None where it was there already.
    """

    folder: Path
    record: dict[str, Any]
    was_done: bool
    page: Page | None = None


def run_followup(
    paths: Sequence[Path],
    out: Path,
    options: FollowupOptions | None = None,
    track: Track = silently,
    *,
    force: bool = False,
) -> FollowupResult:
    """Compare the CTs of a patient.

    Args:
        paths: DICOM folders, NIfTI, MHD or NRRD, the earliest first.
        out: folder to fill.
        options: see there.
        track: shows how far it is.
        force: replace what an earlier run of hilum left there.

    Raises:
        InputError: the CTs can't be compared: of several patients, of one day, the same, of different regions.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or FollowupOptions()
    for path in paths:
        require_apart(path, out)
    asked = _Asked.of(paths, out, options)
    run, corrections = asked.run, asked.corrections
    if not force:
        require_unedited(asked.folders)
        if is_done(out, run) and _is_whole(out, asked.stamp):
            return FollowupResult(out, read_json(out / FOLLOWUP), was_done=True)
    volumes = [to_lps_axes(read_volume(one.path)) for one in asked.cts]
    require_unlike(paths, volumes)
    require_shown(asked.landmarks, volumes)
    with journalled(out, run, force=force, theirs=asked.theirs) as journal:
        aside = [set_aside(out)] if asked.is_of_others and (out / CORRECTIONS).is_file() else []
        maps = _laid_over(asked, volumes, out, options.threads, track)
        errors = landmark_errors(maps, asked.landmarks)
        reader = ct_reader(_models(options.predict))
        studies = _studies(asked, volumes, reader, track)
        corrections.require_nodules([{n.id for n in one.nodules} if one.is_given else None for one in studies])
        names = [name_of(one) for one in studies]
        found = matched(
            studies, remarked(maps, errors), corrections.overrides(names), reader, corrections.refused(names)
        )
        done = _judged(found, options, {**corrections.plain(), "sha256": asked.stamp})
        done = replace(done, landmarks=errors, warnings=(*done.warnings, *aside))
        done = replace(done, not_compared=(*corrections.said(), *done.not_compared))
        page = _write(done, out, run)
        journal.finish(run)
    return FollowupResult(out, read_json(out / FOLLOWUP), was_done=False, page=page)


def _laid_over(
    asked: "_Asked", volumes: Sequence[Volume], out: Path, threads: int, track: Track
) -> dict[tuple[int, int], CtRegistration]:
    """The registrations, before nodules are looked for: what is refused costs little and leaves nothing behind."""
    scans = [DatedVolume(ct, volume) for ct, volume in zip(asked.cts, volumes, strict=True)]
    try:
        return registered(scans, threads, out / MAPS, track)
    except InputError:
        if {one.name for one in out.iterdir()} <= {FOLDER, MAPS}:
            shutil.rmtree(out, ignore_errors=True)
        raise


@dataclass(frozen=True)
class _Asked:
    """What a run begins with, once all that can be checked without a CT's voxels is.

    Attributes:
        cts: the earliest first.
        run: what determines the result, but for the corrections.
        corrections: a person's.
        stamp: of these and the landmarks.
        given: of each CT a mask or list of nodules, or None; a person's corrections go over the options.
        folders: of each CT, for its mask and nodules.
        theirs: a person's own files, which stay whatever is made anew.
        landmarks: by pair of CTs.
        is_of_others: whether what was decided in the folder is about other CTs, and doesn't count.
    """

    cts: tuple[DatedCt, ...]
    run: Run
    corrections: Corrections
    stamp: str
    given: list[Path | None]
    folders: list[Path]
    theirs: list[Path]
    landmarks: dict[tuple[int, int], Landmarks]
    is_of_others: bool

    @classmethod
    def of(cls, paths: Sequence[Path], out: Path, options: FollowupOptions) -> "_Asked":
        cts = dated_cts(paths, options.choice)
        given = _given(options.given, len(cts))
        run = Run("followup", _inputs(cts, given), _settings(options))
        is_of_others = not _is_continued(out, run)
        corrections = Corrections() if is_of_others else read_corrections(out / CORRECTIONS)
        corrections.require(len(cts))
        marks = _corrected(given, corrections)
        own = options.landmarks
        theirs = [*_theirs(out, given), *([] if own is None else [own])]
        landmarks = {} if own is None else read_landmarks(own, len(cts))
        stamp = _stamp(corrections, own)
        return cls(cts, run, corrections, stamp, marks, study_folders(out, marks), theirs, landmarks, is_of_others)


def _is_continued(out: Path, run: Run) -> bool:
    """Whether the folder's CTs are these, or the first of these: then what a person has decided counts on."""
    stored = stored_run(out / FOLDER) or stored_run(out) or {}
    earlier, now = (
        {name: one for name, one in inputs.items() if name.startswith(_STUDY)}
        for inputs in (stored.get("inputs", run.inputs), run.inputs)
    )
    return all(now.get(name) == one for name, one in earlier.items())


def _given(given: Sequence[Path | None], count: int) -> list[Path | None]:
    if given and len(given) != count:
        raise InputError(
            f"{len(given)} masks or lists of nodules were given for {count} CTs.",
            "Give one for each, in their order; none for a CT whose nodules are to be found.",
        )
    return list(given) or [None] * count


def _inputs(cts: Sequence[DatedCt], given: Sequence[Path | None]) -> dict[str, str]:
    found = {f"{_STUDY}{number}": one.hash for number, one in enumerate(cts, start=1)}
    marks = {f"nodules {number}": given_hash(one) for number, one in enumerate(given, start=1) if one is not None}
    return found | marks


def _settings(options: FollowupOptions) -> dict[str, object]:
    settings: dict[str, object] = plain(
        {
            "dates": options.choice.dates,
            "one_patient": options.choice.one_patient,
            "advice": asdict(options.advice),
            "patient": options.patient,
            "predict": asdict(options.predict),
        }
    )
    return settings


def _stamp(corrections: Corrections, landmarks: Path | None) -> str:
    """SHA-256 of what a person has decided, masks' contents included, and of landmarks: neither is another run."""
    digest = hashlib.sha256(repr(sorted(corrections.plain().items())).encode())
    for _, path in sorted(corrections.masks.items()):
        digest.update(given_hash(path).encode())
    if landmarks is not None:
        digest.update(sha256_of(landmarks).encode())
    return digest.hexdigest()


def _is_whole(out: Path, stamp: str) -> bool:
    """Whether all files are there, `followup.json` as it was written, and made by what a person has decided now."""
    if not is_as_written(out / FOLLOWUP) or not all((out / name).is_file() for name in (REPORT, PDF)):
        return False
    return bool(read_json(out / FOLLOWUP)["corrections"]["sha256"] == stamp)


def _theirs(out: Path, given: Sequence[Path | None]) -> list[Path]:
    """What a person has put into the folder: it stays whatever is made anew."""
    own = [one for one in (*given, *own_masks(out)) if one is not None]
    return [*corrections_files(out), *(file for one in own for file in given_files(one))]


def _models(options: PredictOptions) -> PredictOptions:
    return replace(options, model=DEFAULT_CT) if options.model == DEFAULT else options


def _corrected(given: Sequence[Path | None], corrections: Corrections) -> list[Path | None]:
    """Masks that a person has mended go over everything else."""
    found = list(given)
    for number, path in corrections.masks.items():
        found[int(number) - 1] = path
    return found


def _studies(asked: _Asked, volumes: Sequence[Volume], reader: CtReader, track: Track) -> list[CtStudy]:
    made = plain({"provenance": asdict(reader.provenance)})
    return [
        study_of(asked.cts[at], volumes[at], asked.given[at], reader, asked.folders[at], made)
        for at in track(list(range(len(volumes))), "Nodules")
    ]


def _judged(found: Matched, options: FollowupOptions, corrections: dict[str, object]) -> FollowedUp:
    patients = [one.ct.patient for one in found.studies if one.ct.patient]
    names, left = found.names(), list[str]()
    growths = growths_of(found, left, names)
    advice = advice_on(found, growths, names, options.advice)
    unlike = unlike_growth(advice, growths, names, name_of(found.studies[-1]))
    return FollowedUp(
        patient=options.patient or (patients[-1] if patients else ""),
        found=found,
        growths=growths,
        advice=advice,
        warnings=(*_warnings(found), *unlike),
        not_compared=(*_uncovered(found, names), *left),
        corrections=corrections,
    )


def _warnings(found: Matched) -> tuple[str, ...]:
    said = []
    for number, study in enumerate(found.studies, start=1):
        if study.is_thick:
            said.append(
                f"Study {number} has slices of {study.slice_mm:g} mm: no volume is measured on it, and small nodules "
                "are missed."
            )
        said += [f"Study {number}: {note}." for note in study.ct.notes]
    for (first, second), one in sorted(found.maps.items()):
        said += [f"Studies {first + 1} and {second + 1}: {doubt}." for doubt in one.doubts]
    if found.seen_again:
        said.append(
            f"{len(found.seen_again)} nodules were outlined only because another date has one at their place: they "
            "were below the score from which a nodule is called one."
        )
    return tuple(said)


def _alert(done: FollowedUp) -> str:
    """What must not be overlooked: that no patient was scanned."""
    made = [str(number) for number, one in enumerate(done.found.studies, start=1) if one.ct.is_synthetic]
    which = f"study {made[0]} was" if len(made) == 1 else f"studies {', '.join(made)} were"
    return f"SYNTHETIC: {which} made by a computer; no patient was scanned." if made else ""


def _uncovered(found: Matched, names: dict[str, str]) -> list[str]:
    return [
        f"Nodule {names[one.tracking_uid]}: {one.reason}."
        for one in found.matching.decisions
        if one.fate is Fate.NOT_COVERED
    ]


def _write(done: FollowedUp, out: Path, run: Run) -> Page:
    provenance = [("hilum", __version__), ("run", run.hash), *run.inputs.items()]
    page = replace(followup_page(view_of(done, provenance)), alert=_alert(done))
    write_json(out / FOLLOWUP, followup_record(done))
    remember(out / FOLLOWUP)
    write_text(out / REPORT, render(page))
    write_bytes(out / PDF, to_pdf(page))
    offer_corrections(out / CORRECTIONS)
    return page
