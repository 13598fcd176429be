"""`hilum prepare lidc`: consensus as truth, what readers called no nodule as hard negatives, who is left out."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, InputError
from hilum.datasets.patch_places import PieceRule
from hilum.datasets.prepared import read_prepared
from hilum.io import read_mask, read_volume
from hilum.io.dicom import find_series, write_series
from hilum.io.nodules_file import read_nodules
from hilum.measure import volume_mm3
from hilum.workflows.prepare_lidc import LidcOptions, prepare_lidc
from tests.ct_patches import chest, lidc_xml

GRID = Geometry.regular((60, 76, 76), (4.0, 4.0, 4.0), (-150.0, -150.0, -118.0))
NODULE = (-58.0, 10.0, 18.0, 36.0)
FIRST = (60.0, 22.0, 30.0)
"""What a reader called no nodule."""


@pytest.fixture(autouse=True)
def small_slices(monkeypatch):
    """LIDC's slices have 512 × 512 pixels; the phantom's are quicker."""
    monkeypatch.setattr("hilum.datasets.scan_match.IMAGE_SIZE", 76)
    monkeypatch.setattr("hilum.workflows.drr_nodules.IMAGE_SIZE", 76)


def square(half):
    """An outline around the nodule's middle: LIDC's lines lie on the first pixel outside."""
    k, j, i = (round(value) for value in GRID.to_index(NODULE[:3]))
    corners = ((i - half, j - half), (i + half, j - half), (i + half, j + half), (i - half, j + half))
    return [(float(GRID.to_lps_mm((k + step, 0, 0))[2]), corners) for step in (-1, 0, 1)]


def write_lidc(folder, patient, *, readers=(4, 4, 3), beside=True):
    """A DICOM series with its readers' XML, beside it or in a folder of its own."""
    place = folder / "LIDC" / patient / "series"
    write_series(chest((NODULE,), GRID), place, patient=patient)
    (series,) = find_series(place)
    k, j, i = (round(value) for value in GRID.to_index(FIRST))
    point = (float(GRID.to_lps_mm((k, 0, 0))[2]), i, j)
    text = lidc_xml(series.uid, [square(half) for half in readers], no_nodules=[point])
    xml = (place if beside else folder / "xml" / "158") / "read.xml"
    xml.parent.mkdir(parents=True, exist_ok=True)
    xml.write_text(text)
    return folder / "LIDC"


def index_of(out):
    return json.loads((out / "dataset.json").read_text())


@pytest.mark.parametrize("beside", [True, False])
def test_the_consensus_of_the_readers_is_the_truth(tmp_path, beside):
    src = write_lidc(tmp_path, "LIDC-IDRI-0002", beside=beside)
    words = ["prepare", "lidc", str(src), str(tmp_path / "out"), "--random", "0", "--hard", "1"]
    assert main([*words, *([] if beside else ["--xml", str(tmp_path / "xml")])]) == 0
    index = index_of(tmp_path / "out")
    assert index["splits"]["train"] == ["LIDC-IDRI-0002"]
    assert index["truths"] == ["contours of 3 readers, at least half", "contours of readers, at least half"]
    cases = {case.patch.kind: case for case in read_prepared(tmp_path / "out").cases("nodule")}
    mask = read_mask(cases["positive"].truth)
    expected = 7 * 7 * 3 * 64  # two of three have 7 × 7 pixels within their lines, on three slices
    assert volume_mm3(mask.labels > 0, mask.geometry) == pytest.approx(expected, rel=0.02)
    (nodule,) = read_nodules(cases["positive"].nodules).nodules
    assert nodule.reader_count == 3
    assert nodule.volume_mm3 == pytest.approx(expected)
    np.testing.assert_allclose(cases["positive"].patch.centre_lps_mm, nodule.centre_lps_mm)
    assert read_volume(cases["positive"].image).array[mask.labels > 0].mean() > -200
    assert cases["hard"].patch.centre_lps_mm == pytest.approx(tuple(GRID.to_lps_mm(np.rint(GRID.to_index(FIRST)))))


def test_readers_who_agree_on_no_voxel_leave_no_piece_and_it_is_said(tmp_path):
    src = write_lidc(tmp_path, "LIDC-IDRI-0003")
    xml = src / "LIDC-IDRI-0003" / "series" / "read.xml"
    z_mm, ((x, y), *_) = square(1)[0]
    line = [(x, y), (x + 1, y), (x + 1, y + 1), (x, y + 1)]  # nothing within the line
    other = [(z, [(cx + 30, cy) for cx, cy in corners]) for z, corners in square(3)]
    (series,) = find_series(xml.parent)
    xml.write_text(lidc_xml(series.uid, [[(z_mm, line)], other]))
    found = prepare_lidc(src, tmp_path / "out", LidcOptions(rule=PieceRule(random=0, hard=0)))
    assert "don't agree on" in found.note
    positives = [case for case in index_of(tmp_path / "out")["cases"] if case["patch"]["kind"] == "positive"]
    assert [case["patch"]["truth"] for case in positives] == ["one reader's contour"]


def test_held_out_patients_and_the_demonstration_are_left_out(tmp_path):
    src = write_lidc(tmp_path, "LIDC-IDRI-0010")
    write_lidc(tmp_path, "LIDC-IDRI-0001")
    with pytest.raises(InputError, match="held out: 1; demonstration: 1"):
        prepare_lidc(src, tmp_path / "out")


def test_what_can_not_be_used_is_one_clear_line(tmp_path):
    src = write_lidc(tmp_path, "LIDC-IDRI-0002")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no XML of LIDC"):
        prepare_lidc(src, tmp_path / "out", LidcOptions(xml=tmp_path / "empty"))
    with pytest.raises(InputError, match="share of the readers"):
        LidcOptions(consensus=2)
