"""`hilum drr`: options reach the physics, warnings reach the person."""

import json

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, Mask, Volume
from hilum.io import read_json, read_radiograph, write_mask, write_volume
from tests.shapes import ellipsoid

GRID = Geometry.regular((70, 60, 70), (3, 3, 3), (-103.5, -88.5, -600))


@pytest.fixture(scope="module")
def ct(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ct")
    hu = np.where(ellipsoid(GRID, (0, 0, -500), (90, 75, 1e6)), 20, -1000).astype(np.int16)
    hu[ellipsoid(GRID, (40, 0, -500), (30, 50, 80))] = -850
    nodule = ellipsoid(GRID, (40, 0, -500), (9, 9, 9))
    hu[nodule] = 30
    write_volume(Volume(hu, GRID), folder / "ct.nii.gz")
    write_mask(Mask.of(nodule, GRID), folder / "nodules.nii.gz")
    return folder


def test_the_plain_call(ct, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["drr", str(ct / "ct.nii.gz"), str(out), "--nodules", str(ct / "nodules.nii.gz")]) == 0
    said = capsys.readouterr()
    assert said.out == f"Done: {out / 'xray.png'}; 1 of 1 nodule in view\n"
    assert said.err == ""
    names = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    expected = {"xray.png", "xray.dcm", "mask.png", "thickness.png", "nodules.json", "geometry.json", "overlay.png"}
    assert names == expected | {"run.json", "masks/nodule-1.png"}
    geometry = read_json(out / "geometry.json")
    assert (geometry["view"], geometry["beam"], geometry["picture"]["style"]) == ("AP", "parallel", "radiograph")
    assert read_radiograph(out / "xray.png").array.dtype == np.uint16
    assert main(["drr", str(ct / "ct.nii.gz"), str(out), "--nodules", str(ct / "nodules.nii.gz")]) == 0
    assert capsys.readouterr().out.startswith("Already there")


def test_every_option_is_recorded(ct, tmp_path):
    out = tmp_path / "out"
    options = "--view oblique --geometry cone --oblique-deg 30 --turn-deg 1 -2 3 --shift-mm 4 5 -6 --pixel-mm 1.5"
    options += " --source-detector-mm 1400 --source-patient-mm 1200 --size 180 190 --energy-kev 50 80 --weights 1 3"
    options += " --scatter 0.2 --scatter-mm 25 --photons-per-mm2 5000 --blur-mm 0.4 --seed 7 --keep-table --style raw"
    options += " --consensus 0.75 --outline-rule outline"
    assert main(["drr", str(ct / "ct.nii.gz"), str(out), *options.split()]) == 0
    said = json.loads((out / "run.json").read_text())["options"]
    setup, exposure = said["room"]["setup"], said["room"]["exposure"]
    assert setup["pose"] == {"rotation_deg": [1, -2, 3], "shift_mm": [4, 5, -6]}
    assert (setup["source_detector_mm"], setup["source_patient_mm"]) == (1400, 1200)
    assert (setup["pixel_mm"], setup["shape_yx"], setup["oblique_deg"]) == (1.5, [180, 190], 30)
    assert exposure["spectrum"] == {"energies_kev": [50, 80], "weights": [0.25, 0.75]}
    assert (exposure["scatter_fraction"], exposure["scatter_mm"], exposure["blur_mm"]) == (0.2, 25, 0.4)
    assert (exposure["photons_per_mm2"], said["seed"], said["consensus"]) == (5000, 7, 0.75)
    assert (said["room"]["keep_table"], said["room"]["style"], said["rule"]) == (True, "raw", "outline")
    geometry = read_json(out / "geometry.json")
    assert (geometry["shape_yx"], geometry["source_detector_mm"]) == ([180, 190], 1400)
    assert geometry["pixel_mm"] == pytest.approx([1.5, 1.5])


def test_warnings_go_to_stderr_and_the_code_is_0(ct, tmp_path, capsys):
    (tmp_path / "n.json").write_text(
        '{"schema": "hilum.nodules/1", "nodules": [{"id": "far", "centre_lps_mm": [0, 0, 99], "mean_diameter_mm": 8}]}'
    )
    assert main(["drr", str(ct / "ct.nii.gz"), str(tmp_path / "out"), "--nodules", str(tmp_path / "n.json")]) == 0
    said = capsys.readouterr()
    assert "0 of 1 nodule in view" in said.out
    assert said.err.startswith("hilum: warning: nodule far is not in the picture: its centre")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--source-patient-mm", "2000"], "between source and detector"),
        (["--energy-kev", "50", "60", "--weights", "1"], "2 energies and 1 weights"),
        (["--scatter", "1.5"], "below 1"),
        (["--photons-per-mm2", "-3"], "positive number"),
        (["--blur-mm", "1e9"], "up to 1000 mm"),
        (["--pixel-mm", "0"], "positive side"),
        (["--style", "source", "--view", "pa"], "its own recipe"),
        (["--turn-deg", "nan", "0", "0"], "numbers of degrees"),
        (["--view", "oblique", "--oblique-deg", "inf"], "a number of degrees"),
    ],
)
def test_options_that_cannot_be_are_wrong_usage(ct, tmp_path, capsys, options, words):
    assert main(["drr", str(ct / "ct.nii.gz"), str(tmp_path / "out"), *options]) == 2
    said = capsys.readouterr()
    assert words in said.err.splitlines()[0]
    assert "Traceback" not in said.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--nodules", "nothing.json"], "don't exist"),
        (["--size", "40", "40", "--shift-mm", "800", "0", "0"], "the rays miss the volume"),
        (["--shift-mm", "5000", "0", "0"], "the rays miss the volume"),
        (["--pixel-mm", "0.00001"], "20,000 a side at most"),
    ],
)
def test_options_that_this_ct_cannot_have_are_one_clear_line(ct, tmp_path, capsys, options, words):
    assert main(["drr", str(ct / "ct.nii.gz"), str(tmp_path / "out"), *options]) == 1
    said = capsys.readouterr()
    assert words in said.err.splitlines()[0]
    assert "Traceback" not in said.err
    assert not (tmp_path / "out").exists()


def test_wrong_usage_is_2(ct, tmp_path, capsys):
    wrong = "--view upside-down, --geometry fan, --turn-deg 1, --consensus 2, --seed -1, --energy-kev 65 10"
    for options in wrong.split(", "):
        assert main(["drr", str(ct / "ct.nii.gz"), str(tmp_path / "out"), *options.split()]) == 2, options
