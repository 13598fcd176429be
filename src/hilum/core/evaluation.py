"""What was judged, by which truth and threshold, and what came out: every figure with its interval."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from hilum.core.changes import ChangedLesion
from hilum.core.errors import MeasureError
from hilum.core.figures import Figure
from hilum.core.films import FilmFigures

BY_ZONE, BY_THIRD, BY_SLICE = "zones of the lung field", "thirds of the picture", "thirds of the axial slices"
"""How places of lesions are named."""

STATED = "stated by the user"
"""Where a threshold comes from that nobody chose on data."""


@dataclass(frozen=True)
class Threshold:
    """Where a probability becomes a mask, and who said so.

    Attributes:
        value: pixels with at least this probability are in; NaN when the predictions are masks already.
        chosen_on: `STATED`, "masks", or the split (of which data) it was chosen on.
    """

    value: float = math.nan
    chosen_on: str = "masks"

    def __post_init__(self) -> None:
        if not math.isnan(self.value) and not 0 < self.value <= 1:
            raise MeasureError(f"a threshold is above 0 and at most 1, got {self.value}.", "With 0, every pixel is in.")


@dataclass(frozen=True)
class Temperature:
    """One number that logits are divided by, and what it was learnt from.

    Attributes:
        value: above 1 makes a model less sure, below 1 surer.
        fitted_on: the data set and split, in words.
        pixels: how many there were.
        loss_before: mean negative log-likelihood of those pixels, as they were.
        loss_after: the same with the temperature, never more.
    """

    value: float
    fitted_on: str
    pixels: int
    loss_before: float
    loss_after: float

    def __post_init__(self) -> None:
        if not 0 < self.value < math.inf:
            raise MeasureError(f"a temperature is above 0 and finite, got {self.value}.")


@dataclass(frozen=True)
class Alarm:
    """Something that a reviewer would ask about.

    Attributes:
        name: stable, for programs: "patients_shared", "truth_at_border".
        says: one sentence.
        evidence: keys, patients or numbers that show it.
        is_note: True when it is worth knowing and not wrong in itself.
    """

    name: str
    says: str
    evidence: tuple[str, ...] = ()
    is_note: bool = False


@dataclass(frozen=True)
class Group:
    """Figures of a part: lesions of one size, nodules with one number of readers, one class, a rival.

    Attributes:
        name: such as "< 8 mm".
        figures: by name.
    """

    name: str
    figures: Mapping[str, Figure] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))


@dataclass(frozen=True)
class ChangeGroup(Group):
    """Figures of the lesions of one kind of change since an earlier picture.

    Attributes:
        apart: the same of parts of them, where a part has enough: by "size", "visibility", "origin" and "chance",
            whether it could have had another kind.
    """

    apart: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "apart", MappingProxyType(dict(self.apart)))


@dataclass(frozen=True)
class CaseRow:
    """Every figure of one case.

    Attributes:
        key: the case.
        patient: whose it is.
        values: by name; NaN where undefined.
    """

    key: str
    patient: str
    values: Mapping[str, float] = field(default_factory=dict)  # a plain dict: rows travel between processes


@dataclass(frozen=True)
class ReaderYardstick:
    """How well LIDC's readers agree on the nodules of the same patients.

    Attributes:
        compared: what of a nodule: "silhouette", "slice", "3D".
        against: what a reader is compared with.
        group: which nodules, such as "n ≥ 3".
        patients: how many patients these are of.
        dice: mean Dice.
        by_size: the same apart by the nodule's size; each has the figure "dice".
    """

    compared: str
    against: str
    group: str
    patients: int
    dice: Figure
    by_size: tuple[Group, ...] = ()


@dataclass(frozen=True)
class CaseMarks:
    """The scored marks of one case, matched with its lesions: what free-response figures are made of.

    Attributes:
        hits: of each lesion found, its surest mark's score.
        missed: lesions that no mark is on.
        false: scores of the marks that are on none.
    """

    hits: tuple[float, ...] = ()
    missed: int = 0
    false: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Predictions judged against a truth on one split.

    Attributes:
        data: name of the data set, without its place on this machine.
        split: "train", "validation", "test" or "all".
        split_hash: of the stored split; "" when there is none.
        truth: "union", "consensus", or what else the truth is called.
        threshold: where probabilities became masks.
        figures: by name, over all cases.
        by_size: lesions apart by equivalent diameter.
        by_place: lesions apart by where they lie.
        places: how these places are named: zones of the lung field, thirds of the picture, or of a scan's slices.
        by_truth: main figures of the same predictions by other truths, such as the readers' consensus.
        by_class: apart by label; empty when there is one.
        by_reader: figures of the same nodules with each single reader's masks as the truth.
        by_readers: nodules apart by how many readers outlined them.
        by_stack: nodules as stacks of their slices, all and apart by reader count; empty of what is no slice.
        by_visibility: nodules apart by how well they can be seen.
        by_subtlety: lesions of point truth apart by how hard a radiologist found them to see.
        by_change: lesions apart by what became of them since an earlier picture; empty without one.
        rivals_by_change: the same of each trivial rival, by its name.
        over_prior: predictions minus the earlier picture's mask copied, paired: the Dice of all cases ("dice_mean"),
            then figures of lesions by kind of change; empty without such a mask.
        changed: every lesion of `by_change`.
        froc: sensitivities by mean number of false positives an image ("0.125" to "8"); empty without scores.
        marks: of each case with a lesion or a mark, by its key; empty without scores.
        rivals: what trivial predictions reach on the same cases.
        rivals_by_truth: the same by the other truths, by their names.
        films: what is known of chest X-rays by classes beyond each class's overlap; None of others.
        yardstick: how well readers agree; None where nobody knows.
        cases: one row each.
        alarms: what a reviewer would ask about.
        truth_hash: of the content of all true masks that were asked for; "" when unknown.
        match: when a lesion is found, in words; "" when unknown.
        n_failed: how many more cases were asked for and could not be judged.
        temperature: applied before figures of probability; None takes probabilities as they are.
        fitted: the temperature that these cases, of validation, would like; it is for others.
    """

    data: str
    split: str
    split_hash: str
    truth: str
    threshold: Threshold
    figures: Mapping[str, Figure]
    by_size: tuple[Group, ...] = ()
    by_place: tuple[Group, ...] = ()
    places: str = ""
    by_truth: tuple[Group, ...] = ()
    by_class: tuple[Group, ...] = ()
    by_reader: tuple[Group, ...] = ()
    by_readers: tuple[Group, ...] = ()
    by_stack: tuple[Group, ...] = ()
    by_visibility: tuple[Group, ...] = ()
    by_subtlety: tuple[Group, ...] = ()
    by_change: tuple[ChangeGroup, ...] = ()
    rivals_by_change: Mapping[str, tuple[ChangeGroup, ...]] = field(default_factory=dict)
    over_prior: tuple[Group, ...] = ()
    changed: tuple[ChangedLesion, ...] = ()
    froc: Mapping[str, Figure] = field(default_factory=dict)
    marks: Mapping[str, CaseMarks] = field(default_factory=dict)
    rivals: tuple[Group, ...] = ()
    rivals_by_truth: Mapping[str, tuple[Group, ...]] = field(default_factory=dict)
    films: FilmFigures | None = None
    yardstick: ReaderYardstick | None = None
    cases: tuple[CaseRow, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    truth_hash: str = ""
    match: str = ""
    n_failed: int = 0
    temperature: Temperature | None = None
    fitted: Temperature | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "figures", MappingProxyType(dict(self.figures)))
        object.__setattr__(self, "froc", MappingProxyType(dict(self.froc)))
        object.__setattr__(self, "marks", MappingProxyType(dict(self.marks)))

    @property
    def n_cases(self) -> int:
        """How many cases were judged."""
        return len(self.cases)

    @property
    def is_of_points(self) -> bool:
        """Whether lesions are points, and no case knows pixels, so that there is no overlap."""
        knows_pixels = any("truth_pixels" in row.values for row in self.cases)
        return bool(self.cases) and not knows_pixels and not self.is_of_labels

    @property
    def is_of_labels(self) -> bool:
        """Whether the cases are films of which labels alone are judged."""
        return any("label_right" in row.values for row in self.cases)

    @property
    def is_of_volumes(self) -> bool:
        """Whether the cases are scans of voxels, and no pictures."""
        return any("volume_error_mm3" in row.values for row in self.cases)

    @property
    def n_asked(self) -> int:
        """How many cases the truth asked for, judged or not."""
        return self.n_cases + self.n_failed

    @property
    def n_empty_truth(self) -> int:
        """How many of them have an empty truth; Dice has no meaning there. Point truth has lesions and no pixels."""
        return sum(row.values.get("truth_pixels", row.values.get("lesions", math.nan)) == 0 for row in self.cases)
