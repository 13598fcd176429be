"""MetaImage (MHD with its RAW, and MHA), in and out, by ITK's rules for its fields (MetaIO's documentation, ITK).

The header is read here and not by ITK: on mutated headers ITK's reader crashed (NDims), hung, filled missing compressed
voxels with zeros, and wrote to stderr. Tests use ITK as the oracle for every field that is read here.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hilum.core import Geometry, OutputError, Quantity, UnsupportedError
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.io.atomic import atomic_file
from hilum.io.block import Block, Packing, read_block
from hilum.io.inputs import read_start
from hilum.io.stored import StoredVolume, grid_of
from hilum.io.textheader import MAX_HEADER_BYTES, damaged, data_file, decoded, sizes_zyx, triple, whole

_TYPES = {
    "MET_CHAR": "i1",
    "MET_UCHAR": "u1",
    "MET_SHORT": "i2",
    "MET_USHORT": "u2",
    "MET_INT": "i4",
    "MET_UINT": "u4",
    "MET_LONG": "i4",
    "MET_ULONG": "u4",
    "MET_LONG_LONG": "i8",
    "MET_ULONG_LONG": "u8",
    "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}
"""MetaIO's LONG has four bytes on every machine (MetaIO, MET_ValueTypeSize)."""
_NAMES = {np.dtype(code): name for name, code in _TYPES.items() if "LONG" not in name}
_COMMENT = "hilum quantity: "


def looks_like_metaimage(start: bytes) -> bool:
    """Whether a file that begins with these bytes has MetaImage's first fields."""
    keys = [line.split(b"=")[0].strip() for line in start.splitlines()[:12] if b"=" in line]
    return b"NDims" in keys or b"DimSize" in keys or (b"ObjectType" in keys and b"=" in start)


def read_metaimage(path: Path) -> StoredVolume:
    """Read an MHA, or an MHD with the file that it names.

    Raises:
        UnreadableError: damaged, truncated, or its voxels are missing.
        UnsupportedError: not one 3D image of plain numbers in one file.
        GeometryError: its matrix and spacing are no grid.
    """
    fields, end = _fields(path)
    _require_plain_3d(fields, path)
    shape = sizes_zyx(fields.get("DimSize", ""), "DimSize", path)
    affine, odd = _affine_lps(fields, path)
    geometry = grid_of(path, shape, affine)
    odd += _orientation_note(fields, geometry)
    array = read_block(_block(fields, end, path, geometry))
    return StoredVolume(array, geometry, "MetaImage", odd=odd, quantity=_quantity(fields))


def write_metaimage(array: Voxels, geometry: Geometry, path: Path, quantity: Quantity | None = None) -> None:
    """Write `.mha`, or `.mhd` with a `.raw` beside it.

    The two files of an MHD can't appear in one step. The header is what makes them an image, so an old header goes
    first, then the voxels take their place, then the new header: whoever finds a header finds all of its voxels.

    Args:
        array: [z, y, x], uint8, uint16, int16 or float32; written uncompressed, little-endian.
        geometry: its grid; kept to float64 (unit vectors and steps apart, so to about 1e-12 mm).
        path: where to.
        quantity: what the numbers are, kept as a comment; None for masks.

    Raises:
        OutputError: the place can't be written to.
    """
    body = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data
    if path.suffix.lower() == ".mha":
        with atomic_file(path) as temporary, temporary.open("wb") as stream:
            stream.writelines((_header(array, geometry, "LOCAL", quantity), body))
        return
    raw = path.with_suffix(".raw")
    if raw.is_dir():
        raise OutputError(f"{raw} is a folder, and the voxels of {path.name} have to go there.", "Choose another name.")
    with atomic_file(path) as temporary:
        temporary.write_bytes(_header(array, geometry, raw.name, quantity))
        with atomic_file(raw) as voxels:
            with voxels.open("wb") as stream:
                stream.write(body)
            path.unlink(missing_ok=True)


def _fields(path: Path) -> tuple[dict[str, str], int]:
    """Key = value, up to ElementDataFile, which is the last; and where the bytes after it begin."""
    start, fields, at = read_start(path, MAX_HEADER_BYTES), dict[str, str](), 0
    while at < len(start):
        end = start.find(b"\n", at)
        line, at = start[at : end if end >= 0 else None], end + 1 if end >= 0 else len(start)
        key, equals, value = decoded(line).partition("=")
        if not equals and line.strip():
            raise damaged(path, f"a line is not 'key = value': {line[:40]!r}")
        fields[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            return fields, at
    raise damaged(path, "it ends without ElementDataFile, which names the voxels")


def _require_plain_3d(fields: Mapping[str, str], path: Path) -> None:
    wanted = (
        ("ObjectType", "Image", "it is a MetaIO object of another kind"),
        ("NDims", "3", "a volume has three dimensions"),
        ("BinaryData", "True", "numbers written as text are not read"),
        ("ElementNumberOfChannels", "1", "colours and vectors are not a CT"),
        ("ElementToIntensityFunctionSlope", "1", "readers disagree on scaling"),
        ("ElementToIntensityFunctionOffset", "0", "readers disagree on scaling"),
    )
    for key, value, why in wanted:
        found = fields.get(key, value)
        if found.lower() != value.lower() and not _same_number(found, value):
            raise UnsupportedError(f"{path} has {key} = {found[:40]}, {value} was expected: {why}.", "Convert it.")


def _same_number(found: str, wanted: str) -> bool:
    try:
        return float(found) == float(wanted)
    except ValueError:
        return False


def _affine_lps(fields: Mapping[str, str], path: Path) -> tuple[Floats, tuple[str, ...]]:
    """MetaImage's world is LPS; row n of TransformMatrix is the direction of axis n (ITK, MetaImageIO)."""
    matrix = _first(fields, ("TransformMatrix", "Rotation", "Orientation"), "1 0 0 0 1 0 0 0 1").split()
    rows = [triple(" ".join(matrix[n : n + 3]), "TransformMatrix", path) for n in (0, 3, 6)]
    if len(matrix) != 9:
        raise damaged(path, f"TransformMatrix should be nine numbers, it has {len(matrix)}")
    steps = triple(_first(fields, ("ElementSpacing", "ElementSize"), "1 1 1"), "ElementSpacing", path)
    affine = np.eye(4)
    with np.errstate(all="ignore"):  # what overflows is refused as a grid
        affine[:3, :3] = np.array(rows).T * steps
    affine[:3, 3] = triple(_first(fields, ("Offset", "Position", "Origin"), "0 0 0"), "Offset", path)
    odd = []
    if not {"ElementSpacing", "ElementSize"} & fields.keys():
        odd.append("the header gives no voxel size; 1 mm is assumed")
    if min(steps) < 0:
        odd.append("a voxel size is negative; the axis is taken to run backwards, as ITK does")
    if any(triple(fields.get("CenterOfRotation", "0 0 0"), "CenterOfRotation", path)):
        odd.append("CenterOfRotation is not zero; it is ignored, as ITK does")
    return affine, tuple(odd)


def _orientation_note(fields: Mapping[str, str], geometry: Geometry) -> tuple[str, ...]:
    """AnatomicalOrientation repeats the matrix in letters, named by where an axis comes from: RAI is LPS here."""
    letters = fields.get("AnatomicalOrientation", "").upper()
    opposite = letters.translate(str.maketrans("RLAPIS", "LRPASI"))
    if len(letters) != 3 or set(letters) - set("RLAPIS") or opposite == geometry.axis_codes:
        return ()
    return (f"AnatomicalOrientation says {letters}, the matrix means otherwise; the matrix is used, as ITK does",)


def _first(fields: Mapping[str, str], keys: tuple[str, ...], otherwise: str) -> str:
    return next((fields[key] for key in keys if key in fields), otherwise)


def _block(fields: Mapping[str, str], end: int, path: Path, geometry: Geometry) -> Block:
    dtype = _dtype(fields, path)
    name = fields["ElementDataFile"]
    if name.split()[:1] == ["LIST"] or "%" in name:
        raise UnsupportedError(f"{path} keeps its voxels in several files ({name[:40]}).", "Convert it to one MHA.")
    local = name.upper() == "LOCAL"
    data = path if local else data_file(path, name)
    if fields.get("CompressedData", "False").lower() == "true":
        return Block(data, geometry.shape_zyx, dtype, start=end if local else 0, packing=Packing.GZIP)
    skip = whole(fields.get("HeaderSize", "0"), "HeaderSize", path)
    if skip < -1:
        raise damaged(path, f"HeaderSize should be -1 or more, it is {skip}")
    if skip == -1 and not local:
        return Block(data, geometry.shape_zyx, dtype, start=None)
    return Block(data, geometry.shape_zyx, dtype, start=end if local else max(0, skip))


def _dtype(fields: Mapping[str, str], path: Path) -> np.dtype[np.generic]:
    name = fields.get("ElementType", "")
    if name not in _TYPES:
        raise UnsupportedError(f"{path} has ElementType = {name[:40] or 'nothing'}, a plain number was expected.")
    big = _first(fields, ("BinaryDataByteOrderMSB", "ElementByteOrderMSB"), "False").lower() == "true"
    return np.dtype(_TYPES[name]).newbyteorder(">" if big else "<")


def _quantity(fields: Mapping[str, str]) -> Quantity | None:
    comment = fields.get("Comment", "")
    return next((quantity for quantity in Quantity if comment == f"{_COMMENT}{quantity}"), None)


def _header(array: Voxels, geometry: Geometry, data: str, quantity: Quantity | None) -> bytes:
    def numbers(values: Floats) -> str:
        return " ".join(repr(float(value)) for value in values.ravel())

    lines = [
        "ObjectType = Image",
        "NDims = 3",
        *([f"Comment = {_COMMENT}{quantity}"] if quantity else []),
        "BinaryData = True",
        "BinaryDataByteOrderMSB = False",
        "CompressedData = False",
        f"TransformMatrix = {numbers(geometry.directions.T)}",
        f"Offset = {numbers(geometry.affine_lps[:3, 3])}",
        "CenterOfRotation = 0 0 0",
        f"ElementSpacing = {numbers(np.array(geometry.spacing_zyx_mm[::-1]))}",
        f"DimSize = {' '.join(map(str, array.shape[::-1]))}",
        f"ElementType = {_NAMES[array.dtype]}",
        f"ElementDataFile = {data}",
    ]
    return "".join(line + "\n" for line in lines).encode()
