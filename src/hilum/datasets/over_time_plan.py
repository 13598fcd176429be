"""Which lesions of a split change, how, and how many are inserted, so that the kinds have the wanted shares."""

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hilum.core.changes import ChangeKind
from hilum.datasets.insertion import BankNodule, Insertion, NoduleBank, draw_insertion
from hilum.datasets.odd import is_misplaced
from hilum.datasets.over_time_config import ChangeShares, LesionChangeConfig
from hilum.datasets.over_time_survey import Lesion, Survey

ALTERNATIVES = 3
"""Nodules that are drawn for each insertion, with places of their own; the first that fits is taken."""


@dataclass(frozen=True)
class Planned:
    """What becomes of one lesion.

    Attributes:
        kind: of change.
        factor: between its larger and its smaller diameter; 1 for all but grown and shrunk.
        can_change: whether it could have got another kind.
    """

    kind: ChangeKind
    factor: float = 1.0
    can_change: bool = True


@dataclass(frozen=True, eq=False)
class PlannedInsertion:
    """A nodule to insert.

    Attributes:
        change: what becomes of it.
        alternatives: shapes with how and where, of which the first that fits is taken.
    """

    change: Planned
    alternatives: Sequence[tuple[BankNodule, Insertion]]


@dataclass(frozen=True, eq=False)
class CasePlan:
    """What becomes of one picture's lesions.

    Attributes:
        real: one for each of the survey's lesions.
        inserted: nodules to insert.
    """

    real: Sequence[Planned]
    inserted: Sequence[PlannedInsertion] = ()


def wanted_counts(real: int, changeable: int, config: LesionChangeConfig) -> Mapping[ChangeKind, int]:
    """How many lesions of each kind a split gets, inserted ones included.

    As few as let every kind have its share, although lesions that can't be changed stay as they are, real ones never
    go, and `least_unchanged` holds among real lesions and among inserted ones.

    Args:
        real: lesions of the split.
        changeable: how many of them can be changed.
        config: the shares.
    """
    shares, fixed, least = config.shares, real - changeable, config.least_unchanged
    enough = real / (1 - shares.gone)
    apart = fixed * (1 - least) / (shares.unchanged - least)
    for total in itertools.count(math.ceil(max(enough, apart) - 1e-9)):
        counts = _counts(total, shares)
        of_real, of_inserted = unchanged_of(counts, real, changeable)
        if of_real >= least * changeable - 1e-9 and of_inserted >= least * (total - real) - 1e-9:
            break
    return counts


def _counts(total: int, shares: ChangeShares) -> Mapping[ChangeKind, int]:
    changed = [kind for kind in ChangeKind if kind is not ChangeKind.UNCHANGED]
    counts: dict[ChangeKind, int] = {kind: round(total * float(getattr(shares, kind.value))) for kind in changed}
    counts[ChangeKind.UNCHANGED] = total - sum(counts.values())
    return counts


def unchanged_of(counts: Mapping[ChangeKind, int], real: int, changeable: int) -> tuple[int, int]:
    """How many real lesions that can be changed stay as they are, and how many inserted ones.

    Of both the same share of those that aren't gone.

    Args:
        counts: lesions of each kind.
        real: real lesions.
        changeable: how many of them can be changed.
    """
    total, staying = sum(counts.values()), counts[ChangeKind.UNCHANGED] - (real - changeable)
    of_inserted = total - real - counts[ChangeKind.GONE]
    of_real = round(staying * changeable / max(changeable + of_inserted, 1))
    return of_real, staying - of_real


def plan(
    surveys: Sequence[Survey], bank: NoduleBank, config: LesionChangeConfig, rng: np.random.Generator
) -> list[CasePlan]:
    """What becomes of every lesion of a split.

    Args:
        surveys: of its pictures.
        bank: shapes of this split's patients; a picture gets none of its own patient's.
        config: the rules.
        rng: of all that is drawn.

    Returns:
        One plan a picture. Where there are too few places, fewer are inserted than wanted.
    """
    lesions = [lesion for one in surveys for lesion in one.lesions]
    changeable = sum(is_changeable(lesion, config) for lesion in lesions)
    counts = Counter(wanted_counts(len(lesions), changeable, config))
    staying, among_inserted = unchanged_of(counts, len(lesions), changeable)
    counts[ChangeKind.UNCHANGED], gone = 0, counts.pop(ChangeKind.GONE)
    real, left = _real(lesions, staying, _permuted(list(counts.elements()), rng), config, rng)
    rest = [*left, *[ChangeKind.UNCHANGED] * among_inserted, *[ChangeKind.GONE] * gone]
    inserted = _insertions(_permuted(rest, rng), surveys, bank, config, rng)
    ends = np.cumsum([len(one.lesions) for one in surveys])
    return [
        CasePlan(real[end - len(one.lesions) : end], there)
        for one, end, there in zip(surveys, ends, inserted, strict=True)
    ]


def _permuted(kinds: Sequence[ChangeKind], rng: np.random.Generator) -> list[ChangeKind]:
    return [kinds[place] for place in rng.permutation(len(kinds))]


def _real(
    lesions: Sequence[Lesion],
    staying: int,
    kinds: Sequence[ChangeKind],
    config: LesionChangeConfig,
    rng: np.random.Generator,
) -> tuple[list[Planned], list[ChangeKind]]:
    """What becomes of real lesions, of which so many stay although they can change; and the kinds that are left."""
    able = [is_changeable(lesion, config) for lesion in lesions]
    planned = [Planned(ChangeKind.UNCHANGED, can_change=one) for one in able]
    left = list(kinds)
    for place in rng.permutation(np.flatnonzero(able))[staying:]:
        found = next((kind for kind in left if _can(lesions[place], kind, config)), None)
        if found is not None:
            left.remove(found)
            planned[place] = Planned(found, _factor(found, lesions[place].size_mm, config, rng))
    return planned, left


def is_changeable(lesion: Lesion, config: LesionChangeConfig) -> bool:
    """Whether enough of a lesion can be seen for it to be changed."""
    return lesion.fit.contrast >= config.least_contrast and lesion.fit.likeness >= config.least_likeness


def _can(lesion: Lesion, kind: ChangeKind, config: LesionChangeConfig) -> bool:
    """Whether this may have happened to a lesion, as it is now on the published picture."""
    if kind is ChangeKind.GROWN:
        return lesion.size_mm >= config.least_size_mm * config.growth[0]
    return lesion.has_room if kind is ChangeKind.SHRUNK else kind is not ChangeKind.GONE


def _factor(kind: ChangeKind, size_mm: float, config: LesionChangeConfig, rng: np.random.Generator) -> float:
    """Between the diameters of a lesion of this size, which is the larger one of what has grown; 1 for other kinds.

    What is inserted has this size at the date when it was larger, so it counts as grown here, either way.
    """
    drawn = float(rng.uniform(*config.growth))
    if kind is ChangeKind.GROWN and config.least_size_mm > 0:
        return min(drawn, max(size_mm / config.least_size_mm, config.growth[0]))
    return drawn if kind in (ChangeKind.GROWN, ChangeKind.SHRUNK) else 1.0


def _insertions(
    kinds: Sequence[ChangeKind],
    surveys: Sequence[Survey],
    bank: NoduleBank,
    config: LesionChangeConfig,
    rng: np.random.Generator,
) -> list[list[PlannedInsertion]]:
    """Each kind to a picture drawn at random, of those that aren't full, misplaced or left empty."""
    inserted: list[list[PlannedInsertion]] = [[] for _ in surveys]
    open_places = _open(surveys, config, rng)
    for kind in kinds:
        if not open_places:
            break
        place = open_places[int(rng.integers(len(open_places)))]
        chosen = bank.chosen(config.insertion, besides=surveys[place].case.patient)
        if not chosen:
            continue
        drawn = [draw_insertion(rng, bank, chosen, config.insertion) for _ in range(ALTERNATIVES)]
        shapes = [(bank.nodules[one.nodule], one) for one in drawn]
        size_mm = min(shape.size_mm * one.scale for shape, one in shapes)
        either = ChangeKind.GROWN if kind is ChangeKind.SHRUNK else kind
        inserted[place].append(PlannedInsertion(Planned(kind, _factor(either, size_mm, config, rng)), shapes))
        if len(inserted[place]) >= config.most_inserted:
            open_places.remove(place)
    return inserted


def _open(surveys: Sequence[Survey], config: LesionChangeConfig, rng: np.random.Generator) -> list[int]:
    usable = [number for number, one in enumerate(surveys) if not is_misplaced(one.case.odd)]
    empty = [number for number in usable if not surveys[number].lesions]
    kept = set(rng.permutation(empty)[: math.ceil(config.left_empty * len(empty))].tolist())
    return [number for number in usable if number not in kept]
