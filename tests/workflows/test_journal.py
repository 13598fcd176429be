"""A folder that is filled bit by bit."""

import errno
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from hilum.core import OutputError
from hilum.workflows.journal import finished_note, journalled, was_finished
from hilum.workflows.output import Run, is_done, output_folder

RUN, OTHER = Run("try", {"a": "1"}), Run("try", {"a": "2"})


def finish(out, run=RUN):
    with journalled(out, run) as journal:
        journal.add("one", {"files": {}})
        journal.finish(run)


def test_what_was_added_is_there_for_the_next_run(tmp_path):
    with journalled(tmp_path / "out", RUN) as journal:
        journal.add("one", {"size": 1})
        journal.add("two", [2])
    with journalled(tmp_path / "out", RUN) as journal:
        assert journal.entries() == {"one": {"size": 1}, "two": [2]}


def test_finished_is_finished_and_leaves_no_journal(tmp_path):
    assert not was_finished(tmp_path, RUN)
    finish(tmp_path)
    assert was_finished(tmp_path, RUN)
    assert not was_finished(tmp_path, OTHER)
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_journal_that_outlived_the_end_is_put_away(tmp_path):
    finish(tmp_path)
    (tmp_path / ".journal").mkdir()
    (tmp_path / ".journal" / "job-one.json").write_text("{}")
    assert was_finished(tmp_path, RUN)
    assert not (tmp_path / ".journal").exists()


def test_leftovers_of_a_killed_process_go(tmp_path):
    leftover = tmp_path / "deep" / ".writing-x" / "half.png"
    with journalled(tmp_path, RUN):
        leftover.parent.mkdir(parents=True)
        leftover.write_text("half")
    with journalled(tmp_path, RUN):
        assert not leftover.parent.exists()


@pytest.mark.parametrize("complete", [True, False])
def test_another_run_is_refused_unless_forced(tmp_path, complete):
    out = tmp_path / "out"
    with journalled(out, RUN) as journal:
        (out / "kept").write_text("mine")
        journal.add("one", 1)
        if complete:
            journal.finish(RUN)
    with pytest.raises(OutputError, match="another run"), journalled(out, OTHER):
        pass
    assert (out / "kept").read_text() == "mine"
    with journalled(out, OTHER, force=True) as journal:
        assert journal.entries() == {}
        assert not (out / "kept").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


OPTIONS = {"range": (1, 2.5), "folder": Path("somewhere"), "none": None}


@pytest.mark.parametrize("complete", [True, False])
def test_the_same_by_another_version_of_hilum_is_said_to_be_that(tmp_path, complete):
    run, older = Run("try", {"a": "1"}, OPTIONS), Run("try", {"a": "1"}, OPTIONS, version="0.0.1")
    with journalled(tmp_path / "out", older) as journal:
        if complete:
            journal.finish(older)
    assert not was_finished(tmp_path / "out", run)
    said = pytest.raises(OutputError, match="was made by another version of hilum")
    with said as error, journalled(tmp_path / "out", run):
        pass
    assert "--force makes it anew" in error.value.remedy
    with journalled(tmp_path / "out", run, force=True):
        pass


def test_a_run_goes_on_with_changed_code_and_says_so(tmp_path):
    run, older = Run("try", {"a": "1"}, OPTIONS), Run("try", {"a": "1"}, OPTIONS, code="0" * 64)
    with journalled(tmp_path, older) as journal:
        assert journal.note == ""
        journal.add("one", 1)
    for _ in range(2):  # the second time the code is that of the last one, and what was before is not forgotten
        with journalled(tmp_path, run) as journal:
            assert journal.entries() == {"one": 1}
            assert "other code" in journal.note
    journal.finish(run)
    assert json.loads((tmp_path / "run.json").read_text())["earlier_code"] == ["0" * 64]
    assert was_finished(tmp_path, run)
    assert "other code" in finished_note(tmp_path, run)


def test_a_finished_run_of_other_code_is_done_and_says_so(tmp_path):
    finish(tmp_path, replace(RUN, code="0" * 64))
    assert was_finished(tmp_path, RUN)
    assert "other code" in finished_note(tmp_path, RUN)
    with journalled(tmp_path, RUN, force=True) as journal:
        journal.finish(RUN)
    assert finished_note(tmp_path, RUN) == ""
    assert "earlier_code" not in json.loads((tmp_path / "run.json").read_text())


def test_what_is_made_at_once_is_never_taken_from_other_code(tmp_path):
    older = replace(RUN, code="0" * 64)
    with output_folder(tmp_path / "out", older):
        pass
    assert is_done(tmp_path / "out", older)
    assert not is_done(tmp_path / "out", RUN)


def test_a_damaged_run_file_is_another_run(tmp_path):
    finish(tmp_path)
    (tmp_path / "run.json").write_text("[]")
    assert not was_finished(tmp_path, RUN)
    assert not is_done(tmp_path, RUN)
    with pytest.raises(OutputError, match="another run"), journalled(tmp_path, RUN):
        pass


def test_a_folder_made_at_once_says_so_too(tmp_path):
    with output_folder(tmp_path / "out", Run("try", {"a": "1"}, version="0.0.1")):
        pass
    with pytest.raises(OutputError, match="another version of hilum"), output_folder(tmp_path / "out", RUN):
        pass
    with pytest.raises(OutputError, match="another run"), output_folder(tmp_path / "out", OTHER):
        pass


@pytest.mark.parametrize("force", [True, False])
def test_what_hilum_did_not_make_is_never_touched(tmp_path, force):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputError, match="hilum didn't make"), journalled(tmp_path, RUN, force=force):
        pass
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    with pytest.raises(OutputError, match="is a file"), journalled(tmp_path / "thesis.txt", RUN, force=force):
        pass


@pytest.mark.parametrize("force", [True, False])
def test_two_processes_do_not_work_in_one_folder(tmp_path, force):
    code = "import fcntl, sys; f = open(sys.argv[1]); fcntl.flock(f, fcntl.LOCK_EX); print('held', flush=True); input()"
    with journalled(tmp_path, RUN):
        pass
    command = [sys.executable, "-c", code, str(tmp_path / ".journal" / "lock")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(OutputError, match="another hilum is writing"), journalled(tmp_path, RUN, force=force):
            pass
        other.kill()
    with journalled(tmp_path, RUN):  # a killed process holds nothing
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_place_that_may_not_be_written_is_an_output_error(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="not permitted"), journalled(tmp_path / "out", RUN):
        pass


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutputError, "shared memory"),
        (
            OSError(errno.EACCES, "Permission denied", "/elsewhere/file"),
            OutputError,
            "/elsewhere/file could not be written",
        ),
        (ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), ConnectionResetError, "reset"),
    ],
)
def test_the_folder_is_not_blamed_for_what_fails_elsewhere(error, expected, said, tmp_path):
    with pytest.raises(expected, match=said), journalled(tmp_path / "out", Run("train", {})):
        raise error
    inside = OSError(errno.EROFS, "Read-only file system", str(tmp_path / "out" / "file"))
    with pytest.raises(OutputError, match="out could not be written"), journalled(tmp_path / "out", Run("train", {})):
        raise inside
