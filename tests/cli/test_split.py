"""Parts of a data set by name: folds are splits like any other, everything else is wrong usage."""

import pytest

from hilum.cli.app import main


@pytest.mark.parametrize(
    "command", [["predict", "nowhere", "out"], ["evaluate", "nowhere", "out", "--data", "nowhere"]]
)
@pytest.mark.parametrize(("split", "code"), [("fold-1", 1), ("folds", 1), ("fold-0", 2), ("valid", 2)])
def test_a_part_is_named_or_refused(command, split, code, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([*command, "--split", split]) == code
    assert ("fold-1" in capsys.readouterr().err) is (code == 2)
