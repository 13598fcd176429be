"""DICOM files and their headers: the one place where pydicom's surprises become `UnreadableError`."""

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hilum.core import HilumError, UnreadableError
from hilum.io.inputs import files_in

if TYPE_CHECKING:
    from pydicom import Dataset

IMPLICIT_LITTLE = "1.2.840.10008.1.2"
EXPLICIT_LITTLE = "1.2.840.10008.1.2.1"
_DEFLATED = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG = "1.2.840.10008.1.2.2"

_PREAMBLE_BYTES = 128
_UNDEFINED_LENGTH = 0xFFFFFFFF
_SOUND = "Get a sound copy."
_VALUE_REPRESENTATIONS = {b"AE", b"CS", b"DA", b"LO", b"LT", b"OB", b"PN", b"SH", b"TM", b"UI", b"UL", b"SQ"}


@contextmanager
def guarded(path: Path, what: str = "it") -> Iterator[None]:
    """Let nothing but a HilumError out of the block, and no warning: pydicom raises anything on damaged files.

    What pydicom said is for programmers, and often about its own insides: it stays in the error's cause.

    Args:
        path: the file, for the message.
        what: the part that is being read, for the message.

    Raises:
        UnreadableError: the block raised something else, or the system refused the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except HilumError:
        raise
    except OSError as error:
        raise UnreadableError(f"{path} could not be read: {error.strerror or error}.") from error
    except Exception as error:  # the libraries document no list of what they raise
        raise UnreadableError(f"{path} is damaged: {what} could not be read.", _SOUND) from error


def is_dicom(path: Path) -> bool:
    """Whether a file is DICOM: "DICM" after the preamble (PS3.10 section 7.1), or a data set that begins like one.

    A file without the preamble must begin with an element of group 0002 or 0008, explicit or implicit, little or big
    endian. A folder, a pipe, a missing file or one that may not be read is none.
    """
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(_PREAMBLE_BYTES + 4)
    except OSError:
        return False
    return start[_PREAMBLE_BYTES:] == b"DICM" or _begins_like_dataset(start)


def has_preamble(path: Path) -> bool:
    """Whether a readable file carries the 128 bytes and "DICM" of PS3.10 section 7.1."""
    with guarded(path), path.open("rb") as file:
        return file.read(_PREAMBLE_BYTES + 4)[_PREAMBLE_BYTES:] == b"DICM"


def _begins_like_dataset(start: bytes) -> bool:
    if len(start) < 12:
        return False
    if start[:4] in (b"\x08\x00\x00\x00", b"\x02\x00\x00\x00"):
        return start[4:6] in (b"UL", b"\x04\x00")
    little, big = start[:2] in (b"\x08\x00", b"\x02\x00"), start[:2] in (b"\x00\x08", b"\x00\x02")
    if not (little or big):
        return False
    implicit_length = int.from_bytes(start[4:8], "little")
    return start[4:6] in _VALUE_REPRESENTATIONS or (little and start[3] == 0 and 0 < implicit_length <= 1024)


@dataclass(frozen=True, eq=False)
class Item:
    """A DICOM data set, or an item of a sequence, with readers that fail in one way only.

    Attributes:
        path: the file, for messages.
        dataset: pydicom's own; values are converted when asked for, and may raise anything outside of these methods.
    """

    path: Path
    dataset: "Dataset"

    def value(self, keyword: str) -> Any:
        """An element's value by its keyword (PS3.6); None when it is absent or empty.

        Raises:
            UnreadableError: the value is damaged.
        """
        if _tag_and_vr(keyword)[0] not in self.dataset:
            return None
        with guarded(self.path, keyword):
            value = self.dataset.get(keyword)
            return None if value is None or (hasattr(value, "__len__") and len(value) == 0) else value
        return None

    def text(self, keyword: str) -> str:
        """A value for people; "" when it is absent or damaged, several values joined by a backslash."""
        plain = self._plain_text(keyword)
        if plain is not None:
            return _for_people(plain)
        try:
            value = self.value(keyword)
            with guarded(self.path, keyword):
                several = (
                    hasattr(value, "__iter__") and not isinstance(value, str) and type(value).__name__ != "PersonName"
                )
                joined = "\\".join(str(part) for part in value) if several else str("" if value is None else value)
        except UnreadableError:
            return ""
        return _for_people(joined)

    def numbers(self, keyword: str, count: int) -> tuple[float, ...] | None:
        """Exactly `count` finite numbers; None when the element is absent or empty.

        Raises:
            UnreadableError: the value is something else.
        """
        found = self._plain_numbers(keyword)
        if found is None:
            value = self.value(keyword)
            if value is None:
                return None
            several = value if hasattr(value, "__iter__") and not isinstance(value, str | bytes) else (value,)
            try:
                found = tuple(float(part) for part in several)
            except (TypeError, ValueError) as error:
                raise self._no_numbers(keyword, count) from error
        if len(found) != count or not all(map(math.isfinite, found)):
            raise self._no_numbers(keyword, count)
        return found

    def _no_numbers(self, keyword: str, count: int) -> UnreadableError:
        wanted = "a finite number" if count == 1 else f"{count} finite numbers"
        found = self.text(keyword)[:60] or "something else"
        return UnreadableError(f"{self.path} is damaged: {keyword} should be {wanted}, it is {found}.", _SOUND)

    def _bytes(self, keyword: str) -> tuple[str, bytes, bool]:
        """An element that pydicom hasn't converted yet: VR, bytes, little endian; empty when there is none such.

        Most values are asked for once, and converting them here costs a tenth of what pydicom's own way costs.
        """
        tag, expected = _tag_and_vr(keyword)
        try:
            element = self.dataset.get_item(tag) if tag in self.dataset else None
        except Exception:  # noqa: BLE001 - an unknown VR, for one; the slow way meets it again and says so
            return "", b"", True
        value, is_little = getattr(element, "value", None), getattr(element, "is_little_endian", None)
        if not isinstance(value, bytes) or is_little is None:
            return "", b"", True
        return getattr(element, "VR", None) or expected, value, is_little

    def _plain_text(self, keyword: str) -> str | None:
        """The fast path of `text`: ASCII of a VR that is text; None sends it the slow way."""
        vr, value, _ = self._bytes(keyword)
        return value.decode("ascii") if vr in _TEXT_VRS and value.isascii() and b"\x1b" not in value else None

    def _plain_numbers(self, keyword: str) -> tuple[float, ...] | None:
        """The fast path of `numbers`: decimal or integer strings, and 16-bit integers; None sends it the slow way."""
        vr, value, is_little = self._bytes(keyword)
        try:
            if vr == "US" and len(value) == 2:
                return (float(int.from_bytes(value, "little" if is_little else "big")),)
            text = value.decode("ascii").strip(" \x00") if vr in ("DS", "IS") else ""
            return tuple(float(part) for part in text.split("\\")) if text else None
        except ValueError:
            return None

    def number(self, keyword: str) -> float | None:
        """One finite number; None when it is absent or empty. Raises like `numbers`."""
        found = self.numbers(keyword, 1)
        return None if found is None else found[0]

    def whole(self, keyword: str, default: int) -> int:
        """One whole number; the default when it is absent or empty. Raises like `numbers`."""
        found = self.number(keyword)
        return default if found is None else int(found)

    def items(self, keyword: str) -> list["Item"]:
        """The items of a sequence; none when it is absent.

        Raises:
            UnreadableError: the element is damaged, or no sequence.
        """
        value = self.value(keyword)
        with guarded(self.path, keyword):
            return [] if value is None else [Item(self.path, _as_dataset(part, keyword)) for part in value]
        return []


def _for_people(text: str) -> str:
    """One printable line."""
    line = " ".join(text.replace("\x00", " ").split())
    return line if line.isprintable() else "".join(letter if letter.isprintable() else "�" for letter in line)


_TEXT_VRS = ("AE", "AS", "CS", "DA", "DS", "IS", "LO", "PN", "SH", "TM", "UI")


@lru_cache
def _tag_and_vr(keyword: str) -> tuple[int, str]:
    from pydicom.datadict import dictionary_VR, tag_for_keyword

    tag = tag_for_keyword(keyword)
    if tag is None:
        raise KeyError(keyword)
    return tag, dictionary_VR(tag)


def _as_dataset(part: object, keyword: str) -> "Dataset":
    from pydicom import Dataset

    if not isinstance(part, Dataset):
        raise TypeError(f"{keyword} is no sequence")
    return part


@dataclass(frozen=True, eq=False)
class Header(Item):
    """Everything in a DICOM file but its pixels.

    Attributes:
        syntax: Transfer Syntax UID; where the file has none, the one that its bytes follow.
        pixel_offset: where reading stopped, in bytes: at the tag of PixelData, or the end of a file that has none.
        has_pixels: whether pixels follow; None for deflated files, which don't say before they are unpacked.
    """

    syntax: str
    pixel_offset: int
    has_pixels: bool | None

    @property
    def sop_class(self) -> str:
        """SOP Class UID, "" when the file doesn't say; a DICOMDIR says it in the file's meta information."""
        return self.text("SOPClassUID") or self._meta("MediaStorageSOPClassUID")

    @property
    def has_syntax(self) -> bool:
        """Whether the file itself names its transfer syntax."""
        return bool(self._meta("TransferSyntaxUID"))

    def _meta(self, keyword: str) -> str:
        return Item(self.path, self.dataset.file_meta).text(keyword) if hasattr(self.dataset, "file_meta") else ""


def read_header(path: Path) -> Header:
    """Read a DICOM file up to its pixels. The one place where pydicom opens files for their headers.

    Raises:
        UnreadableError: there is no such file, it isn't DICOM, or it is damaged or ends within an element.
    """
    if not path.is_file():
        raise UnreadableError(f"{path} is no file.", "Check the path.")
    if not is_dicom(path):
        with guarded(path), path.open("rb") as file:
            start = file.read(16)
        raise UnreadableError(
            f"{path} is no DICOM file: it begins with {start!r}." if start else f"{path} is empty.",
            "Give a DICOM file; the name alone doesn't make it one.",
        )
    with guarded(path, "the header"):
        import pydicom

        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=True, force=True)
            offset, size = file.tell(), os.fstat(file.fileno()).st_size
        syntax = _syntax_of(dataset)
        has_pixels = None if syntax == _DEFLATED else offset < size
        if has_pixels is False:
            _require_end(path, dataset, size)
        return Header(path, dataset, syntax, offset, has_pixels)
    raise AssertionError


def _require_end(path: Path, dataset: "Dataset", size: int) -> None:
    """Refuse a file without pixels that doesn't end where its last element does: pydicom takes what is there."""
    last = next(reversed(list(dataset.values())), None)
    length, begin = getattr(last, "length", _UNDEFINED_LENGTH), getattr(last, "value_tell", 0)
    if last is None or (length != _UNDEFINED_LENGTH and begin + length != size):
        raise UnreadableError(f"{path} is truncated: it ends within its header.", "Get a complete copy.")


def _syntax_of(dataset: "Dataset") -> str:
    named = _for_people(str(getattr(getattr(dataset, "file_meta", None), "TransferSyntaxUID", "") or ""))
    if named:
        return named
    implicit, little = dataset.original_encoding
    if implicit is not False:
        return IMPLICIT_LITTLE
    return EXPLICIT_BIG if little is False else EXPLICIT_LITTLE


def uid_name(uid: str) -> str:
    """The name of a UID of the standard (PS3.6 annex A); the UID itself where it is none of these."""
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    return str(UID(uid, IGNORE).name)


def is_known_syntax(uid: str) -> bool:
    """Whether a UID is one of the standard's transfer syntaxes."""
    from pydicom.config import IGNORE
    from pydicom.uid import UID

    name = UID(uid, IGNORE)
    return not name.is_private and name.type == "Transfer Syntax"


def files_under(path: Path) -> list[Path]:
    """The file itself, or all files below a folder (`hilum.io.inputs.files_in`).

    Raises:
        UnreadableError: there is nothing at the path, or a link that leads nowhere.
        InputError: a folder may not be listed.
    """
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise UnreadableError(f"{path} is neither a file nor a folder.", "Check the path.")
    return files_in(path)
