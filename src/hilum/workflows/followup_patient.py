"""Whose CTs are: what files say of a patient, and where two of them contradict each other."""

from collections.abc import Iterator
from dataclasses import dataclass

from hilum.io.dicom.files import Header

_SEXES = ("F", "M")
"""Anything else is no statement (other, unknown, withheld)."""


@dataclass(frozen=True)
class Who:
    """A patient as a file names him; "" is "it doesn't say".

    Attributes:
        id: Patient ID.
        name: Patient's Name.
        born: Patient's Birth Date.
        sex: Patient's Sex.
    """

    id: str = ""
    name: str = ""
    born: str = ""
    sex: str = ""

    @classmethod
    def of(cls, header: Header) -> "Who":
        """What a DICOM header says."""
        words = (header.text(f"Patient{what}").strip() for what in ("ID", "Name", "BirthDate", "Sex"))
        return cls(*words)

    @property
    def is_told(self) -> bool:
        """Whether there is anything by which he could be told from others."""
        return bool(self.id or self.name)

    def unlike(self, other: "Who") -> tuple[str, ...]:
        """What speaks against one patient, in words: only what both files say, and only what differs."""
        return tuple(words for words, one, two in self._beside(other) if one and two and one != two)

    def shares(self, other: "Who") -> bool:
        """Whether both files say an ID, or both say a name."""
        return bool((self.id and other.id) or (self.name and other.name))

    def _beside(self, other: "Who") -> Iterator[tuple[str, str, str]]:
        yield f"ID {self.id!r} and {other.id!r}", self.id.casefold(), other.id.casefold()
        yield f"name {self.name!r} and {other.name!r}", _plain(self.name), _plain(other.name)
        yield f"born {self.born} and {other.born}", self.born.replace(".", ""), other.born.replace(".", "")
        sexes = [one.upper() if one.upper() in _SEXES else "" for one in (self.sex, other.sex)]
        yield f"sex {self.sex} and {other.sex}", sexes[0], sexes[1]


def _plain(name: str) -> str:
    """A person's name (PN, PS3.5 6.2) as it is compared: its first writing, without case, carets and commas."""
    return " ".join(name.partition("=")[0].replace("^", " ").replace(",", " ").split()).casefold()
