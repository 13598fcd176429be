"""What is known of a nodule and of its study, as rule sets ask for it. None is "nobody said"."""

import datetime
import math
from typing import Annotated, Literal, Self, TypeAlias, get_args

from pydantic import BeforeValidator, Field, FiniteFloat, model_validator

from hilum.config import FrozenConfig
from hilum.core import InputError, Nodule

Texture: TypeAlias = Literal["solid", "part-solid", "ground-glass"]
Count: TypeAlias = Literal["none", "single", "multiple"]
History: TypeAlias = Literal["baseline", "new", "stable", "smaller", "growing", "slowly-growing"]
SolidHistory: TypeAlias = Literal["stable", "new", "growing"]
Form: TypeAlias = Literal[
    "nodule",
    "benign",
    "perifissural",
    "juxtapleural",
    "airway-subsegmental",
    "airway-segmental",
    "cyst-thick-walled",
    "cyst-multilocular",
]
CystChange: TypeAlias = Literal["none", "cystic-part-growing", "became-multilocular", "wall-growing"]
PriorCategory: TypeAlias = Literal["1", "2", "3", "4A", "4B", "4X"]
Risk: TypeAlias = Literal["low", "high"]
Modality: TypeAlias = Literal["ct", "xray"]

Length: TypeAlias = Annotated[FiniteFloat, Field(gt=0, le=500)]
Volume: TypeAlias = Annotated[FiniteFloat, Field(gt=0, le=1e7)]


def _texture(given: object) -> object:
    """A word or a rating; one message, where a union of both would have two."""
    if given is None or given in get_args(Texture):
        return given
    try:
        rating = math.nan if isinstance(given, bool) else float(given)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        rating = math.nan
    if 1 <= rating <= LARGEST_RATING:
        return rating
    raise ValueError(
        f"{', '.join(get_args(Texture))}, or a rating from 1 (ground glass) to 5 (solid) was expected, got {given!r}"
    )


TextureOrRating: TypeAlias = Annotated[Texture | float, BeforeValidator(_texture)]
Share: TypeAlias = Annotated[FiniteFloat, Field(ge=0, le=1)]
Days: TypeAlias = Annotated[FiniteFloat, Field(ge=1, le=40_000)]
Months: TypeAlias = Annotated[FiniteFloat, Field(ge=0, le=1200)]
Sum: TypeAlias = Annotated[FiniteFloat, Field(ge=0, le=5000)]

LARGEST_RATING = 5
DAYS_A_MONTH = 365.25 / 12


def _day(given: object) -> object:
    """Text alone: a bare number would be taken for seconds since 1970."""
    if given is None or isinstance(given, datetime.date):
        return given
    try:
        return datetime.date.fromisoformat(str(given).strip())
    except ValueError:
        raise ValueError(f"a date such as 2026-01-31 was expected, got {given!r}") from None


Day: TypeAlias = Annotated[datetime.date, BeforeValidator(_day)]


class NoduleFacts(FrozenConfig):
    """One nodule."""

    id: str = "1"
    """Stable within its study."""
    mean_diameter_mm: Length | None = None
    """Mean of long and short axis, not rounded."""
    long_axis_mm: Length | None = None
    """Longest diameter."""
    volume_mm3: Volume | None = None
    """Volume."""
    texture: TextureOrRating | None = None
    """solid, part-solid or ground-glass, or readers' rating from 1 (ground glass) to 5 (solid)."""
    solid_mean_diameter_mm: Length | None = None
    """Mean diameter of the solid part of a part-solid nodule."""
    solid_volume_mm3: Volume | None = None
    """Volume of the solid part of a part-solid nodule."""
    history: History | None = None
    """baseline, new, stable, smaller, growing or slowly-growing; derived from earlier sizes when not given."""
    solid_history: SolidHistory | None = None
    """Of the solid part: stable, new or growing; derived from its earlier size when not given."""
    prior_mean_diameter_mm: Length | None = None
    """Mean diameter in the earlier study."""
    prior_volume_mm3: Volume | None = None
    """Volume in the earlier study."""
    prior_solid_mean_diameter_mm: Length | None = None
    """Mean diameter of the solid part in the earlier study."""
    prior_solid_volume_mm3: Volume | None = None
    """Volume of the solid part in the earlier study."""
    prior_category: PriorCategory | None = None
    """Lung-RADS category in the earlier study."""
    form: Form | None = None
    """nodule, benign (calcified or fatty pattern), perifissural, juxtapleural (smooth; oval, lentiform or triangular),
    airway-subsegmental, airway-segmental, cyst-thick-walled or cyst-multilocular."""
    cyst_change: CystChange | None = None
    """Of a cyst: none, cystic-part-growing, became-multilocular or wall-growing."""
    suspicious_features: bool | None = None
    """Features that raise suspicion, such as spiculation."""
    proven_benign: bool | None = None
    """Worked up and found benign."""
    agreement: Share | None = None
    """Share of readers who call it a nodule."""
    doubling_days: Annotated[FiniteFloat, Field(gt=0)] | None = None
    """Volume doubling time; from the two volumes and the interval when not given."""
    brock_percent: Annotated[FiniteFloat, Field(ge=0, le=100)] | None = None
    """Risk of cancer by the Brock model."""
    first_date: Day | None = None
    """When it was first seen, where that is not what the study says of all."""
    prior_date: Day | None = None
    """When its earlier sizes were measured, where that is not what the study says of all."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        _at_most("the solid part", self.solid_mean_diameter_mm, "the nodule", self.mean_diameter_mm, "mm")
        _at_most("the solid part", self.solid_volume_mm3, "the nodule", self.volume_mm3, "mm³")
        _at_most("the mean diameter", self.mean_diameter_mm, "the long axis", self.long_axis_mm, "mm")
        has_part = self.solid_mean_diameter_mm is not None or self.solid_volume_mm3 is not None
        if has_part and self.texture in ("solid", "ground-glass"):
            raise ValueError(f"a {self.texture} nodule has no solid part of its own: leave it out, or say part-solid")
        return self


class StudyFacts(FrozenConfig):
    """The patient and the study."""

    date: Day | None = None
    """When the study was done."""
    prior_date: Day | None = None
    """When the earlier study was done that sizes are compared with."""
    first_date: Day | None = None
    """When the nodules were first seen; one that says so itself has its own day."""
    interval_days: Days | None = None
    """Days from the earlier study to this one; from the two dates when not given."""
    months_since_first: Months | None = None
    """Months since the nodule was first seen; from the two dates when not given."""
    risk: Risk | None = None
    """The patient's risk of lung cancer: low or high."""
    age_years: Annotated[FiniteFloat, Field(ge=0, le=130)] | None = None
    """The patient's age."""
    known_cancer: bool | None = None
    """Whether the patient has or had a cancer."""
    immunosuppressed: bool | None = None
    """Whether the patient is immunosuppressed."""
    screening: bool | None = None
    """Whether the study belongs to a screening programme."""
    multiple: bool | None = None
    """Whether there are several nodules; counted when not given."""
    volumetry: bool = False
    """Volumes were measured by the same volumetry at each date: they decide, where a rule set has both."""
    modality: Modality | None = None
    """ct or xray."""
    slice_mm: Annotated[FiniteFloat, Field(gt=0, le=50)] | None = None
    """Slice thickness."""
    prior_exam_pending: bool | None = None
    """An earlier examination is being located."""
    lungs_not_evaluable: bool | None = None
    """Part of the lungs can't be evaluated."""
    infection_suspected: bool | None = None
    """Findings suggest an infection or inflammation."""
    other_finding: bool | None = None
    """A further finding that matters, unrelated to lung cancer."""
    sum_mm: Sum | None = None
    """Sum of the target lesions' diameters now."""
    baseline_sum_mm: Annotated[Sum, Field(gt=0)] | None = None
    """The same at baseline."""
    nadir_sum_mm: Sum | None = None
    """The smallest sum so far, baseline included."""
    new_lesion: bool | None = None
    """Whether there is a new lesion."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _not_before("the study", self.date, "the earlier study", self.prior_date, same_day=False)
        _not_before("the study", self.date, "the first study", self.first_date, same_day=True)
        _not_before("the earlier study", self.prior_date, "the first study", self.first_date, same_day=True)
        _at_most("the smallest sum", self.nadir_sum_mm, "the sum at baseline", self.baseline_sum_mm, "mm")
        return self

    def of_nodule(self, nodule: NoduleFacts) -> "StudyFacts":
        """The same with the days on which this nodule was first seen, and measured before.

        Raises:
            InputError: one of them is after the study.
        """
        days = [one for one in (nodule.first_date, nodule.prior_date) if one is not None]
        if self.date is not None and any(one > self.date for one in days):
            raise InputError(
                f"nodule {nodule.id} was seen on {max(days)}, after the study of {self.date}.",
                "Give the days of earlier studies that show it.",
            )
        own: dict[str, object] = {}
        if nodule.first_date is not None:
            own |= {"first_date": nodule.first_date, "months_since_first": None}
        if nodule.prior_date is not None:
            own |= {"prior_date": nodule.prior_date, "interval_days": None}
        return self.model_copy(update=own)

    @property
    def days_since_prior(self) -> float | None:
        """Days from the earlier study to this one."""
        if self.interval_days is not None or self.date is None or self.prior_date is None:
            return self.interval_days
        return float((self.date - self.prior_date).days)

    @property
    def months_known(self) -> float | None:
        """Months since the nodule was first seen."""
        if self.months_since_first is not None or self.date is None or self.first_date is None:
            return self.months_since_first
        return (self.date - self.first_date).days / DAYS_A_MONTH


def facts_of(nodule: Nodule, known: dict[str, object] | None = None) -> NoduleFacts:
    """What a measured nodule says to a rule set.

    Args:
        nodule: measured.
        known: further facts by name, which go over what was measured.

    Raises:
        ConfigError: one of them can't be.
        InputError: it has neither a length nor a volume, as on a picture without millimetres.
    """
    lengths = nodule.diameters_mm
    if lengths is None and nodule.volume_mm3 is None and not known:
        raise InputError(
            f"nodule {nodule.id} has no size in millimetres.", "Guidelines can't be applied to a picture without them."
        )
    measured = {
        "id": nodule.id,
        "mean_diameter_mm": lengths.mean_mm if lengths else None,
        "long_axis_mm": lengths.long_axis_mm if lengths else None,
        "volume_mm3": nodule.volume_mm3,
        "texture": nodule.texture,
    }
    return NoduleFacts.of(measured | (known or {}), f"nodule {nodule.id}")


def doubling_days(before_mm3: float, after_mm3: float, interval_days: float) -> float:
    """Volume doubling time under exponential growth, Δt·ln 2 / ln(V₂/V₁) (BTS 2015); infinite without growth."""
    growth = math.log2(after_mm3 / before_mm3)
    return interval_days / growth if growth > 0 else math.inf


def _at_most(what: str, value: float | None, whole: str, limit: float | None, unit: str) -> None:
    if value is not None and limit is not None and value > limit:
        raise ValueError(f"{what} can't be larger than {whole}, got {value:g} and {limit:g} {unit}")


def _not_before(
    later: str, value: datetime.date | None, earlier: str, limit: datetime.date | None, *, same_day: bool
) -> None:
    if value is None or limit is None or value > limit or (same_day and value == limit):
        return
    raise ValueError(f"{later} ({value}) has to be after {earlier} ({limit})")
