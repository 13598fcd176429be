"""What images bring to a plain folder of masks, and to rivals in pictures, films and volumes."""

import json
import shutil

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import Geometry, InputError, Mask, Quantity, Volume
from hilum.io import write_mask, write_png, write_volume
from hilum.workflows.evaluate import run_evaluate
from hilum.workflows.evaluate_data import TruthWanted
from hilum.workflows.evaluate_plan import EvaluateOptions
from hilum.workflows.prepare_jsrt import prepare_jsrt
from tests.evaluate.judged import disc
from tests.films import source

SHAPE = (96, 96)
PLACES = {"a": (30, 30), "b": (40, 60), "c": (60, 40)}


@pytest.fixture
def folder(tmp_path):
    """Masks, predictions a pixel beside them, and images on which the lesion is the one bright spot."""
    for n, (key, centre) in enumerate(PLACES.items()):
        mask = disc(SHAPE, centre, 5 + n)
        write_png(mask, tmp_path / "truth" / f"{key}.png")
        write_png(np.roll(mask, 1, axis=1), tmp_path / "pred" / f"{key}.png")
        write_png((60 + 120 * mask).astype(np.uint8), tmp_path / "images" / f"{key}.png")
    return tmp_path


def evaluate(folder, **options):
    wanted = TruthWanted(folder / "truth", pixel_mm=(0.7, 0.7), images=folder / "images")
    run_evaluate(folder / "pred", wanted, folder / "out", EvaluateOptions(bootstraps=0, **options))
    return json.loads((folder / "out" / "evaluation.json").read_text())


def test_with_images_a_plain_folder_has_the_blob_detector_which_finds_bright_spots(folder):
    rivals = {one["name"]: one["figures"] for one in evaluate(folder)["rivals"]}
    assert rivals["blob detector (LoG)"]["lesion_sensitivity"]["value"] == 1
    run_evaluate(folder / "pred", TruthWanted(folder / "truth"), folder / "bare", EvaluateOptions(bootstraps=0))
    bare = json.loads((folder / "bare" / "evaluation.json").read_text())
    assert "blob detector (LoG)" not in {one["name"] for one in bare["rivals"]}


def test_the_same_image_under_two_keys_rings(folder):
    shutil.copy(folder / "images" / "a.png", folder / "images" / "b.png")
    alarms = {one["name"]: one["evidence"] for one in evaluate(folder)["alarms"]}
    assert "a" in alarms["duplicate_images"][0]
    assert "b" in alarms["duplicate_images"][0]


def test_an_image_that_is_missing_or_there_twice_is_refused(folder):
    shutil.copy(folder / "images" / "a.png", folder / "images" / "a.tif")
    with pytest.raises(InputError, match="two images of a"):
        evaluate(folder)
    for name in ("a.png", "a.tif"):
        (folder / "images" / name).unlink()
    with pytest.raises(InputError, match="no image of a"):
        evaluate(folder)
    with pytest.raises(InputError, match="no folder"):
        run_evaluate(folder / "pred", TruthWanted(folder / "truth", images=folder / "nowhere"), folder / "out")


def test_images_and_tolerances_are_options_of_the_command(folder, capsys):
    words = [
        "evaluate",
        str(folder / "pred"),
        str(folder / "out"),
        "--data",
        str(folder / "truth"),
        "--pixel-mm",
        "0.7",
    ]
    words += ["--images", str(folder / "images"), "--bootstraps", "100"]
    assert main([*words, "--nsd-mm", "0.5,3"]) == 0
    figures = json.loads((folder / "out" / "evaluation.json").read_text())["figures"]
    assert figures["nsd_0.5mm"]["value"] < figures["nsd_2mm"]["value"] <= figures["nsd_3mm"]["value"] == 1
    page = (folder / "out" / "report.html").read_text()
    folded = page.split(f"<summary>All {len(figures)} figures</summary>")[1].split("</details>")[0]
    surfaces = folded.split(">Surfaces<")[1].split("rowgroup")[0]
    assert "surface Dice at 0.5 mm" in surfaces
    assert "IoU" not in surfaces
    assert ">Others<" not in folded
    assert main([*words, "--nsd-mm", "1;2"]) == 2
    assert main([*words, "--nsd-mm", "-1"]) == 2
    assert "--nsd-mm 1,2" in capsys.readouterr().err


def test_on_films_all_spots_are_ranked_and_the_two_surest_are_predictions(tmp_path):
    """One film has a bright spot at its nodule: the detector is sure of it, and has a FROC without any training."""
    rows = ["N1.png,5,30,53,Male,1024,1024,malignant,,", "E1.png,,,30,Female,,,non-nodule,,"]
    films = source(tmp_path / "in", rows, side=256)
    noise = np.random.default_rng(0).normal(100, 3, (256, 256))
    for key, spot in (("N1", disc((256, 256), (128, 128), 5)), ("E1", np.zeros((256, 256)))):
        write_png((noise + 100 * spot).astype(np.uint8), films / "images" / f"{key}.png")
    prepare_jsrt(films, tmp_path / "films")
    for key in ("N1", "E1"):
        write_png(np.zeros((256, 256), np.uint8), tmp_path / "pred" / f"{key}.png")
    wanted = TruthWanted(tmp_path / "films", "test")
    run_evaluate(tmp_path / "pred", wanted, tmp_path / "out", EvaluateOptions(bootstraps=0))
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    blobs = next(one["figures"] for one in found["rivals"] if "LoG" in one["name"])
    assert blobs["lesion_sensitivity"]["value"] == blobs["froc_0.125"]["value"] == blobs["wafroc"]["value"] == 1
    assert blobs["false_positives_per_image"]["value"] == 1.5  # two spots on each film, and one of the four hits
    assert "wAFROC area" in (tmp_path / "out" / "report.html").read_text()


def ball(shape, centre, radius):
    return sum((axis - at) ** 2 for axis, at in zip(np.indices(shape), centre, strict=True)) <= radius**2


def test_volumes_have_an_average_map_and_a_blob_detector(tmp_path):
    """Nodules of 8 mm around one place: the map says that place, the spots each its own ball."""
    cases = []
    for n, key in enumerate("abcd"):
        shape = (24 + n, 48, 48)
        mask = ball(shape, (12, 20, 16 + n), 4)
        grid = Geometry(shape, np.eye(4))
        write_mask(Mask(mask.astype(np.uint8), grid), tmp_path / "data" / f"{key}_mask.nii.gz")
        image = np.where(mask, 40, -850).astype(np.int16)
        write_volume(Volume(image, grid, Quantity.HU), tmp_path / "data" / f"{key}.nii.gz")
        write_mask(Mask(np.zeros(shape, np.uint8), grid), tmp_path / "pred" / f"{key}.nii.gz")
        case = {"key": key, "patient": key, "image": f"{key}.nii.gz", "masks": {"mask": f"{key}_mask.nii.gz"}}
        cases.append({**case, "nodules": None, "pixel_mm": None, "sha256": str(n)})
    splits = {"rule": "made", "seed": None, "hash": "abc", "train": ["a", "b"], "validation": ["c", "d"], "test": []}
    content = {"schema": "hilum.dataset/1", "kind": "cubes", "cases": cases, "splits": splits}
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(content))
    wanted = TruthWanted(tmp_path / "data", "validation")
    run_evaluate(tmp_path / "pred", wanted, tmp_path / "out", EvaluateOptions(bootstraps=0))
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    rivals = {one["name"]: one["figures"] for one in found["rivals"]}
    assert rivals["average prior map"]["lesion_sensitivity"]["value"] == 1
    assert rivals["blob detector (LoG)"]["lesion_sensitivity"]["value"] == 1
    assert rivals["blob detector (LoG)"]["dice_mean"]["value"] > 0.5
    page = (tmp_path / "out" / "report.html").read_text()
    summary = page.split("<h2>Summary</h2>")[1].split("<h2>Alarms</h2>")[0]
    assert "per scan" in summary
    assert "image" not in summary
    assert found["places"] == "thirds of the axial slices"
    assert not (tmp_path / "out" / "places.png").exists()  # no frame shows where in a scan
