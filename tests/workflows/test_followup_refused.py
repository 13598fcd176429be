"""What can't be followed up, as a user sees it: one clear line, exit 1, and nothing is left behind."""

from datetime import date

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, Volume
from hilum.io import write_volume
from hilum.workflows.followup import _warnings
from hilum.workflows.followup_match import Matched
from hilum.workflows.followup_nodules import CtStudy
from hilum.workflows.followup_studies import DatedCt
from tests.shapes import ellipsoid
from tests.workflows.test_followup_studies import DAYS, dicom

pytestmark = pytest.mark.usefixtures("one_thread")
GRID = Geometry.regular((60, 56, 72), (4.0, 4.0, 4.0), (-142.0, -110.0, -118.0))


def refused(words, out, capsys):
    assert main(["followup", *map(str, words[:2]), str(out), *words[2:]]) == 1
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    assert told.out == ""
    assert not out.exists()
    return told.err


def test_two_patients_are_refused_by_name_unless_told(tmp_path, capsys):
    cts = [dicom(tmp_path / "a", DAYS[0]), dicom(tmp_path / "b", DAYS[1], patient="P2", seed=1)]
    said = refused(cts, tmp_path / "out", capsys)
    assert "2 patients" in said
    assert "'P1'" in said
    assert "'P2'" in said
    assert "--one-patient" in said
    assert "2 patients" not in refused([*cts, "--one-patient"], tmp_path / "out", capsys)


def test_dates_of_headers_the_wrong_way_round_are_refused(tmp_path, capsys):
    cts = [dicom(tmp_path / "a", DAYS[1]), dicom(tmp_path / "b", DAYS[0], seed=1)]
    assert "Name the earliest CT first" in refused(cts, tmp_path / "out", capsys)


def body(*, has_lungs, seed):
    hu = np.where(ellipsoid(GRID, (0, 0, 0), (138, 100, 400)), 40.0, -1000.0)
    if has_lungs:
        hu[ellipsoid(GRID, (-60, 0, 0), (48, 70, 95)) | ellipsoid(GRID, (60, 5, -5), (46, 68, 100))] = -850
    hu += np.random.default_rng(seed).normal(0, 8, GRID.shape_zyx)
    return Volume(np.rint(hu).astype(np.int16), GRID)


def test_an_abdomen_against_a_chest_is_refused_before_anything_is_looked_for(tmp_path, capsys):
    for name, has_lungs in (("chest", True), ("abdomen", False)):
        write_volume(body(has_lungs=has_lungs, seed=int(has_lungs)), tmp_path / f"{name}.nii.gz")
    paths = [tmp_path / "chest.nii.gz", tmp_path / "abdomen.nii.gz"]
    said = refused([*paths, "--dates", "2026-01-31", "2026-05-01"], tmp_path / "out", capsys)
    assert "later CT can't be registered: there are no lungs" in said


def study(slice_mm, number):
    grid = Geometry.regular((4, 4, 4), (slice_mm, 1.0, 1.0))
    ct = DatedCt(path=f"{number}", day=date(2026, number, 1), patient=None, uid=None, hash=str(number))
    return CtStudy(ct, Volume(np.zeros((4, 4, 4), np.int16), grid), np.zeros((4, 4, 4), np.uint8), (), is_given=False)


def test_slices_of_5_mm_are_said():
    found = Matched((study(1.25, 1), study(5.0, 2)), {}, None, frozenset())
    (said,) = [one for one in _warnings(found) if "slices" in one]
    assert "Study 2 has slices of 5 mm" in said
    assert "no volume is measured" in said
