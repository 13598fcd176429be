"""LUNA16 to a data set of CT pieces (`hilum prepare luna16`)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from hilum.core import Nodule
from hilum.datasets.patch_places import Known, Marked, PieceRule
from hilum.datasets.patch_source import SINGLE_SCAN, SPHERE
from hilum.datasets.stored_split import StoredSplit, split_of_any
from hilum.io import read_volume
from hilum.io.json_file import plain
from hilum.ops import to_lps_axes
from hilum.workflows.ct_pieces import MarkedCt, MarkedNodule, ct_cases
from hilum.workflows.luna16_sources import LunaScan, LunaTables, luna16_source
from hilum.workflows.output import Run
from hilum.workflows.patch_set import PatchSet, Running, make_patches
from hilum.workflows.prepare import Prepared, require_apart
from hilum.workflows.track import Track, silently

LICENCE = "LUNA16, of LIDC-IDRI: CC BY 3.0"
SINGLE_RULE = f"{SINGLE_SCAN}; training and validation are both of it"

NOBODY = "single-scan"
"""Patient of the one CT that is learnt from and judged: no name that a rule of patients knows."""


@dataclass(frozen=True)
class LunaOptions:
    """What `prepare_luna16` may be told.

    Attributes:
        tables: where they are not beside the CTs.
        rule: which pieces are taken.
        running: how the work is done.
        single_scan: one CT, for training and validation alike, to try the way through.
    """

    tables: LunaTables = field(default_factory=LunaTables)
    rule: PieceRule = field(default_factory=PieceRule)
    running: Running = field(default_factory=Running)
    single_scan: bool = False


def prepare_luna16(src: Path, out: Path, options: LunaOptions | None = None, track: Track = silently) -> Prepared:
    """Make or continue a data set of LUNA16's CTs, or of any in its layout.

    Args:
        src: the folder with subset0 to subset9, or any of them, or one MHD.
        out: the data set's folder.
        options: see there.
        track: shows how far it is.

    Raises:
        InputError: there is no CT, no table, or nobody who may be learnt from.
        UnreadableError: a table is damaged.
        OutputError: `out` holds something else, or can't be written.
        TooManyFailuresError: more CTs failed than allowed; what is done is kept for the next run.
    """
    options = options or LunaOptions()
    source = luna16_source(src, options.tables, single_scan=options.single_scan)
    if src.is_dir():
        require_apart(src, out)
    settings = {**plain(options.rule), "single_scan": options.single_scan}
    wanted = PatchSet(
        run=Run("prepare luna16", source.hashes, settings),
        jobs=source.scans,
        make=partial(_cases, rule=options.rule, odd=(SINGLE_SCAN,) if options.single_scan else ()),
        split=_same if options.single_scan else split_of_any,
        about={
            "source": {"kind": "luna16", **source.hashes},
            "licences": [LICENCE],
            "hard_negatives": "listed candidates of class 0" if "candidates" in source.hashes else "dense blobs",
            "folds": source.folds,
        },
        left_out=source.left_out,
        failures=source.failures,
        notes=source.notes,
    )
    return make_patches(wanted, out, options.running, track)


def _same(patients: Iterable[str]) -> StoredSplit:
    """Who is learnt from is judged, too."""
    names = tuple(sorted(patients))
    return StoredSplit(SINGLE_RULE, names, names)


def _cases(scan: LunaScan, out: Path, rule: PieceRule, odd: tuple[str, ...]) -> list[dict[str, object]]:
    ct = to_lps_axes(read_volume(scan.path))
    excluded = [Marked((x, y, z), 0.0, is_nodule=False) for x, y, z in scan.excluded.tolist()]
    marked = MarkedCt(
        key=scan.key,
        patient=NOBODY if odd else scan.patient,
        series=scan.series,
        ct=ct,
        nodules=_nodules(scan),
        truth=SPHERE,
        known=Known(excluded, listed=scan.listed),
        fold=scan.fold,
        odd=odd,
    )
    return ct_cases(marked, rule, out)


def _nodules(scan: LunaScan) -> list[MarkedNodule]:
    """Balls, from head to foot as the table has them; of volume and axes nothing is known but the diameter."""
    rows = np.column_stack([scan.centres_lps_mm, scan.diameters_mm]).tolist()
    return [
        MarkedNodule(Nodule(f"{number:02}", centre_lps_mm=(x, y, z)), diameter, SPHERE)
        for number, (x, y, z, diameter) in enumerate(rows, start=1)
    ]
