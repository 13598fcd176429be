"""LIDC's reader XML: what it says, and that broken or hostile files are refused in words."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.core import (
    HilumError,
    InputError,
    MissingError,
    SpacingError,
    UnitError,
    UnreadableError,
    UnsupportedError,
)
from hilum.io.lidc import (
    Characteristics,
    Mark,
    MarkKind,
    Read,
    is_lidc_xml,
    lidc_reads,
    read_lidc_xml,
    with_scan_facts,
)
from hilum.io.lidc import xml as lidc_xml

RATINGS = {
    "subtlety": 5,
    "internalStructure": 1,
    "calcification": 6,
    "sphericity": 4,
    "margin": 3,
    "lobulation": 2,
    "spiculation": 1,
    "texture": 5,
    "malignancy": 4,
}
SQUARE = ((10, 20), (13, 20), (13, 24), (10, 24))


def tag(name: str, *inner: object) -> str:
    return f"<{name}>{''.join(str(one) for one in inner)}</{name}>"


def points(name: str, *xy: tuple[object, object]) -> str:
    return "".join(tag(name, tag("xCoord", x), tag("yCoord", y)) for x, y in xy)


def roi(*xy: tuple[object, object], z: object = -120.5, inclusion: str = "TRUE") -> str:
    place = tag("imageZposition", z) + tag("imageSOP_UID", "1.2.3")
    return tag("roi", place, tag("inclusion", inclusion), points("edgeMap", *xy))


def nodule(*rois: str, label: str = "Nodule 001", ratings: dict[str, int] | None = None) -> str:
    rated = "" if ratings is None else tag("characteristics", *(tag(name, value) for name, value in ratings.items()))
    return tag("unblindedReadNodule", tag("noduleID", label), rated, *rois)


def message(*sessions: str, root: str = "LidcReadMessage", namespace: str = ' xmlns="http://www.nih.gov"') -> bytes:
    header = tag("ResponseHeader", tag("SeriesInstanceUid", " 1.2.840.1 "))
    body = "".join(tag("readingSession", tag("annotationVersion", "3.12"), session) for session in sessions)
    return f'<?xml version="1.0" encoding="UTF-8"?><{root}{namespace}>{header}{body}</{root}>'.encode()


def only_mark(data: bytes) -> Mark:
    (mark,) = read_lidc_xml(data).marks
    return mark


def test_a_rated_outline_is_a_nodule_of_its_reader() -> None:
    read = read_lidc_xml(message("", nodule(roi(*SQUARE), roi((11, 22), inclusion="FALSE"), ratings=RATINGS)))
    (mark,) = read.marks
    outline, hole = mark.outlines
    assert (read.series_uid, read.patient, read.pixel_mm) == ("1.2.840.1", None, None)
    assert (mark.kind, mark.label, mark.reader) == (MarkKind.NODULE, "Nodule 001", 1)
    assert outline.points_xy.tolist() == [list(point) for point in SQUARE]
    assert (outline.z_mm, outline.is_hole, outline.sop_uid) == (-120.5, False, "1.2.3")
    assert hole.is_hole
    assert mark.characteristics == Characteristics(5, 1, 6, 4, 3, 2, 1, 5, 4)


def test_one_point_is_a_small_nodule_whatever_stands_beside_it() -> None:
    zeros = dict.fromkeys(RATINGS, 0)
    for ratings in (None, {}, zeros):
        mark = only_mark(message(nodule(roi((7, 8)), ratings=ratings)))
        assert (mark.kind, mark.characteristics) == (MarkKind.SMALL_NODULE, None)


def test_outlines_without_ratings_are_a_nodule_all_the_same() -> None:
    mark = only_mark(message(nodule(roi(*SQUARE, z=1), roi(*SQUARE, z=2))))
    assert (mark.kind, mark.characteristics) == (MarkKind.NODULE, None)


def test_a_non_nodule_is_kept_as_such() -> None:
    place = tag("imageZposition", "-3.5") + tag("imageSOP_UID", "1.2")
    mark = only_mark(message(tag("nonNodule", tag("nonNoduleID", "77"), place, points("locus", (5, 6)))))
    assert (mark.kind, mark.label, mark.outlines[0].z_mm) == (MarkKind.NON_NODULE, "77", -3.5)
    assert mark.outlines[0].points_xy.tolist() == [[5, 6]]


def test_the_namespace_may_be_missing() -> None:
    assert only_mark(message(nodule(roi(*SQUARE)), namespace="")).kind is MarkKind.NODULE


def test_a_file_is_read_as_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "read.xml"
    path.write_bytes(message(nodule(roi(*SQUARE))))
    assert len(read_lidc_xml(path).marks) == 1
    assert is_lidc_xml(path.read_bytes()[:200])
    with pytest.raises(MissingError, match="no file"):
        read_lidc_xml(tmp_path / "other.xml")


def test_a_chest_x_ray_read_is_refused_with_its_name() -> None:
    data = message(root="IdriReadMessage", namespace=' xmlns="http://www.nih.gov/idri"')
    assert is_lidc_xml(data[:200])
    with pytest.raises(UnsupportedError, match=r"chest X-ray .*LidcReadMessage"):
        read_lidc_xml(data)


BROKEN = {
    "empty": b"",
    "not XML": b"PNG\x00\x01",
    "unclosed": message(nodule(roi(*SQUARE)))[:-20],
    "another root": b"<svg/>",
    "encoding": b'<?xml version="1.0" encoding="klingon"?><LidcReadMessage/>',
    "no series": b"<LidcReadMessage/>",
    "no outline": message(nodule()),
    "no points": message(nodule(roi())),
    "no inclusion": message(nodule(roi(*SQUARE).replace("TRUE", ""))),
    "odd inclusion": message(nodule(roi(*SQUARE, inclusion="MAYBE"))),
    "no label": message(nodule(roi(*SQUARE), label="")),
    "fraction": message(nodule(roi((1.5, 2), (3, 4)))),
    "negative": message(nodule(roi((-1, 2), (3, 4)))),
    "far away": message(nodule(roi((4096, 2), (3, 4)))),
    "endless number": message(nodule(roi(("9" * 5000, 2), (3, 4)))),
    "other digits": message(nodule(roi(("٣", 2), (3, 4)))),
    "infinite z": message(nodule(roi(*SQUARE, z="inf"))),
    "z without number": message(nodule(roi(*SQUARE, z="here"))),
    "a rating missing": message(nodule(roi(*SQUARE), ratings={"subtlety": 3})),
    "a rating off its scale": message(nodule(roi(*SQUARE), ratings=RATINGS | {"margin": 6})),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_broken_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(UnreadableError, match="the XML"):
        read_lidc_xml(data)


ENTITIES = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
HOSTILE = {
    "entities that blow up": f'<!DOCTYPE x [<!ENTITY e0 "ha">{ENTITIES}]>',
    "entity from a file": '<!DOCTYPE x [<!ENTITY e11 SYSTEM "file:///etc/passwd">]>',
    "outside document type": '<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">',
}


@pytest.mark.parametrize("declared", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_document_type_is_refused_before_its_entities_are_read(declared: str) -> None:
    with pytest.raises(UnreadableError, match="document type"):
        read_lidc_xml(f"{declared}<LidcReadMessage>&e11;</LidcReadMessage>".encode())


def test_a_file_beyond_all_measure_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lidc_xml, "_LARGEST_BYTES", 100)
    path = tmp_path / "large.xml"
    path.write_bytes(message(nodule(roi(*SQUARE))))
    for source in (path, path.read_bytes()):
        with pytest.raises(UnreadableError, match="larger than"):
            read_lidc_xml(source)


WHOLE = message(nodule(roi(*SQUARE), ratings=RATINGS), nodule(roi((7, 8))))


@given(st.integers(0, len(WHOLE) - 1), st.binary(max_size=8), st.integers(0, 12))
def test_damage_anywhere_gives_a_read_or_words(at: int, put: bytes, cut: int) -> None:
    try:
        read = read_lidc_xml(WHOLE[:at] + put + WHOLE[at + cut :])
    except HilumError:
        return
    assert isinstance(read, Read)


def test_ratings_are_numbers_of_their_scale() -> None:
    with pytest.raises(InputError, match="malignancy from 1 to 5, got 0"):
        Characteristics(5, 1, 6, 4, 3, 2, 1, 5, 0)


def test_xml_alone_has_no_millimetres() -> None:
    read = read_lidc_xml(message(nodule(roi(*SQUARE))))
    with pytest.raises(UnitError, match="how large its pixels are"):
        read.relative_grid(read.marks[0].outlines)


def test_the_database_adds_what_the_xml_leaves_out() -> None:
    series_uid = lidc_reads("LIDC-IDRI-0001")[0].series_uid
    read = read_lidc_xml(message(nodule(roi(*SQUARE)), nodule(roi((7, 8)))).replace(b"1.2.840.1", series_uid.encode()))
    known = with_scan_facts(read)
    assert (known.patient, known.pixel_mm, len(known.slices_z_mm)) == ("LIDC-IDRI-0001", 0.703125, 133)
    assert known.marks == read.marks
    with pytest.raises(InputError, match=r"no series 1\.2\.3"):
        with_scan_facts(Read("1.2.3", ()))


def test_the_relative_grid_has_the_reads_pixels_and_slices() -> None:
    read = Read("1.2", (), pixel_mm=0.7, slices_z_mm=tuple(np.arange(0, 30, 2.5)))
    mark = only_mark(message(nodule(roi(*SQUARE, z=5), roi(*SQUARE, z=10))))
    grid = read.relative_grid(mark.outlines)
    assert grid.shape_zyx == (3, 512, 512)
    assert grid.spacing_zyx_mm == pytest.approx((2.5, 0.7, 0.7))
    assert grid.origin_lps_mm == (0, 0, 5)


@pytest.mark.parametrize("slices", [(0, 2, 4, 5, 7, 9), (0, 2, 4, 8, 10, 12), (0, 2, 100, 102, 104)])
def test_uneven_slices_within_a_nodule_have_no_relative_grid(slices: tuple[float, ...]) -> None:
    read = Read("1.2", (), pixel_mm=0.7, slices_z_mm=slices)
    mark = only_mark(message(nodule(roi(*SQUARE, z=4), roi(*SQUARE, z=7))))
    with pytest.raises(SpacingError, match="not 2 mm apart"):
        read.relative_grid(mark.outlines)
