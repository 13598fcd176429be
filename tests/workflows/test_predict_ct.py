"""`hilum predict` on whole CTs."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import ConfigError, InputError, MissingError, OutputError, Volume
from hilum.infer.loaded import load_model
from hilum.io import read_mask, write_volume
from hilum.io.nodules_file import read_nodules
from hilum.workflows import predict_ct, predict_point
from hilum.workflows.predict import run_predict
from hilum.workflows.predict_ct import ct_files, is_ct
from hilum.workflows.predict_options import PredictOptions
from tests.ct_patches import GRID, chest, write_luna
from tests.infer.test_ct_nodules import BALLS
from tests.infer.test_volumes import Watched
from tests.patches import patch_model, write_patches
from tests.shapes import ellipsoid

pytestmark = pytest.mark.usefixtures("one_thread")
SERIES = "1.3.6.1.4.1.14519.5.2.1.1"


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    return {share: str(patch_model(folder / f"m{share:g}", point_share=share)) for share in (0.0, 0.8)}


@pytest.fixture
def marks_what_is_dense(monkeypatch):
    """Models mark what is above about -500 HU, whatever they have learnt."""
    monkeypatch.setattr(
        predict_point, "load_model", lambda name: replace(load_model(name), network=Watched(), threshold=0.5)
    )


@pytest.fixture(scope="module")
def cts(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cts")
    write_volume(chest(BALLS), folder / f"{SERIES}.mhd")
    write_volume(chest(BALLS[:1]), folder / "second.nii.gz")
    return folder


@pytest.mark.usefixtures("marks_what_is_dense")
def test_ct_in_nodules_out(cts, models, tmp_path):
    """A folder of two CTs: masks on their own grid, measured nodules, one table in LUNA16's columns, a picture each."""
    options = PredictOptions(models[0.0], detector="none")
    done = run_predict([cts], tmp_path / "out", options)
    assert (done.keys, done.marked, done.what) == ((SERIES, "second"), 2, "CTs")
    for key, balls in ((SERIES, BALLS), ("second", BALLS[:1])):
        folder = tmp_path / "out" / key
        mask, found = read_mask(folder / "mask.nii.gz"), read_nodules(folder / "nodules.json")
        assert mask.geometry.is_same_grid(GRID)
        assert sorted(np.unique(mask.labels)) == list(range(len(found.nodules) + 1))
        for *centre, _ in balls:
            label = mask.labels[tuple(np.rint(GRID.to_index(centre)).astype(int))]
            own = found.nodules[label - 1]
            assert own.centre_lps_mm == pytest.approx(centre, abs=1.5)
            assert own.volume_mm3 is None, "slices 4 mm apart allow none"
        assert (folder / "overlay.png").read_bytes().startswith(b"\x89PNG")
    with (tmp_path / "out" / "candidates.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["seriesuid", "coordX", "coordY", "coordZ", "probability"]
    assert {row["seriesuid"] for row in rows} == {SERIES, "second"}
    again = run_predict([cts], tmp_path / "out", options)
    assert again.was_done


@pytest.mark.usefixtures("marks_what_is_dense")
def test_what_is_found_can_be_judged_by_luna16s_rule(cts, models, tmp_path, capsys):
    """`hilum froc` reads the table as it is."""
    out, truth = tmp_path / "out", tmp_path / "annotations.csv"
    run_predict([cts / f"{SERIES}.mhd"], out, PredictOptions(models[0.0], detector="none"))
    lines = [",".join(map(str, (SERIES, *ball))) for ball in BALLS]
    truth.write_text("\n".join(["seriesuid,coordX,coordY,coordZ,diameter_mm", *lines]) + "\n")
    given = ["--predictions", str(out / "candidates.csv"), "--annotations", str(truth)]
    assert main(["froc", *given, str(tmp_path / "froc")]) == 0
    assert "2 nodules on 1 scans: 2 found, 0 missed" in capsys.readouterr().out
    assert json.loads((tmp_path / "froc" / "froc.json").read_text())["counts"]["tp"] == 2


@pytest.mark.usefixtures("marks_what_is_dense")
def test_several_models_and_a_stated_score_are_part_of_what_was_done(cts, models, tmp_path):
    options = PredictOptions(models[0.0], detector="none", ensemble=(models[0.8],), score=0.999)
    run_predict([cts / "second.nii.gz"], tmp_path / "out", options)
    provenance = json.loads((tmp_path / "out" / "predictions.json").read_text())["provenance"]
    assert provenance["thresholds"]["nodule"] == 0.999
    assert list(provenance["options"]["ensemble"]) == ["m0.8"]
    other = run_predict([cts / "second.nii.gz"], tmp_path / "out", replace(options, score=0.5), force=True)
    assert not other.was_done


def test_where_no_detector_is_shipped_or_named_the_ways_out_are_said(cts, models, tmp_path, monkeypatch):
    monkeypatch.setattr(predict_ct, "shipped_models", lambda: ("xray",))
    with pytest.raises(MissingError, match="no detector of nodules on CTs comes with this hilum"):
        run_predict([cts / "second.nii.gz"], tmp_path / "out", PredictOptions(models[0.8]))


def test_a_segmenter_is_no_detector(cts, models, tmp_path):
    with pytest.raises(ConfigError, match="no detector"):
        run_predict([cts / "second.nii.gz"], tmp_path / "out", PredictOptions(models[0.8], detector=models[0.0]))


@pytest.mark.usefixtures("marks_what_is_dense")
def test_a_ct_without_lungs_is_a_failure_and_the_others_go_on(cts, models, tmp_path):
    solid = np.where(ellipsoid(GRID, (0, 0, 0), (140, 100, 400)), 40, -1000).astype(np.int16)
    write_volume(Volume(solid, GRID), tmp_path / "in" / "solid.nii.gz")
    write_volume(chest(BALLS), tmp_path / "in" / "chest.nii.gz")
    done = run_predict([tmp_path / "in"], tmp_path / "out", PredictOptions(models[0.0], detector="none"))
    assert done.keys == ("chest",)
    assert "no lungs" in done.failures[0].error


@pytest.mark.usefixtures("marks_what_is_dense")
def test_thick_slices_are_said(models, tmp_path):
    thick = chest(BALLS)
    write_volume(thick, tmp_path / "thick.nii.gz")
    done = run_predict([tmp_path / "thick.nii.gz"], tmp_path / "out", PredictOptions(models[0.0], detector="none"))
    assert list(done.notes) == ["slices are 4 mm apart, more than 3 mm: no volume is given"]


def test_what_a_ct_is_is_told_by_its_content(cts, tmp_path):
    assert is_ct(cts)
    assert is_ct(cts / "second.nii.gz")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(40))
    assert not is_ct(tmp_path)
    write_patches(tmp_path / "set")
    assert not is_ct(tmp_path / "set")
    assert [one.key for one in ct_files([cts, cts / "second.nii.gz"])] == [SERIES, "second", "second-2"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no CT"):
        ct_files([])


def test_options_of_cts_are_refused_elsewhere(cts, tmp_path):
    for name, options in (("--score", {"score": 0.5}), ("--detector", {"detector": "none"})):
        with pytest.raises(ConfigError, match=f"{name} is for CTs"):
            run_predict([tmp_path], tmp_path / "out", PredictOptions("xray", **options))
    with pytest.raises(ConfigError, match="--score is for models of pieces of CTs"):
        run_predict([cts], tmp_path / "out", PredictOptions("slices", score=0.5))
    with pytest.raises(InputError, match="score"):
        PredictOptions(score=2.0)


def test_another_image_beside_the_same_header_is_another_ct(cts, models, tmp_path, marks_what_is_dense):
    """The voxels of an MHD lie in a file of their own."""
    write_volume(chest(BALLS), tmp_path / "a.mhd")
    options = PredictOptions(models[0.0], detector="none")
    assert run_predict([tmp_path / "a.mhd"], tmp_path / "out", options).marked
    write_volume(chest(()), tmp_path / "a.mhd")
    with pytest.raises(OutputError):  # the folder holds another CT's result
        run_predict([tmp_path / "a.mhd"], tmp_path / "out", options)


def test_a_detector_outlines_nothing(cts, tmp_path):
    with pytest.raises(ConfigError, match="ct_detector is a detector"):
        run_predict([cts / "second.nii.gz"], tmp_path / "out", PredictOptions("ct_detector"))


def test_one_scan_goes_all_the_way_from_luna16s_files_to_its_figures(tmp_path, capsys):
    """prepare luna16 --single-scan, two steps of source B's network, predict, froc: as for LUNA16 as a whole."""
    src = write_luna(tmp_path / "LUNA16", {SERIES: BALLS})
    scan, table = src / "subset0" / f"{SERIES}.mhd", src / "annotations.csv"
    words = [["prepare", "luna16", scan, tmp_path / "one", "--annotations", table, "--single-scan", "--size", "48"]]
    words[0] += ["--voxel-mm", "2", "--random", "1", "--hard", "1"]
    small = ["--set", "model.options.widths=[4,8]", "--set", "augment.crop_px=16", "--set", "data.voxel_mm=2"]
    train = ["train", "luna16_attention", tmp_path / "run", "--data", tmp_path / "one", "--epochs", "1", *small]
    words += [[*train, "--set", "sampling.draws=8", "--threads", "1"]]
    words += [
        ["predict", scan, tmp_path / "found", "--model", tmp_path / "run", "--detector", "none", "--threshold", "0.01"]
    ]
    (tmp_path / "uids.csv").write_text(f"{SERIES}\n")
    judged = ["--annotations", table, "--seriesuids", tmp_path / "uids.csv"]
    words += [["froc", tmp_path / "judged", "--predictions", tmp_path / "found" / "candidates.csv", *judged]]
    for command in words:
        assert main([str(word) for word in command]) == 0
    said = capsys.readouterr()
    assert "single scan: figures mean nothing" in said.err
    assert "2 nodules on 1 scans" in said.out
