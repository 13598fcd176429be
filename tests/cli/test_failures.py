"""What failed is said in one way, whatever the command, and the exit codes say one thing each."""

import json

import pytest

from hilum.cli.app import main
from hilum.cli.exit_code import ExitCode, UsageError, checked_options
from hilum.cli.failures import SHOWN, say_failures
from hilum.core import ConfigError, Failure, Failures, GeometryError, InputError, UnreadableError
from tests.pairs import publish


def failed(*named):
    found = Failures()
    for name, error in named:
        try:
            raise error
        except InputError as caught:
            found.add(name, caught)
    return found


def test_each_is_a_line_that_names_its_input_once(capsys):
    found = failed(("a", InputError("nothing here.", "Look there.")), ("/x/b.png", InputError("/x/b.png is cut.")))
    assert say_failures(found) == ExitCode.SOME_FAILED == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "hilum: a: nothing here. Look there.\nhilum: /x/b.png is cut.\n"


def test_none_is_done(capsys):
    assert say_failures([]) == ExitCode.DONE == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("listed", [True, False])
def test_many_are_cut_short_only_where_a_file_has_them_all(listed, tmp_path, capsys):
    many = [Failure(f"case {n}", "broken.", "") for n in range(SHOWN + 5)]
    say_failures(many, listed_in=tmp_path / "failures.json" if listed else None)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == (SHOWN + 1 if listed else SHOWN + 5)
    assert (lines[-1] == f"hilum: and 5 more; {tmp_path / 'failures.json'} lists all.") == listed


def test_debug_shows_where_it_happened(capsys):
    found = [*failed(("a", InputError("nothing here."))), Failure("b", "read back from a file.", "")]
    say_failures(found)
    assert "Traceback" not in capsys.readouterr().err
    say_failures(found, debug=True)
    said = capsys.readouterr().err
    assert said.count("Traceback") == 1
    assert "in failed" in said


@pytest.mark.parametrize("debug", [False, True])
def test_prepare_shows_tracebacks_when_asked(tmp_path, capsys, debug):
    publish(tmp_path / "in", ["LIDC-IDRI-0009"])
    (tmp_path / "in" / "1-200" / "other_drr.png").write_bytes(b"")
    words = ["prepare", "drr-pairs", str(tmp_path / "in"), str(tmp_path / "out"), *(["--debug"] if debug else [])]
    assert main(words) == 3
    said = capsys.readouterr().err
    assert "other_drr.png" in said
    assert ("Traceback" in said) == debug
    assert set(json.loads((tmp_path / "out" / "failures.json").read_text())[0]) == {"input", "error", "remedy"}


@pytest.mark.parametrize("error", [InputError("no.", "Do."), GeometryError("no.", "Do."), ConfigError("no.", "Do.")])
def test_what_fails_while_options_are_checked_is_wrong_usage(error):
    with pytest.raises(UsageError, match="no") as caught, checked_options():
        raise error
    assert caught.value.remedy == "Do."
    assert caught.value.__cause__ is error


def test_a_file_that_cannot_be_read_is_no_wrong_usage():
    with pytest.raises(UnreadableError), checked_options():
        raise UnreadableError("cut.")


@pytest.mark.parametrize(
    "words",
    [
        "compare out",
        "compare out one",
        "compare out A=x B=y --seed -1",
        "froc out --predictions a --annotations b --bootstraps -1",
        "yardstick --bootstraps 1000000",
        "evaluate masks out --data pairs --classes lung",
        "evaluate masks out --data pairs --workers 0",
        "predict film.png out --threshold 7",
        "train no_such_recipe out --data pairs",
        "train xray_unet out --data pairs --set optimiser.lr=-1",
        "train xray_unet out --data pairs --set loss.nme=focal",
    ],
)
def test_wrong_options_are_2_whatever_the_command(words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(words.split()) == ExitCode.USAGE == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.strip()
    assert "Traceback" not in said.err
    assert not list(tmp_path.iterdir())


def test_a_run_that_can_be_asked_but_not_done_is_1(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert main(["compare", "out", "A=x", "B=y"]) == ExitCode.FAILED == 1
    assert capsys.readouterr().err.startswith("hilum: ")
