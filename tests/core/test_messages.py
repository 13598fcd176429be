"""How errors are worded: what a person reads is a sentence, and the way out another one."""

import ast
from pathlib import Path

import pytest

import hilum
from hilum.core import HilumError, errors

SOURCE = Path(hilum.__file__).parent
NAMES = {name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, HilumError)}
ENDS = (".", "?", "…")


def raised():
    """Where an error is made, and the parts that are known before it is: (place, message, remedy)."""
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in NAMES and node.args:
                yield f"{path.relative_to(SOURCE)}:{node.lineno}", *node.args[:2]


def last_word(node):
    """The end of a text; None where only the run knows it, or where another error's message is taken over."""
    if isinstance(node, ast.BinOp):
        return last_word(node.right)
    if isinstance(node, ast.Constant):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return None
    last = node.values[-1]
    if isinstance(last, ast.Constant):
        return last.value
    taken_over = ("message", "error", "words", "why", "reason")
    return None if ast.unparse(last.value).rpartition(".")[2] in taken_over else "{"


def test_there_are_errors_to_look_at():
    assert len(list(raised())) > 300


def test_a_message_is_a_sentence():
    loose = [f"{place} …{end[-30:]}" for place, message, *_ in raised() if (end := last_word(message)) is not None]
    assert not [one for one in loose if not one.endswith(ENDS)]


@pytest.mark.parametrize(
    ("source", "end"),
    [
        ("'no'", "no"),
        ("f'no {x}.'", "."),
        ("f'no {x}'", "{"),
        ("f'no {error.message}'", None),
        ("'a' + 'b.'", "b."),
        ("word", None),
    ],
)
def test_ends_are_read(source, end):
    assert last_word(ast.parse(source, mode="eval").body) == end


def test_a_message_and_its_remedy_read_on():
    assert str(HilumError("It is cut.", "Get it anew.")) == "It is cut. Get it anew."
