"""Which earlier X-ray stands beside each one that is predicted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hilum.core import ConfigError, InputError
from hilum.core.radiograph import PixelMm
from hilum.infer.loaded import PriorWanted, prior_wanted
from hilum.infer.xray_domain import XrayStyle
from hilum.infer.xray_prior import require_prior, require_whole_pictures
from hilum.io.dicom import whose
from hilum.io.kinds import Kind, recognise
from hilum.workflows.output import sha256_of

if TYPE_CHECKING:
    from hilum.workflows.predict import XraySource


@dataclass(frozen=True)
class PriorSource:
    """The files of an earlier X-ray.

    Attributes:
        image: the picture.
        mask: the lesions that are known of it; None when nobody says.
        style: what its grey levels are.
        is_laid_over: whether it lies on the current picture's pixels already.
        pixel_mm: row and column step, for a file that doesn't say; None is
            the current picture's for one laid over it, or of its rows and columns.
        notes: what is known to speak against it, one sentence each.
    """

    image: Path
    mask: Path | None
    style: XrayStyle
    is_laid_over: bool = False
    pixel_mm: PixelMm | None = None
    notes: tuple[str, ...] = ()

    @cached_property
    def hashes(self) -> tuple[tuple[str, str], ...]:
        """SHA-256 of each file, by what it holds."""
        files = {"image": self.image, "mask": self.mask}
        return tuple((what, _hash(path)) for what, path in files.items() if path is not None)


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except InputError:  # said when the file is read
        return "unreadable"


def with_priors(
    sources: "Sequence[XraySource]", model: str, stated: PriorSource | None = None, known: str | None = None
) -> "tuple[XraySource, ...]":
    """The X-rays, each with the earlier one that the model looks at, and none where it looks at none.

    A model that has learnt with other patients' pictures is given such ones of a data set, too: what an earlier picture
    is worth is measured against it.

    Args:
        sources: with the earlier X-rays that a data set has.
        model: name or folder.
        stated: the earlier X-ray of a single one.
        known: name or folder of a model that looks at the known lesions again, beside any model of whole pictures.

    Raises:
        InputError: one earlier X-ray, and several current ones.
        ConfigError: the model needs what is missing, or looks at none of what is stated.
        MissingError: there is no such model.
    """
    wants = prior_wanted(model)
    require_whole_pictures(model, wants)
    if known is not None:
        model, wants = known, _of_both(model, wants)
    if stated is not None:
        if len(sources) != 1:
            raise InputError(
                f"--prior is the earlier X-ray of one patient, and {len(sources)} X-rays are to be predicted.",
                "Name one X-ray.",
            )
        require_prior(model, wants, picture=True, lesions=stated.mask is not None)
        return (replace(sources[0], prior=stated),)
    if not wants.picture:
        return tuple(replace(source, prior=None) for source in sources)
    for prior in (source.prior for source in sources):
        require_prior(
            model, wants, picture=prior is not None, lesions=wants.lesions and prior is not None and bool(prior.mask)
        )
    priors = [_shown(source.prior, wants.lesions) for source in sources]
    if wants.is_anothers:
        priors = [_of_another(number, sources, priors) for number in range(len(sources))]
    return tuple(replace(source, prior=prior) for source, prior in zip(sources, priors, strict=True))


def _of_both(model: str, wants: PriorWanted) -> PriorWanted:
    """What has to stand beside each X-ray when known lesions are looked at again.

    Raises:
        ConfigError: the first model has learnt with other patients' pictures.
    """
    if wants.is_anothers:
        raise ConfigError(
            f"the model {model} has learnt with other patients' earlier X-rays, which say nothing of known lesions.",
            "Take another model, or leave --known-lesions out.",
        )
    return PriorWanted("earlier", lesions=True)


def header_doubts(prior: Path, current: Path) -> tuple[str, ...]:
    """What the headers of two DICOM files say against one being an earlier picture of the other's patient.

    Nothing where one of them is no DICOM file, or doesn't say. No name or number is repeated.

    Raises:
        InputError: a file can't be read.
    """
    if any(recognise(path) is not Kind.DICOM for path in (prior, current)):
        return ()
    before, now = whose(prior), whose(current)
    doubts = []
    if before.patient and now.patient and before.patient != now.patient:
        doubts.append("its Patient ID is another than the current one's: it is another patient's")
    if before.day is not None and now.day is not None and before.day > now.day:
        doubts.append(f"it is of {before.day}, after the current one's day, {now.day}")
    return tuple(doubts)


def _shown(prior: PriorSource | None, lesions: bool) -> PriorSource | None:
    """Without the mask that a model doesn't look at."""
    return prior if prior is None or lesions else replace(prior, mask=None)


def _of_another(
    number: int, sources: "Sequence[XraySource]", priors: Sequence[PriorSource | None]
) -> PriorSource | None:
    """Another patient's, half of the data set away, with its own pixels' size: the same each time.

    Raises:
        InputError: there is one patient only.
    """
    count = len(sources)
    for step in range(count):
        other = (number + count // 2 + step) % count
        found = priors[other]
        if found is not None and sources[other].patient != sources[number].patient:
            return replace(found, pixel_mm=sources[other].pixel_mm, notes=())
    raise InputError(
        f"the model has learnt with other patients' earlier pictures, and {sources[number].patient} is the only one."
    )
