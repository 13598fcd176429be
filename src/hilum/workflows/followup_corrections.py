"""`corrections.json`: what a person has decided about a follow-up, to be edited and run again.

{"schema": "hilum.corrections/1",
 "together": [["1", "2", "2", "5"]],      nodule 2 of study 1 and nodule 5 of study 2 are one
 "apart": [["1", "1", "2", "1"]],         these two are not
 "masks": {"2": "mine.nii.gz"}}           of study 2 this mask counts, relative to the file
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hilum.core import InputError, UnreadableError
from hilum.followup.ct_tracks import NoduleKey, Override
from hilum.io.json_file import read_json, write_json

CORRECTIONS, SCHEMA = "corrections.json", "hilum.corrections/1"
_HOW = (
    "Studies are numbered 1, 2, …, nodules by the ids that report and followup.json show. together and apart: lists of "
    "[study, nodule, study, nodule]. masks: by study a mask file that replaces its nodules. Edit, then run the same "
    "command again."
)
_FIELDS = 4


@dataclass(frozen=True)
class Corrections:
    """What a person has decided.

    Attributes:
        together: pairs of (study's number, nodule) that are one nodule.
        apart: pairs that are not.
        masks: by study's number, counted from 1, the file of a mask that counts instead.
        is_there: whether there is a file.
    """

    together: tuple[tuple[str, str, str, str], ...] = ()
    apart: tuple[tuple[str, str, str, str], ...] = ()
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

    def plain(self) -> dict[str, object]:
        """For what determines a result."""
        return {
            "together": self.together,
            "apart": self.apart,
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
    try:
        together, apart = (tuple(_pair(one) for one in content.get(name, ())) for name in ("together", "apart"))
        masks = {str(number): path.parent / str(file) for number, file in dict(content.get("masks", {})).items()}
    except (TypeError, ValueError) as error:
        raise UnreadableError(f"{path} can't be understood: {error}.", _HOW) from error
    return Corrections(together, apart, masks, is_there=True)


def offer_corrections(path: Path) -> None:
    """An empty file to be edited, where there is none."""
    if not path.exists():
        write_json(path, {"schema": SCHEMA, "how": _HOW, "together": [], "apart": [], "masks": {}})


def _pair(one: object) -> tuple[str, str, str, str]:
    if not isinstance(one, Sequence) or isinstance(one, str) or len(one) != _FIELDS:
        raise ValueError(f"[study, nodule, study, nodule] was expected, got {one!r}")
    first, nodule, second, other = (str(part) for part in one)
    return first, nodule, second, other


def _key(names: Sequence[str], study: str, nodule: str) -> NoduleKey:
    if not study.isdecimal() or not 1 <= int(study) <= len(names):
        raise InputError(f"corrections: there is no study {study}; there are {len(names)}.", _HOW)
    return NoduleKey(names[int(study) - 1], nodule)
