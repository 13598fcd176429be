"""What a folder of LUNA16 holds: CTs in ten subsets, their marks, and whose they are."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hilum.core import Failure, Failures, InputError, MissingError
from hilum.core.geometry import Floats
from hilum.datasets.patch_source import SINGLE_SCAN
from hilum.datasets.splits import Role, is_lidc_patient, leading_lidc_patient, role
from hilum.io.inputs import files_in, require_path
from hilum.io.lidc import lidc_scans
from hilum.io.luna16 import CLASS, DIAMETER, SeriesPoints, read_patients, read_points
from hilum.workflows.output import sha256_of

ANNOTATIONS, EXCLUDED = "annotations.csv", "annotations_excluded.csv"
UNKNOWN = (
    "nobody says whose these CTs are, so each counts as a patient of its own: patients with two CTs may stand in both "
    "splits, and LIDC-IDRI's held-out patients, if they are among them, are not left out; --patients names them"
)
_SUBSET = re.compile(r"subset(\d)", re.ASCII)
_BESIDE = (".", "CSVFILES", "evaluationScript/annotations")
"""Where LUNA16's archives have its tables, below the folder of subsets."""


@dataclass(frozen=True)
class LunaTables:
    """Tables of LUNA16, where they are not beside the CTs.

    Attributes:
        annotations: nodules; None takes `annotations.csv` beside the CTs.
        candidates: places that finders took for nodules, class 0 of which are none; None finds places here.
        patients: whose each series is; None asks LIDC's database, where it is installed.
    """

    annotations: Path | None = None
    candidates: Path | None = None
    patients: Path | None = None


@dataclass(frozen=True, eq=False)
class LunaScan:
    """One CT with its marks.

    Attributes:
        key: unique, and safe as a file name: the series.
        path: of its header.
        series: UID.
        patient: whose it is; the series where nobody says.
        fold: subset, 0 to 9; None outside of one.
        centres_lps_mm: [n, 3] of the nodules.
        diameters_mm: [n] of the nodules.
        excluded: [m, 3] findings that count neither as nodules nor as nothing.
        listed: [k, 3] candidates that are no nodules; None without a list.
    """

    key: str
    path: Path
    series: str
    patient: str
    fold: int | None
    centres_lps_mm: Floats
    diameters_mm: Floats
    excluded: Floats
    listed: Floats | None


@dataclass(frozen=True, eq=False)
class LunaSource:
    """What was found.

    Attributes:
        scans: of those who may be learnt from, sorted by key.
        folds: series of each subset.
        left_out: series that are in no split, by the reason.
        failures: what can't be used.
        notes: what a person should know of all of it.
        hashes: SHA-256 of what decides the result: of CTs names and sizes, of tables the content, of who is whose.
    """

    scans: tuple[LunaScan, ...]
    folds: Mapping[str, Sequence[str]]
    left_out: Mapping[str, Sequence[str]]
    failures: tuple[Failure, ...]
    notes: tuple[str, ...]
    hashes: Mapping[str, str] = field(default_factory=dict)


def luna16_source(src: Path, tables: LunaTables, *, single_scan: bool = False) -> LunaSource:
    """Find the CTs and their marks.

    Args:
        src: the folder with subset0 to subset9, or any of them, or one MHD.
        tables: where they are not beside the CTs.
        single_scan: one CT, to try the way through; see `SINGLE_SCAN`.

    Raises:
        InputError: there is no CT, no table, or nobody who may be learnt from.
        UnreadableError: a table is damaged.
        UnsupportedError: a table is too large.
    """
    headers, failures = _headers(src)
    marks = _Marks.read(src, tables)
    patients = _patients(tables.patients)
    scans = [marks.of(path, patients.get(path.stem) or leading_lidc_patient(path.stem), src) for path in headers]
    if single_scan and len(scans) != 1:
        raise InputError(f"{src} holds {len(scans)} CTs, and --single-scan is for one.", "Name the one MHD.")
    kept, left_out = _kept(scans, single_scan=single_scan)
    _require_nodules(kept, left_out, src, marks.path)
    folds: dict[str, list[str]] = defaultdict(list)
    for scan in kept:
        if scan.fold is not None:
            folds[str(scan.fold)].append(scan.series)
    unknown = any(scan.patient == scan.series and not is_lidc_patient(scan.patient) for scan in kept)
    notes = (SINGLE_SCAN,) if single_scan else (UNKNOWN,) if unknown else ()
    owners = "".join(f"{scan.series} {scan.patient}\n" for scan in sorted(scans, key=lambda scan: scan.key))
    owned = hashlib.sha256(owners.encode()).hexdigest()
    hashes = {"cts": _hash(headers, src), "patients": owned, **marks.hashes}
    return LunaSource(tuple(kept), dict(sorted(folds.items())), left_out, failures, notes, hashes)


def _headers(src: Path) -> tuple[list[Path], tuple[Failure, ...]]:
    lost = Failures()
    files = [src] if require_path(src).is_file() else files_in(src, lost)
    headers = sorted((path for path in files if path.suffix.lower() in (".mhd", ".mha")), key=lambda path: path.stem)
    # LUNA16's archive has masks of the lungs beside the subsets, under the same names.
    headers = [path for path in headers if _SUBSET.search(path.parent.name)] or headers
    if not headers:
        raise InputError(f"{src} holds no MHD or MHA file.", "Name the folder with subset0 to subset9, or one of them.")
    (name, count) = Counter(path.stem for path in headers).most_common(1)[0]
    if count > 1:
        raise InputError(f"{name} is there {count} times.", "Keep one file of each series.")
    return headers, tuple(lost)


@dataclass(frozen=True, eq=False)
class _Marks:
    """LUNA16's tables, by series.

    Attributes:
        path: of the annotations.
        nodules: [n, 4] centre and diameter.
        excluded: [n, 3] centres.
        listed: [n, 3] candidates of class 0; None without a list.
        hashes: of the tables.
    """

    path: Path
    nodules: Mapping[str, Floats]
    excluded: Mapping[str, Floats]
    listed: Mapping[str, Floats] | None
    hashes: Mapping[str, str]

    @classmethod
    def read(cls, src: Path, tables: LunaTables) -> "_Marks":
        path = tables.annotations or _beside(src, ANNOTATIONS)
        if path is None:
            raise InputError(
                f"there is no {ANNOTATIONS} beside {src}, so nobody says where nodules are.",
                "Name LUNA16's table: --annotations.",
            )
        excluded, candidates = _beside(src, EXCLUDED), tables.candidates
        read = {"annotations": path, "excluded": excluded, "candidates": candidates}
        return cls(
            path,
            _by_series(read_points(path, DIAMETER)),
            {} if excluded is None else _centres(read_points(excluded, DIAMETER)),
            None if candidates is None else _centres(_of_class_0(read_points(candidates, CLASS))),
            {name: sha256_of(table) for name, table in read.items() if table is not None},
        )

    def of(self, path: Path, patient: str | None, src: Path) -> LunaScan:
        none = np.empty((0, 4))
        series, nodules = path.stem, self.nodules.get(path.stem, none)
        subset = _SUBSET.findall(str(path.parent.relative_to(src.parent) if path != src else path.parent))
        return LunaScan(
            key=re.sub("[^A-Za-z0-9._-]+", "-", series),
            path=path,
            series=series,
            patient=patient or series,
            fold=int(subset[-1]) if subset else None,
            centres_lps_mm=nodules[:, :3],
            diameters_mm=nodules[:, 3],
            excluded=self.excluded.get(series, none[:, :3]),
            listed=None if self.listed is None else self.listed.get(series, none[:, :3]),
        )


def _beside(src: Path, name: str) -> Path | None:
    folders = [src, src.parent] if src.is_dir() else [src.parent, src.parent.parent]
    places = (folder / below / name for folder in folders for below in _BESIDE)
    return next((path for path in places if path.is_file()), None)


def _by_series(points: SeriesPoints) -> dict[str, Floats]:
    """[n, 4] by series: centre, and the table's value."""
    rows: dict[str, list[Floats]] = defaultdict(list)
    for series, centre, value in zip(points.series, points.centre_lps_mm, points.value, strict=True):
        rows[series].append(np.append(centre, value))
    return {series: np.array(some) for series, some in rows.items()}


def _centres(points: SeriesPoints) -> dict[str, Floats]:
    return {series: some[:, :3] for series, some in _by_series(points).items()}


def _of_class_0(points: SeriesPoints) -> SeriesPoints:
    none = points.value == 0
    series = tuple(name for name, kept in zip(points.series, none, strict=True) if kept)
    return SeriesPoints(series, points.centre_lps_mm[none], points.value[none], 0)


def _patients(table: Path | None) -> Mapping[str, str]:
    """Patients by series: of the table, else of LIDC's database, else of nobody."""
    if table is not None:
        return read_patients(table)
    try:
        return {scan.series_uid: scan.patient for scan in lidc_scans()}
    except MissingError:
        return {}


def _kept(scans: Sequence[LunaScan], *, single_scan: bool) -> tuple[list[LunaScan], dict[str, list[str]]]:
    """Scans of who may be learnt from; of a single scan, which proves nothing, the demonstration's too."""
    kept: list[LunaScan] = []
    left_out: dict[str, list[str]] = {}
    for scan in sorted(scans, key=lambda scan: scan.key):
        of = role(scan.patient) if is_lidc_patient(scan.patient) else Role.TRAIN
        if of in (Role.TRAIN, Role.VALIDATION) or (single_scan and of is Role.DEMONSTRATION):
            kept.append(scan)
        else:
            left_out.setdefault(str(of), []).append(scan.series)
    return kept, left_out


def _require_nodules(
    kept: Sequence[LunaScan], left_out: Mapping[str, Sequence[str]], src: Path, annotations: Path
) -> None:
    if not kept:
        listed = "; ".join(f"{reason}: {len(keys)}" for reason, keys in left_out.items())
        remedy = "To try the way through with one CT: --single-scan." if str(Role.DEMONSTRATION) in left_out else ""
        raise InputError(f"no CT of {src} can be learnt from ({listed}).", remedy or "Take CTs of other patients.")
    if not any(len(scan.diameters_mm) for scan in kept):
        raise InputError(
            f"{annotations} has no nodule of any of the {len(kept)} CTs in {src}.",
            "Its seriesuid is the name of the MHD file.",
        )
    for scan in kept:
        if (scan.diameters_mm <= 0).any():
            raise InputError(f"{annotations} has a nodule of {scan.series} without a diameter.", "Mend the table.")


def _hash(headers: Sequence[Path], src: Path) -> str:
    """Names and sizes: reading 120 GB to see whether a run may go on would take as long as the run."""
    digest = hashlib.sha256()
    for path in headers:
        voxels = (path.with_suffix(ending) for ending in (".raw", ".zraw"))
        size = path.stat().st_size + sum(one.stat().st_size for one in voxels if one.is_file())
        digest.update(f"{path.name if path == src else path.relative_to(src)} {size}\n".encode())
    return digest.hexdigest()
