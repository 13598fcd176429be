"""X-rays of CTs with their lung fields: a data set that lung segmenters learn from (`hilum prepare lung-drrs`)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

from hilum.core import InputError
from hilum.datasets.splits import Role, role
from hilum.datasets.stored_split import StoredSplit
from hilum.io.json_file import plain
from hilum.measure import LungRoles
from hilum.workflows.class_set import Arranged, ClassSet, PreparedClasses, make_classes
from hilum.workflows.lung_drr import LUNG, LungDrrRule, LungView, lung_case
from hilum.workflows.output import Run
from hilum.workflows.patch_set import Record, Running
from hilum.workflows.prepare import require_apart
from hilum.workflows.track import Track, silently
from hilum.workflows.whole_ct import WholeCt, whole_ct

SOURCE, OF_CTS = "lung-drrs", "X-rays of CTs"
_RULE = "views of the CTs that are named for validation; the others are learnt from"
_SAME = "the first fifth of each CT's views; the others are learnt from: both are of the same patients"
_FIELDS = "lung fields: without what heart and diaphragm hide; rays whose way through the thoracic cavity is .75 lung"


@dataclass(frozen=True)
class LungDrrOptions:
    """What `prepare_lung_drrs` may be told.

    Attributes:
        validation: CTs whose views are judged; without any the first fifth of each CT's views are.
        views: of each CT.
        rule: how they differ.
        running: how the work is done.

    Raises:
        InputError: too few views.
    """

    validation: tuple[Path, ...] = ()
    views: int = 60
    rule: LungDrrRule = field(default_factory=LungDrrRule)
    running: Running = field(default_factory=Running)

    def __post_init__(self) -> None:
        least = 1 if self.validation else 5
        if self.views < least:
            raise InputError(f"{least} or more views of each CT are needed, got {self.views}.")


def prepare_lung_drrs(
    cts: Sequence[Path], out: Path, options: LungDrrOptions | None = None, track: Track = silently
) -> PreparedClasses:
    """Make or continue a data set of X-rays of CTs, kind `xray-classes`, with one class: lung.

    Args:
        cts: DICOM folders, NIfTI or MHD, to learn from.
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: a CT is missing, held out, there twice, or for the other split; or no view could be made.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more views failed than allowed; what is done is kept for the next run.
    """
    options = options or LungDrrOptions()
    learnt, judged = [whole_ct(one) for one in cts], [whole_ct(one) for one in options.validation]
    for one in (*learnt, *judged):
        require_apart(one.path, out)
    _require_fit(learnt, judged)
    sources = hashlib.sha256(" ".join(one.hash for one in (*learnt, *judged)).encode()).hexdigest()
    of_split = _of_split(learnt, judged, options.views)
    wanted: ClassSet[LungView] = ClassSet(
        run=Run(f"prepare {SOURCE}", {"sources": sources}, _settings(options)),
        jobs=[view for views in of_split.values() for view in views],
        make=partial(lung_case, rule=options.rule),
        arrange=partial(_arranged, of_split=of_split, are_apart=bool(judged)),
        classes={LUNG: "lung"},
        about={
            "source": {"kind": OF_CTS, "cts": [one.name for one in (*learnt, *judged)], "hash": sources},
            "roles": asdict(LungRoles((LUNG,))),
            "rules": {"classes": _FIELDS},
        },
        notes=(_FIELDS, *(() if judged else (f"validation: {_SAME}",))),
    )
    return make_classes(wanted, out, options.running, track)


def _settings(options: LungDrrOptions) -> dict[str, object]:
    found: dict[str, object] = plain(
        {"views": options.views, "validation_cts": len(options.validation), **asdict(options.rule)}
    )
    return found


def _require_fit(learnt: Sequence[WholeCt], judged: Sequence[WholeCt]) -> None:
    if not learnt:
        raise InputError("no CT to learn from.", "Name at least one.")
    names = [one.name for one in (*learnt, *judged)]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise InputError(f"two CTs are called {twice}.", "Rename one: its name is its patient's.")
    for ct, split in (*((one, Role.TRAIN) for one in learnt), *((one, Role.VALIDATION) for one in judged)):
        own = None if ct.lidc is None else role(ct.lidc)
        if own not in (None, split, Role.DEMONSTRATION):
            raise InputError(f"{ct.path} is of {ct.lidc}, who is for {own}, not for {split}.", "Name it there.")


def _of_split(learnt: Sequence[WholeCt], judged: Sequence[WholeCt], views: int) -> dict[str, list[LungView]]:
    """The views by split; a CT of both counts as two patients, since a patient is in one."""
    every = range(1, views + 1)
    if judged:
        return {
            split: [_view(ct, f"ct-{ct.name}", number) for ct in cts for number in every]
            for split, cts in (("train", learnt), ("validation", judged))
        }
    judged_views = range(1, views // 5 + 1)
    return {
        split: [
            _view(ct, f"ct-{ct.name}-{split}", number)
            for ct in learnt
            for number in every
            if (number in judged_views) == (split == "validation")
        ]
        for split in ("train", "validation")
    }


def _view(ct: WholeCt, patient: str, number: int) -> LungView:
    return LungView(f"{ct.name}_{number:03}", ct.path, patient, number, ct.hash)


def _arranged(
    records: Sequence[Record],
    units: Mapping[str, str],
    of_split: Mapping[str, Sequence[LungView]],
    *,
    are_apart: bool,
) -> Arranged:
    """By CT; that views look alike is what they are for, so units don't matter."""
    del units
    used = {one["key"]: one["patient"] for one in records}
    train, validation = (
        tuple(sorted({view.patient for view in of_split[split] if view.key in used}))
        for split in ("train", "validation")
    )
    return Arranged(used, StoredSplit(_RULE if are_apart else _SAME, train, validation))
