"""Growth phantoms: true volumes at true dates, places that are refused, and synthetic said everywhere."""

import json
import math

import nibabel as nib
import numpy as np
import pytest
from pydicom import dcmread

from hilum.cli.app import main
from hilum.core import InputError
from hilum.io import read_mask, read_volume, write_volume
from hilum.io.nodules_file import read_nodules
from hilum.workflows.phantom import make_phantom
from hilum.workflows.phantom_plan import Dates, Growing, NodulePlan, NoduleSource, PhantomOptions, plans
from hilum.workflows.prepare_cubes import prepare_cubes
from tests.ct_patches import chest, cube_arrays

FREE = (-70.0, 25.0, -15.0)
"""In the right lung, away from vessels and from its nodule."""
VESSEL = (-58.0, 5.0, 10.0)
FOURTEEN_MM = math.pi / 6 * 14**3


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    volume = chest()
    noise = np.random.default_rng(0).normal(0, 10, volume.array.shape)
    volume.array[...] = np.rint(volume.array + np.where(volume.array > -1000, noise, 0))
    path = tmp_path_factory.mktemp("ct") / "chest.nii.gz"
    write_volume(volume, path)
    return path


def truth_of(folder):
    return json.loads((folder / "truth.json").read_text())


@pytest.fixture(scope="module")
def made(ct, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    words = ["phantom", str(ct), str(out), "--at", ",".join(map(str, FREE)), "--diameter-mm", "14"]
    assert main([*words, "--doubling-days", "180", "--days", "0", "90", "--shift-mm", "2", "--date", "2024-02-01"]) == 0
    return out


def test_each_date_is_a_study_of_its_own_that_says_what_it_is(made):
    headers = [dcmread(next((made / day).glob("*.dcm"))) for day in ("day-000", "day-090")]
    assert [one.StudyDate for one in headers] == ["20240201", "20240501"]
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        assert len({getattr(one, name) for one in headers}) == 2, name
    assert len({one.PatientID for one in headers}) == 1
    for one in headers:
        for words in (one.PatientName, one.SeriesDescription, one.ImageComments):
            assert "SYNTHETIC" in str(words)
    assert truth_of(made)["synthetic"] is True


def test_a_nifti_says_in_its_own_header_what_it_is(ct, tmp_path):
    options = PhantomOptions((NodulePlan(FREE, 14.0, math.inf),), dates=Dates((0,)), as_dicom=False)
    (scan,) = make_phantom(ct, tmp_path / "out", options).scans
    assert "SYNTHETIC" in str(nib.load(scan).header["descrip"])


def test_volumes_double_in_the_doubling_time(made):
    volumes = [date["nodules"][0]["volume_mm3"] for date in truth_of(made)["dates"]]
    assert volumes[0] == pytest.approx(FOURTEEN_MM)
    assert volumes[1] == pytest.approx(FOURTEEN_MM * math.sqrt(2))
    nodules = read_nodules(made / "day-090_nodules.json").nodules
    assert nodules[0].volume_mm3 == pytest.approx(volumes[1])


def test_masks_lie_where_the_truth_says(made):
    for date in truth_of(made)["dates"]:
        mask, nodule = read_mask(made / date["mask"]), date["nodules"][0]
        grid = mask.require_geometry()
        found = grid.to_lps_mm(np.argwhere(mask.labels == 1)).mean(axis=0)
        assert found == pytest.approx(nodule["centre_lps_mm"], abs=1.0)
        assert (mask.labels == 1).sum() * grid.voxel_mm3 == pytest.approx(nodule["volume_mm3"], abs=grid.voxel_mm3)
        ct = read_volume(made / date["scan"])
        assert ct.array[mask.labels > 0].mean() > ct.array[mask.labels == 0].mean()


def test_the_same_run_again_is_done_and_the_same_seed_gives_the_same_scan(ct, made, tmp_path, capsys):
    words = ["phantom", str(ct), str(made), "--at", ",".join(map(str, FREE)), "--diameter-mm", "14"]
    words += ["--doubling-days", "180", "--days", "0", "90", "--shift-mm", "2", "--date", "2024-02-01"]
    assert main(words) == 0
    assert "Already there" in capsys.readouterr().out
    options = PhantomOptions((NodulePlan(FREE, 14.0, math.inf),), dates=Dates((0, 30)), as_dicom=False)
    first, second = (make_phantom(ct, tmp_path / name, options) for name in "ab")
    scans = [read_volume(one).array for one in (*first.scans, *second.scans)]
    assert np.array_equal(scans[0], scans[2])
    assert not np.array_equal(scans[0], scans[1])  # nothing grew, and yet no copy
    stable = truth_of(tmp_path / "a")
    assert stable["nodules"][0]["stable"] is True
    assert len({date["nodules"][0]["volume_mm3"] for date in stable["dates"]}) == 1


def test_real_nodules_are_drawn_from_their_split(ct, tmp_path):
    np.savez(tmp_path / "cubes.npz", **cube_arrays((2, 6), side=31, radius=5.0))
    prepare_cubes(tmp_path / "cubes.npz", tmp_path / "cubes")
    options = PhantomOptions(
        (NodulePlan(None, 8.0, -200.0),),
        NoduleSource(tmp_path / "cubes"),
        Dates((0, 200), slice_mm=(None, 8.0)),
        as_dicom=False,
    )
    make_phantom(ct, tmp_path / "out", options)
    truth = truth_of(tmp_path / "out")
    assert "LIDC-IDRI-0006" in truth["nodules"][0]["shape"]
    halved = [date["nodules"][0]["volume_mm3"] for date in truth["dates"]]
    assert halved[1] == pytest.approx(halved[0] / 2)
    assert [date["slice_mm"] for date in truth["dates"]] == [4.0, 8.0]


@pytest.mark.parametrize(
    ("place", "words"),
    [((0.0, 0.0, 0.0), "outside of the lungs"), (VESSEL, "denser"), (FREE, "another nodule")],
)
def test_a_place_that_is_taken_is_refused(ct, tmp_path, place, words):
    nodules = (NodulePlan(FREE, 12.0, 100.0), NodulePlan(place, 12.0, 100.0))
    with pytest.raises(InputError, match=words):
        make_phantom(ct, tmp_path / "out", PhantomOptions(nodules))
    assert not (tmp_path / "out").exists()


def test_a_table_that_is_not_there_is_one_clear_line(ct, tmp_path, capsys):
    words = ["phantom", str(ct), str(tmp_path / "out"), "--stable", "--annotations", str(tmp_path / "nothere.csv")]
    assert main(words) == 1
    said = capsys.readouterr().err
    assert "nothere.csv doesn't exist" in said
    assert "Traceback" not in said


def test_a_held_out_patient_is_refused(ct, tmp_path):
    path = tmp_path / "LIDC-IDRI-0005.nii.gz"
    path.write_bytes(ct.read_bytes())
    with pytest.raises(InputError, match="held out"):
        make_phantom(path, tmp_path / "out")


def test_growth_is_said_in_one_way():
    assert Growing(percent=(25.0,)).doubling(90)[0] == pytest.approx(90 * math.log(2) / math.log(1.25))
    assert Growing(percent=(-50.0,)).doubling(90)[0] == pytest.approx(-90)
    assert Growing(stable=True).doubling(0) == (math.inf,)
    for wrong in (Growing(), Growing((100.0,), (25.0,)), Growing((0.0,)), Growing(percent=(-100.0,))):
        with pytest.raises(InputError):
            wrong.doubling(90)


def test_numbers_are_one_for_all_or_one_for_each():
    both = plans([FREE, VESSEL], None, (8.0,), (100.0, -100.0))
    assert [(one.diameter_mm, one.doubling_days) for one in both] == [(8.0, 100.0), (8.0, -100.0)]
    assert len(plans([], 3, (), (math.inf,))) == 3
    with pytest.raises(InputError, match="one for each"):
        plans([FREE], None, (8.0, 9.0), (100.0,))
    with pytest.raises(InputError, match="count"):
        plans([FREE], 2, (8.0,), (100.0,))


@pytest.mark.parametrize("days", [(), (90,), (0, 90, 90)])
def test_days_begin_with_0_and_grow(days):
    with pytest.raises(InputError, match="begin with 0"):
        Dates(days)
