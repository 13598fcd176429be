"""An earlier X-ray brought beside the current one, on the pixels that a network has learnt from."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hilum.core import ConfigError, GeometryError, Radiograph, SpacingPlane
from hilum.core.mask import Selection
from hilum.datasets.xray_grid import PixelGrid
from hilum.datasets.xray_prior import fitted
from hilum.followup.prior_doubts import laid_over_doubts, prior_doubts
from hilum.followup.xray_registration import register_xray
from hilum.infer.loaded import LoadedModel, PriorWanted
from hilum.infer.xray_domain import XrayInput, XrayStyle, xray_input
from hilum.ops import label_parts

NEW_ALONE = "the model marks new lesions alone, and no other looks at those that are known: they are not in the mask"
_WITH_PRIOR = (
    "Leave --prior out; or give the lesions known on it (--prior-mask FILE) and no --model: two shipped models look at "
    "both; or put a model of known lesions beside this one (--known-lesions xray_known_lesions)."
)
_ANOTHERS = "the model has learnt with other patients' earlier X-rays, as a control: the patient's own tells it nothing"


@dataclass(frozen=True, eq=False)
class EarlierXray:
    """What is known of a patient from before.

    Attributes:
        picture: the earlier X-ray.
        lesions: [y, x] on its pixels, those that are known; None when nobody says.
        style: what its grey levels are.
        is_laid_over: whether it lies on the current picture's pixels already; one that states its own pixels' size is
            another patient's, on that one's.
        hashes: SHA-256 of the files, by what they hold: "image", "mask".
        notes: what is known to speak against it, one sentence each.
    """

    picture: Radiograph
    lesions: Selection | None = None
    style: XrayStyle = XrayStyle.FILM
    is_laid_over: bool = False
    hashes: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.lesions is not None and self.lesions.shape != self.picture.array.shape:
            raise GeometryError(
                f"the earlier X-ray has {self.picture.array.shape} pixels, the mask of its lesions "
                f"{self.lesions.shape}.",
                "Give a mask that was drawn on that picture.",
            )


@dataclass(frozen=True, eq=False)
class SecondImage:
    """What a network sees beside an X-ray.

    Attributes:
        picture: [y, x] on the current image's pixels in the network's domain, 0 to 1.
        lesions: [y, x] of it; None where the network takes none.
        notes: what was assumed or is doubted, one line each.
        is_doubted: whether anything speaks against it being the patient's earlier X-ray, well laid over.
    """

    picture: NDArray[np.float32]
    lesions: Selection | None = None
    notes: tuple[str, ...] = ()
    is_doubted: bool = False

    @property
    def planes(self) -> NDArray[np.float32]:
        """[1 or 2, y, x] as the network takes them."""
        planes = [self.picture] if self.lesions is None else [self.picture, self.lesions.astype(np.float32)]
        return np.stack(planes)


def seen_by(given: EarlierXray | None, wants: PriorWanted) -> EarlierXray | None:
    """What a model looks at of all that is known from before, which may be more than it takes."""
    if given is None or not wants.picture:
        return None
    return given if wants.lesions else replace(given, lesions=None)


def of_new_alone(model: LoadedModel) -> tuple[str, ...]:
    """What is said where a model that marks new lesions alone has no other beside it."""
    return (NEW_ALONE,) if model.prior.new_alone else ()


def require_prior(name: str, wants: PriorWanted, *, picture: bool, lesions: bool) -> None:
    """Check that a model is given the earlier X-ray that it has learnt with, and nothing in vain.

    Args:
        name: of the model.
        wants: what it takes.
        picture: whether an earlier X-ray is given.
        lesions: whether the lesions that are known of it are.

    Raises:
        ConfigError: something is missing, or too much.
    """
    alone = "or take a model of the current X-ray alone, such as --model xray"
    if wants.picture and not picture:
        raise ConfigError(
            f"the model {name} looks at an earlier X-ray of the patient beside the current one, and there is none.",
            f"Give it with --prior FILE, predict a data set that has them (hilum prepare over-time), {alone}.",
        )
    if wants.lesions and not lesions:
        raise ConfigError(
            f"the model {name} looks at the lesions known on the earlier X-ray, too, and there is no mask of them.",
            f"Give it with --prior-mask FILE (all black where there were none), {alone}.",
        )
    if picture and not wants.picture:
        raise ConfigError(f"the model {name} looks at no earlier X-ray.", _WITH_PRIOR)
    if lesions and not wants.lesions:
        raise ConfigError(f"the model {name} looks at no lesions known from before.", _WITH_PRIOR)


def require_whole_pictures(name: str, wants: PriorWanted) -> None:
    """Check that a model looks at whole pictures, not at known lesions one by one.

    Raises:
        ConfigError: it doesn't.
    """
    if wants.one_by_one:
        raise ConfigError(
            f"the model {name} looks at one known lesion at a time, and at no whole picture.",
            "Give it beside a model that does: --model xray --known-lesions MODEL",
        )


def second_image(current: XrayInput, given: EarlierXray | None, model: LoadedModel) -> SecondImage | None:
    """The second image for a model; None for one that takes none.

    Args:
        current: the X-ray in the model's domain.
        given: from before.
        model: says what it takes: an earlier X-ray, the X-ray itself, or nothing.

    Raises:
        ConfigError: the model needs what is not given, or takes none of what is.
        UnsupportedError: the earlier picture shows no frontal chest.
        InputError: it can't be registered.
    """
    lesions = given is not None and given.lesions is not None
    require_prior(model.name, model.prior, picture=given is not None, lesions=lesions)
    own = SecondImage(current.image) if model.prior.is_xray else None
    if given is None:
        return own
    laid = _as_it_lies(current, given) if given.is_laid_over else _registered(current, given)
    notes = (*_named(given.notes), *laid.notes)
    if model.prior.is_anothers:  # of a data set, another patient's fits badly, as it is meant to
        notes = (_ANOTHERS,) if given.is_laid_over else (_ANOTHERS, *notes)
    laid = replace(laid, notes=tuple(dict.fromkeys(notes)), is_doubted=laid.is_doubted or bool(given.notes))
    return replace(laid, picture=current.image) if own is not None else laid


def _as_it_lies(current: XrayInput, given: EarlierXray) -> SecondImage:
    """A picture on the current one's pixels; another patient's, which has its own, lies middle on middle."""
    stated = given.picture
    if stated.pixel_mm is None:
        stated = replace(stated, pixel_mm=current.step_mm, plane=SpacingPlane.PATIENT)
    made = xray_input(stated, current.pixel_mm, given.style)
    lesions = _on_pixels(given.lesions, made)
    shape = current.image.shape
    fitting = None if lesions is None else fitted(lesions, shape, "constant")
    picture = fitted(made.image, shape, "edge")
    doubts = laid_over_doubts(picture, current.image, current.pixel_mm)
    # A picture that was moved has black rims, which alone can make the mean chest misfit.
    return SecondImage(picture, fitting, (*_named(made.notes), *doubts) if doubts else (), bool(doubts))


def _registered(current: XrayInput, given: EarlierXray) -> SecondImage:
    made = xray_input(given.picture, current.pixel_mm, given.style)
    registration = register_xray(made.image, current.image, current.pixel_mm)
    doubts = prior_doubts(made.image, current.image, registration)
    lesions = _on_pixels(given.lesions, made)
    moved = None if lesions is None else np.asarray(registration.moved(lesions, nearest=True), dtype=bool)
    return SecondImage(
        np.asarray(registration.moved(made.image), dtype=np.float32),
        moved,
        tuple(dict.fromkeys((*_named(made.notes), *registration.notes, *doubts, *_lost(given.lesions, moved)))),
        bool(doubts or registration.notes),
    )


def _lost(stated: Selection | None, laid: Selection | None) -> tuple[str, ...]:
    """Says how many known lesions are not on the current picture."""
    if stated is None or laid is None:
        return ()
    before, after = (int(label_parts(one).max(initial=0)) for one in (stated, laid))
    if after >= before:
        return ()
    return (f"{before} lesions are known and {after} lie on the current X-ray: of the others nothing is said",)


def _named(notes: tuple[str, ...]) -> tuple[str, ...]:
    """Notes on the earlier picture, called so; as `prior_doubts` calls them."""
    return tuple(f"the earlier X-ray: {note}" for note in notes)


def _on_pixels(lesions: Selection | None, made: XrayInput) -> Selection | None:
    """A mask of the original's pixels on those of the image, as training has it."""
    return None if lesions is None else PixelGrid(made.shape_yx, made.step_mm, made.pixel_mm).lesions(lesions)
