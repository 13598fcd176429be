"""What benchmarks/claims.py prints: figures with a name, the number of cases, and what they were measured on."""

from collections.abc import Iterable
from dataclasses import dataclass

SOURCE = "none: the source's own figures or code"
"""What arithmetic on a source's figures is measured on."""


@dataclass(frozen=True)
class Fact:
    """One figure.

    Attributes:
        name: how docs/explanation/claims.md cites it: "pairs-empty".
        what: in words.
        value: the number, not rounded.
        shown: the number as the page quotes it.
        n: how many cases are behind it; None where there are none.
        on: data, split and truth.
    """

    name: str
    what: str
    value: float
    shown: str
    n: int | None = None
    on: str = SOURCE


def plain(value: float, digits: int = 0) -> str:
    """Without a leading zero, with a proper minus, thousands apart from 10,000 on: .0022, 436, 7,765,409."""
    text = f"{value:,.{digits}f}" if abs(value) >= 10_000 else f"{value:.{digits}f}"
    short = text.replace("0.", ".", 1) if text.startswith(("0.", "-0.")) else text
    return short.replace("-", "−")


def per_cent(value: float, digits: int = 0) -> str:
    """A share in per cent: .118 is "12 %"."""
    return f"{plain(100 * value, digits)} %"


def times(value: float, digits: int = 1) -> str:
    """A factor: "2.7 ×"."""
    return f"{plain(value, digits)} ×"


def number(name: str, what: str, value: float, digits: int = 0, n: int | None = None, on: str = SOURCE) -> Fact:
    return Fact(name, what, float(value), plain(value, digits), n, on)


def percentage(name: str, what: str, share: float, digits: int = 0, n: int | None = None, on: str = SOURCE) -> Fact:
    return Fact(name, what, float(share), per_cent(share, digits), n, on)


def factor(name: str, what: str, value: float, digits: int = 1, n: int | None = None, on: str = SOURCE) -> Fact:
    return Fact(name, what, float(value), times(value, digits), n, on)


def table(facts: Iterable[Fact]) -> str:
    """The figures as a Markdown table."""
    lines = ["| name | figure | value | n | data, split, truth |", "|---|---|---|---|---|"]
    for one in facts:
        n = "–" if one.n is None else plain(one.n)
        lines.append(f"| `{one.name}` | {one.what} | {one.shown} | {n} | {one.on} |")
    return "\n".join(lines)
