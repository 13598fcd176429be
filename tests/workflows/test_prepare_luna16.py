"""`hilum prepare luna16`: balls, folds, whose a series is, negatives, and one scan alone."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError, TooManyFailuresError, UnreadableError, Volume
from hilum.datasets.patch_config import PatchDataConfig
from hilum.datasets.patch_load import load_patches
from hilum.datasets.patch_places import PieceRule
from hilum.datasets.prepared import read_prepared
from hilum.io import read_mask, read_volume, write_volume
from hilum.recipes.patches import nodule3d_cheap
from hilum.workflows.luna16_sources import LunaTables
from hilum.workflows.patch_set import Running
from hilum.workflows.prepare_luna16 import LunaOptions, prepare_luna16
from hilum.workflows.train_patches import read_patches
from tests.ct_patches import GRID, chest, write_luna

NODULES = ((-60.0, 10.0, 20.0, 20.0), (62.0, -10.0, 30.0, 12.0))
RULE = PieceRule(size=24, voxel_mm=2.0, random=1, hard=2)
MAP = "PatientID StudyInstanceUID SeriesInstanceUID \n" + "\n".join(
    f"LIDC-IDRI-{number:04} 9.{number} 1.{number} " for number in (2, 5, 11)
)


def index_of(out):
    return json.loads((out / "dataset.json").read_text())


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("luna")
    src = write_luna(folder / "LUNA16", {"1.2": NODULES, "1.5": NODULES[:1]}, subset=3)
    write_luna(src, {"1.11": NODULES[1:]}, subset=7)
    (src / "seg-lungs-LUNA16").mkdir()  # as LUNA16's archive has it: masks under the same names
    write_volume(chest(()), src / "seg-lungs-LUNA16" / "1.11.mhd")
    (folder / "map.txt").write_text(MAP)
    options = LunaOptions(LunaTables(patients=folder / "map.txt"), RULE)
    return folder, options, prepare_luna16(src, folder / "out", options)


def test_who_may_be_learnt_from_is_split_and_folds_are_the_subsets(made):
    folder, _, found = made
    index = index_of(folder / "out")
    assert (found.left_out, found.failures) == (("1.5",), ())
    assert found.note.startswith("slices are 4 mm apart")
    assert "nobody says" not in found.note
    assert index["left_out"] == {"held out": ["1.5"]}
    assert index["splits"]["train"] == ["LIDC-IDRI-0002"]
    assert index["splits"]["validation"] == ["LIDC-IDRI-0011"]
    assert index["folds"] == {"3": ["1.2"], "7": ["1.11"]}
    assert {case["patch"]["fold"] for case in index["cases"] if case["patient"] == "LIDC-IDRI-0011"} == {7}
    assert index["truths"] == ["sphere of a diameter"]
    assert index["hard_negatives"] == "dense blobs"
    assert found.cases == 2 + 1 + 2 * 3


def test_a_nodule_is_the_ball_of_its_diameter_where_its_ct_shows_it(made):
    folder, _, _ = made
    positives = [case for case in read_prepared(folder / "out").cases("nodule") if case.patch.kind == "positive"]
    assert {case.patch.nodule for case in positives} == {"1.2_n01", "1.2_n02", "1.11_n01"}
    for case in positives:
        image, mask = read_volume(case.image), read_mask(case.truth)
        expected = np.pi / 6 * case.patch.diameter_mm**3
        assert mask.labels.sum() * 8 == pytest.approx(expected, rel=0.25)
        centre = image.geometry.to_index(case.patch.centre_lps_mm)
        np.testing.assert_allclose(centre, 11.5)
        assert image.array[mask.labels > 0].mean() > -250  # the nodule of the CT, between its coarse voxels
        assert image.array[12, 12, 12] > 0


def test_pieces_without_a_nodule_have_an_empty_truth(made):
    folder, _, _ = made
    samples, failures = load_patches(folder / "out", "train", PatchDataConfig(voxel_mm=2.0))
    assert not list(failures)
    kinds = {sample.kind: sample for sample in samples}
    assert set(kinds) == {"positive", "random", "hard"}
    for sample in samples:
        assert sample.has_lesion == (sample.kind == "positive") == bool(sample.nodule)
        assert (sample.point_zyx is None) == (sample.kind == "random"), "what only looks like a nodule is pointed at"
    assert kinds["positive"].point_zyx == pytest.approx((11.5,) * 3)


def test_the_same_again_is_done(made):
    folder, options, _ = made
    assert prepare_luna16(folder / "LUNA16", folder / "out", options).was_done


def test_a_run_that_stopped_goes_on_and_keeps_what_it_has(tmp_path):
    src = write_luna(tmp_path / "LUNA16", {"LIDC-IDRI-0002_a": NODULES[:1], "LIDC-IDRI-0003_b": NODULES[:1]})
    raw = src / "subset0" / "LIDC-IDRI-0003_b.raw"
    content = raw.read_bytes()
    raw.write_bytes(bytes(len(content)))  # of the same size: nothing but water, so no body and no lungs
    options = LunaOptions(rule=PieceRule(24, random=1, hard=0), running=Running(max_failures=0))
    with pytest.raises(TooManyFailuresError):
        prepare_luna16(src, tmp_path / "out", options)
    kept = tmp_path / "out" / "cases" / "LIDC-IDRI-0002_a_n01" / "image.nii.gz"
    stamp = kept.stat().st_mtime_ns
    raw.write_bytes(content)
    found = prepare_luna16(src, tmp_path / "out", options)
    assert (found.cases, found.failures) == (4, ())
    assert kept.stat().st_mtime_ns == stamp


def test_a_ct_that_fails_costs_nothing_else(tmp_path, capsys):
    beside = ((900.0, 0.0, 0.0, 10.0),)
    src = write_luna(tmp_path / "LUNA16", {"LIDC-IDRI-0002_a": NODULES[:1]})
    write_luna(src, {"LIDC-IDRI-0003_b": beside}, volume=chest())
    solid = chest(())
    solid.array[solid.array < -500] = np.where(solid.array == -850, 40, -1000)[solid.array < -500]
    write_luna(src, {"LIDC-IDRI-0004_c": ()}, volume=Volume(solid.array, GRID))
    assert main(["prepare", "luna16", str(src), str(tmp_path / "out"), "--random", "0", "--hard", "0"]) == 3
    said = capsys.readouterr().err
    assert "lies outside the CT" in said
    assert "no lungs on this CT" in said
    assert [one["input"] for one in index_of(tmp_path / "out")["failures"]] == ["LIDC-IDRI-0003_b", "LIDC-IDRI-0004_c"]
    assert "4 mm apart, more than 3" in said  # the phantom's slices


def test_unknown_patients_are_said_and_their_series_split_by_name(tmp_path, capsys):
    src = write_luna(tmp_path / "LUNA16", {f"7.{n}": NODULES[:1] for n in range(2)})
    assert main(["prepare", "luna16", str(src), str(tmp_path / "out"), "--random", "0", "--hard", "0"]) == 0
    assert "nobody says whose these CTs are" in capsys.readouterr().err
    index = index_of(tmp_path / "out")
    assert set(index["splits"]["train"]) | set(index["splits"]["validation"]) == {"7.0", "7.1"}
    assert "SHA-256 mod 5" in index["splits"]["rule"]
    assert "held-out patients" in index["notes"][0]


def test_one_scan_is_both_splits_and_every_output_says_what_that_is_worth(tmp_path, capsys):
    src = write_luna(tmp_path / "LUNA16", {"LIDC-IDRI-0001": NODULES})
    with pytest.raises(InputError, match="demonstration: 1") as caught:
        prepare_luna16(src, tmp_path / "out")
    assert "--single-scan" in caught.value.remedy
    scan = src / "subset0" / "LIDC-IDRI-0001.mhd"
    words = ["prepare", "luna16", str(scan), str(tmp_path / "out"), "--single-scan", "--random", "1", "--hard", "0"]
    assert main([*words, "--annotations", str(src / "annotations.csv")]) == 0
    assert "single scan: figures mean nothing" in capsys.readouterr().err
    index = index_of(tmp_path / "out")
    assert index["notes"] == ["single scan: figures mean nothing"]
    assert all("single scan: figures mean nothing" in case["odd"] for case in index["cases"])
    assert index["splits"]["rule"].startswith("single scan")
    for split in ("train", "validation"):
        samples, _ = load_patches(tmp_path / "out", split, PatchDataConfig())
        assert len(samples) == 3
    read = read_patches(tmp_path / "out", nodule3d_cheap())
    assert "single scan: figures mean nothing" in read.facts.notes  # so it stands on the model's card
    (tmp_path / "out" / "dataset.json").write_text(json.dumps({**index, "notes": []}))
    with pytest.raises(InputError, match="figures would flatter"):
        read_patches(tmp_path / "out", nodule3d_cheap())
    held_out = write_luna(tmp_path / "other", {"LIDC-IDRI-0005": NODULES})
    with pytest.raises(InputError, match="held out: 1"):
        prepare_luna16(held_out, tmp_path / "no", LunaOptions(single_scan=True))


def test_listed_candidates_and_excluded_findings_are_kept_to(tmp_path):
    src = write_luna(tmp_path / "LUNA16", {"LIDC-IDRI-0002": NODULES[:1]})
    head = "seriesuid,coordX,coordY,coordZ"
    (src / "candidates.csv").write_text(
        f"{head},class\nLIDC-IDRI-0002,60,30,30,0\nLIDC-IDRI-0002,60,30,-30,0\nLIDC-IDRI-0002,-60,10,20,1\n"
    )
    (src / "annotations_excluded.csv").write_text(f"{head},diameter_mm\nLIDC-IDRI-0002,60,30,30,-1\n")
    options = LunaOptions(LunaTables(candidates=src / "candidates.csv"), RULE)
    prepare_luna16(src, tmp_path / "out", options)
    index = index_of(tmp_path / "out")
    assert index["hard_negatives"] == "listed candidates of class 0"
    hard = [case["patch"]["centre_lps_mm"] for case in index["cases"] if case["patch"]["kind"] == "hard"]
    assert hard == [[60.0, 30.0, -30.0]]


def test_what_can_not_be_used_is_one_clear_line(tmp_path):
    src = write_luna(tmp_path / "LUNA16", {"LIDC-IDRI-0002": ()})
    with pytest.raises(InputError, match="no nodule of any of the 1 CTs"):
        prepare_luna16(src, tmp_path / "out")
    with pytest.raises(InputError, match="holds no MHD"):
        prepare_luna16(tmp_path / "LUNA16" / "annotations.csv", tmp_path / "out")
    (tmp_path / "map.csv").write_text("patient,study\na,b\n")
    with pytest.raises(UnreadableError, match="no column of patients"):
        prepare_luna16(src, tmp_path / "out", LunaOptions(LunaTables(patients=tmp_path / "map.csv")))
    (src / "annotations.csv").unlink()
    with pytest.raises(InputError, match="nobody says where nodules are"):
        prepare_luna16(src, tmp_path / "out")
    write_volume(chest(()), src / "subset1" / "LIDC-IDRI-0002.mhd")
    with pytest.raises(InputError, match="is there 2 times"):
        prepare_luna16(src, tmp_path / "out")
