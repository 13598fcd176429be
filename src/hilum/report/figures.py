"""Figures in words, as reports and lines of a terminal show them: never without interval and number of cases."""

import math
import re
from collections.abc import Mapping, Sequence

from hilum.core.evaluation import Group
from hilum.core.figures import Figure
from hilum.report.page import Table

WORDS: Mapping[str, str] = {
    "dice_mean": "Dice, mean of cases with a lesion",
    "dice_pooled": "Dice, all pixels together",
    "nodule_dice": "Dice of a nodule's slices together, mean of nodules",
    "nodule_volume_error_percent": "volume error of nodules, %",
    "slice_dice": "Dice, mean of slices",
    "iou_mean": "IoU, mean of cases with a lesion",
    "iou_pooled": "IoU, all pixels together",
    "precision_mean": "precision (PPV), mean",
    "precision_pooled": "precision (PPV), pooled",
    "recall_mean": "recall (sensitivity), mean",
    "recall_pooled": "recall (sensitivity), pooled",
    "specificity_mean": "specificity, mean",
    "specificity_pooled": "specificity, pooled",
    "npv_mean": "NPV, mean",
    "npv_pooled": "NPV, pooled",
    "lesion_sensitivity": "lesions found",
    "false_positives_per_image": "false positives per image",
    "empty_false_positive_rate": "images without lesion that get a false alarm",
    "hd_mm": "Hausdorff distance, mm",
    "hd95_mm": "95 % Hausdorff distance, mm",
    "assd_mm": "average surface distance, mm",
    "robust_distance_mm": "robust surface distance, mm",
    "area_error_mm2": "area error, mm²",
    "volume_error_mm3": "volume error, mm³",
    "volume_error_percent": "size error, %",
    "roc_auc_mean": "ROC AUC of pixels, mean of cases",
    "roc_auc_pooled": "ROC AUC of pixels, pooled",
    "average_precision_mean": "average precision of pixels, mean of cases",
    "average_precision_pooled": "average precision of pixels, pooled",
    "ece": "calibration error near lesions (ECE), pooled",
    "ece_mean": "ECE, mean of cases",
    "ace_mean": "ACE, mean of cases",
    "brier": "Brier score near lesions, pooled",
    "brier_mean": "Brier score, mean of cases",
    "ece_before": "ECE before the temperature, pooled",
    "ece_before_mean": "ECE before the temperature, mean of cases",
    "ace_before_mean": "ACE before the temperature, mean of cases",
    "brier_before": "Brier score before the temperature, pooled",
    "brier_before_mean": "Brier score before the temperature, mean of cases",
    "image_sensitivity": "images with it where it was seen",
    "image_specificity": "images without it that stayed clear",
    "lesion_covered": "share of a lesion's pixels",
    "reader_dice": "Dice of a nodule with each reader's mask",
    "lesion_average_precision": "average precision over lesions",
    "wafroc": "wAFROC area",
    "wafroc1": "wAFROC1 area (every image has a lesion)",
    "lesion_dice": "Dice of a lesion with what meets it",
    "lesion_iou": "IoU of a lesion with what meets it",
    "lesion_precision": "precision of what meets it",
    "lesion_recall": "share of a lesion's pixels",
    "lesion_hd95_mm": "95 % Hausdorff distance of a lesion, mm",
    "lesion_volume_error_percent": "size error of a lesion, %",
    "lesion_diameter_error_mm": "diameter error of a lesion, mm",
    "lesion_absolute_diameter_error_mm": "absolute diameter error of a lesion, mm",
    "gone_noticed": "gone lesions that are called gone",
    "false_gone_rate": "lesions still there that are called gone",
}
_SURFACE_DICE = re.compile(r"(lesion_)?nsd_(.+)mm")
_NARROW = 5
"""From this number of figures on a table's intervals stand below their values."""


def with_interval(figure: Figure) -> str:
    """0.123 (0.100–0.150); an en dash where there is no value."""
    if math.isnan(figure.value):
        return "–"
    digits = 4 if 0.995 < figure.value < 1 else 3 if abs(figure.value) < 10 else 1
    value = f"{figure.value:.{digits}f}"
    if math.isnan(figure.low):
        return value
    joint = "–" if figure.low >= 0 else " to "
    return f"{value} ({figure.low:.{digits}f}{joint}{figure.high:.{digits}f})".replace("-", "−")


def percent_words(percent: float) -> str:
    """12.34 %, or "less than 0.01 %"."""
    return "less than 0.01 %" if 0 < percent < 0.01 else f"{percent:.2f} %"


def signed_with_interval(figure: Figure) -> str:
    """A difference: +0.123 (+0.100 to +0.150); an en dash where there is no value."""
    if math.isnan(figure.value):
        return "–"
    digits = 3 if abs(figure.value) < 10 else 1
    between = "" if math.isnan(figure.low) else f" ({figure.low:+.{digits}f} to {figure.high:+.{digits}f})"
    return f"{figure.value:+.{digits}f}{between}".replace("-", "−")


def counted(number: int, one: str, many: str = "") -> str:
    """1 case, 2 cases; `many` where it isn't `one` with an s."""
    return f"{number} {one if number == 1 else many or f'{one}s'}"


def in_words(name: str) -> str:
    """What a figure is called; of any class together, with a word before."""
    any_class = name.removeprefix("foreground_")
    if any_class != name:
        return f"any class: {in_words(any_class)}"
    surface = _SURFACE_DICE.fullmatch(name)
    if surface is not None:
        return f"surface Dice{' of a lesion' if surface[1] else ''} at {surface[2]} mm"
    return WORDS.get(name, name)


def count(figure: Figure) -> str:
    """Of how many cases, or lesions, a figure is."""
    return str(figure.n)


def group_table(groups: Sequence[Group], caption: str) -> Table:
    """Parts as rows, figures as columns."""
    names = list(groups[0].figures)
    first = groups[0].figures[names[0]].name
    rows = [
        [group.name, count(group.figures[first]), *(with_interval(group.figures[name]) for name in names)]
        for group in groups
    ]
    return Table(("", "n", *map(in_words, names)), rows, caption, is_narrow=len(names) >= _NARROW)
