"""`hilum prepare cubes`: pieces, truth, split, who is left out, and how the pieces are read again."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError, TrainError, UnreadableError
from hilum.datasets.patch_config import PatchDataConfig
from hilum.datasets.patch_load import load_patches
from hilum.datasets.prepared import read_prepared
from hilum.io import read_volume
from hilum.io.nodules_file import read_nodules
from hilum.workflows.patch_set import Running
from hilum.workflows.prepare_cubes import prepare_cubes
from tests.ct_patches import cube_arrays

PATIENTS = [1, 2, 3, 5, 11]
"""2 and 3 train, 11 validates, 5 is held out, 1 the demonstration."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cubes")
    arrays = cube_arrays(PATIENTS)
    np.savez(folder / "cubes.npz", **arrays)
    return folder / "out", arrays, prepare_cubes(folder / "cubes.npz", folder / "out")


def test_who_may_be_learnt_from_is_split_and_the_rest_left_out(made):
    out, _, found = made
    index = json.loads((out / "dataset.json").read_text())
    assert (found.cases, len(found.left_out), found.failures) == (3, 2, ())
    assert index["kind"] == "ct-patches"
    assert index["splits"]["train"] == ["LIDC-IDRI-0002", "LIDC-IDRI-0003"]
    assert index["splits"]["validation"] == ["LIDC-IDRI-0011"]
    assert {reason: len(keys) for reason, keys in index["left_out"].items()} == {"held out": 1, "demonstration": 1}
    assert index["truths"] == ["one reader's contour"]
    assert (out / "qa.png").stat().st_size > 5000


def test_a_case_says_what_it_is_and_is_measured_by_its_mask(made):
    out, arrays, _ = made
    data = read_prepared(out)
    assert data.truth_name() == "nodule"
    case = data.cases("nodule")[0]
    assert (case.patch.kind, case.patch.voxel_mm, case.patch.centre_lps_mm) == ("positive", (1.0, 1.0, 1.0), None)
    hu = read_volume(case.image)
    assert hu.array.dtype == np.int16
    assert hu.array.max() <= 400
    (nodule,) = read_nodules(case.nodules).nodules
    assert nodule.volume_mm3 == arrays["mask"][1].sum()
    assert nodule.centre_lps_mm is None
    assert nodule.characteristics == {"subtlety": 3, "malignancy": 2}
    assert case.patch.diameter_mm == pytest.approx(nodule.diameters_mm.equivalent_mm)


def test_pieces_are_read_in_the_window_with_the_nodules_middle(made):
    out, arrays, _ = made
    samples, failures = load_patches(out, "train", PatchDataConfig(point_share=0.5))
    assert (len(samples), list(failures)) == (2, [])
    one = samples[0]
    assert (one.kind, one.truth_type, one.voxel_mm) == ("positive", "one reader's contour", (1.0, 1.0, 1.0))
    assert one.point_zyx == (7.0, 7.0, 7.0)
    assert one.prior.argmax() == one.prior.size // 2
    assert one.truth.sum() == arrays["mask"][1].sum()
    hu = 1600 * arrays["image"][1].astype(float)[7, 7, 7] - 1200
    assert one.image[7, 7, 7] == pytest.approx((hu + 1000) / 1400, abs=1e-3)
    assert load_patches(out, "validation", PatchDataConfig())[0][0].prior is None


def test_other_voxels_than_the_configured_ones_are_a_failure(made):
    with pytest.raises(TrainError, match="none of the 0 pieces"):
        load_patches(made[0], "train", PatchDataConfig(voxel_mm=0.7))


def test_workers_and_a_lost_file_change_nothing(made, tmp_path):
    out, _, _ = made
    src, before = out.parent / "cubes.npz", (out / "dataset.json").read_bytes()
    assert prepare_cubes(src, out).was_done
    again = prepare_cubes(src, tmp_path / "two", Running(workers=2))
    assert not again.was_done
    assert (tmp_path / "two" / "dataset.json").read_bytes() == before


def test_a_cube_that_fails_costs_nothing_else(tmp_path, capsys):
    arrays = cube_arrays([2, 3])
    arrays["mask"][1] = 0
    np.savez(tmp_path / "cubes.npz", **arrays)
    assert main(["prepare", "cubes", str(tmp_path / "cubes.npz"), str(tmp_path / "out")]) == 3
    assert "is empty" in capsys.readouterr().err
    index = json.loads((tmp_path / "out" / "dataset.json").read_text())
    assert [one["input"] for one in index["failures"]] == ["LIDC-IDRI-0003_2_nod1_ann0"]


def test_what_is_no_file_of_cubes_is_one_clear_line(tmp_path, capsys):
    np.savez(tmp_path / "cubes.npz", **cube_arrays([5]))
    with pytest.raises(InputError, match="held out: 1"):
        prepare_cubes(tmp_path / "cubes.npz", tmp_path / "out")
    np.savez(tmp_path / "cubes.npz", image=np.zeros(3))
    with pytest.raises(UnreadableError, match="lacks mask"):
        prepare_cubes(tmp_path / "cubes.npz", tmp_path / "out")
    assert main(["prepare", "cubes", str(tmp_path / "none.npz"), str(tmp_path / "out")]) == 1
    assert "none.npz can't be read" in capsys.readouterr().err
