"""What follows from the figures of an evaluation, each sentence with the figures that it follows from."""

from collections.abc import Callable

from hilum.core.evaluation import Evaluation
from hilum.core.figures import Figure

_POORLY_CALIBRATED = 0.1
_WORTH_MOVING = 0.01
_LOPSIDED = 1.5


def recommendations(found: Evaluation, best_threshold: tuple[float, float] | None = None) -> tuple[str, ...]:
    """Sentences, the most important first.

    Args:
        found: the evaluation.
        best_threshold: threshold with the highest mean Dice on these cases, and that Dice; None for masks.
    """
    said = [rule(found) for rule in _RULES]
    said.append(_threshold(found, best_threshold))
    return tuple(sentence for sentence in said if sentence) or ("Nothing in these figures asks for a change.",)


def _figure(found: Evaluation, name: str) -> Figure:
    return found.figures.get(name, Figure(name, float("nan")))


def _alarms(found: Evaluation) -> str:
    names = [alarm.name for alarm in found.alarms if not alarm.is_note]
    return (
        f"Settle the alarms first ({', '.join(names)}): until then the figures may mean something else."
        if names
        else ""
    )


def _rivals(found: Evaluation) -> str:
    """Not to beat a trivial rival is the first thing to say of a result."""
    name = "foreground_dice_mean" if "foreground_dice_mean" in found.figures else "dice_mean"
    dice = _figure(found, name)  # rivals know no classes
    beaten_by = [
        f"{rival.name} ({rival.figures['dice_mean'].value:.3f})"
        for rival in found.rivals
        if rival.figures["dice_mean"].value >= dice.value
    ]
    if not beaten_by:
        return ""
    return (
        f"Don't use this: its mean Dice of {dice.value:.3f} doesn't beat {' or '.join(beaten_by)}, which know nothing."
    )


def _sizes(found: Evaluation) -> str:
    known = [
        (group.figures["lesion_sensitivity"], group.name)
        for group in found.by_size
        if group.figures["lesion_sensitivity"].n
    ]
    if len(known) < 2:
        return ""
    worst, best = min(known, key=_value), max(known, key=_value)
    if best[0].value - worst[0].value < 0.2:
        return ""
    return (
        f"Look at lesions of {worst[1]} first: {worst[0].value:.0%} of {worst[0].n} are found, against "
        f"{best[0].value:.0%} of {best[0].n} of {best[1]}."
    )


def _value(entry: tuple[Figure, str]) -> float:
    return entry[0].value


def _balance(found: Evaluation) -> str:
    precision, recall = _figure(found, "precision_pooled").value, _figure(found, "recall_pooled").value
    if recall > _LOPSIDED * precision:
        return (
            f"Most predicted pixels are wrong (precision {precision:.2f}, recall {recall:.2f}): a higher threshold, "
            "hard negatives in training, or a smaller positive weight."
        )
    if precision > _LOPSIDED * recall:
        return (
            f"Most lesion pixels are missed (recall {recall:.2f}, precision {precision:.2f}): a lower threshold, or "
            "more weight on positives in training."
        )
    return ""


def _empty(found: Evaluation) -> str:
    rate = _figure(found, "empty_false_positive_rate")
    if not rate.value > 0.5:
        return ""
    return (
        f"{rate.value:.0%} of the {rate.n} images without a lesion get a false alarm: too many to be read one by one."
    )


def _calibration(found: Evaluation) -> str:
    ece = _figure(found, "ece").value
    if not ece > _POORLY_CALIBRATED:
        return ""
    off = f"Probabilities are off by {ece:.2f} near lesions"
    if found.temperature is not None:
        at = f"at the temperature {found.temperature.value:.3g}, too"
        return f"{off} {at}: one number doesn't repair them, so don't show them."
    if found.fitted is not None:
        return (
            f"{off}, and the temperature {found.fitted.value:.3g} fits them best: take it to other splits with "
            "--temperature-from this evaluation, before they are shown."
        )
    return (
        f"{off}: before they are shown, evaluate them on validation, which fits a temperature, and apply it with "
        "--temperature-from."
    )


def _threshold(found: Evaluation, best: tuple[float, float] | None) -> str:
    here = _figure(found, "dice_mean").value
    if best is None or not best[1] - here > _WORTH_MOVING:
        return ""
    used = found.threshold.value
    gain = f"threshold {best[0]:.2f} would give a mean Dice of {best[1]:.3f}, and {used:g} gives {here:.3f}"
    if found.split == "validation":
        return f"On this split {gain}: take it to other splits with --threshold-from this evaluation."
    return f"On this split {gain}; this is no split to choose on: scan the thresholds on validation."


_RULES: tuple[Callable[[Evaluation], str], ...] = (_alarms, _rivals, _balance, _sizes, _empty, _calibration)
