"""`corrections.json`: what a person has decided about a follow-up, to be edited and run again.

{"schema": "hilum.corrections/1",
 "together": [["1", "2", "2", "5"]],      nodule 2 of study 1 and nodule 5 of study 2 are one
 "apart": [["1", "1", "2", "1"]],         these two are not
 "not_nodules": [["1", "3"]],             nodule 3 of study 1 is none
 "masks": {"2": "mine.nii.gz"}}           of study 2 this mask counts, relative to the file
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from hilum.core import InputError, UnreadableError
from hilum.followup.ct_tracks import NoduleKey, Override
from hilum.io.json_file import read_json, write_json

CORRECTIONS, SCHEMA = "corrections.json", "hilum.corrections/1"
_HOW = (
    "Studies are numbered 1, 2, …, nodules by the ids that report and followup.json show. together and apart: lists of "
    "[study, nodule, study, nodule]. not_nodules: a list of [study, nodule], which are left out. masks: by study a "
    "mask file that replaces its nodules. Edit, then run the same command again."
)
_KNOWN = ("schema", "how", "together", "apart", "not_nodules", "masks")
_NONE = "no nodule, set by hand"
_FIELDS, _OWN = 4, 2
_ASIDE = "corrections.old*.json"
_ROOM = 1000


@dataclass(frozen=True)
class Corrections:
    """What a person has decided.

    Attributes:
        together: pairs of (study's number, nodule) that are one nodule.
        apart: pairs that are not.
        not_nodules: (study's number, nodule) of what was taken for a nodule and is none.
        masks: by study's number, counted from 1, the file of a mask that counts instead.
        is_there: whether there is a file.
    """

    together: tuple[tuple[str, str, str, str], ...] = ()
    apart: tuple[tuple[str, str, str, str], ...] = ()
    not_nodules: tuple[tuple[str, str], ...] = ()
    masks: Mapping[str, Path] = field(default_factory=dict)
    is_there: bool = False

    def overrides(self, names: Sequence[str]) -> list[Override]:
        """As matching takes them.

        Args:
            names: of the studies, in their order.

        Raises:
            InputError: there is no study of such a number.
        """
        return [
            Override(_key(names, first, one), _key(names, second, other), is_one)
            for pairs, is_one in ((self.together, True), (self.apart, False))
            for first, one, second, other in pairs
        ]

    def refused(self, names: Sequence[str]) -> frozenset[NoduleKey]:
        """What is no nodule, as matching takes it.

        Args:
            names: of the studies, in their order.

        Raises:
            InputError: there is no study of such a number.
        """
        return frozenset(_key(names, study, nodule) for study, nodule in self.not_nodules)

    def said(self) -> list[str]:
        """A sentence about each nodule that is left out."""
        return [f"Nodule {nodule} of study {study} is left out: {_NONE}." for study, nodule in self.not_nodules]

    def require(self, count: int) -> None:
        """Refuse what can't be meant, before anything is computed.

        Args:
            count: of studies.

        Raises:
            InputError: it names a study that isn't there, two nodules of one study, a pair both together and apart, a
                nodule of a pair that is none, or a mask that is no file.
        """
        for number, path in self.masks.items():
            _require_study(number, count)
            if not path.is_file():
                raise InputError(f"{CORRECTIONS}: the mask of study {number}, {path}, is no file.", _HOW)
        for first, one, second, other in (*self.together, *self.apart):
            _require_study(first, count)
            _require_study(second, count)
            if int(first) == int(second):
                raise InputError(f"{CORRECTIONS}: nodules {one} and {other} are both of study {first}.", _HOW)
        self._require_no_pair_of_none(count)
        both = set(map(frozenset, _ends(self.together))) & set(map(frozenset, _ends(self.apart)))
        if both:
            ends = (f"nodule {nodule} of study {study}" for study, nodule in sorted(both.pop()))
            raise InputError(
                f"{CORRECTIONS}: {' and '.join(ends)} are put together and kept apart.", "Remove one of the lines."
            )

    def _require_no_pair_of_none(self, count: int) -> None:
        for study, _ in self.not_nodules:
            _require_study(study, count)
        paired = {end for ends in _ends((*self.together, *self.apart)) for end in ends}
        for study, nodule in self._none():
            if (study, nodule) in paired:
                raise InputError(
                    f"{CORRECTIONS}: nodule {nodule} of study {study} is in not_nodules and in a pair.",
                    "Remove one of the lines.",
                )

    def _none(self) -> list[tuple[str, str]]:
        return [(str(int(study)), nodule) for study, nodule in self.not_nodules]

    def require_nodules(self, known: Sequence[Collection[str] | None]) -> None:
        """Refuse nodules that aren't there.

        Args:
            known: ids by study; None where more may come yet.

        Raises:
            InputError: there is such a nodule.
        """
        for named in (*_ends((*self.together, *self.apart)), self._none()):
            for study, nodule in named:
                there = known[int(study) - 1]
                if there is not None and nodule not in there:
                    listed = ", ".join(sorted(there, key=lambda one: (len(one), one))) or "none"
                    raise InputError(
                        f"{CORRECTIONS}: study {study} has no nodule {nodule}.", f"Its nodules are: {listed}."
                    )

    def plain(self) -> dict[str, object]:
        """For what determines a result."""
        return {
            "together": self.together,
            "apart": self.apart,
            "not_nodules": self.not_nodules,
            "masks": {key: str(one) for key, one in self.masks.items()},
        }


def read_corrections(path: Path) -> Corrections:
    """What stands in the file; nothing where there is none.

    Raises:
        UnreadableError: it is another file, or damaged.
    """
    if not path.is_file():
        return Corrections()
    content = read_json(path)
    if not isinstance(content, Mapping) or content.get("schema") != SCHEMA:
        raise UnreadableError(f"{path} is no corrections file: {SCHEMA} was expected.", _HOW)
    unknown = [repr(name) for name in content if name not in _KNOWN]
    if unknown:
        raise UnreadableError(f"{path}: nobody knows {', '.join(unknown)}; known are {', '.join(_KNOWN)}.", _HOW)
    try:
        together, apart = (tuple(_pair(one) for one in content.get(name, ())) for name in ("together", "apart"))
        none = tuple(_one(one) for one in content.get("not_nodules", ()))
        masks = {str(number): path.parent / _file(file) for number, file in dict(content.get("masks", {})).items()}
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"{path} can't be understood: {error}.", _HOW) from error
    return Corrections(together, apart, none, masks, is_there=True)


def offer_corrections(path: Path) -> None:
    """An empty file to be edited, where there is none."""
    if not path.exists():
        write_json(path, {"schema": SCHEMA, "how": _HOW, "together": [], "apart": [], "not_nodules": [], "masks": {}})


def corrections_files(folder: Path) -> list[Path]:
    """What a person has decided, and what was set aside of it."""
    return [folder / CORRECTIONS, *sorted(folder.glob(_ASIDE))]


def own_masks(folder: Path) -> Iterator[Path]:
    """Masks that a person has named, in files that were set aside, too; what can't be read names none."""
    for path in corrections_files(folder):
        with suppress(InputError):
            yield from read_corrections(path).masks.values()


def set_aside(folder: Path) -> str:
    """Keep decisions about other studies under another name.

    Returns:
        A sentence that says so.
    """
    number = 1 + sum(1 for _ in folder.glob(_ASIDE))
    names = (f"corrections.old{'' if at == 1 else f'-{at}'}.json" for at in range(number, number + _ROOM))
    kept = next(folder / name for name in names if not (folder / name).exists())
    (folder / CORRECTIONS).rename(kept)
    return f"{CORRECTIONS} was about other studies: it is kept as {kept.name}, and nothing of it counts here."


def _pair(one: object) -> tuple[str, str, str, str]:
    if not isinstance(one, Sequence) or isinstance(one, str) or len(one) != _FIELDS:
        raise ValueError(f"[study, nodule, study, nodule] was expected, got {one!r}")
    first, nodule, second, other = (str(part) for part in one)
    return first, nodule, second, other


def _one(one: object) -> tuple[str, str]:
    if not isinstance(one, Sequence) or isinstance(one, str) or len(one) != _OWN:
        raise ValueError(f"[study, nodule] was expected, got {one!r}")
    study, nodule = (str(part) for part in one)
    return study, nodule


def _file(name: object) -> str:
    if not isinstance(name, str) or not name:
        raise ValueError(f"the name of a mask was expected, got {name!r}")
    return name


def _ends(pairs: Sequence[tuple[str, str, str, str]]) -> Iterator[tuple[tuple[str, str], tuple[str, str]]]:
    """(study, nodule) twice, studies without leading zeros."""
    for first, one, second, other in pairs:
        yield (str(int(first)), one), (str(int(second)), other)


def _require_study(study: str, count: int) -> None:
    if not study.isdecimal() or not 1 <= int(study) <= count:
        raise InputError(f"{CORRECTIONS}: there is no study {study}; there are {count}.", _HOW)


def _key(names: Sequence[str], study: str, nodule: str) -> NoduleKey:
    _require_study(study, len(names))
    return NoduleKey(names[int(study) - 1], nodule)
