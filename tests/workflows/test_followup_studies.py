"""Which CTs may be compared, and what is said of those that may not."""

from datetime import date

import numpy as np
import pytest

from hilum.core import Geometry, InputError, UnsupportedError, Volume
from hilum.io import write_volume
from hilum.io.dicom.series import choose_ct
from hilum.workflows.followup_studies import StudyChoice, dated_cts
from hilum.workflows.whole_ct import ct_hash
from tests.io.dicom.build import write_ct

DAYS = (date(2026, 1, 31), date(2026, 5, 2))


def volume(seed=0):
    array = np.random.default_rng(seed).integers(-1000, 0, (6, 7, 8)).astype(np.int16)
    return Volume(array, Geometry.regular(array.shape, (2.0, 1.0, 1.0)))


def nifti(path, seed=0):
    write_volume(volume(seed), path)
    return path


def dicom(folder, day, patient="P1", seed=0, modality="CT"):
    def change(_, one):
        one.SeriesInstanceUID, one.PatientID, one.Modality = f"1.2.{seed + 1}", patient, modality
        one.SeriesDate = f"{day:%Y%m%d}"

    write_ct(folder, volume(seed).array, change=change)
    return folder


def two(tmp_path, **changes):
    return [dicom(tmp_path / "a", DAYS[0]), dicom(tmp_path / "b", DAYS[1], **{"seed": 1} | changes)]


def test_files_say_whose_they_are_and_when_they_were_done(tmp_path):
    first, second = dated_cts(two(tmp_path))
    assert (first.day, second.day) == DAYS
    assert first.patient == second.patient == "P1"
    assert first.uid != second.uid


def test_files_without_a_date_need_one(tmp_path):
    paths = [nifti(tmp_path / "a.nii.gz"), nifti(tmp_path / "b.nii.gz", 1)]
    with pytest.raises(InputError, match=r"nothing says when .*a.nii.gz was done.*--dates"):
        dated_cts(paths)
    with pytest.raises(InputError, match="1 dates were given for 2"):
        dated_cts(paths, StudyChoice(DAYS[:1]))
    found = dated_cts(paths, StudyChoice(DAYS))
    assert [one.day for one in found] == list(DAYS)
    assert all("neither whose CT" in one.notes[0] for one in found)


def test_a_stated_date_wins_and_the_other_is_told(tmp_path):
    found = dated_cts(two(tmp_path), StudyChoice((DAYS[0], date(2026, 6, 1))))
    assert found[1].day == date(2026, 6, 1)
    assert any("its header says 2026-05-02" in one for one in found[1].notes)
    assert not any("its header" in one for one in found[0].notes)


def test_the_same_ct_twice_is_no_follow_up(tmp_path):
    one = nifti(tmp_path / "a.nii.gz")
    other = tmp_path / "b.nii.gz"
    other.write_bytes(one.read_bytes())
    with pytest.raises(InputError, match="are the same CT"):
        dated_cts([one, other], StudyChoice(DAYS))
    with pytest.raises(InputError, match="are the same CT"):
        dated_cts([dicom(tmp_path / "c", DAYS[0]), dicom(tmp_path / "d", DAYS[1])])


def test_the_same_slices_under_other_names_are_the_same_ct(tmp_path):
    one = dicom(tmp_path / "a", DAYS[0])
    other = tmp_path / "b"
    other.mkdir()
    for number, file in enumerate(sorted(one.iterdir(), reverse=True)):
        (other / f"{number}.dcm").write_bytes(file.read_bytes())
    first, second = (ct_hash(path, choose_ct(path, None)) for path in (one, other))
    assert first == second
    assert ct_hash(one, choose_ct(one, None)) != ct_hash(one, choose_ct(dicom(tmp_path / "c", DAYS[0], seed=1), None))


def test_dates_the_wrong_way_round_and_the_same_day_are_refused(tmp_path):
    with pytest.raises(InputError, match="Name the earliest CT first"):
        dated_cts(two(tmp_path)[::-1])
    with pytest.raises(InputError, match="both of 2026-01-31"):
        dated_cts([tmp_path / "a", dicom(tmp_path / "e", DAYS[0], seed=2)])


def test_two_patients_are_compared_only_by_who_says_they_are_one(tmp_path):
    paths = two(tmp_path, patient="P2")
    with pytest.raises(InputError, match=r"2 patients: .*'P1'.*'P2'.*--one-patient"):
        dated_cts(paths)
    assert len(dated_cts(paths, StudyChoice(one_patient=True))) == 2
    lidc = [nifti(tmp_path / f"LIDC-IDRI-000{number}.nii.gz", number) for number in (2, 3)]
    with pytest.raises(InputError, match="2 patients"):
        dated_cts(lidc, StudyChoice(DAYS))


def test_what_is_no_ct_or_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="two CTs or more"):
        dated_cts([nifti(tmp_path / "a.nii.gz")])
    with pytest.raises(InputError, match="missing"):
        dated_cts([tmp_path / "a.nii.gz", tmp_path / "missing"], StudyChoice(DAYS))
    other = dicom(tmp_path / "mr", DAYS[1], modality="MR")
    with pytest.raises(UnsupportedError, match="no CT"):
        dated_cts([tmp_path / "a.nii.gz", other], StudyChoice(DAYS))
