"""`hilum prepare jsrt`: films, their nodules' places and sizes, and what can be wrong with the source."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest

from hilum.cli.app import main
from hilum.core import InputError, OutputError, TooManyFailuresError
from hilum.datasets.jsrt import FRAME, FRAME_MM, FilmNodule, film_of, jsrt_split
from hilum.datasets.stored_split import StoredSplit
from hilum.io import read_mask, write_png
from hilum.workflows.prepare_jsrt import JsrtOptions, prepare_jsrt
from tests.films import HEADER, ROWS, source


def index_of(folder):
    return json.loads((folder / "dataset.json").read_text())


def test_films_become_cases_with_points_and_every_one_is_for_testing(tmp_path):
    made = prepare_jsrt(source(tmp_path / "in"), tmp_path / "out")
    assert (made.cases, made.failures, made.was_done) == (3, (), False)
    index = index_of(tmp_path / "out")
    assert index["splits"]["test"] == ["E1", "N1", "N2"]
    assert index["splits"]["train"] == index["splits"]["validation"] == []
    assert "nothing is learnt" in index["splits"]["rule"]
    assert len(index["splits"]["hash"]) == 64
    assert index["point_truth"] is True
    case = next(one for one in index["cases"] if one["key"] == "N1")
    assert case["pixel_mm"] == [pytest.approx(2048 * 0.175 / 64)] * 2
    assert (tmp_path / "out" / case["image"]).read_bytes() == (tmp_path / "in" / "images" / "N1.png").read_bytes()
    stored = json.loads((tmp_path / "out" / case["nodules"]).read_text())
    (nodule,) = stored["nodules"]
    assert nodule["size_mm"] == 15
    assert nodule["characteristics"] == {"subtlety": 5}
    assert nodule["equivalent_diameter_mm"] is None
    assert stored["study"]["diagnosis"] == "lung cancer"
    empty = next(one for one in index["cases"] if one["key"] == "E1")
    assert json.loads((tmp_path / "out" / empty["nodules"]).read_text())["nodules"] == []


def test_halves_are_by_the_name_alone_and_another_run(tmp_path, capsys):
    given, out = str(source(tmp_path / "in")), str(tmp_path / "out")
    assert main(["prepare", "jsrt", given, out, "--halves"]) == 0
    splits = index_of(tmp_path / "out")["splits"]
    even = [key for key in ("E1", "N1", "N2") if int(hashlib.sha256(key.encode()).hexdigest(), 16) % 2 == 0]
    assert splits["train"] == even
    assert sorted(splits["train"] + splits["test"]) == ["E1", "N1", "N2"]
    assert StoredSplit.of_record(splits).hash == splits["hash"]
    assert main(["prepare", "jsrt", given, out]) == 1
    assert "another run" in capsys.readouterr().err


def test_halves_are_halves_whichever_films_there_are():
    names = [f"JPCLN{number:03}" for number in range(1, 155)] + [f"JPCNN{number:03}" for number in range(1, 94)]
    whole = jsrt_split(names, halves=True)
    assert set(whole.train) | set(whole.test) == set(names)
    assert not set(whole.train) & set(whole.test)
    assert abs(len(whole.train) - len(names) / 2) < 3 * len(names) ** 0.5 / 2
    some = jsrt_split(names[::3], halves=True)
    assert set(some.train) <= set(whole.train)
    assert set(some.test) <= set(whole.test)
    assert jsrt_split(names).train == ()


def test_a_bit_field_becomes_one_mask_an_organ(tmp_path):
    prepare_jsrt(source(tmp_path / "in"), tmp_path / "out")
    bits = read_mask(tmp_path / "in" / "masks" / "N1.png").labels
    masks = index_of(tmp_path / "out")["cases"][1]["masks"]
    for name, members in {"lungs": (0, 1), "heart": (2,), "clavicles": (3, 4)}.items():
        expected = np.any([bits >> bit & 1 for bit in members], axis=0)
        assert np.array_equal(read_mask(tmp_path / "out" / masks[name]).labels > 0, expected)


@pytest.mark.parametrize("side", [64, 512, 2048])
def test_a_centre_keeps_its_place_in_millimetres(side):
    """Measured from the film's edge, half a pixel before the first centre, the place is the same at any size."""
    row, column = FilmNodule(1634, 692, 15, 5).centre_px(side)
    pixel = FRAME * FRAME_MM / side
    assert ((row + 0.5) * pixel, (column + 0.5) * pixel) == pytest.approx((692.5 * 0.175, 1634.5 * 0.175))


def test_without_organ_masks_the_points_remain(tmp_path):
    folder = source(tmp_path / "in")
    for path in (folder / "masks").iterdir():
        path.unlink()
    (folder / "masks").rmdir()
    assert prepare_jsrt(folder, tmp_path / "out").cases == 3
    assert index_of(tmp_path / "out")["cases"][0]["masks"] == {}


BAD_ROWS = {
    "a place without a number": "B.png,5,15,53,Male,here,692,malignant,,",
    "outside the film": "B.png,5,15,53,Male,2048,692,malignant,,",
    "no size": "B.png,5,,53,Male,100,692,malignant,,",
    "size 0": "B.png,5,0,53,Male,100,692,malignant,,",
    "subtlety 6": "B.png,6,15,53,Male,100,692,malignant,,",
    "a nodule and none": "B.png,5,15,53,Male,100,692,non-nodule,,",
    "malignant without a place": "B.png,,,53,Male,,,malignant,,",
    "an unknown state": "B.png,5,15,53,Male,100,692,perhaps,,",
    "a path": "../B.png,5,15,53,Male,100,692,malignant,,",
    "no name": ",5,15,53,Male,100,692,malignant,,",
    "a short row": "B.png,5",
}


@pytest.mark.parametrize("row", BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_row_that_cannot_be_is_a_failure_and_costs_nothing_else(tmp_path, row):
    folder = source(tmp_path / "in")
    with (folder / "metadata.csv").open("a") as stream:
        stream.write(row + "\n")
    made = prepare_jsrt(folder, tmp_path / "out")
    assert made.cases == 3
    assert [one.input for one in made.failures] == ["metadata.csv, line 5"]
    assert index_of(tmp_path / "out")["failures"] == json.loads((tmp_path / "out" / "failures.json").read_text())


def shrink(folder: Path) -> None:
    write_png(np.zeros((64, 60), np.uint8), folder / "images" / "N1.png")


def other_mask(folder: Path) -> None:
    write_png(np.zeros((32, 32), np.uint8), folder / "masks" / "N1.png")


def cut(folder: Path) -> None:
    path = folder / "images" / "N1.png"
    path.write_bytes(path.read_bytes()[:200])


def repeat(folder: Path) -> None:
    with (folder / "metadata.csv").open("a") as stream:
        stream.write(ROWS[0].replace("1634", "1600") + "\n")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (shrink, "square"),
        (other_mask, "32 × 32"),
        (cut, "N1.png"),
        (repeat, "2 rows"),
        (lambda folder: (folder / "images" / "N1.png").unlink(), "N1.png"),
        (lambda folder: (folder / "masks" / "N1.png").unlink(), "N1.png"),
    ],
)
def test_a_film_that_cannot_be_used_is_listed_and_leaves_no_file(tmp_path, harm, words):
    folder = source(tmp_path / "in")
    harm(folder)
    made = prepare_jsrt(folder, tmp_path / "out")
    assert made.cases == 2
    (failure,) = made.failures
    assert failure.input == "N1"
    assert words in failure.error
    assert not [path for path in (tmp_path / "out").rglob("*") if "N1" in path.name]


def test_a_picture_that_the_table_does_not_name_is_listed(tmp_path):
    folder = source(tmp_path / "in")
    write_png(np.zeros((64, 64), np.uint8), folder / "images" / "stray.png")
    made = prepare_jsrt(folder, tmp_path / "out")
    assert [one.input for one in made.failures] == ["images/stray.png"]


def test_too_many_failures_leave_nothing(tmp_path):
    folder = source(tmp_path / "in")
    shrink(folder)
    with pytest.raises(TooManyFailuresError):
        prepare_jsrt(folder, tmp_path / "out", JsrtOptions(max_failures=0))
    assert not (tmp_path / "out").exists()


def test_the_same_again_is_done_and_another_source_is_refused(tmp_path):
    folder = source(tmp_path / "in")
    prepare_jsrt(folder, tmp_path / "out")
    assert prepare_jsrt(folder, tmp_path / "out").was_done
    source(folder, side=32)
    with pytest.raises(OutputError, match="another run"):
        prepare_jsrt(folder, tmp_path / "out")
    assert not prepare_jsrt(folder, tmp_path / "out", JsrtOptions(force=True)).was_done
    with pytest.raises(OutputError, match="within"):
        prepare_jsrt(folder, folder / "out")


def test_a_folder_that_holds_no_films_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match=r"metadata\.csv"):
        prepare_jsrt(tmp_path / "in", tmp_path / "out")
    (tmp_path / "in" / "metadata.csv").write_text("id,x\nN1.png,3\n")
    with pytest.raises(InputError, match="lacks the columns subtlety"):
        prepare_jsrt(tmp_path / "in", tmp_path / "out")


def test_the_command_says_what_it_made(tmp_path, capsys):
    folder = source(tmp_path / "in")
    cut(folder)
    assert main(["prepare", "jsrt", str(folder), str(tmp_path / "out")]) == 3
    said = capsys.readouterr()
    assert said.out == f"Done: {tmp_path / 'out' / 'dataset.json'}, 2 cases\n"
    assert said.err.startswith("hilum: N1: ")


def test_the_real_films_have_their_nodules_in_the_lungs_mostly(tmp_path):
    """Centres converted from the frame of 2048 pixels lie in the lungs, but for those behind heart or diaphragm."""
    given = Path(os.environ.get("HILUM_DATA", "../shared/data")) / "jsrt"
    if not given.is_dir():
        pytest.skip("JSRT's films are not here (HILUM_DATA)")
    rows = [line.split(",") for line in (given / "metadata.csv").read_text().splitlines()[1:]]
    header = HEADER.split(",")
    films = [film_of(dict(zip(header, row, strict=True))) for row in rows]
    inside = []
    for film in [one for one in films if one.nodule is not None][::4]:
        lungs = read_mask(given / "masks" / film.name).labels & 3
        row, column = film.nodule.centre_px(len(lungs))
        inside.append(bool(lungs[round(row), round(column)]))
    assert len(films) == 124
    assert np.mean(inside) > 0.7
