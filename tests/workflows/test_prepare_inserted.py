"""Nodules inserted into a whole CT, to pieces and whole scans."""

import csv
import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError
from hilum.datasets.inserted3d import INSERTED
from hilum.datasets.insertion_places import InsertionRule, Side
from hilum.datasets.patch_config import PatchDataConfig
from hilum.datasets.patch_load import load_patches
from hilum.datasets.patch_places import PieceRule
from hilum.datasets.patch_source import ONE_READER
from hilum.io import read_mask, read_volume, write_volume
from hilum.workflows.prepare_cubes import prepare_cubes
from hilum.workflows.prepare_inserted import InsertedOptions, prepare_inserted
from tests.ct_patches import chest, cube_arrays

OWN = (-60.0, 10.0, 20.0, 20.0)
"""The CT's own nodule, in its right lung."""
PATIENTS = (2, 3, 4, 6, 11)
"""LIDC's numbers: 6 and 11 are for validation."""


@pytest.fixture(scope="module")
def cubes(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cubes")
    np.savez(folder / "cubes.npz", **cube_arrays(PATIENTS, side=31, radius=5.0))
    prepare_cubes(folder / "cubes.npz", folder / "out")
    return folder / "out"


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ct")
    volume = chest((OWN,))
    noise = np.random.default_rng(0).normal(0, 10, volume.array.shape)
    volume.array[...] = np.rint(volume.array + np.where(volume.array > -1000, noise, 0))
    write_volume(volume, folder / "abdomen and chest.nii.gz")
    x, y, z, diameter = OWN
    (folder / "own.csv").write_text(
        f"seriesuid,coordX,coordY,coordZ,diameter_mm\nabdomen-and-chest,{x},{y},{z},{diameter}\n"
    )
    return folder / "abdomen and chest.nii.gz"


@pytest.fixture(scope="module")
def made(ct, cubes, tmp_path_factory):
    out = tmp_path_factory.mktemp("made") / "out"
    words = ["prepare", "inserted", str(ct), str(out), "--nodules", str(cubes), "--annotations"]
    words += [str(ct.parent / "own.csv"), "--scans", "2", "--validation-scans", "1", "--per-scan", "2", "--size", "48"]
    assert main([*words, "--random", "1", "--hard", "1", "--own-pieces", "--whole", "--licence", "nobody's"]) == 0
    return out


def index_of(folder):
    return json.loads((folder / "dataset.json").read_text())


def inserted_in(index):
    return [case for case in index["cases"] if case["patch"]["truth"] == INSERTED and case["patch"]["nodule"]]


def test_no_nodule_and_no_voxel_is_in_two_splits(made):
    index = index_of(made)
    train, validation = (set(index["splits"][name]) for name in ("train", "validation"))
    assert train == {"LIDC-IDRI-0002", "LIDC-IDRI-0003", "LIDC-IDRI-0004", "ct-abdomen-and-chest-left"}
    assert validation == {"LIDC-IDRI-0006", "LIDC-IDRI-0011", "ct-abdomen-and-chest-right"}
    assert len(inserted_in(index)) == 6
    for case in index["cases"]:
        if "scan" in case:
            is_left = case["scan"]["side"] == "left"
            assert (case["patient"] in train) == is_left
            assert ("_train" in case["key"]) == is_left
            assert (case["patch"]["centre_lps_mm"][0] > case["scan"]["between_lungs_x_mm"]) == is_left
    for split in ("train", "validation"):
        samples, failures = load_patches(made, split, PatchDataConfig())
        assert not list(failures)
        assert {sample.patient for sample in samples} <= (train if split == "train" else validation)
        other = -1 if split == "train" else 1  # a piece ends where the other lung's half begins
        for case in index["cases"]:
            if case["patch"]["series"].startswith(f"abdomen-and-chest_{split}"):
                piece = read_volume(made / case["image"])
                x = piece.geometry.to_lps_mm(np.moveaxis(np.indices(piece.array.shape), 0, -1))[..., 0]
                beyond = (x - case["scan"]["between_lungs_x_mm"]) * other > 5
                assert (piece.array[beyond] == -1024).all()


def test_what_was_made_is_called_synthetic_everywhere(made, capsys):
    index = index_of(made)
    assert "synthetic" in index["notes"][0]
    assert set(index["truths"]) == {INSERTED, ONE_READER}
    assert index["licences"] == ["LIDC-IDRI: CC BY 3.0", "nobody's"]
    for case in inserted_in(index):
        assert any("synthetic" in remark for remark in case["odd"])
    own = [case for case in index["cases"] if case["patch"]["truth"] == ONE_READER]
    assert [case["patient"] for case in own] == [f"LIDC-IDRI-{number:04}" for number in PATIENTS]
    assert not any("synthetic" in remark for case in own for remark in case["odd"])


def test_pieces_without_a_nodule_are_the_ct_as_it_is(made, ct):
    cases = [case for case in index_of(made)["cases"] if case["patch"]["kind"] != "positive"]
    assert {case["patch"]["kind"] for case in cases} == {"random", "hard"}
    old = read_volume(ct)
    for case in cases:
        assert not read_mask(made / case["masks"]["nodule"]).labels.any()
        assert not any("synthetic" in remark for remark in case["odd"])
        piece = read_volume(made / case["image"])
        k, j, i = np.rint(old.geometry.to_index(case["patch"]["centre_lps_mm"])).astype(int)
        near = piece.array[22:26, 22:26, 22:26]
        around = old.array[k - 2 : k + 3, j - 2 : j + 3, i - 2 : i + 3]
        assert around.min() - 1 <= near.min()
        assert near.max() <= around.max() + 1


def test_no_piece_shows_the_ct_s_own_nodule(made):
    for case in index_of(made)["cases"]:
        if "scan" in case:
            away = np.abs(np.subtract(case["patch"]["centre_lps_mm"], OWN[:3])).max()
            assert away > 24 + 10


def test_whole_scans_come_with_luna16_s_tables(made, ct):
    scans = made / "scans"
    assert (scans / "seriesuids.csv").read_text() == "abdomen-and-chest_validation01\n"
    rows = list(csv.DictReader((scans / "annotations.csv").read_text().splitlines()))
    cases = [case for case in inserted_in(index_of(made)) if "validation" in case["key"]]
    assert len(rows) == len(cases) == 2
    (excluded,) = csv.DictReader((scans / "annotations_excluded.csv").read_text().splitlines())
    assert float(excluded["diameter_mm"]) == 20
    old, new = read_volume(ct), read_volume(scans / "abdomen-and-chest_validation01.nii.gz")
    assert old.geometry.is_same_grid(new.geometry)
    changed = old.geometry.to_lps_mm(np.argwhere(old.array != new.array))
    centres = np.array([[float(row[f"coord{axis}"]) for axis in "XYZ"] for row in rows])
    away = np.linalg.norm(changed[:, None] - centres, axis=2)
    radii = np.array([float(row["diameter_mm"]) / 2 for row in rows])
    assert ((away - radii).min(axis=1) < 8).all()  # untouched elsewhere
    for centre, radius in zip(centres, radii, strict=True):
        at = tuple(np.rint(new.geometry.to_index(centre)).astype(int))
        assert new.array[at] > -500
        assert 3.5 < radius < 7.5  # of 5 mm, enlarged or shrunk, on voxels of 4 mm


def test_a_run_goes_on_and_gives_the_same(made, ct, cubes, tmp_path):
    options = InsertedOptions(
        annotations=ct.parent / "own.csv", scans=1, validation_scans=0, per_scan=1, rule=PieceRule(48, random=1, hard=0)
    )
    prepare_inserted([ct], tmp_path / "a", cubes, options)
    again = prepare_inserted([ct], tmp_path / "a", cubes, options)
    assert again.was_done
    prepare_inserted([ct], tmp_path / "b", cubes, options)
    assert (tmp_path / "a" / "dataset.json").read_bytes() == (tmp_path / "b" / "dataset.json").read_bytes()


def test_lung_that_is_learnt_from_and_judged_is_said(ct, cubes, tmp_path):
    options = InsertedOptions(
        scans=1, per_scan=1, train_side=(Side.BOTH,), validation_side=(Side.BOTH,), rule=PieceRule(48, random=1, hard=0)
    )
    found = prepare_inserted([ct], tmp_path / "out", cubes, options)
    assert "false positives are flattered" in found.note
    index = index_of(tmp_path / "out")
    negatives = {case["patient"] for case in index["cases"] if case["patch"]["kind"] == "random"}
    assert negatives == {"ct-abdomen-and-chest-both-train", "ct-abdomen-and-chest-both-validation"}


def test_what_can_not_be_is_one_clear_line(ct, cubes, tmp_path, capsys):
    held_out = tmp_path / "LIDC-IDRI-0005.nii.gz"
    held_out.write_bytes(ct.read_bytes())
    with pytest.raises(InputError, match="is held out"):
        prepare_inserted([held_out], tmp_path / "out", cubes)
    learnt = tmp_path / "LIDC-IDRI-0007.nii.gz"
    learnt.write_bytes(ct.read_bytes())
    with pytest.raises(InputError, match="who is for train"):
        prepare_inserted([learnt], tmp_path / "out", cubes)
    with pytest.raises(InputError, match="one side for all CTs"):
        prepare_inserted([ct], tmp_path / "out", cubes, InsertedOptions(train_side=(Side.LEFT, Side.RIGHT)))
    with pytest.raises(InputError, match="two CTs are called"):
        prepare_inserted([ct, ct], tmp_path / "out", cubes)
    with pytest.raises(InputError, match="no scan is to be made"):
        prepare_inserted([ct], tmp_path / "out", cubes, InsertedOptions(scans=0))
    with pytest.raises(InputError, match="can't be"):
        InsertedOptions(per_scan=0)
    assert main(["prepare", "inserted", str(ct), "--nodules", str(cubes)]) != 0
    assert "one CT and the folder" in capsys.readouterr().err


def test_a_nodule_without_a_place_is_left_out_and_said(ct, cubes, tmp_path):
    rule, how = PieceRule(96, random=0, hard=0), InsertionRule(apart_mm=75.0, touching=0.0)
    options = InsertedOptions(scans=1, validation_scans=0, per_scan=6, rule=rule, how=how)
    prepare_inserted([ct], tmp_path / "out", cubes, options)
    index = index_of(tmp_path / "out")
    assert 1 <= len(inserted_in(index)) < 6
    assert any("found no place" in remark for remark in index["odd"])
