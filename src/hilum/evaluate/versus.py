"""Two models and one figure: what can be said, and in which words; "no difference" is said with its power."""

import math
from dataclasses import dataclass

from hilum.core.figures import Figure
from hilum.evaluate.no_worse import NoWorse
from hilum.evaluate.statistics import ALPHA, PERMUTATIONS, POWER, PairedComparison, is_exact
from hilum.report.comparison import case_words, p_words, signed_number


@dataclass(frozen=True)
class Missed:
    """Cases whose truth has a lesion and where a model predicts nothing; distances and precision are undefined there.

    Attributes:
        first: by the first model.
        second: by the second.
        both: by both; they are among either's.
        present: cases whose truth has a lesion (of the class, where it is one's).
    """

    first: int
    second: int
    both: int
    present: int


@dataclass(frozen=True)
class Versus:
    """Two models and one figure.

    Attributes:
        figure: of a case, such as "dice".
        first: name of the first model.
        second: name of the second; differences are second minus first.
        paired: what can be said; p values are Holm's over all pairs of models.
        higher_is_better: which way is good.
        missed: of a figure that leaves out what is missed; None for others.
        of_class: the class's name; "" for all classes together (their mean), or when there is one.
        is_of_marks: whether it is of all scored marks together, and no mean over cases.
        of_change: the kind of change of the lesions that it is a mean over; "" of a mean over cases.
        no_worse: whether one is shown to be no worse, where a margin was stated; None where none was.
    """

    figure: str
    first: str
    second: str
    paired: PairedComparison
    higher_is_better: bool
    missed: Missed | None = None
    of_class: str = ""
    is_of_marks: bool = False
    of_change: str = ""
    no_worse: NoWorse | None = None

    @property
    def is_seen(self) -> bool:
        """Whether the permutation test sees a difference after Holm's correction."""
        return self.paired.permutation_p < ALPHA

    @property
    def is_p_at_floor(self) -> bool:
        """Whether only the number of draws keeps p from being smaller."""
        paired = self.paired
        is_drawn = not is_exact(paired.patients)
        return is_drawn and paired.permutation_p <= paired.permutation_floor * (1 + 1e-9)

    @property
    def verdict(self) -> str:
        """One or two sentences, with the power of what was not seen, and what was left out."""
        words, _ = case_words(self.figure, self.of_class, self.of_change)
        words = words[0].upper() + words[1:]
        if math.isnan(self.paired.difference.value):
            return (
                f"{words}: no {'lesion' if self.of_change else 'case'} has it for both {self.first} and {self.second}."
            )
        margin = "" if self.no_worse is None else f" {self.no_worse.words(self.first, self.second)}"
        return f"{words}: {self._better if self.is_seen else self._not_seen}{self._left_out}{margin}"

    @property
    def _p(self) -> str:
        return p_words(self.paired.permutation_p, is_floor=self.is_p_at_floor)

    @property
    def _better(self) -> str:
        difference, unit = self.paired.difference, self._unit
        better = self.second if (difference.value > 0) == self.higher_is_better else self.first
        ends = f" ({signed_number(difference.low)} to {signed_number(difference.high)})"
        return (
            f"{better} is better; {self.second} − {self.first} = {signed_number(difference.value)}{unit}"
            f"{'' if math.isnan(difference.low) else ends}, {self._p}."
        )

    @property
    def _not_seen(self) -> str:
        paired, unit = self.paired, self._unit
        seen = (
            f"no difference seen between {self.first} and {self.second} "
            f"({signed_number(paired.difference.value)}{unit}, {self._p})"
        )
        if paired.permutation_floor >= ALPHA:
            return (
                f"{seen}, and with {_patients(paired.patients)} none could be: whatever the difference, p is at least "
                f"{paired.permutation_floor:.2g}."
            )
        if math.isnan(paired.detectable):
            return f"{seen}; its spread over {_patients(paired.patients)} is none or unknown, and so is the power."
        return (
            f"{seen}; with {_patients(paired.patients)} a true one of {paired.detectable:.3f}{unit} would be seen "
            f"{POWER:.0%} of the time, a smaller one may be there."
        )

    @property
    def _unit(self) -> str:
        return case_words(self.figure, self.of_class)[1]

    @property
    def _left_out(self) -> str:
        """What a figure that is undefined where nothing was predicted doesn't tell."""
        missed = self.missed
        if missed is None:
            return ""
        over = f" Over {self.paired.difference.n} cases in which both predict something"
        if not missed.first + missed.second:
            return f"{over}, as they do in all {missed.present} with a lesion."
        return (
            f"{over}: {self.first} predicts nothing in {missed.first} of {missed.present} with a lesion, {self.second} "
            f"in {missed.second} (both in {missed.both})."
        )


def _patients(number: int) -> str:
    return f"{number} patient{'s' if number != 1 else ''}"


@dataclass(frozen=True)
class PooledVersus:
    """The difference of a figure of all pixels together; it has an interval and no test.

    Attributes:
        first: name of the first model.
        second: name of the second; the difference is second minus first.
        difference: with its interval.
        of_class: the class's name; "" for all classes together, or when there is one.
    """

    first: str
    second: str
    difference: Figure
    of_class: str = ""


RESOLUTION = (
    f"All signs are tried up to {int(math.log2(PERMUTATIONS))} patients, and the smallest p is then 2/2ⁿ; with more, "
    f"{PERMUTATIONS:,} signs are drawn, and no p is below 1/{PERMUTATIONS + 1:,}. Holm's first step multiplies both by "
    "the number of pairs."
)
"""What the permutation test can tell at most."""
