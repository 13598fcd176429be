"""All pieces of one CT whose nodules are marked: one about each nodule, and some that show none."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from hilum.core import InputError, Mask, Nodule, Volume
from hilum.core.geometry import Geometry, Triple
from hilum.core.mask import Selection
from hilum.datasets.ct_lungs import find_lungs
from hilum.datasets.patch_grid import ball_on, cut, piece_grid, share_inside
from hilum.datasets.patch_places import Known, Marked, PieceRule, negative_places
from hilum.datasets.patch_sample import POSITIVE
from hilum.datasets.patch_source import PatchSource
from hilum.measure import THICK_MM, is_thick
from hilum.ops import resample_to
from hilum.workflows.patch_case import Piece, safe, write_piece

_BEYOND = "the piece reaches beyond the CT, where it is -1024 HU"
_LARGER = "the nodule may be larger than the piece"
_MOST_INSIDE = 0.999


@dataclass(frozen=True, eq=False)
class MarkedNodule:
    """A nodule of a CT.

    Attributes:
        nodule: with its centre; its id is unique within the CT.
        diameter_mm: of the ball that it is drawn as where there is no mask, else of the ball with its volume.
        truth: what its mask is made of, in words.
        mask: its voxels on a block of the CT's grid; None draws a ball.
        patient: whose it is, where it is not the CT's patient's.
    """

    nodule: Nodule
    diameter_mm: float
    truth: str
    mask: Mask | None = None
    patient: str | None = None

    @property
    def centre_lps_mm(self) -> Triple:
        """Of the piece about it.

        Raises:
            InputError: nobody says where it is.
        """
        if self.nodule.centre_lps_mm is None:
            raise InputError(f"nobody says where the nodule {self.nodule.id} is.", "Mark its centre.")
        return self.nodule.centre_lps_mm

    def marked(self) -> Marked:
        """The ball that holds all of it."""
        if self.mask is None:
            return Marked(self.centre_lps_mm, self.diameter_mm / 2)
        grid = self.mask.require_geometry()
        places = grid.to_lps_mm(np.argwhere(self.mask.labels))
        reach = np.linalg.norm(places - np.array(self.centre_lps_mm), axis=1).max()
        return Marked(self.centre_lps_mm, float(reach) + max(grid.spacing_zyx_mm) / 2)

    def on(self, grid: Geometry) -> Selection:
        """[z, y, x] its voxels on a piece's grid."""
        if self.mask is None:
            return ball_on(grid, self.centre_lps_mm, self.diameter_mm)
        return np.asarray(resample_to(self.mask, grid).labels > 0)


@dataclass(frozen=True, eq=False)
class MarkedCt:
    """A CT with what is marked on it.

    Attributes:
        key: of the CT, unique in the data set and safe as a file name.
        patient: whose it is.
        series: its UID or name.
        ct: HU, axes along the patient's (`hilum.ops.to_lps_axes`).
        nodules: all that are known.
        truth: what masks of this source are made of: also of pieces that show none.
        known: other places on it; its marks are no nodules of this truth, and may look like some.
        fold: LUNA16's subset; None elsewhere.
        odd: what a person should know of the CT, one line each.
    """

    key: str
    patient: str
    series: str
    ct: Volume
    nodules: Sequence[MarkedNodule]
    truth: str
    known: Known = field(default_factory=Known)
    fold: int | None = None
    odd: tuple[str, ...] = ()


def ct_cases(marked: MarkedCt, rule: PieceRule, out: Path, lungs: Mask | None = None) -> list[dict[str, object]]:
    """All pieces of a CT, written as cases.

    Args:
        marked: the CT.
        rule: which pieces are taken.
        out: the data set's folder.
        lungs: where pieces without a nodule are taken; None finds the lungs.

    Returns:
        Their records, nodules first.

    Raises:
        UnitError: the CT is not in HU.
        InputError: it has no body or no lungs, or a nodule lies outside of it.
        OutputError: the place can't be written to.
    """
    lungs = lungs or find_lungs(marked.ct)
    marked = replace(marked, odd=(*marked.odd, *_thick(marked.ct)))
    for one in marked.nodules:
        _require_inside(one, marked.ct)
    pieces = [_about(one, marked, rule) for one in marked.nodules]
    pieces += _without(marked, lungs, rule)
    return [write_piece(piece, out) for piece in pieces]


def _thick(ct: Volume) -> Iterator[str]:
    if is_thick(ct.geometry):
        step = max(ct.geometry.spacing_zyx_mm)
        yield f"slices are {step:g} mm apart, more than {THICK_MM:g}: volumes and small nodules are not to be trusted"


def _require_inside(one: MarkedNodule, ct: Volume) -> None:
    if not bool(ct.geometry.contains(one.centre_lps_mm)):
        x, y, z = one.centre_lps_mm
        raise InputError(
            f"the nodule {one.nodule.id} at ({x:.1f}, {y:.1f}, {z:.1f}) mm lies outside the CT.",
            "Check that the marks are in LPS mm, and of this very CT.",
        )


def _about(one: MarkedNodule, marked: MarkedCt, rule: PieceRule) -> Piece:
    name = f"{marked.key}_n{safe(one.nodule.id)}"
    piece = _piece(name, marked, one.centre_lps_mm, rule, POSITIVE)
    about = replace(piece.about, nodule=name, truth=one.truth, diameter_mm=one.diameter_mm)
    larger = (_LARGER,) if 2 * one.marked().radius_mm > rule.side_mm else ()
    return replace(
        piece,
        patient=one.patient or piece.patient,
        about=about,
        nodule=one.nodule,
        study={"diameter_mm": one.diameter_mm},
        odd=(*piece.odd, *larger),
    )


def _without(marked: MarkedCt, lungs: Mask, rule: PieceRule) -> Iterator[Piece]:
    """Pieces without a nodule; which they are follows from the seed and the CT's key, in whatever order CTs come."""
    digest = hashlib.sha256(marked.key.encode()).digest()
    rng = np.random.default_rng((rule.seed, int.from_bytes(digest[:8])))
    known = replace(marked.known, marks=[*(one.marked() for one in marked.nodules), *marked.known.marks])
    counts: dict[str, int] = {}
    for kind, place in negative_places(marked.ct, lungs, known, rule, rng):
        counts[kind] = counts.get(kind, 0) + 1
        yield _piece(f"{marked.key}_{kind}{counts[kind]:02}", marked, place, rule, kind)


def _piece(key: str, marked: MarkedCt, centre: Triple, rule: PieceRule, kind: str) -> Piece:
    grid = piece_grid(marked.ct.geometry, centre, rule.size, rule.voxel_mm)
    shown = np.zeros(grid.shape_zyx, dtype=bool)
    for one in marked.nodules:
        shown |= one.on(grid)
    about = PatchSource(
        series=marked.series,
        nodule="",
        kind=kind,
        truth=marked.truth,
        voxel_mm=grid.spacing_zyx_mm,
        centre_lps_mm=centre,
        fold=marked.fold,
    )
    beyond = (_BEYOND,) if share_inside(marked.ct.geometry, grid) < _MOST_INSIDE else ()
    return Piece(key, marked.patient, cut(marked.ct, grid), Mask.of(shown, grid), about, odd=(*marked.odd, *beyond))
