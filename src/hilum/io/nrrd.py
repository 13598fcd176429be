"""NRRD, in and out (Kindlmann, teem.sourceforge.net/nrrd/format.html, versions 1 to 5).

Raw, gzip and bzip2, attached or beside a `.nhdr`; 3D Slicer's one-layer segmentations with their names. The header is
read here: strict, bounded, and the same block of voxels as for the other formats. Tests use ITK as the oracle.
"""

import gzip
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hilum.core import Geometry, Quantity, UnsupportedError
from hilum.core.geometry import Floats
from hilum.core.volume import Voxels
from hilum.io.atomic import atomic_file
from hilum.io.block import Block, Packing, read_block
from hilum.io.inputs import read_start
from hilum.io.stored import StoredVolume, grid_of
from hilum.io.textheader import MAX_HEADER_BYTES, damaged, data_file, decoded, sizes_zyx, triple, whole

NRRD_MAGIC = b"NRRD000"
_TYPES = {
    "i1": ("signed char", "int8", "int8_t"),
    "u1": ("unsigned char", "uchar", "uint8", "uint8_t"),
    "i2": ("short", "short int", "signed short", "signed short int", "int16", "int16_t"),
    "u2": ("unsigned short", "ushort", "unsigned short int", "uint16", "uint16_t"),
    "i4": ("int", "signed int", "int32", "int32_t"),
    "u4": ("uint", "unsigned int", "uint32", "uint32_t"),
    "i8": ("longlong", "long long", "long long int", "signed long long", "signed long long int", "int64", "int64_t"),
    "u8": ("ulonglong", "unsigned long long", "unsigned long long int", "uint64", "uint64_t"),
    "f4": ("float",),
    "f8": ("double",),
}
_SPACES = {
    "left-posterior-superior": (1, 1, 1),
    "lps": (1, 1, 1),
    "right-anterior-superior": (-1, -1, 1),
    "ras": (-1, -1, 1),
    "left-anterior-superior": (1, -1, 1),
    "las": (1, -1, 1),
}
_MM_PER_UNIT = {"mm": 1.0, "millimeter": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "µm": 1e-3}
_PACKINGS = {
    "raw": Packing.RAW,
    "gzip": Packing.GZIP,
    "gz": Packing.GZIP,
    "bzip2": Packing.BZIP2,
    "bz2": Packing.BZIP2,
}
_VECTOR = re.compile(r"none|\([^()]*\)", re.IGNORECASE)


def read_nrrd(path: Path) -> StoredVolume:
    """Read an NRRD, or an NHDR with the file that it names.

    Raises:
        UnreadableError: damaged, truncated, or its voxels are missing.
        UnsupportedError: not one 3D image of plain numbers in one file.
        GeometryError: its directions are no grid.
    """
    fields, keys, end = _fields(path)
    axes = _space_axes(fields, path)
    sizes = fields["sizes"].split()
    shape = sizes_zyx(" ".join(sizes[axis] for axis in axes), "sizes", path)
    affine, odd = _affine_lps(fields, axes, path)
    geometry = grid_of(path, shape, affine)
    array = read_block(_block(fields, end, path, geometry))
    quantity = next((known for known in Quantity if fields.get("sample units", "").strip('"') == known), None)
    return StoredVolume(array, geometry, "NRRD", odd=odd, names=_segment_names(keys), quantity=quantity)


def write_nrrd(
    array: Voxels,
    geometry: Geometry,
    path: Path,
    quantity: Quantity | None = None,
    names: Mapping[int, str] | None = None,
) -> None:
    """Write `.nrrd`, attached and gzipped, in left-posterior-superior space.

    Args:
        array: [z, y, x], uint8, uint16, int16 or float32.
        geometry: its grid, kept exactly (float64 in text).
        path: where to.
        quantity: what the numbers are ("sample units"); None for masks.
        names: of a mask's labels, written as 3D Slicer does.

    Raises:
        OutputError: the place can't be written to.
    """
    body = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).data
    with atomic_file(path) as temporary, temporary.open("wb") as plain:
        plain.write(_header(array, geometry, quantity, names or {}))
        with gzip.GzipFile("", "wb", compresslevel=1, fileobj=plain, mtime=0) as stream:
            stream.write(body)


def _fields(path: Path) -> tuple[dict[str, str], dict[str, str], int]:
    """The fields, the free key:=value pairs, and where the voxels of an attached file begin."""
    start, fields, keys = read_start(path, MAX_HEADER_BYTES), dict[str, str](), dict[str, str]()
    end = re.search(rb"\r?\n\r?\n", start)
    text = decoded(start[: end.start() if end else None])
    for line in text.splitlines()[1:]:
        key, assigned, value = line.partition(":=")
        if line.startswith("#"):
            continue
        if assigned:
            keys[key] = value
            continue
        key, colon, value = line.partition(":")
        if not colon:
            if end is None:
                break
            raise damaged(path, f"a line is not 'field: value': {line[:40]!r}")
        fields[key.strip().lower()] = value.strip()
    if end is None and not {"data file", "datafile"} & fields.keys():
        raise damaged(path, "no empty line parts the header from the voxels")
    return fields, keys, end.end() if end else len(start)


def _space_axes(fields: Mapping[str, str], path: Path) -> tuple[int, int, int]:
    """Which three axes are space; others are dropped when they have one entry.

    3D Slicer puts the layers of a segmentation on a leading axis of kind "list".
    """
    sizes = [whole(word, "sizes", path) for word in fields.get("sizes", "").split()]
    count = whole(fields.get("dimension", ""), "dimension", path)
    if count != len(sizes) or count > 16:
        raise damaged(path, f"it has {len(sizes)} sizes for {count} dimensions")
    if count < 3:
        raise UnsupportedError(f"{path} is a {count}D NRRD; a 3D one was expected.", "Give the volume.")
    spare = [axis for axis, vector in enumerate(_vectors(fields)) if vector.lower() == "none"] if count > 3 else []
    if not spare:
        spare = [axis for axis, size in enumerate(sizes) if size == 1][-(count - 3) :] if count > 3 else []
    layers = max((sizes[axis] for axis in spare), default=1)
    axes = [axis for axis in range(count) if axis not in spare]
    if layers != 1 or len(axes) != 3:
        raise UnsupportedError(
            f"{path} holds several layers or frames ({fields['sizes'][:60]}); one was expected.",
            "In 3D Slicer, export the segmentation as a labelmap; or split it.",
        )
    return axes[0], axes[1], axes[2]


def _vectors(fields: Mapping[str, str]) -> list[str]:
    return _VECTOR.findall(fields.get("space directions", ""))


def _affine_lps(fields: Mapping[str, str], axes: tuple[int, int, int], path: Path) -> tuple[Floats, tuple[str, ...]]:
    """The LPS affine in mm, and what is odd about how the header gives it."""
    odd, vectors = [], _vectors(fields)
    affine = np.eye(4)
    if vectors:
        if max(axes) >= len(vectors) or len(vectors) != whole(fields["dimension"], "dimension", path):
            raise damaged(path, f"space directions should have a vector for each axis, there are {len(vectors)}")
        columns = [triple(vectors[axis].strip("()"), "space directions", path) for axis in axes]
        affine[:3, :3] = np.array(columns).T
    else:
        affine[:3, :3] = np.diag(_spacings(fields, axes, path))
        odd.append("the header gives voxel sizes at most; right–left and front–back are assumed")
    if "space origin" in fields:
        affine[:3, 3] = triple(fields["space origin"].strip("() "), "space origin", path)
    space = fields.get("space", "").lower()
    if vectors and space not in _SPACES:
        odd.append(f"its space is {space[:40] or 'not named'}; left-posterior-superior is assumed")
    scale, note = _mm_per_unit(fields, path)
    with np.errstate(all="ignore"):  # what overflows is refused as a grid
        affine[:3] *= scale * np.array(_SPACES.get(space, (1, 1, 1)))[:, None]
    return affine, tuple(odd + note)


def _spacings(fields: Mapping[str, str], axes: tuple[int, int, int], path: Path) -> Floats:
    words = fields.get("spacings", "").split() or ["1"] * (max(axes) + 1)
    if len(words) <= max(axes):
        raise damaged(path, f"spacings should have a number for each axis, it is {fields['spacings'][:60]!r}")
    return np.array(triple(" ".join(words[axis] for axis in axes), "spacings", path))


def _mm_per_unit(fields: Mapping[str, str], path: Path) -> tuple[float, list[str]]:
    units = set(re.findall(r'"([^"]*)"', fields.get("space units", ""))) - {""}
    if not units or units == {"mm"}:
        return 1.0, []
    if len(units) > 1 or not units <= _MM_PER_UNIT.keys():
        raise UnsupportedError(
            f"{path} has lengths in {', '.join(sorted(units))[:60]}; mm were expected.", "Convert it."
        )
    unit = units.pop()
    return _MM_PER_UNIT[unit], [f"lengths in the header are in {unit} and were converted to mm"]


def _block(fields: Mapping[str, str], end: int, path: Path, geometry: Geometry) -> Block:
    encoding = fields.get("encoding", "").lower()
    if encoding not in _PACKINGS:
        raise UnsupportedError(f"{path} has the encoding {encoding[:40]!r}; raw, gzip or bzip2 were expected.", "")
    if whole(fields.get("line skip", fields.get("lineskip", "0")), "line skip", path):
        raise UnsupportedError(f"{path} skips lines before its voxels, which hilum doesn't.", "Save it as one NRRD.")
    name = fields.get("data file", fields.get("datafile"))
    if name is not None and (name.split()[:1] == ["LIST"] or "%" in name):
        raise UnsupportedError(f"{path} keeps its voxels in several files ({name[:40]}).", "Save it as one NRRD.")
    skip = whole(fields.get("byte skip", fields.get("byteskip", "0")), "byte skip", path)
    packing = _PACKINGS[encoding]
    if skip < -1 or (skip == -1 and packing is not Packing.RAW):
        raise damaged(path, f"byte skip should be 0 or more, it is {skip}")
    data, start = (path, end) if name is None else (data_file(path, name), 0)
    dtype = _dtype(fields, path)
    from_end = skip == -1
    return Block(data, geometry.shape_zyx, dtype, None if from_end else start, max(0, skip), packing)


def _dtype(fields: Mapping[str, str], path: Path) -> np.dtype[np.generic]:
    name = fields.get("type", "").lower()
    code = next((code for code, names in _TYPES.items() if name in names), None)
    if code is None:
        raise UnsupportedError(f"{path} has the type {name[:40] or 'nothing'}; a plain number was expected.", "")
    endian = fields.get("endian", "").lower()
    if endian not in ("little", "big") and code[1] != "1":
        raise damaged(path, f"endian should be little or big, it is {endian[:40]!r}")
    return np.dtype(code).newbyteorder(">" if endian == "big" else "<")


def _segment_names(keys: Mapping[str, str]) -> dict[int, str]:
    """3D Slicer's SegmentN_LabelValue and SegmentN_Name (Slicer, vtkMRMLSegmentationStorageNode)."""
    names = {}
    for key, value in keys.items():
        stem, _, ending = key.rpartition("_")
        if ending == "LabelValue" and re.fullmatch(r"Segment\d+", stem) and re.fullmatch(r"\d{1,9}", value):
            names[int(value)] = keys.get(f"{stem}_Name", f"label {value}")
    return names


def _header(array: Voxels, geometry: Geometry, quantity: Quantity | None, names: Mapping[int, str]) -> bytes:
    def vector(values: Floats) -> str:
        return "(" + ",".join(repr(float(value)) for value in values) + ")"

    affine = geometry.affine_lps
    segments = [
        line
        for n, (label, name) in enumerate(names.items())
        for line in (f"Segment{n}_LabelValue:={label}", f"Segment{n}_Name:={' '.join(name.split())}")
    ]
    lines = [
        "NRRD0004",
        f"type: {_TYPES[array.dtype.str[1:]][0]}",
        "dimension: 3",
        "space: left-posterior-superior",
        f"sizes: {' '.join(map(str, array.shape[::-1]))}",
        f"space directions: {' '.join(vector(affine[:3, axis]) for axis in range(3))}",
        "kinds: domain domain domain",
        "endian: little",
        "encoding: gzip",
        f"space origin: {vector(affine[:3, 3])}",
        *([f'sample units: "{quantity}"'] if quantity else []),
        *segments,
    ]
    return "".join(line + "\n" for line in (*lines, "")).encode()
