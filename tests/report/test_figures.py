"""Figures in words."""

from hilum.report.figures import counted


def test_one_is_no_plural():
    assert [counted(n, "case") for n in (0, 1, 2)] == ["0 cases", "1 case", "2 cases"]
    assert counted(2, "body", "bodies") == "2 bodies"
