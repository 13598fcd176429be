"""Facts in words that a clinician reads."""

from collections.abc import Sequence

from hilum.followup.guidelines.compared import Sized, Value, probes, switches
from hilum.followup.guidelines.rules import RuleSet

UNITS = {"mm": "mm", "mm3": "mm³"}
KINDS = {"mm": "diameter", "mm3": "volume"}

NAMES = {
    "count": "number of nodules",
    "texture": "texture",
    "size": "size",
    "solid_size": "size of the solid part",
    "history": "change since the earlier study",
    "solid_history": "change of the solid part",
    "form": "form",
    "cyst_change": "change of the cyst",
    "prior_category": "category in the earlier study",
    "suspicious_features": "features that raise suspicion",
    "proven_benign": "proven benign",
    "agreement": "share of readers who call it a nodule",
    "brock_percent": "Brock risk",
    "doubling_days": "volume doubling time",
    "months_since_prior": "months since the earlier study",
    "months_since_first": "months since first seen",
    "risk": "the patient's risk",
    "age_years": "age",
    "known_cancer": "known cancer",
    "immunosuppressed": "immunosuppression",
    "screening": "screening programme",
    "volumetry": "volumetry at each date",
    "modality": "modality",
    "slice_mm": "slice thickness",
    "prior_exam_pending": "an earlier examination that is being located",
    "lungs_not_evaluable": "part of the lungs not evaluable",
    "infection_suspected": "signs of infection or inflammation",
    "other_finding": "another finding that matters",
    "new_lesion": "new lesion",
    "sum_from_baseline_percent": "change of the sum from baseline",
    "sum_from_nadir_percent": "change of the sum from its smallest",
    "sum_from_nadir_mm": "change of the sum from its smallest",
}
"""What each fact of `When` is called."""

_UNIT_OF = {
    "agreement": "",
    "brock_percent": " %",
    "doubling_days": " days",
    "months_since_prior": "",
    "months_since_first": "",
    "age_years": " years",
    "slice_mm": " mm",
    "sum_from_baseline_percent": " %",
    "sum_from_nadir_percent": " %",
    "sum_from_nadir_mm": " mm",
}

_WORDS = {
    ("count", "single"): "single",
    ("count", "multiple"): "one of several",
    ("count", "none"): "no nodule",
    ("texture", "ground-glass"): "ground glass",
    ("history", "baseline"): "first study (baseline)",
    ("history", "crossed"): "not grown, but in a higher size row than before",
    ("history", "slowly-growing"): "slowly growing",
    ("history", "smaller"): "become smaller",
    ("risk", "low"): "low risk",
    ("risk", "high"): "high risk",
    ("form", "benign"): "benign pattern",
    ("form", "airway-subsegmental"): "airway nodule, subsegmental",
    ("form", "airway-segmental"): "airway nodule, segmental or more proximal",
    ("form", "cyst-thick-walled"): "thick-walled cyst",
    ("form", "cyst-multilocular"): "multilocular cyst",
    ("modality", "ct"): "CT",
    ("modality", "xray"): "X-ray",
}


def said(rules: RuleSet, name: str, value: Value) -> str:
    """A fact with its value, such as "mean diameter 7 mm (6.8 before rounding)"."""
    if isinstance(value, Sized):
        return f"{_measured(rules, name, value)} {value_said(name, value)}"
    if isinstance(value, bool):
        return NAMES[name] if value else f"no {NAMES[name]}"
    if isinstance(value, str):
        word = value_said(name, value)
        return f"{NAMES[name]}: {word}" if name in ("prior_category", "solid_history", "cyst_change") else word
    return f"{NAMES[name]} {value_said(name, value)}"


def value_said(name: str, value: Value) -> str:
    """A value alone."""
    if isinstance(value, Sized):
        before = "" if value.value == value.measured else f" ({_number(value.measured)} before rounding)"
        return f"{_number(value.value)} {UNITS[value.unit]}{before}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return _WORDS.get((name, value), value)
    return f"{_number(value)}{_UNIT_OF.get(name, '')}" if isinstance(value, int | float) else ""


def stretch_said(rules: RuleSet, name: str, values: Sequence[Value]) -> str:
    """Neighbouring probes of a numeric fact in words: "below 6 mm", "6 to 8 mm", "above 8 mm"."""
    unit = values[0].unit if isinstance(values[0], Sized) else None
    numbers = [float(one.value if isinstance(one, Sized) else one) for one in values if not isinstance(one, str)]  # type: ignore[arg-type]
    every, ends = probes(rules, name, unit), switches(rules, name, unit)
    written = f" {UNITS[unit]}" if unit else _UNIT_OF.get(name, "")
    low, high = numbers[0], numbers[-1]
    if low <= every[0]:
        return f"below {_above(high, ends)}{written}" if high not in ends else f"up to {_number(high)}{written}"
    begin = f"from {_number(low)}" if low in ends else f"above {_below(low, ends)}"
    if high >= every[-1]:
        return f"{begin}{written}"
    end = _number(high) if high in ends else f"below {_above(high, ends)}"
    return f"{begin} to {end}{written}"


def _above(value: float, ends: Sequence[float]) -> str:
    return _number(min((end for end in ends if end > value), default=value))


def _below(value: float, ends: Sequence[float]) -> str:
    return _number(max((end for end in ends if end < value), default=value))


def _measured(rules: RuleSet, name: str, value: Sized) -> str:
    part = "of the solid part " if name == "solid_size" else ""
    if value.unit == "mm3":
        return f"volume {part}".strip()
    kind = "longest" if rules.size.diameter == "long" and not part else "mean"
    return f"{kind} diameter {part}".strip()


def _number(value: float) -> str:
    return "infinite" if value == float("inf") else f"{round(value, 2):.10g}"
