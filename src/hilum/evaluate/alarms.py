"""What a reviewer would ask, asked by the machine: each alarm with the evidence for it.

Every function looks at one thing and returns no alarm or one.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hilum.core.evaluation import Alarm, Group, Threshold
from hilum.core.figures import Figure
from hilum.datasets.splits import is_held_out, is_lidc_patient
from hilum.evaluate.candidates import SEVERAL, TIMES_LARGER

_ROUNDING = 1e-9
_MOST = 0.5


def _alarm(name: str, says: str, evidence: Iterable[str], *, is_note: bool = False) -> tuple[Alarm, ...]:
    shown = tuple(evidence)
    return (Alarm(name, says, shown, is_note),) if shown else ()


def patients_shared(splits: Mapping[str, Iterable[str]]) -> tuple[Alarm, ...]:
    """A patient in two splits: what was learnt from one is reported on the other."""
    where = defaultdict(list)
    for split, patients in splits.items():
        for patient in sorted(set(patients)):
            where[patient].append(split)
    shared = [f"{patient}: {', '.join(names)}" for patient, names in sorted(where.items()) if len(names) > 1]
    return _alarm("patients_shared", "Patients stand in more than one split, so what is reported was learnt.", shared)


def training_cases_reported(training: Iterable[str], reported: Iterable[str]) -> tuple[Alarm, ...]:
    """Patients whose figures are reported stand in the training split: a model may have learnt them by heart."""
    shared = sorted(set(training) & set(reported))
    says = f"Of the reported patients, {len(shared)} stand in the training split: what was learnt is reported."
    return _alarm("training_cases_reported", says, shared)


def seen_cases_reported(seen: Iterable[str], reported: Iterable[str]) -> tuple[Alarm, ...]:
    """Patients whose figures are reported were seen by this very model in training, whatever the split's name."""
    shared = sorted(set(seen) & set(reported))
    says = f"{len(shared)} of the reported patients were learnt from by this model, or it was chosen on them."
    return _alarm("seen_cases_reported", says, shared)


@dataclass(frozen=True)
class ChosenOn:
    """On which cases a threshold was chosen, or a temperature fitted.

    Attributes:
        split: by name.
        split_hash: of the stored split.
        patients: whose cases they were.
    """

    split: str
    split_hash: str
    patients: frozenset[str]


def threshold_on_reported(threshold: Threshold, chosen: ChosenOn | None, reported: Iterable[str]) -> tuple[Alarm, ...]:
    """The threshold was chosen on patients whose figures are reported here.

    Args:
        threshold: as used.
        chosen: where it comes from; None when a person stated it, or predictions are masks.
        reported: patients of the reported cases.
    """
    shared = sorted(chosen.patients & set(reported)) if chosen else []
    says = f"The threshold {threshold.value:g} was chosen on patients that are reported here: the figures flatter."
    return _alarm("threshold_on_reported", says, shared)


def temperature_on_reported(
    temperature: float | None, fitted: ChosenOn | None, reported: Iterable[str]
) -> tuple[Alarm, ...]:
    """The temperature was fitted on patients whose figures are reported here.

    Args:
        temperature: as applied; None for none.
        fitted: where it comes from.
        reported: patients of the reported cases.
    """
    shared = sorted(fitted.patients & set(reported)) if fitted else []
    says = f"The temperature {temperature or 1:.3g} was fitted on patients that are reported here: ECE flatters."
    return _alarm("temperature_on_reported", says, shared)


def chosen_elsewhere(what: str, chosen: ChosenOn | None) -> tuple[Alarm, ...]:
    """A threshold or temperature of patients that nothing may be chosen on, or of a split that is not for choosing.

    Args:
        what: "threshold" or "temperature".
        chosen: where it comes from; None when a person stated it, or there is none.
    """
    if chosen is None:
        return ()
    is_wrong = chosen.split in ("train", "test") or (chosen.split == "all" and bool(chosen.split_hash))
    says = f"The {what} was chosen on the split {chosen.split!r}; choices are made on validation."
    return (
        *_alarm(
            f"{what}_on_held_out",
            f"The {what} was chosen on patients that are held out: nothing is learnt or chosen on them.",
            _held_out(chosen.patients),
        ),
        *_alarm(f"{what}_not_on_validation", says, [f"{len(chosen.patients)} patients"] if is_wrong else []),
    )


def held_out_reported(reported: Iterable[str]) -> tuple[Alarm, ...]:
    """Patients are reported that are kept for the end: a model changed after this look has learnt from them."""
    says = "Held-out patients are reported: that is for the end, and nothing may be changed by what is seen here."
    return _alarm("held_out_reported", says, _held_out(reported), is_note=True)


def _held_out(patients: Iterable[str]) -> list[str]:
    return [one for one in sorted(set(patients)) if is_lidc_patient(one) and is_held_out(one)]


def iou_above_dice(figures: Mapping[str, Figure], groups: Iterable[Group] = ()) -> tuple[Alarm, ...]:
    """A mean IoU above the mean Dice: on the same cases no definition of both gives that (IoU = Dice / (2 − Dice))."""
    evidence = []
    for where, found in (("", figures), *((group.name, group.figures) for group in groups)):
        for kind in ("mean", "pooled"):
            dice, iou = found.get(f"dice_{kind}"), found.get(f"iou_{kind}")
            if dice and iou and iou.value > dice.value + _ROUNDING:
                evidence.append(f"{where} {kind}: IoU {iou.value:.4f} above Dice {dice.value:.4f}".strip())
    return _alarm("iou_above_dice", "IoU lies above Dice; two definitions or two sets of cases are mixed.", evidence)


def class_without_pixels(truth_pixels: Mapping[str, int]) -> tuple[Alarm, ...]:
    """A declared class that no true mask has: its figures are undefined, and anything else said of it is made up."""
    missing = [name for name, pixels in truth_pixels.items() if pixels == 0]
    return _alarm("class_without_pixels", "A declared class has no pixel in the truth of this split.", missing)


def duplicates(hashes: Mapping[str, str], what: str, elsewhere: Mapping[str, str] | None = None) -> tuple[Alarm, ...]:
    """Reported cases with the same content as another one, reported or not.

    Args:
        hashes: content hash by key.
        what: "image", "truth" or "prediction".
        elsewhere: the same of cases that are not reported, such as those a model learnt from.
    """
    by_hash = defaultdict(list)
    for key, content in sorted(hashes.items()):
        if content:
            by_hash[content].append(key)
    for key, content in sorted((elsewhere or {}).items()):
        if content in by_hash:
            by_hash[content].append(key)
    groups = [", ".join(keys) for keys in by_hash.values() if len(keys) > 1]
    says = f"The same {what} stands under several keys, so it counts more than once or was learnt."
    return _alarm(f"duplicate_{what}s", says, groups)


def cases_failed(keys: Sequence[str], asked: int) -> tuple[Alarm, ...]:
    """Cases that the truth asks for and that have no figure: those that are left may be the easy ones.

    Args:
        keys: of the cases that could not be judged.
        asked: how many there are in all.
    """
    says = f"{len(keys)} of {asked} cases could not be judged and are in no figure; the others may be the easy ones."
    return _alarm("cases_failed", says, keys)


def truth_at_border(keys: Sequence[str]) -> tuple[Alarm, ...]:
    """True lesions that the image's edge cuts: their size and surface are not the lesion's."""
    return _alarm("truth_at_border", "The truth touches the image's edge: lesions may be cut, or masks shifted.", keys)


def constant_predictions(constant: Sequence[str], with_lesion: int) -> tuple[Alarm, ...]:
    """Predictions, or masks at the threshold, that are one value everywhere though the case has a lesion.

    When all are, the model does nothing.

    Args:
        constant: keys of such cases.
        with_lesion: how many cases have a lesion.
    """
    says = f"{len(constant)} of {with_lesion} predictions on cases with a lesion have one value everywhere."
    return _alarm("constant_predictions", says, constant, is_note=len(constant) < with_lesion)


def lesions_only_covered(covered: Mapping[str, int], found: int) -> tuple[Alarm, ...]:
    """Lesions that count as found since something large lies over them: a mask that covers everything finds everything.

    Args:
        covered: such lesions by key of the case (`candidates.covered_only`).
        found: lesions that were found, these among them.
    """
    number = sum(covered.values())
    says = (
        f"{number} of {found} found lesions were met only by components more than {TIMES_LARGER} times larger than the "
        f"lesions they meet, or meeting {SEVERAL} or more: a mask that covers everything finds everything."
    )
    return _alarm("lesions_only_covered", says, [key for key, n in covered.items() if n], is_note=2 * number < found)


def mostly_marked(marked: float, pixels: float) -> tuple[Alarm, ...]:
    """Half of all pixels or more are marked: by any overlap nearly every lesion is found, wherever it is.

    Args:
        marked: pixels that are predicted, over all cases.
        pixels: all of them.
    """
    share = marked / pixels if pixels else 0.0
    says = f"{share:.0%} of all pixels are marked, so nearly every lesion is met by chance: sensitivity says nothing."
    return _alarm("mostly_marked", says, [f"{marked:.0f} of {pixels:.0f} pixels"] if share >= _MOST else [])


def patients_unknown(keys: Sequence[str]) -> tuple[Alarm, ...]:
    """Nobody said whose the cases are: each counts as a patient of its own, and intervals may be too narrow."""
    says = "Nobody said which patient a case belongs to; each counts as one, and intervals may be too narrow."
    return _alarm("patients_unknown", says, [f"{len(keys)} cases"] if keys else [], is_note=True)


def patients_from_keys(patients: Iterable[str]) -> tuple[Alarm, ...]:
    """Nobody said whose the cases are, and every key begins with the name of a patient of LIDC, which was taken."""
    says = "Nobody said which patient a case belongs to; each key begins with a patient of LIDC, and that one is taken."
    return _alarm("patients_from_keys", says, sorted(set(patients)), is_note=True)


def few_patients(patients: int, least: int = 20) -> tuple[Alarm, ...]:
    """A bootstrap over few patients says little about others."""
    says = f"Only {patients} patient{'s' if patients != 1 else ''}: an interval from so few is itself uncertain."
    return _alarm("few_patients", says, [f"{patients} patients"] if 0 < patients < least else [], is_note=True)


def undefined_figures(figures: Iterable[Figure], cases: int) -> tuple[Alarm, ...]:
    """Figures that no case has, such as millimetres on pictures without spacing."""
    missing = [figure.name for figure in figures if math.isnan(figure.value)] if cases else []
    return _alarm("undefined_figures", "Some figures have no case that defines them.", missing, is_note=True)


def changes_unjudged(lesions: Sequence[str]) -> tuple[Alarm, ...]:
    """Lesions that the list of changes names and the pictures don't show."""
    says = "Lesions have no pixel of their own where they are or were: no figure by kind of change counts them."
    return _alarm("changes_unjudged", says, lesions, is_note=True)


def threshold_unused(stated: float, masks: int, cases: int) -> tuple[Alarm, ...]:
    """A threshold was given, and predictions are masks already: it changes nothing there.

    Args:
        stated: the threshold.
        masks: predictions that are masks.
        cases: all predictions.
    """
    says = f"The threshold {stated:g} has no effect on {masks} of {cases} predictions: they are masks already."
    says += " They are in no figure of probabilities or scored marks, which are of the others." if masks < cases else ""
    shown = [f"{masks} masks"] if masks and not math.isnan(stated) else []
    return _alarm("threshold_unused", says, shown, is_note=True)


def temperature_unused(temperature: float | None, masks: int, cases: int) -> tuple[Alarm, ...]:
    """A temperature was given, and predictions are masks, which have no probabilities.

    Args:
        temperature: as given; None for none.
        masks: predictions that are masks.
        cases: all predictions.
    """
    says = f"The temperature has no effect on {masks} of {cases} predictions: they are masks."
    return _alarm("temperature_unused", says, [f"{masks} masks"] if masks and temperature else [], is_note=True)


def unasked_predictions(names: Sequence[str]) -> tuple[Alarm, ...]:
    """Predictions that no case of the truth asks for: keys may be misspelt."""
    return _alarm("unasked_predictions", "Predictions are there that no case asks for.", names, is_note=True)
