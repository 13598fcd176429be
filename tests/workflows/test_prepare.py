"""`hilum prepare drr-pairs`: whole or absent, whatever happens."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import hilum
from hilum.core import InputError, OutputError, TooManyFailuresError
from hilum.datasets.drr_pairs import MASK, PICTURE
from hilum.io import read_radiograph
from hilum.workflows.pair_case import CaseOptions
from hilum.workflows.prepare import PrepareOptions, prepare_drr_pairs
from tests.pairs import SMALL, publish

MANY = [f"LIDC-IDRI-{number:04}" for number in (*range(1, 10), *range(11, 15), 16) if number % 5]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """Published pairs of some patients."""
    folder = tmp_path_factory.mktemp("source")
    publish(folder, SMALL)
    return folder


def tree(folder):
    """Every file's bytes by its name."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def index(folder):
    return json.loads((folder / "dataset.json").read_text())


def test_the_index_keeps_its_contract(source, tmp_path):
    prepared = prepare_drr_pairs(source, tmp_path / "out")
    assert (prepared.cases, prepared.failures, prepared.was_done) == (len(SMALL), (), False)
    found = index(tmp_path / "out")
    assert (found["schema"], found["kind"]) == ("hilum.dataset/1", "drr-pairs")
    assert {"source", "options", "cases", "splits", "failures"} <= found.keys()
    assert set(found["splits"]) == {"rule", "seed", "hash", "train", "validation", "test"}
    assert found["splits"]["validation"] == ["LIDC-IDRI-0011"]
    assert found["splits"]["train"] == [p for p in SMALL if p != "LIDC-IDRI-0011"]
    for case in found["cases"]:
        assert {"key", "patient", "image", "masks", "nodules", "pixel_mm", "sha256"} <= case.keys()
        assert set(case["masks"]) == {"union", "consensus"}
        names = (case["image"], *case["masks"].values())
        assert len({read_radiograph(tmp_path / "out" / name).array.shape for name in names}) == 1


def test_pairs_are_copied_byte_for_byte_and_hashed(source, tmp_path):
    import hashlib

    prepare_drr_pairs(source, tmp_path / "out")
    made = tree(tmp_path / "out")
    for name, content in tree(source).items():
        assert made[name] == content
    for case in index(tmp_path / "out")["cases"]:
        for name, value in case["files"].items():
            assert hashlib.sha256(made[name]).hexdigest() == value
        assert case["sha256"] == case["files"][case["image"]]


def test_each_nodule_has_its_truth(source, tmp_path):
    prepare_drr_pairs(source, tmp_path / "out", PrepareOptions(CaseOptions(consensus=1.0)))
    case = next(c for c in index(tmp_path / "out")["cases"] if c["patient"] == "LIDC-IDRI-0011")
    truth = (tmp_path / "out" / case["nodules"]).parent
    nodules = json.loads((truth / "nodules.json").read_text())["nodules"]
    assert sorted(n["reader_count"] for n in nodules) == [1, 1, 1, 2, 2, 2, 2, 4, 4, 4]
    with Image.open(tmp_path / "out" / case["masks"]["consensus"]) as picture:
        consensus = np.asarray(picture) > 0
    together = np.zeros_like(consensus)
    for nodule in nodules:
        with Image.open(truth / nodule["votes"]) as votes, Image.open(truth / nodule["readers"]) as readers:
            silhouette = np.asarray(votes) >= nodule["reader_count"]
            assert np.array_equal(np.asarray(votes) > 0, np.asarray(readers) > 0)
        assert nodule["silhouette_px"] == silhouette.sum()
        assert nodule["in_consensus_truth"] == (nodule["reader_count"] >= 3)
        together |= silhouette & nodule["in_consensus_truth"]
    assert np.array_equal(together, consensus)


def test_the_same_run_again_changes_nothing(source, tmp_path):
    prepare_drr_pairs(source, tmp_path / "out")
    before = tree(tmp_path / "out")
    again = prepare_drr_pairs(source, tmp_path / "out")
    assert again.was_done
    assert again.cases == len(SMALL)
    assert tree(tmp_path / "out") == before


def test_changed_code_is_said(source, tmp_path):
    prepare_drr_pairs(source, tmp_path / "out")
    assert prepare_drr_pairs(source, tmp_path / "out").note == ""
    path = tmp_path / "out" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "code": "0" * 64}))
    again = prepare_drr_pairs(source, tmp_path / "out")
    assert again.was_done
    assert "other code" in again.note


def test_other_options_or_sources_are_another_run(source, tmp_path):
    prepare_drr_pairs(source, tmp_path / "out")
    with pytest.raises(OutputError, match="another run"):
        prepare_drr_pairs(source, tmp_path / "out", PrepareOptions(CaseOptions(consensus=0.75)))
    forced = PrepareOptions(CaseOptions(consensus=0.75), force=True)
    assert not prepare_drr_pairs(source, tmp_path / "out", forced).was_done
    assert index(tmp_path / "out")["options"]["consensus"] == 0.75


def test_held_out_patients_are_in_nothing(tmp_path):
    keys = publish(tmp_path / "in", ["LIDC-IDRI-0009", "LIDC-IDRI-0010"])
    prepared = prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    assert prepared.left_out == (keys[1],)
    assert [case["patient"] for case in index(tmp_path / "out")["cases"]] == ["LIDC-IDRI-0009"]
    assert not any("LIDC-IDRI-0010" in name for name in tree(tmp_path / "out"))


@pytest.mark.parametrize(
    ("patient", "odd"),
    [
        ("LIDC-IDRI-0009", []),
        ("LIDC-IDRI-0418", ["stands on its head"]),
        ("LIDC-IDRI-0514", ["slices are missing"]),
        ("LIDC-IDRI-0123", ["slices are missing", "beside the place"]),
        ("LIDC-IDRI-0572", ["stands on its head", "beside the place"]),
    ],
)
def test_odd_pairs_say_so(tmp_path, patient, odd):
    publish(tmp_path / "in", [patient])
    prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    said = index(tmp_path / "out")["cases"][0]["odd"]
    assert len(said) == len(odd)
    assert all(part in text for part, text in zip(odd, said, strict=True))


def test_a_mask_that_is_not_the_outlines_says_so(tmp_path):
    (key,) = publish(tmp_path / "in", ["LIDC-IDRI-0009"])
    path = tmp_path / "in" / "1-200" / f"{key}{MASK}"
    mask = read_radiograph(path).array.copy()
    mask[:5, :5] = 255
    Image.fromarray(mask).save(path)
    prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    assert index(tmp_path / "out")["cases"][0]["odd"][0] == "the mask is not what LIDC's outlines give"


def break_some(folder):
    """Four pairs that can't be used, each for another reason."""
    publish(folder, SMALL[:2])
    keys = publish(folder, ["LIDC-IDRI-0002", "LIDC-IDRI-0003", "LIDC-IDRI-0004"])
    place = folder / "1-200"
    (place / f"{keys[0]}{PICTURE}").write_bytes(b"\x89PNG\r\n\x1a\n")
    (place / f"{keys[1]}{MASK}").unlink()
    Image.fromarray(np.zeros((100, 512), np.uint8)).save(place / f"{keys[2]}{PICTURE}")
    Image.fromarray(np.zeros((100, 512), np.uint8)).save(place / f"chest{PICTURE}")


def test_what_fails_is_recorded_and_costs_nothing_else(tmp_path):
    break_some(tmp_path / "in")
    prepared = prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    assert prepared.cases == 2
    errors = {failure.input[-24:]: failure.error for failure in prepared.failures}
    assert len(errors) == 4
    for part in ("no PNG, JPEG or TIFF", "has no mask beside it", "100 × 512 pixels", "not named like"):
        assert sum(part in error for error in errors.values()) == 1, (part, errors)
    assert json.loads((tmp_path / "out" / "failures.json").read_text()) == index(tmp_path / "out")["failures"]


def test_too_many_failures_stop_and_what_is_done_is_kept(tmp_path):
    break_some(tmp_path / "in")
    with pytest.raises(TooManyFailuresError):
        prepare_drr_pairs(tmp_path / "in", tmp_path / "out", PrepareOptions(max_failures=3))
    assert not (tmp_path / "out" / "dataset.json").exists()
    assert prepare_drr_pairs(tmp_path / "in", tmp_path / "out", PrepareOptions(max_failures=4)).cases == 2


def test_a_run_of_which_nothing_comes_is_an_error_and_tells_what_failed(tmp_path):
    (key,) = publish(tmp_path / "in", SMALL[:1])
    (tmp_path / "in" / "1-200" / f"{key}{MASK}").unlink()
    with pytest.raises(InputError, match=r"no pair came out .* has no mask beside it") as error:
        prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    assert "failures.json" in error.value.remedy
    assert len(json.loads((tmp_path / "out" / "failures.json").read_text())) == 1
    assert not (tmp_path / "out" / "dataset.json").exists()
    publish(tmp_path / "in", SMALL[:1])
    shutil.rmtree(tmp_path / "out")
    assert prepare_drr_pairs(tmp_path / "in", tmp_path / "out").cases == 1


def test_nothing_to_do_is_said(tmp_path, source):
    with pytest.raises(InputError, match="doesn't exist"):
        prepare_drr_pairs(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("no CT")
    with pytest.raises(InputError, match="neither published pairs"):
        prepare_drr_pairs(tmp_path / "in", tmp_path / "out")
    with pytest.raises(OutputError, match="lies within"):
        prepare_drr_pairs(source, source / "out")
    with pytest.raises(InputError, match="at least one worker"):
        PrepareOptions(workers=0)


def test_a_missing_file_of_a_finished_job_is_made_again(source, tmp_path):
    out, stop = tmp_path / "out", PrepareOptions()

    def first_two(items, label):
        for number, item in enumerate(items):
            if number == 2:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        prepare_drr_pairs(source, out, stop, first_two)
    lost = next(out.glob(f"*/*{PICTURE}"))
    lost.unlink()
    prepare_drr_pairs(source, out)
    prepare_drr_pairs(source, tmp_path / "whole")
    assert tree(out) == tree(tmp_path / "whole")


# --- killed with −9 -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def frozen(tmp_path_factory):
    """A copy of hilum that nobody edits: a run goes on with its own code only, of which run.json holds a hash."""
    folder = tmp_path_factory.mktemp("frozen")
    shutil.copytree(Path(hilum.__file__).parent, folder / "hilum", ignore=shutil.ignore_patterns("__pycache__"))
    where = [sys.executable, "-c", "import hilum; print(hilum.__file__)"]
    said = subprocess.run(where, env=environment(folder), check=True, capture_output=True, text=True).stdout
    assert Path(said.strip()).parent == folder / "hilum"
    return folder


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Pairs of many patients, and what a run that nobody kills makes of them."""
    folder = tmp_path_factory.mktemp("many")
    publish(folder / "in", MANY)
    prepare_drr_pairs(folder / "in", folder / "whole")
    return folder


def environment(frozen):
    # Byte code may be written: it is the copy's, and five processes start from it.
    return {**os.environ, "PYTHONPATH": str(frozen), "PYTHONDONTWRITEBYTECODE": ""}


def start(frozen, source, out, workers):
    command = [sys.executable, "-m", "hilum", "prepare", "drr-pairs", str(source), str(out)]
    return subprocess.Popen(
        [*command, "--workers", str(workers)],
        env=environment(frozen),
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )


def tree_without_code(folder):
    """`tree`, but for what in run.json depends on hilum's own code."""
    found = tree(folder)
    run = json.loads(found["run.json"])
    found["run.json"] = {name: value for name, value in run.items() if name not in ("code", "hash")}
    return found


def children(pid):
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def finished_jobs(out):
    return len(list(out.glob(".journal/job-*")))


def wait_for(condition, *arguments, seconds=30):
    end = time.monotonic() + seconds
    while not condition(*arguments) and time.monotonic() < end:
        time.sleep(0.005)
    return condition(*arguments)


def is_past(out, count, process):
    return finished_jobs(out) > count or process.poll() is not None


def are_gone(pids):
    return not any(map(is_running, pids))


def assert_nothing_is_half_written(out):
    """Every file under its final name is complete; a picture has all that belongs to it."""
    for path in out.rglob("*"):
        if path.is_file() and not any(part.startswith(".writing-") for part in path.parts):
            if path.suffix == ".png":
                with Image.open(path) as picture:
                    picture.load()
            elif path.suffix == ".json":
                json.loads(path.read_text())
    for picture in out.glob(f"[0-9]*/*{PICTURE}"):
        key = picture.name.removesuffix(PICTURE)
        assert picture.with_name(f"{key}{MASK}").is_file()
        assert (out / "truth" / key / "nodules.json").is_file()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to see the workers")
@pytest.mark.parametrize(("workers", "kills"), [(1, 2), (2, 2)])
def test_killed_again_and_again_it_ends_like_one_that_was_not(frozen, many, tmp_path, workers, kills):
    out, rng = tmp_path / "out", random.Random(workers)  # noqa: S311 - no secret
    left = []
    for _ in range(kills):
        with start(frozen, many / "in", out, workers) as process:
            wait_for(is_past, out, finished_jobs(out), process)
            time.sleep(rng.uniform(0, 0.1))
            helpers = children(process.pid)
            os.kill(process.pid, signal.SIGKILL)
        assert wait_for(are_gone, helpers), "workers outlive their parent"
        assert_nothing_is_half_written(out)
        left.append(finished_jobs(out))
    assert 0 < left[0] < len(MANY), "the kill came before or after all work, and shows nothing"
    with start(frozen, many / "in", out, workers) as process:
        said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert tree_without_code(out) == tree_without_code(many / "whole")
