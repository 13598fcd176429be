"""`hilum prepare covid-qu-ex`: every image accounted for, no class made up, nothing learnt that is judged."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from hilum.cli.app import main
from hilum.core import InputError, TooManyFailuresError
from hilum.datasets.class_map import NonCovid
from hilum.datasets.covid_qu_ex import Part
from hilum.datasets.prepared import read_prepared
from hilum.datasets.stored_split import StoredSplit
from hilum.io import read_mask, read_radiograph, write_png
from hilum.workflows import class_set
from hilum.workflows.covid_films import CovidRule
from hilum.workflows.evaluate_data import TruthWanted, truth_source
from hilum.workflows.patch_set import Running
from hilum.workflows.prepare_covid_qu_ex import CovidOptions, SplitBy, prepare_covid_qu_ex
from tests.classes import add_image, chest, covid_qu_ex

HALF = "Infection Segmentation Data"
INFECTION = CovidOptions(parts=(Part.INFECTION,))


@pytest.fixture(autouse=True)
def no_sheet(request, monkeypatch):
    """Drawing `qa.png` takes most of a run's time; one test looks at it."""
    if "with_sheet" not in request.fixturenames:
        monkeypatch.setattr(class_set, "write_sheet", lambda *_: None)


@pytest.fixture
def with_sheet():
    """For the test that looks at the picture."""


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return covid_qu_ex(tmp_path_factory.mktemp("published"), per_place=1)


@pytest.fixture
def source(published, tmp_path):
    """A copy to be harmed."""
    return shutil.copytree(published, tmp_path / "in")


def index_of(folder):
    return json.loads((folder / "dataset.json").read_text())


def prepared(source, out, options=INFECTION):
    made = prepare_covid_qu_ex(source, out, options)
    return made, index_of(out)


def require_all_accounted(source, index):
    """Every file in a folder of images is a film, and every film is a case, left out or failed."""
    counts = index["accounted"]
    assert counts["films"] == sum(path.is_file() for path in source.rglob("images/*"))
    assert counts["films"] == counts["cases"] + counts["left_out"] + counts["failed_films"]
    assert len(index["failures"]) == counts["failed_films"] + counts["failed_others"]


def test_both_parts_become_cases_with_their_splits_labels_and_classes(published, tmp_path, with_sheet):
    made, index = prepared(published, tmp_path / "out", None)
    assert (made.cases, made.failures, made.left_out) == (18, (), ())
    assert index["kind"] == "xray-classes"
    require_all_accounted(published, index)
    counts = {"films": 18, "cases": 18, "left_out": 0, "failed_films": 0, "failed_others": 0, "failed_by_split": {}}
    assert index["accounted"] == counts
    assert [len(index["splits"][one]) for one in ("train", "validation", "test")] == [6, 6, 6]
    assert StoredSplit.of_record(index["splits"]).hash == index["splits"]["hash"]
    assert index["labels"] == {"1": "healthy lung", "2": "COVID-19 infection"}
    assert any("non-COVID infection) is not declared" in note for note in index["notes"])
    train = index["counts"]["train"]
    assert train["image_labels"] == {"covid": 2, "healthy": 2, "non-covid": 2}
    assert train["films_with_class"] == {"healthy lung": 3, "COVID-19 infection": 1}
    assert train["films_with_unknown_pixels"] == 3  # both non-COVID images, and COVID-19 of the lung part
    assert (tmp_path / "out" / "qa.png").is_file()


def test_pixels_of_each_label_follow_the_stated_rule(published, tmp_path):
    _, index = prepared(published, tmp_path / "out")
    by_label = {case["film"]["image_label"]: case for case in index["cases"] if "-train-" in case["key"]}
    lungs = {label: read_mask(tmp_path / "out" / case["masks"]["lungs"]).labels > 0 for label, case in by_label.items()}
    classes = {label: read_mask(tmp_path / "out" / case["masks"]["classes"]).labels for label, case in by_label.items()}
    assert np.array_equal(classes["healthy"], lungs["healthy"].astype(np.uint8))
    assert np.array_equal(classes["non-covid"], np.where(lungs["non-covid"], 255, 0))
    assert set(np.unique(classes["covid"])) == {0, 1, 2}
    assert np.array_equal(classes["covid"] > 0, lungs["covid"])
    source = published / by_label["covid"]["film"]["source"]
    drawn = read_mask(source.parent.parent / "infection masks" / source.name).labels > 0
    assert np.array_equal(classes["covid"] == 2, drawn)
    stored = read_radiograph(tmp_path / "out" / by_label["covid"]["image"]).array
    assert np.array_equal(stored, read_radiograph(source).array)


def test_films_with_unknown_pixels_are_in_no_overlap_and_lungs_are_a_truth_of_their_own(published, tmp_path):
    prepared(published, tmp_path / "out")
    found = truth_source(TruthWanted(tmp_path / "out", "test"))
    assert found.labels == {1: "healthy lung", 2: "COVID-19 infection"}
    assert sorted(case.key.split("-")[2] for case in found.cases) == ["covid", "healthy"]
    assert found.truth == "classes (1 films left out: the class of some of their pixels is unknown)"
    lungs = truth_source(TruthWanted(tmp_path / "out", "test", "lungs"))
    assert (len(lungs.cases), lungs.truth, lungs.labels) == (3, "lungs", {})


@pytest.mark.parametrize(
    ("rule", "inside", "outside", "labels"),
    [(NonCovid.LUNG, 3, 0, ["1", "2", "3"]), (NonCovid.LABEL_ONLY, 255, 255, ["1", "2"])],
)
def test_other_rules_for_non_covid_lungs(published, tmp_path, rule, inside, outside, labels):
    _, index = prepared(published, tmp_path / "out", CovidOptions(CovidRule(rule), (Part.INFECTION,)))
    case = next(one for one in index["cases"] if one["film"]["image_label"] == "non-covid")
    lungs = read_mask(tmp_path / "out" / case["masks"]["lungs"]).labels > 0
    assert np.array_equal(
        read_mask(tmp_path / "out" / case["masks"]["classes"]).labels, np.where(lungs, inside, outside)
    )
    assert list(index["labels"]) == labels
    assert index["options"]["non_covid"] == str(rule)
    bound = {2: "covid", 3: "non-covid"}
    assert read_prepared(tmp_path / "out").roles.label_of == {int(one): bound[int(one)] for one in labels[1:]}
    assert index["rules"]["non_covid"] in index["notes"]


def test_a_non_covid_outline_of_its_own_is_class_3_whatever_the_rule(source, tmp_path):
    for split in ("Train", "Val", "Test"):
        (mask,) = (source / HALF / split / "Non-COVID" / "infection masks").iterdir()
        own = read_mask(mask.parent.parent / "lung masks" / mask.name).labels > 0
        own[:40] = False
        write_png(own, mask)
    _, index = prepared(source, tmp_path / "out")
    assert index["labels"]["3"] == "non-COVID infection"
    case = next(one for one in index["cases"] if one["film"]["image_label"] == "non-covid")
    assert set(np.unique(read_mask(tmp_path / "out" / case["masks"]["classes"]).labels)) == {0, 1, 3}


def copied(source, what, into, name="copy", change=None):
    """One image and its masks a second time, elsewhere."""
    (image,) = (source / what / "images").iterdir()
    for kind in ("images", "lung masks", "infection masks"):
        if (source / what / kind).is_dir() and (kind != "infection masks" or (source / into / kind).is_dir()):
            pixels = read_radiograph(source / what / kind / image.name).array
            pixels = change(pixels) if change and kind == "images" else pixels
            write_png(pixels, source / into / kind / f"{name}.png")
    return image.stem


def test_the_same_picture_in_training_and_test_is_not_learnt_from(source, tmp_path):
    copied(source, f"{HALF}/Test/COVID-19", f"{HALF}/Train/COVID-19")
    made, index = prepared(source, tmp_path / "out")
    assert index["left_out"] == {"the same picture is in test": ["infection-train-covid-copy"]}
    assert made.left_out == ("infection-train-covid-copy",)
    assert not (tmp_path / "out" / "cases" / "infection-train-covid-copy").exists()
    (pair,) = index["twins"]["pairs"]
    assert pair["exact"] is True
    assert pair["source_splits"] == ["test", "train"]
    require_all_accounted(source / HALF, index)
    assert index["accounted"]["left_out"] == 1


def brighter(pixels):
    return np.clip(pixels * 0.9 + 12, 0, 255).astype(np.uint8)


def test_nearly_the_same_picture_in_training_and_validation_is_not_learnt_from(source, tmp_path):
    copied(source, f"{HALF}/Val/Normal", f"{HALF}/Train/Normal", change=brighter)
    _, index = prepared(source, tmp_path / "out")
    assert index["left_out"] == {"nearly the same picture is in validation": ["infection-train-healthy-copy"]}
    assert index["twins"]["pairs"][0]["exact"] is False


def test_nearly_the_same_pictures_of_one_split_are_one_patient(source, tmp_path):
    copied(source, f"{HALF}/Train/Normal", f"{HALF}/Train/Normal", change=brighter)
    _, index = prepared(source, tmp_path / "out")
    patients = [case["patient"] for case in index["cases"] if "-train-healthy-" in case["key"]]
    assert len(patients) == 2
    assert len(set(patients)) == 1


def test_of_two_copies_the_outlined_one_is_used(source, tmp_path):
    copied(source, f"{HALF}/Train/COVID-19", "Lung Segmentation Data/Train/COVID-19")
    _, index = prepared(source, tmp_path / "out", None)
    assert index["left_out"] == {"another copy of the picture is used": ["lung-train-covid-copy"]}


def test_one_picture_under_two_labels_is_used_nowhere(source, tmp_path):
    add_image(source / HALF / "Train" / "COVID-19", "more", 777, has_infection=True)
    copied(source, f"{HALF}/Val/Normal", f"{HALF}/Train/Non-COVID")
    _, index = prepared(source, tmp_path / "out")
    ((reason, keys),) = index["left_out"].items()
    assert "two labels" in reason
    assert len(keys) == 2


def test_a_seeded_split_is_another_with_its_seed_and_the_same_again(published, tmp_path):
    options = CovidOptions(split=SplitBy.SEEDED, seed=3, rule=CovidRule(NonCovid.LUNG))
    first = prepared(published, tmp_path / "a", options)[1]["splits"]
    assert first == prepared(published, tmp_path / "b", options)[1]["splits"]
    assert first["seed"] == 3
    every = [*first["train"], *first["validation"], *first["test"]]
    assert len(every) == len(set(every)) == 18
    other = CovidOptions(split=SplitBy.SEEDED, seed=4, rule=CovidRule(NonCovid.LUNG))
    assert prepared(published, tmp_path / "c", other)[1]["splits"]["hash"] != first["hash"]


def colour(path):
    film = np.stack([read_radiograph(path).array] * 3, axis=-1)
    film[5:20, 5:20, 0] = 255
    Image.fromarray(film).save(path)


def rgba(path):
    Image.open(path).convert("RGBA").save(path)


def cut(path):
    path.write_bytes(path.read_bytes()[:100])


def blur(path):
    mask = read_radiograph(path).array.astype(float)
    write_png(((mask + np.roll(mask, 1, axis=1)) / 2).astype(np.uint8), path)


BAD_FILES = {
    "colour": ("images", colour, "coloured"),
    "RGBA": ("images", rgba, "RGBA"),
    "cut": ("images", cut, "damaged"),
    "blank": ("images", lambda path: write_png(np.full((64, 64), 9, np.uint8), path), "one grey"),
    "a mask": ("images", lambda path: write_png(chest(1)[1], path), "2 grey values"),
    "tiny": ("images", lambda path: write_png(chest(1, 16)[0], path), "16 × 16"),
    "a mask of RGBA": ("lung masks", rgba, "RGBA"),
    "grey edges": ("lung masks", blur, "grey edges"),
    "another size": ("lung masks", lambda path: write_png(np.ones((64, 60), bool), path), "64 × 60"),
    "no lungs": ("lung masks", lambda path: write_png(np.zeros((64, 64), bool), path), "empty"),
    "an infection of the healthy": ("infection masks", lambda path: write_png(np.ones((64, 64), bool), path), "Normal"),
}


@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_picture_that_cannot_be_used_is_one_line_and_costs_nothing_else(source, tmp_path, kind):
    folder, harm, words = BAD_FILES[kind]
    (path,) = (source / HALF / "Train" / "Normal" / folder).iterdir()
    harm(path)
    made, index = prepared(source, tmp_path / "out")
    (failure,) = made.failures
    assert failure.input.startswith("infection-train-healthy-")
    assert words in failure.error
    assert "\n" not in failure.error
    assert index["failures"] == json.loads((tmp_path / "out" / "failures.json").read_text())
    require_all_accounted(source / HALF, index)
    assert index["accounted"]["failed_films"] == 1
    assert index["accounted"]["failed_by_split"] == {"train": {"healthy": 1}}


@pytest.mark.parametrize(
    ("gone", "words", "films"),
    [
        ("images", ["the mask has no image of its name."] * 2, 0),
        ("lung masks", ["the image has no mask, or several, of its name in lung masks."], 1),
        ("infection masks", ["the image has no mask, or several, of its name in infection masks."], 1),
    ],
)
def test_an_image_without_a_mask_and_a_mask_without_an_image_are_listed(source, tmp_path, gone, words, films):
    place = source / HALF / "Train" / "COVID-19"
    add_image(place, "one more", 555, has_infection=True)
    (place / gone / "one more.png").unlink()
    made, index = prepared(source, tmp_path / "out")
    assert [one.error for one in made.failures] == words
    assert all("one more" in one.input for one in made.failures)
    require_all_accounted(source / HALF, index)
    assert (index["accounted"]["failed_films"], index["accounted"]["failed_others"]) == (films, len(words) - films)
    assert index["accounted"]["failed_by_split"] == ({"train": {"covid": 1}} if films else {})


def test_images_of_one_name_are_films_that_failed(source, tmp_path):
    place = source / HALF / "Val" / "Non-COVID"
    add_image(place, "one more", 555, has_infection=True)
    Image.fromarray(chest(556)[0]).save(place / "images" / "one more.jpg")
    made, index = prepared(source, tmp_path / "out")
    assert {one.error for one in made.failures} == {"two images have one name, so nobody knows whose the masks are."}
    require_all_accounted(source / HALF, index)
    assert index["accounted"]["failed_by_split"] == {"validation": {"non-covid": 2}}


def test_films_of_one_name_in_two_copies_of_a_part_are_refused(source, tmp_path):
    shutil.copytree(source / HALF / "Train" / "Normal", source / "again" / "Train" / "Normal")
    _, index = prepared(source, tmp_path / "out")
    (name,) = (path.name for path in (source / HALF / "Train" / "Normal" / "images").iterdir())
    places = [f"{half}/Train/Normal/images/{name}" for half in (HALF, "again")]
    assert [one["input"] for one in index["failures"]] == places
    assert index["accounted"]["films"] == 10
    assert index["accounted"]["failed_by_split"] == {"train": {"healthy": 2}}


def test_what_stands_outside_the_layout_is_listed_and_a_film_where_its_folder_says_so(source, tmp_path):
    write_png(chest(4)[0], source / HALF / "Train" / "Tuberculosis" / "images" / "t.png")
    write_png(chest(5)[0], source / HALF / "overview.png")
    made, index = prepared(source, tmp_path / "out")
    assert [one.input for one in made.failures] == [f"{HALF}/Train/Tuberculosis/images/t.png", f"{HALF}/overview.png"]
    require_all_accounted(source / HALF, index)
    assert (index["accounted"]["failed_films"], index["accounted"]["failed_others"]) == (1, 1)


def test_grey_edges_can_be_cut_at_half(source, tmp_path, capsys):
    (path,) = (source / HALF / "Train" / "Normal" / "lung masks").iterdir()
    before = read_mask(path).labels > 0
    blur(path)
    command = ["prepare", "covid-qu-ex", str(source), str(tmp_path / "out"), "--parts", "infection"]
    assert main([*command, "--grey-masks", "half"]) == 0
    case = next(one for one in index_of(tmp_path / "out")["cases"] if "-train-healthy-" in one["key"])
    lungs = read_mask(tmp_path / "out" / case["masks"]["lungs"]).labels > 0
    assert not np.any(lungs & ~(before | np.roll(before, 1, axis=1)))
    assert "train: 3 films of 3 patients: 1 covid, 1 healthy, 1 non-covid;" in capsys.readouterr().out


def test_a_class_that_training_lacks_stops_the_run_and_failures_stay_listed(source, tmp_path):
    (mask,) = (source / HALF / "Train" / "COVID-19" / "infection masks").iterdir()
    write_png(np.zeros((64, 64), bool), mask)
    (image,) = (source / HALF / "Train" / "Normal" / "images").iterdir()
    cut(image)
    with pytest.raises(InputError, match="'COVID-19 infection' has no pixel"):
        prepare_covid_qu_ex(source, tmp_path / "out", INFECTION)
    assert not (tmp_path / "out" / "dataset.json").exists()
    assert len(json.loads((tmp_path / "out" / "failures.json").read_text())) == 1


def test_too_many_failures_stop_and_the_next_run_goes_on(source, tmp_path):
    (image,) = (source / HALF / "Train" / "Normal" / "images").iterdir()
    whole = image.read_bytes()
    cut(image)
    strict = CovidOptions(parts=(Part.INFECTION,), running=Running(max_failures=0))
    with pytest.raises(TooManyFailuresError):
        prepare_covid_qu_ex(source, tmp_path / "out", strict)
    assert len(json.loads((tmp_path / "out" / "failures.json").read_text())) == 1
    assert prepare_covid_qu_ex(source, tmp_path / "out", INFECTION).cases == 8
    again = prepare_covid_qu_ex(source, tmp_path / "out", INFECTION)
    assert again.was_done
    assert again.counts["train"]["films"] == 2
    image.write_bytes(whole)


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(InputError, match="layout of COVID-QU-Ex"):
        prepare_covid_qu_ex(tmp_path / "in", tmp_path / "out")
