"""The same nodule at several dates: what is given, what was decided and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from hilum.config import FrozenConfig
from hilum.core import InputError, Nodule
from hilum.core.geometry import Floats
from hilum.core.mask import Selection


class PlaceMap(Protocol):
    """From places on an earlier CT to those on a later one: what matching needs of a `CtRegistration`."""

    def to_current_mm(self, points_lps_mm: Floats) -> Floats:
        """Where places [..., 3] of the earlier CT lie on the later one."""

    def to_prior_mm(self, points_lps_mm: Floats) -> Floats:
        """Where places [..., 3] of the later CT lie on the earlier one; NaN where nowhere."""

    def error_mm(self, points_lps_mm: Floats) -> Floats:
        """[...] by how much `to_current_mm` may be off at places of the earlier CT, 95 %."""

    def shown_on_current(self, points_lps_mm: Floats) -> Selection:
        """Which places of the later CT's frame it shows."""

    def shown_on_prior(self, points_lps_mm: Floats) -> Selection:
        """Which places of the earlier CT's frame it shows."""


class NoduleKey(NamedTuple):
    """One nodule at one date."""

    study: str
    """Of the study, as in `DatedNodules`."""
    nodule: str
    """The nodule's id within it."""


@dataclass(frozen=True)
class DatedNodules:
    """The nodules of one study.

    Attributes:
        study: its name, best its Study Instance UID: tracking ids are made of it.
        nodules: each with its centre in LPS mm, and an id of its own.

    Raises:
        InputError: a nodule has no centre, or two have one id.
    """

    study: str
    nodules: tuple[Nodule, ...]

    def __post_init__(self) -> None:
        lost = [one.id for one in self.nodules if one.centre_lps_mm is None]
        if lost:
            raise InputError(f"nodules without a centre in mm can't be matched: {', '.join(lost)} of {self.study}.")
        if len({one.id for one in self.nodules}) < len(self.nodules):
            raise InputError(f"two nodules of {self.study} have one id.", "Give each an id of its own.")


@dataclass(frozen=True)
class Override:
    """What a person has decided; it wins over every gate and the assignment.

    Attributes:
        first: a nodule.
        second: one of another date.
        together: whether both are one nodule; else they are kept apart.
    """

    first: NoduleKey
    second: NoduleKey
    together: bool


class Fate(StrEnum):
    """What became of a nodule between two dates."""

    MATCHED = "matched"
    NEW = "new"
    GONE = "gone"
    MERGED = "merged"
    """It is part of a nodule that another one is matched with."""
    SPLIT = "split"
    """It was part of a nodule that another one is matched with."""
    NOT_COVERED = "not covered"
    """The other CT doesn't show its place: neither new nor gone."""


class MatchConfig(FrozenConfig):
    """How alike two nodules have to be to be one."""

    jitter_mm: float = 2.5
    """How far two readings of one nodule lie apart without any registration, 95 %."""
    jitter_share: float = 0.15
    """The same, to be added, as a share of its diameter."""
    gate: float = 2.0
    """Distances count to this multiple of what 95 % stay below."""
    size_ratio: float = 3.0
    """Largest ratio of diameters."""
    texture_change: float = 5.0
    """Difference of texture, on the scale of 1 to 5, that alone would part two nodules; more than 4 parts none."""
    joined_volume: float = 0.7
    """A nodule that two have merged to has at least this share of both volumes; one that was split likewise."""


@dataclass(frozen=True)
class Likeness:
    """A nodule at a later date beside the place at which an earlier one is expected.

    Attributes:
        distance_mm: from the expected place.
        gate_mm: what is allowed.
        size_ratio: of diameters, later to earlier; NaN when one is unknown.
        texture_change: later minus earlier; NaN when one is unknown.
        unlikeness: sum of squares of distance by gate, log ratio by log of the largest, texture change by the largest;
            what is unknown counts 0. Above 1 they are two nodules.
    """

    distance_mm: float
    gate_mm: float
    size_ratio: float
    texture_change: float
    unlikeness: float

    @property
    def may_be_one(self) -> bool:
        """Whether they may be one nodule."""
        return self.unlikeness <= 1


@dataclass(frozen=True)
class MatchDecision:
    """One line of the table of decisions.

    Attributes:
        fate: what was decided.
        prior: the earlier nodule, or None.
        current: the later one, or None.
        study: the later study: at which the decision was made.
        tracking_uid: of the nodule over all dates.
        reason: why, in words and numbers, with the nearest alternative that was not taken.
        likeness: of both; None where there is one only.
        rival: the nearest alternative, or None.
        doubtful: whether the rival might be it as well.
        by_hand: whether a person decided.
    """

    fate: Fate
    prior: NoduleKey | None
    current: NoduleKey | None
    study: str
    tracking_uid: str
    reason: str
    likeness: Likeness | None = None
    rival: NoduleKey | None = None
    doubtful: bool = False
    by_hand: bool = False


@dataclass(frozen=True)
class Track:
    """One nodule over all dates.

    Attributes:
        uid: the same at every date (DICOM's Tracking Unique Identifier, 0062,0021), and whenever later dates are added.
        nodules: id of the nodule by study, in the order of dates; dates at which it wasn't seen are missing.
        merged_into: the track that it is part of since; or None.
        split_from: the track that it was part of before; or None.
    """

    uid: str
    nodules: Mapping[str, str]
    merged_into: str | None = None
    split_from: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodules", MappingProxyType(dict(self.nodules)))


@dataclass(frozen=True)
class Matching:
    """Nodules of all dates.

    Attributes:
        tracks: in the order of first sight.
        decisions: date by date, those of earlier nodules first.
    """

    tracks: tuple[Track, ...]
    decisions: tuple[MatchDecision, ...]

    def of(self, key: NoduleKey) -> Track:
        """The track that a nodule is on.

        Raises:
            InputError: there is no such nodule.
        """
        found = next((one for one in self.tracks if one.nodules.get(key.study) == key.nodule), None)
        if found is None:
            raise InputError(f"there is no nodule {key.nodule} in {key.study}.")
        return found


def tracking_uid(key: NoduleKey) -> str:
    """A UID of study and nodule: the same ones give the same UID."""
    from hilum.io.dicom.compose import uid

    return uid(key.study, f"nodule {key.nodule}")
