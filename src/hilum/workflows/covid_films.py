"""The films of COVID-QU-Ex: which there are, what is missing beside them, and each one's case."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from hilum.core import Failure, InputError
from hilum.core.mask import Selection
from hilum.datasets.class_map import NonCovid, covid_map
from hilum.datasets.class_source import ImageLabel
from hilum.datasets.covid_qu_ex import IMAGES, INFECTION, LUNGS, Part, Pictures, sorted_pictures
from hilum.io.read import files_in
from hilum.workflows.class_case import AboutFilm, FilmPlanes, write_film
from hilum.workflows.class_picture import PictureRule, read_film, read_structure
from hilum.workflows.class_set import Refused
from hilum.workflows.patch_case import safe

_OUTSIDE = 0.05
_NO_INFECTION = "nobody has outlined an infection on this COVID-19 image, whose mask is empty"
_BEYOND = "more than 5 % of the infection lies beyond the lungs"


@dataclass(frozen=True)
class CovidRule:
    """How a case is made.

    Attributes:
        non_covid: what the lungs of non-COVID images are.
        pictures: how films and masks are read.
        licence: of all films.
    """

    non_covid: NonCovid = NonCovid.UNKNOWN
    pictures: PictureRule = field(default_factory=PictureRule)
    licence: str = "unknown"


@dataclass(frozen=True)
class CovidFilm:
    """A film and its masks.

    Attributes:
        key: unique, and safe as a file name.
        place: of the film in the source.
        split: as published.
        label: of the image.
        image: the film.
        lungs: their mask.
        infection: its mask; None where the part has none.
    """

    key: str
    place: str
    split: str
    label: ImageLabel
    image: Path
    lungs: Path
    infection: Path | None


def find_films(src: Path, parts: Iterable[Part]) -> tuple[list[CovidFilm], list[Refused]]:
    """The films that have their masks, and all other pictures with what is wrong.

    Raises:
        InputError: there is no such folder, or no film in the published layout.
    """
    if not src.is_dir():
        raise InputError(f"{src} is no folder.", "Name the folder with COVID-QU-Ex.")
    places, strays = sorted_pictures(files_in(src), src)
    if not places:
        raise InputError(
            f"{src} holds no film in the layout of COVID-QU-Ex.",
            "It would be Train, Val or Test, then COVID-19, Non-COVID or Normal, then images and lung masks.",
        )
    wanted = set(parts)
    films, refused = [], [_stray(path, src) for path in strays]
    for place in places:
        if place.place.part in wanted:
            found, wrong = _films(place, src)
            films += found
            refused += wrong
    return _of_one_key(films, refused), refused


def _of_one_key(films: Sequence[CovidFilm], refused: list[Refused]) -> list[CovidFilm]:
    """Films of two folders of one part, split and label need two names."""
    times = Counter(film.key for film in films)
    for film in films:
        if times[film.key] > 1:
            wrong = Failure(film.place, f"another film is called {film.key}, too.", "Rename one, with its masks.")
            refused.append(Refused(wrong, film.place, film.split, film.label))
    return [film for film in films if times[film.key] == 1]


def _stray(path: Path, src: Path) -> Refused:
    """A picture outside the layout; it is a film where its folder is called one of images."""
    name = path.relative_to(src).as_posix()
    wrong = Failure(name, "it stands in no folder of the published layout.", "Move it, or take it away.")
    return Refused(wrong, film=name if path.parent.name.lower() == IMAGES else "")


def _films(place: Pictures, src: Path) -> tuple[list[CovidFilm], list[Refused]]:
    films, refused = [], []
    split, label = place.place.split, place.place.label
    keys = {stem: f"{place.place.name}-{safe(stem)}" for stem in place.named(IMAGES)}
    for stem, images in place.named(IMAGES).items():
        twice = len(images) > 1 or sum(key == keys[stem] for key in keys.values()) > 1
        missing = [kind for kind in _needed(place) if len(place.named(kind).get(stem, [])) != 1]
        if twice or missing:
            names = (path.relative_to(src).as_posix() for path in images)
            refused += [Refused(_without(name, "" if twice else missing[0]), name, split, label) for name in names]
            continue
        lungs, infection = (place.named(kind).get(stem, [None])[0] for kind in (LUNGS, INFECTION))
        name = images[0].relative_to(src).as_posix()
        if lungs is not None:
            films.append(CovidFilm(keys[stem], name, split, label, images[0], lungs, infection))
    return films, refused + _imageless(place, src)


def _needed(place: Pictures) -> tuple[str, ...]:
    """Masks that an image can't do without: in the infection part every folder with such masks has one for each."""
    return (LUNGS, INFECTION) if place.place.has_infection else (LUNGS,)


def _without(name: str, kind: str) -> Failure:
    if not kind:
        return Failure(name, "two images have one name, so nobody knows whose the masks are.", "Rename them.")
    return Failure(
        name, f"the image has no mask, or several, of its name in {kind}.", "Add it, or leave the image out."
    )


def _imageless(place: Pictures, src: Path) -> list[Refused]:
    masks = (
        path
        for kind in (LUNGS, INFECTION)
        for stem, paths in place.named(kind).items()
        for path in paths
        if stem not in place.named(IMAGES)
    )
    return [
        Refused(
            Failure(
                path.relative_to(src).as_posix(), "the mask has no image of its name.", "Add it, or take the mask away."
            )
        )
        for path in masks
    ]


def covid_case(film: CovidFilm, out: Path, rule: CovidRule) -> dict[str, object]:
    """One film's case.

    Raises:
        HilumError: the film or a mask can't be used, or they contradict each other.
    """
    image = read_film(film.image, rule.pictures)
    lungs = read_structure(film.lungs, image.shape, rule.pictures)
    if not lungs.any():
        raise InputError(f"the lung mask of {film.image.name} is empty.", "Draw the lungs, or leave the image out.")
    drawn = None if film.infection is None else read_structure(film.infection, image.shape, rule.pictures)
    infection = _outlined(film, lungs, drawn)
    about = AboutFilm(
        key=film.key,
        patient=film.key,
        source=film.place,
        split=film.split,
        label=film.label,
        is_outlined=infection is not None or film.label is ImageLabel.HEALTHY,
        finding=str(film.label),
        licence=rule.licence,
    )
    classes = covid_map(film.label, lungs, infection, rule.non_covid)
    return write_film(about, FilmPlanes(image, classes, {"lungs": lungs}, odd=_odd(film, lungs, infection)), out)


def _outlined(film: CovidFilm, lungs: Selection, drawn: Selection | None) -> Selection | None:
    """The infection that somebody outlined; the whole lungs, or nothing, are no outline on a non-COVID image.

    Raises:
        InputError: an infection is outlined on an image that is said to be healthy.
    """
    if film.label is ImageLabel.HEALTHY and drawn is not None and drawn.any():
        raise InputError(
            f"{film.image.name} is in Normal, and {int(drawn.sum())} pixels of it are outlined as infection.",
            "Find out which is right.",
        )
    is_no_outline = drawn is None or not drawn.any() or bool(np.array_equal(drawn, lungs))
    return None if film.label is ImageLabel.NON_COVID and is_no_outline else drawn


def _odd(film: CovidFilm, lungs: Selection, infection: Selection | None) -> tuple[str, ...]:
    if infection is None or film.label is ImageLabel.HEALTHY:
        return ()
    if not infection.any():
        return (_NO_INFECTION,)
    return (_BEYOND,) if (infection & ~lungs).sum() > _OUTSIDE * infection.sum() else ()
