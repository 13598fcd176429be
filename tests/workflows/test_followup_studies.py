"""Which CTs may be compared, and what is said of those that may not."""

import json
import re
from datetime import date

import numpy as np
import pytest

from hilum.core import Geometry, InputError, UnsupportedError, Volume
from hilum.io import read_volume, write_volume
from hilum.io.dicom.series import choose_ct
from hilum.io.nifti import write_nifti
from hilum.ops import to_lps_axes
from hilum.workflows.followup_studies import StudyChoice, dated_cts, require_unlike
from hilum.workflows.whole_ct import ct_hash
from tests.io.dicom.build import write_ct

DAYS = (date(2026, 1, 31), date(2026, 5, 2))


def volume(seed=0):
    array = np.random.default_rng(seed).integers(-1000, 0, (6, 7, 8)).astype(np.int16)
    return Volume(array, Geometry.regular(array.shape, (2.0, 1.0, 1.0)))


def nifti(path, seed=0):
    write_volume(volume(seed), path)
    return path


def dicom(folder, day, patient="P1", seed=0, modality="CT", **said):
    def change(_, one):
        one.SeriesInstanceUID, one.PatientID, one.Modality = f"1.2.{seed + 1}", patient, modality
        one.SeriesDate = f"{day:%Y%m%d}"
        for name, words in ({"PatientName": "One^Some"} | said).items():
            setattr(one, name, words)

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


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({"PatientName": "One^Some"}, {"PatientName": "Other^Some"}, "name 'One^Some' and 'Other^Some'"),
        ({"PatientBirthDate": "19500101"}, {"PatientBirthDate": "19500102"}, "born 19500101 and 19500102"),
        ({"PatientSex": "F"}, {"PatientSex": "M"}, "sex F and M"),
        ({"PatientName": "One^Some"}, {"PatientName": "SOME^ONE"}, "name"),
        ({"PatientName": "One^Some"}, {"PatientName": "ONE  SOME^^"}, ""),
        ({"PatientName": "One^Some=一"}, {"PatientName": "one, some"}, ""),
        ({"PatientBirthDate": "19500101"}, {}, ""),
        ({"PatientSex": "F"}, {"PatientSex": "O"}, ""),
    ],
)
def test_all_that_both_files_say_of_the_patient_has_to_agree(tmp_path, first, second, words):
    paths = [
        dicom(tmp_path / "a", DAYS[0], SpecificCharacterSet="ISO_IR 192", **first),
        dicom(tmp_path / "b", DAYS[1], seed=1, **second),
    ]
    if not words:
        assert all(one.notes == () for one in dated_cts(paths))
        return
    with pytest.raises(InputError, match=f"2 patients: .*{re.escape(words)}.*--one-patient"):
        dated_cts(paths)
    told = dated_cts(paths, StudyChoice(one_patient=True))
    assert any(words in note and "--one-patient" in note for note in told[1].notes)


def test_what_says_of_nobody_is_noted(tmp_path):
    nobody = {"patient": "", "PatientName": ""}
    first, second = dated_cts([dicom(tmp_path / "a", DAYS[0]), dicom(tmp_path / "b", DAYS[1], seed=1, **nobody)])
    assert first.notes == ()
    assert any("doesn't say whose" in note for note in second.notes)
    unnamed = dicom(tmp_path / "c", DAYS[1], seed=2, PatientName="")
    unnumbered = dicom(tmp_path / "d", DAYS[0], seed=3, patient="")
    assert any("nothing that both headers say" in note for note in dated_cts([unnumbered, unnamed])[1].notes)


def test_a_day_to_come_is_refused_where_it_was_typed_and_noted_where_a_header_has_it(tmp_path):
    paths = two(tmp_path)
    with pytest.raises(InputError, match=r"2026-05-02 was stated, a day that hasn't come.*--dates"):
        dated_cts(paths, StudyChoice(DAYS, today=date(2026, 4, 30)))
    assert dated_cts(paths, StudyChoice(DAYS, today=date(2026, 5, 1)))[1].notes == ()
    shifted = dated_cts(paths, StudyChoice(today=date(2026, 4, 30)))
    assert any("hasn't come yet" in note for note in shifted[1].notes)
    assert shifted[0].notes == ()


def test_the_same_voxels_are_one_ct_in_whatever_format(tmp_path):
    """Another format, exported again under new numbers and another day, axes turned, air filled otherwise."""
    one = volume()
    padded = np.where(one.array <= -1000, -2000, one.array)[:, ::-1, ::-1]
    paths = [nifti(tmp_path / "a.nii.gz"), tmp_path / "b.nii", dicom(tmp_path / "c", DAYS[1]), tmp_path / "d.nrrd"]
    write_volume(Volume(one.array.astype(np.float32), one.geometry), paths[1])
    flipped = np.diag([-1.0, -1.0, 1.0, 1.0])
    flipped[:2, 3] = [one.array.shape[2] - 1, one.array.shape[1] - 1]
    write_volume(Volume(padded, Geometry(padded.shape, one.geometry.affine_lps @ flipped)), paths[3])
    read = [to_lps_axes(read_volume(path)) for path in paths]
    for number in (1, 2, 3):
        with pytest.raises(InputError, match="are the same CT"):
            require_unlike([paths[0], paths[number]], [read[0], read[number]])
    noisy = Volume(one.array + (np.arange(one.array.size).reshape(one.array.shape) == 200), one.geometry)
    require_unlike(paths[:2], [read[0], noisy])
    require_unlike(paths[:2], [read[0], Volume(one.array[1:], one.geometry.crop((1, 0, 0), (5, 7, 8)))])


@pytest.mark.parametrize("said", ["PatientName", "SeriesDescription", "ImageComments"])
def test_a_synthetic_series_is_known_by_any_of_its_marks(tmp_path, said):
    both = {said: "SYNTHETIC growth phantom"}
    first, second = dated_cts([dicom(tmp_path / "a", DAYS[0], **both), dicom(tmp_path / "b", DAYS[1], seed=1, **both)])
    for one in (first, second):
        assert one.is_synthetic
        assert "SYNTHETIC" in one.notes[0]
    assert not any(one.is_synthetic for one in dated_cts(two(tmp_path)))


def test_a_synthetic_file_is_known_by_its_header_its_name_or_what_lies_beside_it(tmp_path):
    marked, beside, plain = (tmp_path / f"{name}.nii.gz" for name in ("marked", "beside", "plain"))
    named = nifti(tmp_path / "Synthetic-1.nii.gz", 3)
    write_nifti(volume().array, volume().geometry, marked, volume().quantity, remark="SYNTHETIC growth phantom")
    nifti(beside, 1)
    nifti(plain, 2)
    assert read_volume(marked).quantity is volume().quantity
    truth = {"schema": "hilum.phantom/1", "dates": [{"scan": beside.name}]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    days = [date(2020, 1, day) for day in (1, 2, 3, 4)]
    found = dated_cts([marked, beside, named, plain], StudyChoice(tuple(days)))
    assert [one.is_synthetic for one in found] == [True, True, True, False]


def test_what_is_no_ct_or_not_there_is_one_clear_line(tmp_path):
    with pytest.raises(InputError, match="two CTs or more"):
        dated_cts([nifti(tmp_path / "a.nii.gz")])
    with pytest.raises(InputError, match="missing"):
        dated_cts([tmp_path / "a.nii.gz", tmp_path / "missing"], StudyChoice(DAYS))
    other = dicom(tmp_path / "mr", DAYS[1], modality="MR")
    with pytest.raises(UnsupportedError, match="no CT"):
        dated_cts([tmp_path / "a.nii.gz", other], StudyChoice(DAYS))
