"""Which nodules at several dates are one, what became of the others, and why.

Dates are gone through in order. Each nodule known so far (a track) is expected at a place of the next CT: the place
where it was last seen, through the registrations. Tracks and nodules are then paired so that the sum of unlikeness is
least (`ct_likeness`). What stays alone is merged, split, not covered, gone or new, in this order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hilum.core import InputError, Nodule
from hilum.core.geometry import Floats
from hilum.followup.ct_likeness import ball_mm3, best_pairs, diameter_mm, likeness
from hilum.followup.ct_overrides import Decided, decided
from hilum.followup.ct_places import Expected, Places
from hilum.followup.ct_reasons import alone, by_hand, joined, paired, uncovered
from hilum.followup.ct_tracks import (
    DatedNodules,
    Fate,
    Likeness,
    MatchConfig,
    MatchDecision,
    Matching,
    NoduleKey,
    Override,
    PlaceMap,
    Track,
    tracking_uid,
)

_FORCED = -1e3


def match_nodules(
    dates: Sequence[DatedNodules],
    maps: Mapping[tuple[int, int], PlaceMap],
    *,
    overrides: Sequence[Override] = (),
    config: MatchConfig | None = None,
) -> Matching:
    """Find the nodules of all dates that are one.

    Args:
        dates: at least two studies, the earliest first.
        maps: registrations by numbers of the earlier and the later date; those of neighbours (0, 1), (1, 2) … must be
            there, others are used in place of a chain of these.
        overrides: what a person has decided.
        config: what is allowed.

    Raises:
        InputError: there are less than two dates, two have one name, a registration is missing, or the overrides name
            nodules that are not there or contradict each other.
    """
    _require_dates(dates, maps)
    run = _Run(dates, Places(maps), decided(dates, overrides), config or MatchConfig())
    for nodule in dates[0].nodules:
        run.begin(0, nodule)
    for number in range(1, len(dates)):
        run.step(number)
    return Matching(tuple(one.track(dates) for one in run.tracks), tuple(run.decisions))


def _require_dates(dates: Sequence[DatedNodules], maps: Mapping[tuple[int, int], PlaceMap]) -> None:
    if len(dates) < 2:
        raise InputError(f"nodules of at least two dates can be matched, got {len(dates)}.")
    if len({one.study for one in dates}) < len(dates):
        raise InputError("two dates have the same study.", "Give each study once.")
    missing = [pair for pair in zip(range(len(dates)), range(1, len(dates)), strict=False) if pair not in maps]
    if missing:
        raise InputError(f"the registration of dates {missing[0][0]} and {missing[0][1]} is missing.")


@dataclass(eq=False)
class _Open:
    """A track while it is made."""

    uid: str
    seen: dict[int, Nodule]
    merged_into: str | None = None
    split_from: str | None = None

    @property
    def last(self) -> int:
        return max(self.seen)

    @property
    def nodule(self) -> Nodule:
        return self.seen[self.last]

    def track(self, dates: Sequence[DatedNodules]) -> Track:
        seen = {dates[number].study: one.id for number, one in sorted(self.seen.items())}
        return Track(self.uid, seen, self.merged_into, self.split_from)


@dataclass(frozen=True)
class _Said:
    """What became of a track, why, and whether a person decided so."""

    fate: Fate
    reason: str
    by_hand: bool = False


@dataclass(eq=False)
class _Run:
    """All tracks and decisions so far."""

    dates: Sequence[DatedNodules]
    places: Places
    hand: Decided
    config: MatchConfig
    tracks: list[_Open] = field(default_factory=list)
    decisions: list[MatchDecision] = field(default_factory=list)

    def key(self, number: int, nodule: Nodule) -> NoduleKey:
        return NoduleKey(self.dates[number].study, nodule.id)

    def begin(self, number: int, nodule: Nodule, split_from: str | None = None) -> _Open:
        track = _Open(tracking_uid(self.key(number, nodule)), {number: nodule}, split_from=split_from)
        self.tracks.append(track)
        return track

    def step(self, number: int) -> None:
        """Match one more date."""
        tracks = [one for one in self.tracks if one.merged_into is None]
        date = _Date.of(self, tracks, number)
        pairs = dict(best_pairs(date.cost))
        taken = {column: row for row, column in pairs.items()}
        for row in range(len(tracks)):
            self.decisions.append(date.earlier(row, pairs, taken))
        for column in range(len(date.nodules)):
            if column not in taken:
                self.decisions.append(date.later(column, pairs))
        for row, column in pairs.items():
            tracks[row].seen[number] = date.nodules[column]


@dataclass(eq=False)
class _Date:
    """Known tracks beside the nodules of one later date.

    Attributes:
        run: what it belongs to.
        number: of the date.
        tracks: those that are not merged; the rows.
        nodules: of the date; the columns.
        expected: of each track its place at this date.
        beside: of each row and column.
        cost: [rows, columns] unlikeness; infinite for what must not be, far below 0 for what a person has put together.
    """

    run: _Run
    number: int
    tracks: list[_Open]
    nodules: tuple[Nodule, ...]
    expected: list[Expected]
    beside: list[list[Likeness]]
    cost: Floats

    @classmethod
    def of(cls, run: _Run, tracks: list[_Open], number: int) -> "_Date":
        nodules = run.dates[number].nodules
        expected = [run.places.expected(one.last, number, _centre(one.nodule)) for one in tracks]
        beside = [
            [likeness(one.nodule, place.place_mm, place.error_mm, later, run.config) for later in nodules]
            for one, place in zip(tracks, expected, strict=True)
        ]
        date = cls(run, number, tracks, nodules, expected, beside, np.full((len(tracks), len(nodules)), np.inf))
        for row, column in np.ndindex(date.cost.shape):
            date.cost[row, column] = date._cost(row, column)
        return date

    def _cost(self, row: int, column: int) -> float:
        word = self._by_hand(row, column)
        if word is not None:
            return _FORCED if word else np.inf
        one = self.beside[row][column]
        return one.unlikeness if one.may_be_one and one.distance_mm <= one.gate_mm else np.inf

    def _by_hand(self, row: int, column: int) -> bool | None:
        """Whether a person put them together or apart; None where nobody did."""
        seen = [self.run.key(number, one) for number, one in self.tracks[row].seen.items()]
        return self.run.hand.of(seen, self.key(column))

    def key(self, column: int) -> NoduleKey:
        return self.run.key(self.number, self.nodules[column])

    def last_key(self, row: int) -> NoduleKey:
        return self.run.key(self.tracks[row].last, self.tracks[row].nodule)

    def earlier(self, row: int, pairs: dict[int, int], taken: dict[int, int]) -> MatchDecision:
        """What became of a track."""
        own = pairs.get(row)
        if own is not None:
            return self._matched(row, own)
        rival = self._nearest([one.distance_mm for one in self.beside[row]])
        near = None if rival is None else (self.key(rival), self.beside[row][rival])
        into = self._merged(row, taken)
        if into is not None:
            self.tracks[row].merged_into = self.tracks[taken[into]].uid
            reason = joined(self.expected[row], self.beside[row][into], self.nodules[into], "merged into")
            return self._decision(_Said(Fate.MERGED, reason), row, into)
        if not self.expected[row].is_shown:
            said = _Said(Fate.NOT_COVERED, uncovered(self.number + 1))
            return self._decision(said, row, None, near)
        held = rival is not None and self._by_hand(row, rival) is False
        reason = by_hand("kept apart") if held else alone(near, self._is_taken(rival, taken))
        return self._decision(_Said(Fate.GONE, reason, held), row, None, near)

    def _matched(self, row: int, own: int) -> MatchDecision:
        rivals = [one.distance_mm if n != own else np.inf for n, one in enumerate(self.beside[row])]
        rival = self._nearest(rivals)
        near = None if rival is None else (self.key(rival), self.beside[row][rival])
        hand = self._by_hand(row, own) is True
        reason = by_hand("put together") if hand else paired(self.beside[row][own], near)
        return self._decision(_Said(Fate.MATCHED, reason, hand), row, own, near)

    def later(self, column: int, pairs: dict[int, int]) -> MatchDecision:
        """What a nodule is that no track was paired with: it begins a track."""
        nodule, key = self.nodules[column], self.key(column)
        row = self._split(column, pairs)
        track = self.run.begin(self.number, nodule, None if row is None else self.tracks[row].uid)
        if row is not None:
            reason = joined(self.expected[row], self.beside[row][column], self.tracks[row].nodule, "split from")
            return MatchDecision(Fate.SPLIT, self.last_key(row), key, key.study, track.uid, reason)
        if not self.run.places.was_shown(self.number, _centre(nodule)):
            return MatchDecision(Fate.NOT_COVERED, None, key, key.study, track.uid, uncovered(None))
        nearest = self._nearest([one[column].distance_mm for one in self.beside])
        near = None if nearest is None else (self.last_key(nearest), self.beside[nearest][column])
        held = nearest is not None and self._by_hand(nearest, column) is False
        reason = by_hand("kept apart") if held else alone(near, nearest is not None and nearest in pairs)
        rival = near[0] if near else None
        doubtful = near is not None and near[1].may_be_one and not held
        return MatchDecision(Fate.NEW, None, key, key.study, track.uid, reason, None, rival, doubtful, held)

    def _decision(
        self, said: _Said, row: int, column: int | None, rival: tuple[NoduleKey, Likeness] | None = None
    ) -> MatchDecision:
        return MatchDecision(
            fate=said.fate,
            prior=self.last_key(row),
            current=None if column is None else self.key(column),
            study=self.run.dates[self.number].study,
            tracking_uid=self.tracks[row].uid,
            reason=said.reason,
            likeness=None if column is None else self.beside[row][column],
            rival=rival[0] if rival else None,
            doubtful=rival is not None and rival[1].may_be_one and not said.by_hand,
            by_hand=said.by_hand,
        )

    def _merged(self, row: int, taken: dict[int, int]) -> int | None:
        """The column that a track without a partner is now part of, paired with another track."""
        for column, other in taken.items():
            known = [self.tracks[row].nodule, self.tracks[other].nodule]
            whole, way = self.nodules[column], self.beside[row][column].distance_mm
            if self._by_hand(row, column) is None and _is_joined(known, whole, way, self.run.config):
                return column
        return None

    def _split(self, column: int, pairs: dict[int, int]) -> int | None:
        """The row that a nodule without a partner was part of, paired with another nodule."""
        for row, other in pairs.items():
            parts = [self.nodules[column], self.nodules[other]]
            whole, way = self.tracks[row].nodule, self.beside[row][column].distance_mm
            if self._by_hand(row, column) is None and _is_joined(parts, whole, way, self.run.config):
                return row
        return None

    @staticmethod
    def _nearest(distances_mm: list[float]) -> int | None:
        known = [one if np.isfinite(one) else np.inf for one in distances_mm]
        return int(np.argmin(known)) if known and min(known) < np.inf else None

    @staticmethod
    def _is_taken(column: int | None, taken: dict[int, int]) -> bool:
        return column in taken


def _is_joined(parts: Sequence[Nodule], whole: Nodule, way_mm: float, config: MatchConfig) -> bool:
    """Whether the first part's centre lies in the whole, which has about the volume of all parts; unknown sizes: no."""
    radius, total = diameter_mm(whole) / 2, sum(ball_mm3(one) for one in parts)
    largest = max(ball_mm3(one) for one in parts)
    return way_mm <= radius and ball_mm3(whole) >= max(config.joined_volume * total, largest)


def _centre(nodule: Nodule) -> Floats:
    return np.array(nodule.centre_lps_mm, dtype=np.float64)
