"""Mutated headers and pictures end in a HilumError or in success, never in anything else."""

import io
import tempfile
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from hilum.core import Geometry, HilumError, Volume
from hilum.io import read_mask, read_radiograph, read_volume, write_volume
from hilum.io.describe import describe

EXAMPLES = 150
ARRAY = (np.arange(120).reshape(4, 5, 6) * 30 - 1024).astype(np.int16)
TOKENS = (
    "0 -1 1 2 3 4 5 7 nan inf -inf 1e308 1e-320 65536 999999 4294967296 99999999999 9" + "9" * 400 + " True False LOCAL"
    " LIST none raw gzip bzip2 double char MET_DOUBLE MET_CHAR (1,0,0) (nan,0,0) %d /dev/zero ../x . \0 : = := \n \n\n"
).split(" ")


def contents():
    """A small valid file of each kind, by suffix."""
    made = {}
    with tempfile.TemporaryDirectory() as folder:
        for suffix in (".nii", ".nii.gz", ".mha", ".mhd", ".nrrd"):
            write_volume(Volume(ARRAY, Geometry.regular((4, 5, 6), (2.5, 0.7, 0.7))), Path(folder) / f"a{suffix}")
            made[suffix] = (Path(folder) / f"a{suffix}").read_bytes()
        nib.save(nib.Nifti2Image(ARRAY, np.eye(4)), Path(folder) / "b.nii")
        made[".nii2"] = (Path(folder) / "b.nii").read_bytes()
    return made | pictures()


def pictures():
    made = {}
    for suffix, kind, options in [
        (".png", "PNG", {}),
        (".tif", "TIFF", {"compression": "tiff_lzw"}),
        (".tiff", "TIFF", {}),
        (".jpg", "JPEG", {}),
    ]:
        stream = io.BytesIO()
        pixels = np.arange(300).reshape(15, 20).astype(np.uint8 if kind == "JPEG" else np.uint16)
        Image.fromarray(pixels).save(stream, kind, **options)
        made[suffix] = stream.getvalue()
    return made


FILES = contents()
edits = st.lists(
    st.one_of(
        st.tuples(st.just("byte"), st.floats(0, 1), st.integers(0, 255)),
        st.tuples(st.just("cut"), st.floats(0, 1), st.integers(1, 40)),
        st.tuples(st.just("token"), st.floats(0, 1), st.sampled_from(TOKENS)),
        st.tuples(st.just("end"), st.floats(0, 1), st.just(0)),
    ),
    min_size=1,
    max_size=4,
)


def mutate(content, changes):
    """Changes bytes, cuts some out, puts tokens in the place of words, or cuts the end off."""
    data = bytearray(content)
    for kind, where, what in changes:
        at = min(int(where * len(data)), max(0, len(data) - 1))
        if kind == "byte" and data:
            data[at] = what
        elif kind == "cut":
            del data[at : at + what]
        elif kind == "end" and where > 0.5:
            del data[at:]
        elif kind == "token":
            stop = next((n for n in range(at, len(data)) if data[n : n + 1] in b" \n=:,()"), at)
            data[at:stop] = what.encode()
    return bytes(data)


def survives(path):
    for read in (describe, read_volume, read_mask, read_radiograph):
        message = _refusal(read, path)
        assert message is None or (message and "\n" not in message), "one clear line"


def _refusal(read, path):
    try:
        read(path)
    except HilumError as error:
        return str(error)
    return None


@pytest.mark.parametrize("suffix", FILES)
@settings(max_examples=EXAMPLES)
@given(changes=edits)
def test_mutated_files(suffix, changes):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(mutate(FILES[suffix], changes))
        if suffix == ".mhd":
            (Path(folder) / "a.raw").write_bytes(ARRAY.tobytes())
        survives(path)


META_KEYS = (
    "ObjectType,NDims,BinaryData,CompressedData,TransformMatrix,Offset,ElementSpacing,DimSize,ElementType,HeaderSize,"
    "CenterOfRotation,AnatomicalOrientation,ElementNumberOfChannels,ElementByteOrderMSB,Comment"
)
NRRD_KEYS = (
    "type,dimension,space,sizes,space directions,kinds,endian,encoding,space origin,byte skip,line skip,data file,"
    "spacings,space units,sample units,Segment0_LabelValue"
)
words = st.lists(st.sampled_from(TOKENS), max_size=9).map(" ".join) | st.text(max_size=12)


@settings(max_examples=EXAMPLES)
@given(fields=st.dictionaries(st.sampled_from(META_KEYS.split(",")), words, min_size=1))
def test_made_up_metaimage_fields(fields):
    with tempfile.TemporaryDirectory() as folder:
        lines = FILES[".mha"].split(b"ElementDataFile")[0].decode().splitlines()
        lines = [*lines, *(f"{key} = {value}" for key, value in fields.items()), "ElementDataFile = LOCAL\n"]
        path = Path(folder) / "a.mha"
        path.write_bytes("\n".join(lines).encode("utf-8", "replace") + ARRAY.tobytes())
        survives(path)


@settings(max_examples=EXAMPLES)
@given(fields=st.dictionaries(st.sampled_from(NRRD_KEYS.split(",")), words, min_size=1))
def test_made_up_nrrd_fields(fields):
    with tempfile.TemporaryDirectory() as folder:
        head, _, body = FILES[".nrrd"].partition(b"\n\n")
        lines = [head.decode(), *(f"{key}: {value}" for key, value in fields.items()), "", ""]
        path = Path(folder) / "a.nrrd"
        path.write_bytes("\n".join(lines).encode("utf-8", "replace") + body)
        survives(path)


@settings(max_examples=EXAMPLES)
@given(field=st.integers(0, 347), value=st.binary(min_size=1, max_size=12))
def test_overwritten_nifti_fields(field, value):
    with tempfile.TemporaryDirectory() as folder:
        path, data = Path(folder) / "a.nii", bytearray(FILES[".nii"])
        data[field : field + len(value)] = value
        path.write_bytes(data)
        survives(path)


@settings(max_examples=EXAMPLES)
@given(
    start=st.sampled_from([b"", b"NRRD0004\n", b"NDims = 3\n", b"\x89PNG\r\n\x1a\n", b"II*\0", b"\x1f\x8b\x08\0"]),
    rest=st.binary(),
)
def test_anything_at_all(start, rest):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a"
        path.write_bytes(start + rest)
        survives(path)
