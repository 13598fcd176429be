"""Two CTs of a made chest: nodules that grow, stay, come and go, from files to report."""

import csv
import json
from io import BytesIO

import numpy as np
import pytest
from pypdf import PdfReader
from scipy.ndimage import gaussian_filter

from hilum.cli.app import main
from hilum.core import Geometry, Mask, Volume
from hilum.followup.ct_registration import register_ct
from hilum.io import read_mask, read_volume, write_volume
from hilum.io.nifti import write_nifti
from hilum.io.volumes import write_mask
from hilum.workflows import followup_maps
from tests.shapes import ellipsoid

pytestmark = pytest.mark.usefixtures("one_thread")
GRID = Geometry.regular((92, 80, 104), (2.5, 2.75, 2.75), (-141.6, -108.6, -113.75))
GROWS, STAYS, COMES, GOES = (-60.0, 10.0, 20.0), (55.0, -15.0, -30.0), (60.0, 20.0, 40.0), (-55.0, -20.0, -35.0)
DATES = ("2026-01-31", "2026-05-01")
asked = []
"""Grows by one whenever two CTs are laid over each other."""


def chest(balls, seed):
    """Lungs full of vessels, the same ones at each date, balls of tissue in them, and the date's own noise."""
    hu = np.where(ellipsoid(GRID, (0, 0, 0), (138, 100, 400)), 40.0, -1000.0)
    inside = ellipsoid(GRID, (-60, 0, 0), (48, 70, 95)) | ellipsoid(GRID, (60, 5, -5), (46, 68, 100))
    fine = gaussian_filter(np.random.default_rng(7).normal(size=GRID.shape_zyx), 1.6)
    hu[inside] = (-850 + 500 * np.clip(fine / fine.std() - 1.6, 0, 1))[inside]
    labels = np.zeros(GRID.shape_zyx, np.uint8)
    for label, (centre, diameter) in enumerate(balls, start=1):
        share = _share(centre, diameter / 2)
        hu = (1 - share) * hu + share * 40
        labels[share > 0.5] = label
    noise = np.random.default_rng(seed).normal(0, 8, GRID.shape_zyx)
    return Volume(np.rint(hu + noise * (hu > -990)).astype(np.int16), GRID), Mask(labels, GRID)


def _share(centre, radius):
    """Share of each voxel in a ball, to a 27th."""
    found = np.zeros(GRID.shape_zyx)
    for k, j, i in np.ndindex(3, 3, 3):
        way = (np.array((i, j, k)) - 1) / 3 * np.array(GRID.spacing_zyx_mm[::-1])
        found += ellipsoid(GRID, tuple(np.array(centre) - way), (radius,) * 3) / 27
    return found


@pytest.fixture(scope="module", autouse=True)
def registered_once():
    """The same two CTs are laid over each other by each test: once is enough, and in fewer steps."""
    known = {}
    asked.clear()

    def quick(prior, current, *, config, threads):
        key = (prior.array.tobytes(), current.array.tobytes())
        asked.append(threads)
        if key not in known:
            fewer = config.model_copy(update={"cell_mm": 4.0, "bend_steps": (20, 20, 20, 15, 15, 8)})
            known[key] = register_ct(prior, current, config=fewer, threads=threads)
        return known[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(followup_maps, "register_ct", quick)
        yield


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    for name, balls, seed in (
        ("first", [(GROWS, 12.0), (STAYS, 12.0), (GOES, 11.0)], 0),
        ("second", [(GROWS, 14.0), (STAYS, 12.0), (COMES, 11.0)], 1),
    ):
        volume, mask = chest(balls, seed)
        write_volume(volume, folder / f"{name}.nii.gz")
        write_mask(mask, folder / f"{name}_mask.nii.gz")
    return folder


def command(scans, out, *more):
    cts = [str(scans / f"{name}.nii.gz") for name in ("first", "second")]
    masks = [str(scans / f"{name}_mask.nii.gz") for name in ("first", "second")]
    return ["followup", *cts, str(out), "--dates", *DATES, "--nodules", *masks, "--threads", "1", *more]


@pytest.fixture(scope="module")
def done(scans, tmp_path_factory):
    out = tmp_path_factory.mktemp("done") / "out"
    assert main(command(scans, out, "--patient", "Made Up", "--risk", "high")) == 0
    return out


def record(out):
    return json.loads((out / "followup.json").read_text())


def names(out, fate):
    return {one["nodule"] for one in record(out)[fate]}


def test_each_nodule_is_found_again_and_what_came_and_went_is_told(done):
    found = record(done)
    assert [one["date"] for one in found["studies"]] == list(DATES)
    assert len(found["nodules"]) == 4
    assert len(found["pairs"]) == 2
    assert [one["fate"] for one in found["decisions"]].count("matched") == 2
    (new,), (gone,) = found["new"], found["gone"]
    seen = {one["name"]: one["seen"] for one in found["nodules"]}
    assert seen[new["nodule"]] == {"2": "3"}
    assert seen[gone["nodule"]] == {"1": "3"}
    assert all(one["reason"] for one in found["decisions"])


def test_growth_has_its_size_and_its_interval_holds_the_truth(done):
    grown, stable = record(done)["pairs"]
    true = 100 * ((14 / 12) ** 3 - 1)
    change = grown["volume_change_percent"]
    assert change["value"] == pytest.approx(true, rel=0.15)
    assert change["low"] < true < change["high"]
    assert grown["probability_of_growth"] > 0.95
    assert grown["doubling_days"]["value"] == pytest.approx(90 * np.log(2) / np.log((14 / 12) ** 3), rel=0.15)
    assert stable["volume_change_percent"]["low"] < 0 < stable["volume_change_percent"]["high"]
    assert stable["doubling_days"]["can_be_none"]
    assert grown["interval_days"] == stable["interval_days"] == 90


def test_rule_sets_answer_for_the_latest_date_with_their_reason(done):
    advice = record(done)["advice"]
    assert [one["ruleset"] for one in advice] == ["fleischner-2017", "lung-rads-2022"]
    assert all(one["because"] for one in advice)
    assert {nodule["nodule"] for nodule in advice[1]["nodules"]} <= {one["name"] for one in record(done)["nodules"]}


def test_the_report_says_the_same_as_page_and_as_pdf(done):
    html = (done / "report.html").read_text()
    text = " ".join(page.extract_text() for page in PdfReader(BytesIO((done / "report.pdf").read_bytes())).pages)
    for words in (
        "Follow-up of Made Up",
        "not for diagnosis",
        "What guidelines say",
        "Which nodules are one, and why",
        "study 2, id 3",
        *DATES,
    ):
        assert words in html
        assert words in " ".join(text.split())
    assert html.count("data:image/png") >= 3


def test_the_same_command_again_finds_it_done_and_another_one_is_refused(scans, done, capsys):
    assert main(command(scans, done, "--patient", "Made Up", "--risk", "high")) == 0
    assert "Was done" in capsys.readouterr().out
    assert main(command(scans, done, "--patient", "Somebody else")) == 1
    assert "another run" in capsys.readouterr().err


def test_what_a_person_decides_wins_and_is_recorded(scans, tmp_path, capsys):
    """First the grown nodule is kept apart, then what went and what came are put together; nothing else changes."""
    out = tmp_path / "out"
    assert main(command(scans, out)) == 0
    path = out / "corrections.json"
    offered = json.loads(path.read_text())
    path.write_text(json.dumps(offered | {"apart": [["1", "1", "2", "1"]], "together": [["1", "3", "2", "3"]]}))
    assert main(command(scans, out)) == 0
    found = record(out)
    assert len(found["pairs"]) == 2
    assert {(one["prior_id"], one["current_id"]) for one in found["pairs"]} == {("2", "2"), ("3", "3")}
    assert sum(one["by_hand"] for one in found["decisions"]) >= 2
    assert found["corrections"]["apart"] == [["1", "1", "2", "1"]]
    capsys.readouterr()
    assert main(command(scans, out)) == 0
    assert "Was done" in capsys.readouterr().out
    path.write_text(json.dumps(offered | {"together": [["1", "9", "2", "1"]]}))
    assert main(command(scans, out)) == 1
    assert "Traceback" not in capsys.readouterr().err
    assert record(out)["corrections"]["apart"] == [["1", "1", "2", "1"]]


def test_a_registration_is_kept_until_it_is_forced_and_so_is_what_a_person_decided(scans, tmp_path):
    out = tmp_path / "out"
    assert main(command(scans, out)) == 0
    first, times = record(out), len(asked)
    decide(out, apart=[["1", "2", "2", "2"]])
    assert main(command(scans, out)) == 0
    assert len(asked) == times
    second = record(out)
    assert second["registration"] == first["registration"]
    assert second["pairs"] == [one for one in first["pairs"] if one["prior_id"] == "1"]
    (out / "registrations" / "1-2" / "bend.npz").write_bytes(b"damaged")
    decide(out, apart=[["1", "1", "2", "1"]])
    assert main(command(scans, out)) == 0
    assert len(asked) == times + 1
    assert main(command(scans, out, "--force")) == 0
    assert len(asked) == times + 2
    assert json.loads((out / "corrections.json").read_text())["apart"] == [["1", "1", "2", "1"]]
    assert record(out)["pairs"] == [one for one in first["pairs"] if one["prior_id"] == "2"]


def test_what_was_decided_about_other_cts_is_kept_under_another_name(scans, tmp_path):
    out = tmp_path / "out"
    assert main(command(scans, out)) == 0
    (out / "mine.nii.gz").write_bytes(b"drawn by hand")
    decide(out, together=[["1", "9", "2", "1"]], masks={"1": "mine.nii.gz"})
    other, mask = chest([(STAYS, 12.0)], 5)
    write_volume(other, tmp_path / "other.nii.gz")
    write_mask(mask, tmp_path / "other_mask.nii.gz")
    words = command(scans, out)
    words[2], words[8] = str(tmp_path / "other.nii.gz"), str(tmp_path / "other_mask.nii.gz")
    assert main([*words, "--force"]) == 0
    assert record(out)["corrections"]["together"] == []
    assert any("kept as corrections.old.json" in one for one in record(out)["warnings"])
    assert json.loads((out / "corrections.json").read_text())["together"] == []
    for _ in range(2):
        assert json.loads((out / "corrections.old.json").read_text())["together"] == [["1", "9", "2", "1"]]
        assert main([*words, "--force"]) == 0
    assert (out / "mine.nii.gz").read_bytes() == b"drawn by hand"


def test_what_is_no_nodule_is_left_out_of_everything(scans, tmp_path):
    out = tmp_path / "out"
    assert main(command(scans, out)) == 0
    decide(out, not_nodules=[["1", "3"], ["2", "2"]])
    assert main(command(scans, out)) == 0
    found = record(out)
    assert found["corrections"]["not_nodules"] == [["1", "3"], ["2", "2"]]
    assert [one["seen"] for one in found["nodules"]] == [{"1": "1", "2": "1"}, {"1": "2"}, {"2": "3"}]
    assert [(one["prior_id"], one["current_id"]) for one in found["pairs"]] == [("1", "1")]
    assert {each["nodule"] for one in found["advice"] for each in one["nodules"]} <= {"A", "C"}
    assert "Nodule 3 of study 1 is left out" in (out / "report.html").read_text()


def test_a_mask_that_hilum_wrote_can_be_edited_where_it_lies(scans, tmp_path, capsys):
    """Never written over, not without a word ignored, and the run settles."""
    out = tmp_path / "out"
    assert main(command(scans, out)) == 0
    own = out / "studies" / "2" / "mask.nii.gz"
    mask = read_mask(own)
    labels = np.where(mask.labels == 3, 9, mask.labels) * (mask.labels != 2)
    write_mask(Mask(labels.astype(np.uint8), mask.geometry), own)
    edited = own.read_bytes()
    assert main(command(scans, out)) == 1
    assert '"masks": {"2": "studies/2/mask.nii.gz"}' in capsys.readouterr().err
    decide(out, masks={"2": "studies/2/mask.nii.gz"})
    for words, said in (([], "Done"), ([], "Was done"), (["--force"], "Done"), ([], "Was done")):
        assert main(command(scans, out, *words)) == 0
        assert f"{said}: " in capsys.readouterr().out
        assert own.read_bytes() == edited
        study = record(out)["studies"][1]
        assert study["nodules_are"] == "given"
        assert len(study["nodules"]) == 2


def test_what_is_damaged_or_gone_is_made_anew(scans, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(command(scans, out)) == 0
    whole = record(out)
    for damage in (
        lambda: (out / "followup.json").write_text("{}"),
        lambda: (out / "followup.json").unlink() or (out / "report.pdf").unlink(),
        lambda: (out / "studies" / "1" / "mask.nii.gz").unlink() or (out / "followup.json").write_text("{"),
    ):
        damage()
        capsys.readouterr()
        assert main(command(scans, out)) == 0
        assert "Was done" not in capsys.readouterr().out
        assert record(out) == whole
        assert (out / "report.pdf").is_file()


def test_a_synthetic_study_is_said_above_everything_else(scans, tmp_path):
    """Whatever the patient is called."""
    volume = read_volume(scans / "second.nii.gz")
    marked, out = tmp_path / "second.nii.gz", tmp_path / "out"
    write_nifti(volume.array, volume.geometry, marked, volume.quantity, remark="SYNTHETIC growth phantom")
    words = command(scans, out, "--patient", "Made Up")
    words[2] = str(marked)
    assert main(words) == 0
    assert [one["synthetic"] for one in record(out)["studies"]] == [False, True]
    said = "SYNTHETIC: study 2 was made by a computer; no patient was scanned."
    html = (out / "report.html").read_text()
    assert html.index(said) < html.index("Follow-up of Made Up", html.index("<body>"))
    text = " ".join(PdfReader(out / "report.pdf").pages[0].extract_text().split())
    assert text.index(said) < text.index("Follow-up of Made Up")
    assert any("Study 2: SYNTHETIC" in one for one in record(out)["warnings"])


def test_landmarks_say_how_far_off_registration_is(scans, tmp_path, capsys):
    """Both made chests have their vessels at one place; later landmarks need neither force nor another registration."""
    out, table = tmp_path / "out", tmp_path / "landmarks.csv"
    assert main(command(scans, out)) == 0
    times = len(asked)
    places = [(*one, *one) for one in (GROWS, STAYS, COMES, GOES)]
    names = "prior_x,prior_y,prior_z,current_x,current_y,current_z"
    table.write_text("\n".join([names, *(",".join(map(str, one)) for one in places)]))
    capsys.readouterr()
    assert main(command(scans, out, "--landmarks", str(table))) == 0
    assert "Was done" not in capsys.readouterr().out
    assert len(asked) == times
    (found,) = (one["landmarks"] for one in record(out)["registration"])
    assert found["count"] == 4
    assert found["median_mm"] <= found["p95_mm"] <= found["largest_mm"] < 2.5
    assert f"4 landmarks lie {found['median_mm']:.1f} mm off" in (out / "report.html").read_text()
    table.write_text(names + "\n1,2,3,4,5,6000\n")
    assert main(command(scans, out, "--landmarks", str(table))) == 1
    assert "lies outside of study 2" in capsys.readouterr().err


def test_the_same_ct_in_another_format_is_refused_and_nothing_is_written(scans, tmp_path, capsys):
    copy = tmp_path / "copy.nii"
    write_volume(read_volume(scans / "first.nii.gz"), copy)
    cts = [str(scans / "first.nii.gz"), str(copy)]
    assert main(["followup", *cts, str(tmp_path / "out"), "--dates", *DATES]) == 1
    assert "are the same CT" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def decide(out, **what):
    path = out / "corrections.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | what))


def test_who_is_due_is_listed_from_it(done, tmp_path):
    assert main(["due", str(done), str(tmp_path / "due.csv"), "--today", "2030-01-01"]) == 0
    with (tmp_path / "due.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["patient"] for row in rows} == {"Made Up"}
    assert {row["ruleset"].split()[0] for row in rows} == {"fleischner-2017", "lung-rads-2022"}


def test_wrong_inputs_are_one_clear_line(scans, tmp_path, capsys):
    first, second = (str(scans / f"{name}.nii.gz") for name in ("first", "second"))
    for words, said in (
        ([first, second, str(tmp_path / "a")], "nothing says when"),
        ([first, first, str(tmp_path / "a"), "--dates", *DATES], "are the same CT"),
        ([first, second, str(tmp_path / "a"), "--dates", *DATES[::-1]], "Name the earliest CT first"),
        ([first, second, str(tmp_path / "a"), "--dates", *DATES, "--nodules", "none"], "1 masks or lists"),
        ([first, second, str(tmp_path / "a"), "--dates", *DATES, "--ruleset", "nobody"], "nobody"),
        ([first, second, str(tmp_path / "a"), "--dates", *DATES, "--nodules", "none", "nothere.json"], "nothere.json"),
        ([first, second, str(tmp_path / "a"), "--dates", *DATES, "--nodules", "none", str(tmp_path)], "is a folder"),
        ([first, second, str(tmp_path / "a"), "--dates", DATES[0], "2999-01-01"], "2999-01-01 was stated"),
    ):
        assert main(["followup", *words]) in (1, 2)
        told = capsys.readouterr().err
        assert said in told
        assert "Traceback" not in told
        assert not (tmp_path / "a" / "followup.json").exists()
