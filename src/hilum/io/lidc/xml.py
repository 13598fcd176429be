"""LIDC's reader XML (`LidcReadMessage`, Armato 2011, "LIDC XML schema").

A file is one CT series as all its readers marked it. The reader doesn't trust it: no document type and so no entities,
no more than 64 MB, and every number is checked.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from xml.etree.ElementTree import Element, ParseError, TreeBuilder, XMLParser

import numpy as np

from hilum.core import HilumError, InputError, MissingError, Outline, UnreadableError, UnsupportedError
from hilum.io.lidc.types import Characteristics, Mark, MarkKind, Read

_CT_READ = "LidcReadMessage"
_XRAY_READ = "IdriReadMessage"
_ANEW = "Get the file anew: LIDC's XML comes with the images of the archive."
_LARGEST_BYTES = 64 * 2**20
"""The largest of LIDC's files has 3 MB."""
_LARGEST_COORDINATE = 4095
"""LIDC's images have 512 rows and columns; no CT has more than 4096."""
_XML_NAMES = {"internal_structure": "internalStructure"}


class _Builder(TreeBuilder):
    """Refuses a document type: LIDC has none, and only there can entities be declared that blow up or reach out."""

    def doctype(self, name: str, *_identifiers: str | None) -> NoReturn:
        raise UnreadableError(f"it declares a document type ({name}), which no file of LIDC does.")


def is_lidc_xml(head: bytes) -> bool:
    """Whether a file that begins with these bytes (a few hundred) says that it is a read of LIDC-IDRI, CT or X-ray."""
    return _CT_READ.encode() in head or _XRAY_READ.encode() in head


def read_lidc_xml(source: Path | bytes) -> Read:
    """All readers' marks on one CT series.

    A mark with one outline of one point is a nodule < 3 mm, whatever ratings stand beside it (17 such marks carry
    empty or all-zero ratings); any other outlined mark is a nodule. Single points among the outlines of a larger
    nodule are kept as outlines of one point.

    Args:
        source: the file, or its bytes.

    Raises:
        MissingError: there is no such file.
        UnreadableError: it is damaged, or not XML of LIDC.
        UnsupportedError: it is a read of a chest X-ray, which has no outlines.
    """
    name = str(source) if isinstance(source, Path) else "the XML"
    try:
        return _read(_parse(_bytes(source)))
    except UnreadableError as error:
        raise UnreadableError(f"{name} can't be read as LIDC's XML: {error.message}", error.remedy or _ANEW) from error
    except InputError as error:
        kind = UnsupportedError if isinstance(error, UnsupportedError) else UnreadableError
        raise kind(f"{name}: {error.message}", error.remedy) from error


def _bytes(source: Path | bytes) -> bytes:
    if isinstance(source, bytes):
        return source
    if not source.is_file():
        raise MissingError(f"there is no file {source}.")
    try:
        if source.stat().st_size > _LARGEST_BYTES:
            raise UnreadableError(f"it is larger than {_LARGEST_BYTES >> 20} MB, no read of LIDC is.")
        return source.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{error.strerror or error}.") from error


def _parse(data: bytes) -> Element:
    if len(data) > _LARGEST_BYTES:
        raise UnreadableError(f"it is larger than {_LARGEST_BYTES >> 20} MB, no read of LIDC is.")
    parser = XMLParser(target=_Builder())  # noqa: S314 - _Builder refuses what is dangerous
    try:
        parser.feed(data)
        root = parser.close()
    except HilumError:
        raise
    except (ParseError, LookupError, ValueError) as error:
        raise UnreadableError(f"{error}.", "Is the download complete?") from error
    return root


def _read(root: Element) -> Read:
    namespace, _, kind = root.tag.rpartition("}")
    space = f"{namespace}}}" if namespace else ""
    if kind == _XRAY_READ:
        raise UnsupportedError(
            "it is a read of a chest X-ray (IdriReadMessage): single points, no outlines.",
            "Give the read of the CT (LidcReadMessage).",
        )
    if kind != _CT_READ:
        raise UnreadableError(f"it begins with <{kind}>, <{_CT_READ}> was expected.")
    sessions = root.findall(f"{space}readingSession")
    marks = [mark for reader, session in enumerate(sessions) for mark in _session(session, reader, space)]
    series_uid = _text(root, f"{space}ResponseHeader/{space}SeriesInstanceUid")
    return Read(series_uid=series_uid, marks=tuple(marks))


def _session(session: Element, reader: int, space: str) -> Iterator[Mark]:
    for nodule in session.iterfind(f"{space}unblindedReadNodule"):
        yield _nodule(nodule, reader, space)
    for other in session.iterfind(f"{space}nonNodule"):
        yield Mark(
            MarkKind.NON_NODULE,
            _text(other, f"{space}nonNoduleID"),
            (_outline(other, other.iterfind(f"{space}locus"), space, is_hole=False),),
            reader,
        )


def _nodule(nodule: Element, reader: int, space: str) -> Mark:
    label = _text(nodule, f"{space}noduleID")
    outlines = tuple(_roi(roi, space) for roi in nodule.iterfind(f"{space}roi"))
    if not outlines:
        raise UnreadableError(f"the nodule {label!r} of reading session {reader + 1} has no outline.")
    is_small = len(outlines) == 1 and len(outlines[0].points_xy) == 1
    kind = MarkKind.SMALL_NODULE if is_small else MarkKind.NODULE
    return Mark(kind, label, outlines, reader, _characteristics(nodule.find(f"{space}characteristics"), space))


def _characteristics(element: Element | None, space: str) -> Characteristics | None:
    if element is None or len(element) == 0:
        return None
    names = {name: space + _XML_NAMES.get(name, name) for name in Characteristics.names()}
    return Characteristics.from_ratings({name: _integer(element, tag) for name, tag in names.items()})


def _roi(roi: Element, space: str) -> Outline:
    inclusion = _text(roi, f"{space}inclusion").upper()
    if inclusion not in ("TRUE", "FALSE"):
        raise UnreadableError(f"an outline's inclusion is TRUE or FALSE, got {inclusion!r}.")
    return _outline(roi, roi.iterfind(f"{space}edgeMap"), space, is_hole=inclusion == "FALSE")


def _outline(place: Element, points: Iterator[Element], space: str, *, is_hole: bool) -> Outline:
    x, y = f"{space}xCoord", f"{space}yCoord"
    points_xy = np.array([(_integer(point, x), _integer(point, y)) for point in points], dtype=np.float64)
    if not len(points_xy) or points_xy.min() < 0 or points_xy.max() > _LARGEST_COORDINATE:
        raise UnreadableError(f"an outline has points from 0 to {_LARGEST_COORDINATE}, got {points_xy.tolist()[:3]} …")
    sop_uid = place.findtext(f"{space}imageSOP_UID")
    return Outline(points_xy, _z_mm(place, space), is_hole, sop_uid.strip() if sop_uid else None)


def _z_mm(place: Element, space: str) -> float:
    text = _text(place, f"{space}imageZposition")
    try:
        z_mm = float(text)
    except ValueError:
        z_mm = np.nan
    if not np.isfinite(z_mm):
        raise UnreadableError(f"a slice's position is a number of millimetres, got {text!r}.")
    return z_mm


def _integer(element: Element, tag: str) -> int:
    text = _text(element, tag)
    # int() would take "1_0", and digits of other scripts; a long one would take long.
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise UnreadableError(f"<{tag.rpartition('}')[2]}> is a whole number from 0, got {text[:20]!r}.")
    return int(text)


def _text(element: Element, tag: str) -> str:
    text = (element.findtext(tag) or "").strip()
    if not text:
        raise UnreadableError(f"<{element.tag.rpartition('}')[2]}> has no <{tag.rpartition('}')[2]}>.")
    return text
