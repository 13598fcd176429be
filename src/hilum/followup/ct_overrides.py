"""What a person has decided about nodules of several dates, checked and brought together."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hilum.core import InputError
from hilum.followup.ct_tracks import DatedNodules, NoduleKey, Override


@dataclass(frozen=True, eq=False)
class Decided:
    """Who belongs together, and who doesn't.

    Attributes:
        group: by nodule a number that all have that were put together.
        apart: pairs of such numbers that were kept apart, each both ways round.
    """

    group: dict[NoduleKey, int]
    apart: frozenset[tuple[int, int]]

    def of(self, seen: Iterable[NoduleKey], other: NoduleKey) -> bool | None:
        """Whether a nodule belongs to a track that was seen so; None where nobody has decided."""
        groups, own = {self.group[one] for one in seen}, self.group[other]
        if own in groups:
            return True
        return False if any((one, own) in self.apart for one in groups) else None


def decided(dates: Sequence[DatedNodules], overrides: Sequence[Override]) -> Decided:
    """Bring overrides together: who is one with a second nodule is one with all that this one is one with.

    Raises:
        InputError: an override names a nodule that is not there, two nodules of one date are put together, or some are
            put together and kept apart.
    """
    group = {
        NoduleKey(date.study, nodule.id): number
        for number, (date, nodule) in enumerate((date, nodule) for date in dates for nodule in date.nodules)
    }
    names = {date.study: f"study {number}" for number, date in enumerate(dates, start=1)}
    for one in overrides:
        _require_known(one, group, names)
    for one in overrides:
        if one.together:
            new, old = group[one.first], group[one.second]
            group = {key: new if number == old else number for key, number in group.items()}
    _require_one_each(group, names)
    pairs = [(one, group[one.first], group[one.second]) for one in overrides if not one.together]
    for one, first, second in pairs:
        if first == second:
            raise InputError(
                f"{_name(one.first, names)} and {_name(one.second, names)} are both put together and kept apart by "
                "hand.",
                "Remove one of the corrections.",
            )
    return Decided(group, frozenset(pair for _, a, b in pairs for pair in ((a, b), (b, a))))


def _require_known(one: Override, group: dict[NoduleKey, int], names: Mapping[str, str]) -> None:
    for key in (one.first, one.second):
        if key not in group:
            there = ", ".join(other.nodule for other in group if other.study == key.study) or "none"
            raise InputError(
                f"a correction names {_name(key, names)}, which is not there.", f"The study's nodules are: {there}."
            )
    if one.first.study == one.second.study:
        raise InputError(
            f"a correction names two nodules of one date: {_name(one.first, names)} and {_name(one.second, names)}.",
            "A correction is about two dates.",
        )


def _require_one_each(group: dict[NoduleKey, int], names: Mapping[str, str]) -> None:
    seen: dict[tuple[int, str], NoduleKey] = {}
    for key, number in group.items():
        other = seen.setdefault((number, key.study), key)
        if other != key:
            raise InputError(
                f"{_name(other, names)} and {_name(key, names)}, of one date, are put together by hand, by way of "
                "other dates.",
                "Remove one of the corrections.",
            )


def _name(key: NoduleKey, names: Mapping[str, str]) -> str:
    """By its study's number: people don't know hashes."""
    return f"nodule {key.nodule} of {names.get(key.study, key.study)}"
