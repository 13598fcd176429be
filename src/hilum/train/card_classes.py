"""What the card of a model of films by classes says: each class, lungs, areas, labels, calibration, gate."""

import math
from collections.abc import Iterable, Sequence

from hilum.core.evaluation import Evaluation
from hilum.core.figures import Figure
from hilum.core.films import FilmFigures
from hilum.evaluate.gate import MOST_SHUT_OUT, Gate
from hilum.evaluate.presence import FEWEST, Limit
from hilum.report.figures import percent_words, with_interval
from hilum.train.class_facts import ClassFacts
from hilum.train.config import TrainConfig

_OF_CLASS = ("dice_mean", "iou_mean", "dice_pooled", "iou_pooled", "image_sensitivity", "image_specificity")


def class_head(config: TrainConfig, facts: ClassFacts, parameters: int) -> str:
    """The title, and what the model does.

    Args:
        config: of the run.
        facts: of the classes.
        parameters: how many numbers were learnt.
    """
    marks = f"Marks {', '.join(facts.names.values())}" if config.model.options["finds"] != "labels" else ""
    labels = "says what the film as a whole shows" if config.model.options["finds"] != "classes" else ""
    does = ", and ".join(one for one in (marks, labels) if one)
    return (
        f"# {config.recipe or config.model.name}\n\n{does[0].upper()}{does[1:]}, on frontal chest X-rays: a network "
        f"`{config.model.name}` of {parameters:,} parameters.\n\n"
        "**Decision support for research, not a medical device.**"
    )


def class_sections(facts: ClassFacts, found: Evaluation | None) -> list[str]:
    """Results, calibration, from when findings are believed and, of a hybrid, its gate.

    Args:
        facts: of the classes.
        found: overlap of each class on validation; None of a model of labels alone.
    """
    words = (
        "Of the validation films. The best epoch was chosen on these same films, and so were temperatures, limits and "
        "gate, so others will give somewhat less. A class is judged on the films that have it; of the others "
        "image_specificity says how often it was left out. 95 % intervals by bootstrap over patients."
    )
    parts = ["## Results", words]
    if facts.unknown_films:
        parts.append(
            f"{facts.unknown_films} of these films count for labels alone, since the class of some of their pixels is "
            "unknown."
        )
    if found is not None:
        parts += [_classes(found), *_alarms(found)]
    if facts.films is not None:
        parts += _films(facts.films)
    decided = [*_limits(facts), *([] if facts.gate is None else [_gate(facts.gate)])]
    return ["\n\n".join(parts), _calibration(facts), *decided]


def _classes(found: Evaluation) -> str:
    groups = found.by_class or ()
    if not groups:  # of one class alone the figures are those of all
        return _table((name, found.figures[name]) for name in _OF_CLASS if name in found.figures)
    rows = [
        f"| {group.name} | {' | '.join(_value(group.figures[name]) for name in _OF_CLASS)} "
        f"| {group.figures['dice_mean'].n} |"
        for group in groups
    ]
    head = (f"| class | {' | '.join(_OF_CLASS)} | films that have it |", f"|{'---|' * (len(_OF_CLASS) + 2)}")
    return "\n".join((*head, *rows))


def _alarms(found: Evaluation) -> list[str]:
    rings = [f"- **{alarm.name}**: {alarm.says}" for alarm in found.alarms if not alarm.is_note]
    return ["\n".join(rings)] if rings else []


def _films(films: FilmFigures) -> list[str]:
    parts = []
    if films.lungs:
        parts.append("Both lungs, apart from what they show; error of the involved share in percentage points:")
        parts.append(_table({**films.lungs, **films.involved}.items()))
    if films.label_counts:
        parts.append("Films' labels, truth in rows, answers in columns:")
        parts.append(_matrix(films.label_counts, films.labels, (*films.labels, "unsure")))
        parts.append(_table(films.label_figures.items()))
    return parts


def _matrix(counts: Sequence[Sequence[int]], rows: Sequence[str], columns: Sequence[str]) -> str:
    lines = [f"| {name} | {' | '.join(map(str, row))} |" for name, row in zip(rows, counts, strict=True)]
    return "\n".join((f"| | {' | '.join(columns)} |", f"|{'---|' * (len(columns) + 1)}", *lines))


def _calibration(facts: ClassFacts) -> str:
    pairs = (("classes of pixels", facts.temperature), ("labels", facts.label_temperature))
    fitted = [f"{what}: temperature {value:.3g}" for what, value in pairs if not math.isnan(value)]
    words = "; ".join(fitted) or "validation had nothing to fit to, so probabilities are as the network has them"
    return f"## Calibration\n\nFitted on validation (Guo 2017): {words}."


def _limits(facts: ClassFacts) -> list[str]:
    if not facts.limits:
        return []
    rows = [f"- {facts.names[number]}: {_limit(limit)}" for number, limit in facts.limits.items()]
    words = (
        "A finding is marked on a film where it covers enough of both lungs. Each limit keeps out the most, of those "
        f"that shut out at most {MOST_SHUT_OUT:.0%} of the validation films on which the finding is rightly marked."
    )
    return [f"## From when a finding is believed\n\n{words}\n\n" + "\n".join(rows)]


def _limit(limit: Limit) -> str:
    if not limit.percent:
        few = f"it is rightly marked on fewer than {FEWEST} of these films"
        none = "no limit would keep out a film on which it is wrongly marked"
        return f"any pixel of it counts, since {few if math.isnan(limit.shut_out) else none}"
    kept = f"{limit.kept_out:.0%} of those on which it is wrongly marked"
    return f"from {percent_words(limit.percent)} on; that shuts out {limit.shut_out:.0%} of those films, and {kept}"


def _gate(gate: Gate) -> str:
    shut = (
        "validation has too few healthy films to say where healthy begins: the gate stays open"
        if gate.healthy_from > 1
        else f"no finding is marked from a probability of healthy of {gate.healthy_from:.3f}; that shuts out "
        f"{gate.shut_out:.0%} of the films with a finding (at most {MOST_SHUT_OUT:.0%} were allowed) and "
        f"{gate.kept_out:.0%} of the healthy ones"
    )
    return (
        f"## Gate\n\nOn validation, {shut}. A label is given from a probability of {gate.sure_from:.3f}: "
        f"{gate.answered:.0%} of the films get one, and {gate.accuracy:.0%} of these are right."
    )


def _table(rows: Iterable[tuple[str, Figure]]) -> str:
    lines = [f"| {name} | {_value(figure)} | {figure.n} |" for name, figure in rows]
    return "\n".join(("| figure | value (95 % interval) | n |", "|---|---|---|", *lines))


def _value(figure: Figure) -> str:
    return "undefined" if math.isnan(figure.value) else with_interval(figure)
