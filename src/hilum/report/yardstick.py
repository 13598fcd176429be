"""How well LIDC's readers agree, in words and beside a model's figures."""

from collections.abc import Sequence

from hilum.core.evaluation import Group, ReaderYardstick
from hilum.core.figures import Figure
from hilum.report.figures import with_interval
from hilum.report.page import Table


def yardstick_words(one: ReaderYardstick) -> str:
    """What the figure is of, in a sentence or two."""
    unit = "slices" if "slice" in one.compared else "nodules"
    return (
        f"The human yardstick: {with_interval(one.dice)}. Mean Dice of one LIDC reader against the {one.against}, "
        f"{one.compared}, nodules {one.group}: {one.dice.n} {unit} of {one.patients} of these patients. A reader is "
        "asked about a nodule that was found already; a model has to find it."
    )


def yardstick_table(one: ReaderYardstick, by_size: Sequence[Group]) -> Table:
    """A reader's Dice by size beside the model's; each has its own bands of size, and both are stated.

    Args:
        one: the readers.
        by_size: the model's lesions apart by size.
    """
    names = list(dict.fromkeys([group.name for group in one.by_size] + [group.name for group in by_size]))
    readers = {group.name: group.figures["dice"] for group in one.by_size}
    model = {group.name: group.figures["lesion_dice"] for group in by_size if "lesion_dice" in group.figures}
    rows = [[name, _cell(readers.get(name)), _cell(model.get(name))] for name in names]
    caption = (
        f"Dice by size: one LIDC reader ({one.compared}, nodules {one.group}, against the {one.against}; size of "
        "the consensus), and the predictions (lesions of the truth, with what meets them; a missed one counts 0)."
    )
    return Table(("size", "one reader", "predictions"), rows, caption)


def _cell(figure: Figure | None) -> str:
    return "–" if figure is None else f"{with_interval(figure)}, n {figure.n}"


def yardstick_line(one: ReaderYardstick) -> str:
    """One line for a terminal."""
    return f"one LIDC reader {with_interval(one.dice)} ({one.compared}, nodules {one.group}, {one.against})"


def rivals_line(rivals: Sequence[Group], name: str) -> str:
    """Every rival's figure of one name, in one line for a terminal."""
    return "; ".join(f"{one.name} {with_interval(one.figures[name])}" for one in rivals if name in one.figures)
