"""`hilum prepare cxr-masks`: bits to masks and classes, patients to folds, and what can be wrong with a folder."""

import json
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from hilum.cli.app import main
from hilum.core import InputError, UnreadableError
from hilum.datasets.bit_masks import LAYOUTS
from hilum.datasets.stored_folds import StoredFolds
from hilum.io import read_mask, read_radiograph, write_png
from hilum.workflows import class_set
from hilum.workflows.prepare_cxr_masks import MaskOptions, Purpose, prepare_cxr_masks
from tests.classes import bit_films, change_row, chest

OPTIONS = MaskOptions(LAYOUTS["cxr-infection"])


@pytest.fixture(autouse=True)
def no_sheet(monkeypatch):
    """Drawing `qa.png` takes most of a run's time."""
    monkeypatch.setattr(class_set, "write_sheet", lambda *_: None)


@pytest.fixture(scope="module")
def films(tmp_path_factory):
    return bit_films(tmp_path_factory.mktemp("films"))


@pytest.fixture
def source(films, tmp_path):
    """A copy to be harmed."""
    return shutil.copytree(films, tmp_path / "in")


def prepared(source, out, options=OPTIONS):
    return prepare_cxr_masks(source, out, options), json.loads((out / "dataset.json").read_text())


def require_all_accounted(source, index):
    """Every file in `images` is a film, and every film is a case, left out or failed."""
    counts = index["accounted"]
    assert counts["films"] == len(list((source / "images").iterdir()))
    assert counts["films"] == counts["cases"] + counts["left_out"] + counts["failed_films"]


def test_bits_become_masks_that_overlap_and_classes_that_do_not(films, tmp_path):
    _, index = prepared(films, tmp_path / "out")
    assert index["labels"] == {"1": "clear lung", "2": "ground glass", "3": "consolidation"}
    case = next(one for one in index["cases"] if one["key"] == "f03")  # has all of them
    bits = read_mask(films / "masks" / "f03.png").labels
    masks = {name: read_mask(tmp_path / "out" / file).labels for name, file in case["masks"].items()}
    for name, bit in LAYOUTS["cxr-infection"].bits.items():
        assert np.array_equal(masks[name] > 0, (bits & bit) > 0)
    assert np.array_equal(masks["lungs"] > 0, (bits & 3) > 0)
    assert np.any((masks["ground_glass"] > 0) & (masks["consolidation"] > 0))
    expected = np.select([(bits & 32) > 0, (bits & 16) > 0, (bits & 3) > 0], [3, 2, 1])
    assert np.array_equal(masks["classes"], expected)


def test_labels_licences_and_days_come_from_the_table(source, tmp_path):
    change_row(source, 'f01.png,0,1,"COVID-19, ARDS",PA,', 'f01.png,0,1,"COVID-19, ARDS",PA,CC BY')
    change_row(source, "f02.png,1,0,Streptococcus", "f02.png,1,,")
    _, index = prepared(source, tmp_path / "out")
    films = {case["key"]: case["film"] for case in index["cases"]}
    assert (films["f01"]["image_label"], films["f01"]["licence"], films["f01"]["day"]) == ("covid", "CC BY", 1)
    assert (films["f02"]["image_label"], films["f02"]["licence"], films["f02"]["day"]) == (None, "unknown", None)
    assert films["f03"]["image_label"] == "healthy"
    assert index["licences"] == ["CC BY", "unknown"]


def test_five_folds_by_patient_hold_everybody_once_and_the_first_is_validation(films, tmp_path):
    _, index = prepared(films, tmp_path / "out")
    folds = StoredFolds.of_record(index["folds"])
    assert folds.hash == index["folds"]["hash"]
    every = [one for fold in folds.folds for one in fold]
    assert sorted(every) == sorted({case["patient"] for case in index["cases"]})
    assert [len(fold) for fold in folds.folds] == [2] * 5
    assert index["splits"]["validation"] == list(folds.folds[0])
    assert not set(index["splits"]["train"]) & set(folds.folds[0])
    again = prepared(films, tmp_path / "other", MaskOptions(LAYOUTS["cxr-infection"], seed=1))[1]
    assert again["folds"]["hash"] != folds.hash


def test_patients_who_share_a_film_stay_together_and_copies_are_left_out(source, tmp_path):
    film = read_radiograph(source / "images" / "f00.png").array
    write_png((film * 0.95).astype(np.uint8), source / "images" / "f10.png")  # patient 5 is patient 0, nearly
    for kind in ("images", "masks"):
        shutil.copy(source / kind / "f04.png", source / kind / "f14.png")  # patient 7 has a film of patient 2
    for old, new in (("f14.png,7,0,Streptococcus", "f14.png,7,0,COVID-19"),):
        change_row(source, old, new)
    _, index = prepared(source, tmp_path / "out")
    folds = [set(fold) for fold in index["folds"]["folds"]]
    assert next(fold for fold in folds if "0" in fold) == next(fold for fold in folds if "5" in fold)
    assert index["left_out"] == {"another copy of the picture is used": ["f14"]}
    require_all_accounted(source, index)


def test_jsrt_is_for_testing_unless_told_otherwise(films, tmp_path):
    layout = LAYOUTS["cxr-infection"].model_copy(update={"only_test": True})
    _, index = prepared(films, tmp_path / "a", MaskOptions(layout))
    assert len(index["splits"]["test"]) == 10
    assert index["splits"]["train"] == []
    assert prepared(films, tmp_path / "b", MaskOptions(layout, Purpose.LEARN))[1]["splits"]["test"] == []
    assert LAYOUTS["jsrt"].only_test


def lateral(folder):
    change_row(folder, "f04.png,2,0,COVID-19,PA", "f04.png,2,0,COVID-19,L")


def of_lidc(folder):
    change_row(folder, "f04.png,2,0", "f04.png,LIDC-IDRI-0004,0")


def nobody(folder):
    change_row(folder, "f04.png,2,0", "f04.png,,0")


def no_day(folder):
    change_row(folder, "f04.png,2,0", "f04.png,2,soon")


def twice(folder):
    change_row(folder, "f05.png,2,1", "f04.png,2,1")
    for kind in ("images", "masks"):
        (folder / kind / "f05.png").unlink()


def contradicted(folder):
    """A second row says that the film is lateral."""
    with (folder / "metadata.csv").open("a") as table:
        table.write("f04.png,2,0,COVID-19,L,\n")


def no_mask(folder):
    (folder / "masks" / "f04.png").unlink()


def grey_edges(folder):
    """Between background and a right lung, 2, an edge of a mask that was resampled has 1, a left lung, and so on."""
    mask = read_mask(folder / "masks" / "f04.png").labels
    soft = Image.fromarray(mask * np.uint8(60)).resize((24, 24), Image.Resampling.BILINEAR).resize((64, 64))
    write_png(np.asarray(soft) // 20, folder / "masks" / "f04.png")


def other_size(folder):
    write_png(np.ones((32, 32), np.uint8), folder / "masks" / "f04.png")


def unquoted(folder):
    change_row(folder, "f04.png,2,0,COVID-19", "f04.png,2,0,COVID-19, ARDS")


def deep(folder):
    write_png(np.full((64, 64), 512, np.uint16), folder / "masks" / "f04.png")


def colour(folder):
    film = np.stack([chest(1)[0]] * 3, axis=-1)
    film[:20, :20, 0] = 255
    Image.fromarray(film).save(folder / "images" / "f04.png")


BAD = {
    "a lateral view": (lateral, "view 'L'"),
    "a patient of LIDC": (of_lidc, "split of their own"),
    "nobody's": (nobody, "whose"),
    "a day that is none": (no_day, "'soon'"),
    "no row": (lambda folder: change_row(folder, "f04.png,2,0,COVID-19,PA,\n", ""), "says nothing"),
    "two rows that say the same": (
        lambda folder: change_row(folder, "f04.png,2,0,COVID-19,PA,\n", "f04.png,2,0,COVID-19,PA,\n" * 2),
        "2 rows",
    ),
    "damaged": (lambda folder: (folder / "images" / "f04.png").write_bytes(b"\x89PNG\r\n\x1a\n"), "damaged"),
    "no mask": (no_mask, "masks/f04.png"),
    "grey edges": (grey_edges, "overlap"),
    "another size": (other_size, "32 × 32"),
    "bits without a name": (deep, "512"),
    "a comma without quotes": (unquoted, "more values"),
    "colour": (colour, "coloured"),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_film_that_cannot_be_used_is_one_line_and_costs_nothing_else(source, tmp_path, kind):
    harm, words = BAD[kind]
    harm(source)
    made, index = prepared(source, tmp_path / "out")
    assert made.cases == 19
    (failure,) = made.failures
    assert failure.input in ("f04", "f04.png", "images/f04.png")
    assert words in failure.error
    assert "\n" not in failure.error
    assert index["failures"] == json.loads((tmp_path / "out" / "failures.json").read_text())
    require_all_accounted(source, index)
    assert (index["accounted"]["failed_films"], index["accounted"]["failed_others"]) == (1, 0)


def test_a_film_whose_rows_contradict_each_other_is_one_film_with_two_failures(source, tmp_path):
    contradicted(source)
    made, index = prepared(source, tmp_path / "out")
    assert [one.input for one in made.failures] == ["f04.png"] * 2
    require_all_accounted(source, index)
    assert index["accounted"]["failed_films"] == 1


def test_pictures_whose_names_differ_in_their_ends_alone_are_films_that_failed(source, tmp_path):
    for kind in ("images", "masks"):
        shutil.copy(source / kind / "f05.png", source / kind / "f04.tif")
    change_row(source, "f04.png,2,0", "f04.tif,2,0,COVID-19,PA,\nf04.png,2,0")
    made, index = prepared(source, tmp_path / "out")
    assert [one.input for one in made.failures] == ["f04.png", "f04.tif"]
    require_all_accounted(source, index)


def test_a_film_with_two_rows_is_used_by_neither(source, tmp_path):
    twice(source)
    made, index = prepared(source, tmp_path / "out")
    assert made.cases == 18
    assert [one.error for one in made.failures] == ["2 rows of metadata.csv are about it."]
    require_all_accounted(source, index)


def test_pictures_and_masks_that_nobody_names_are_listed(source, tmp_path):
    write_png(chest(50)[0], source / "images" / "stray.png")
    write_png(chest(50)[1].astype(np.uint8), source / "masks" / "lone.png")
    change_row(source, "f19.png,", "f20.png,2,0,COVID-19,PA,\nf19.png,")
    made, index = prepared(source, tmp_path / "out")
    assert [one.input for one in made.failures] == ["f20.png", "images/stray.png", "masks/lone.png"]
    require_all_accounted(source, index)
    assert (index["accounted"]["failed_films"], index["accounted"]["failed_others"]) == (1, 2)


def test_a_table_or_a_layout_that_does_not_fit_is_said(source, tmp_path, capsys):
    with pytest.raises(UnreadableError, match="lacks the columns id, state"):
        prepare_cxr_masks(source, tmp_path / "out", MaskOptions(LAYOUTS["jsrt"]))
    with pytest.raises(InputError, match=r"metadata\.csv"):
        prepare_cxr_masks(tmp_path, tmp_path.parent / "out", OPTIONS)
    assert main(["prepare", "cxr-masks", str(source), str(tmp_path / "out"), "--layout", "none"]) == 2
    assert "no layout 'none'" in capsys.readouterr().err


def test_a_class_without_pixels_stops_the_run(source, tmp_path):
    for path in (source / "masks").iterdir():
        write_png(read_mask(path).labels & np.uint8(31), path)
    with pytest.raises(InputError, match="'consolidation' has no pixel"):
        prepare_cxr_masks(source, tmp_path / "out", OPTIONS)
    assert not (tmp_path / "out" / "dataset.json").exists()


def test_a_layout_of_ones_own_by_the_command(films, tmp_path, capsys):
    layout = {
        "bits": {"left": 1, "right": 2, "opacity": 16, "dense": 32},
        "classes": [{"name": "lung", "bits": ["left", "right"]}, {"name": "opacity", "bits": ["opacity", "dense"]}],
        "patient": "patientid",
    }
    (tmp_path / "layout.yaml").write_text(yaml.safe_dump(layout))
    command = ["prepare", "cxr-masks", str(films), str(tmp_path / "out"), "--layout", str(tmp_path / "layout.yaml")]
    assert main(command) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == f"Done: {tmp_path / 'out' / 'dataset.json'}, 20 cases"
    assert said[1].startswith("train: 16 films of 8 patients: 16 no label; lung on 16, opacity on ")
    assert main(command) == 0
    assert capsys.readouterr().out.startswith("Already there")


def test_the_real_films_go_through(real_data, tmp_path):
    """Ten of them: the pixels that the table counted, brought to the stored size, are those of the masks."""
    source = real_data("cxr-infection")
    rows = (source / "metadata.csv").read_text().splitlines()
    chosen = [rows[0], *rows[1:41:4]]
    for kind in ("images", "masks"):
        (tmp_path / "in" / kind).mkdir(parents=True)
        for row in chosen[1:]:
            name = row.split(",")[0]
            shutil.copy(source / kind / name, tmp_path / "in" / kind / name)
    (tmp_path / "in" / "metadata.csv").write_text("\n".join(chosen) + "\n")
    made, index = prepared(tmp_path / "in", tmp_path / "out")
    assert (made.cases, made.failures) == (10, ())
    for case, row in zip(index["cases"], chosen[1:], strict=True):
        mask = read_mask(tmp_path / "out" / case["masks"]["ground_glass"]).labels
        _, _, width, height, *_ = row.split(",")
        scale = max(mask.shape) / min(1024, max(int(width), int(height)))  # the table counts at 1024 pixels at most
        assert (mask > 0).sum() == pytest.approx(int(row.split(",")[-4]) * scale**2, rel=0.02, abs=50)
