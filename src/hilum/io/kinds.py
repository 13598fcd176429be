"""What a file is, told by its content; its name is only a hint."""

from enum import StrEnum
from pathlib import Path

from hilum.io.block import GZIP_MAGIC
from hilum.io.inputs import open_input, require_path


class Kind(StrEnum):
    """What a path holds."""

    FOLDER = "folder"
    DICOM = "DICOM"
    NIFTI = "NIfTI"
    METAIMAGE = "MetaImage"
    NRRD = "NRRD"
    PNG = "PNG"
    JPEG = "JPEG"
    TIFF = "TIFF"
    XML = "XML"
    JSON = "JSON"
    TEXT = "text"
    ARCHIVE = "archive"
    SQLITE = "SQLite database"
    PDF = "PDF"
    EMPTY = "empty"
    BINARY = "unknown"

    @property
    def phrase(self) -> str:
        """With its article, to stand in a sentence after "is"."""
        return _PHRASES[self]


VOLUMES = frozenset({Kind.NIFTI, Kind.METAIMAGE, Kind.NRRD})
RASTERS = frozenset({Kind.PNG, Kind.JPEG, Kind.TIFF})
IMAGES = VOLUMES | RASTERS | {Kind.DICOM}

_PHRASES = {
    Kind.FOLDER: "a folder",
    Kind.DICOM: "a DICOM file",
    Kind.NIFTI: "a NIfTI volume",
    Kind.METAIMAGE: "a MetaImage volume",
    Kind.NRRD: "an NRRD volume",
    Kind.PNG: "a PNG picture",
    Kind.JPEG: "a JPEG picture",
    Kind.TIFF: "a TIFF picture",
    Kind.XML: "an XML file, not an image",
    Kind.JSON: "a JSON file, not an image",
    Kind.TEXT: "a text file, not an image",
    Kind.ARCHIVE: "an archive or compressed file, not an image",
    Kind.SQLITE: "a SQLite database, not an image",
    Kind.PDF: "a PDF document, not an image",
    Kind.EMPTY: "an empty file",
    Kind.BINARY: "of no format that hilum knows",
}
_SIGNATURES = (
    (b"\x89PNG\r\n\x1a\n", Kind.PNG),
    (b"\xff\xd8\xff", Kind.JPEG),
    (b"II*\0", Kind.TIFF),
    (b"MM\0*", Kind.TIFF),
    (b"II+\0", Kind.TIFF),
    (b"MM\0+", Kind.TIFF),
    (b"NRRD000", Kind.NRRD),
    (b"PK\x03\x04", Kind.ARCHIVE),
    (b"\x28\xb5\x2f\xfd", Kind.ARCHIVE),  # Zstandard
    (b"BZh", Kind.ARCHIVE),
    (b"\xfd7zXZ\0", Kind.ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", Kind.ARCHIVE),
    (b"SQLite format 3\0", Kind.SQLITE),
    (b"%PDF-", Kind.PDF),
)
_START = 4096


def recognise(path: Path) -> Kind:
    """What is at this path.

    Raises:
        InputError: nothing is there, it may not be read, or it is a pipe or device.
    """
    if require_path(path).is_dir():
        return Kind.FOLDER
    with open_input(path) as stream:
        start = stream.read(_START)
    if not start:
        return Kind.EMPTY
    if start[128:132] == b"DICM":
        return Kind.DICOM
    for signature, kind in _SIGNATURES:
        if start.startswith(signature):
            return kind
    return _by_structure(start, path)


def _by_structure(start: bytes, path: Path) -> Kind:
    from hilum.io.metaimage import looks_like_metaimage
    from hilum.io.nifti import gunzipped_start, nifti_size

    if start.startswith(GZIP_MAGIC):
        return Kind.NIFTI if nifti_size(gunzipped_start(path, 540)) else Kind.ARCHIVE
    if nifti_size(start):
        return Kind.NIFTI
    if looks_like_metaimage(start):
        return Kind.METAIMAGE
    if (text := _text_kind(start)) is not None:
        return text
    from hilum.io.dicom import is_dicom

    return Kind.DICOM if is_dicom(path) else Kind.BINARY


def _text_kind(start: bytes) -> Kind | None:
    """Text, XML or JSON; None for anything with control characters."""
    plain = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if any(byte < 9 or 13 < byte < 27 for byte in start):
        return None
    if plain.startswith((b"<?xml", b"<")):
        return Kind.XML
    return Kind.JSON if plain.startswith((b"{", b"[")) else Kind.TEXT
