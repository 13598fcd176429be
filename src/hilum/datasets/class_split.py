"""Who learns from which film, when some films stand in the source more than once."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from hilum.datasets.film_hash import Twins, connected, groups

SPLITS = ("train", "validation", "test")
SHARES = (0.64, 0.16, 0.2)
"""Of a seeded split: those of the published one."""
CONTRADICTED = "the same picture stands under two labels"
COPY = "another copy of the picture is used"


@dataclass(frozen=True)
class FilmFacts:
    """What decides over a film.

    Attributes:
        key: of the case.
        split: that the source puts it into; "" when the source has none.
        label: of the image, "" when nobody says.
        is_outlined: whether somebody outlined what it shows; of copies such a one is kept.
        patient: whose it is.
    """

    key: str
    split: str
    label: str
    is_outlined: bool
    patient: str


@dataclass(frozen=True)
class Sorted:
    """Which films are used.

    Attributes:
        left_out: keys of the others, by the reason.
        unit_of: of each film that is used, the unit that stays together: its patient, or several whose films are nearly
            the same.
    """

    left_out: Mapping[str, Sequence[str]]
    unit_of: Mapping[str, str]


@dataclass
class _Sorting:
    films: Mapping[str, FilmFacts]
    out: dict[str, str] = field(default_factory=dict)

    def kept(self, pairs: Iterable[Twins]) -> list[Twins]:
        return [one for one in pairs if one.first not in self.out and one.second not in self.out]

    def contradictions(self, exact: Iterable[Twins]) -> None:
        for one in exact:
            if self.films[one.first].label != self.films[one.second].label:
                self.out |= dict.fromkeys((one.first, one.second), CONTRADICTED)

    def copies(self, exact: Sequence[Twins]) -> None:
        of = groups({key for one in exact for key in (one.first, one.second)}, connected(exact))
        for group in sorted(set(of.values())):
            members = [self.films[key] for key in sorted(of) if of[key] == group]
            best = max(members, key=lambda one: (_rank(one), one.is_outlined))
            for one in members:
                if one is not best:
                    same = one.split == best.split
                    self.out[one.key] = COPY if same else f"the same picture is in {best.split}"

    def leaks(self, near: Sequence[Twins]) -> None:
        """The film of the lower split goes; validation's first, so that one that is gone takes nobody with it."""
        for split in ("validation", "train"):
            for one in self.kept(near):
                low, high = sorted((self.films[one.first], self.films[one.second]), key=_rank)
                if low.split == split and _rank(low) < _rank(high):
                    self.out[low.key] = f"nearly the same picture is in {high.split}"


def _rank(film: FilmFacts) -> int:
    return SPLITS.index(film.split) if film.split else 0


def sort_films(films: Sequence[FilmFacts], pairs: Sequence[Twins]) -> Sorted:
    """Leave out what would be learnt and judged at once.

    Of copies one is used: that of the split farthest from training, then the outlined one. Copies with different labels
    are all left out. Of films that are nearly the same and in different splits, the one nearer to training is left out;
    in one split, both are used and belong to one unit.

    Args:
        films: all.
        pairs: those that are the same or nearly.
    """
    sorting = _Sorting({film.key: film for film in films})
    exact, near = [one for one in pairs if one.is_exact], [one for one in pairs if not one.is_exact]
    sorting.contradictions(exact)
    sorting.copies(sorting.kept(exact))
    sorting.leaks(near)
    used = [film for film in films if film.key not in sorting.out]
    patient_of = {film.key: film.patient for film in films}
    joined = [(patient_of[one.first], patient_of[one.second]) for one in sorting.kept(near)]
    unit_of_patient = groups({film.patient for film in used}, joined)
    left_out: dict[str, list[str]] = {}
    for key in sorted(sorting.out):
        left_out.setdefault(sorting.out[key], []).append(key)
    return Sorted(left_out, {film.key: unit_of_patient[film.patient] for film in used})


def seeded_units(strata: Mapping[str, str], seed: int) -> dict[str, list[str]]:
    """Units drawn to training, validation and test, each stratum by `SHARES`.

    Args:
        strata: what each unit shows, in a word.
        seed: of the draw.

    Returns:
        The units of each split, sorted.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, list[str]] = {split: [] for split in SPLITS}
    ends = np.cumsum(SHARES)
    for stratum in sorted(set(strata.values())):
        own = sorted(unit for unit, word in strata.items() if word == stratum)
        drawn = [own[place] for place in rng.permutation(len(own))]
        cuts = [0, *(round(float(end) * len(own)) for end in ends)]
        for split, start, stop in zip(SPLITS, cuts, cuts[1:], strict=False):
            found[split] += drawn[start:stop]
    return {split: sorted(units) for split, units in found.items()}
