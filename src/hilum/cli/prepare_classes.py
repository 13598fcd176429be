"""`hilum prepare` of chest X-rays by classes."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from hilum.cli.exit_code import checked_options
from hilum.cli.options import RUN, Debug, Force, MaxFailures, Seed, Workers
from hilum.cli.prepare import say_prepared
from hilum.cli.prepare_inserted import prepare as prepare

if TYPE_CHECKING:
    from hilum.workflows.class_picture import PictureRule
    from hilum.workflows.class_set import PreparedClasses
    from hilum.workflows.patch_set import Running

_LEFT_OUT = "films that stand there more than once"


@Parameter(name="*", group=RUN)
@dataclass(frozen=True)
class FilmRunning:
    """How the work is done; of these the result depends on the seed alone."""

    seed: Seed = 0
    "Of what is drawn: a seeded split, or folds."
    workers: Workers = 1
    "Processes at a time."
    max_failures: MaxFailures = 200
    "Pictures that may fail before the run stops."
    force: Force = False
    "Replace what another run of hilum left in OUT."


@Parameter(name="*", group="Pictures")
@dataclass(frozen=True)
class PicturesRead:
    """How films and masks are read."""

    polarity: Literal["check", "keep", "invert"] = "check"
    "Films whose bright and dark look exchanged: check refuses them, keep takes all as they are, invert turns all over."
    grey_masks: Literal["refuse", "half"] = "refuse"
    "Masks of one structure with more than two values: refuse them, or take what is at least half as bright as it gets."


@prepare.command(name="covid-qu-ex")
def covid_qu_ex(
    src: Path,
    out: Path,
    /,
    *,
    non_covid: Literal["unknown", "lung", "label-only"] = "unknown",
    parts: Annotated[tuple[Literal["infection", "lung"], ...], Parameter(consume_multiple=True, negative="")] = (
        "infection",
        "lung",
    ),
    split: Literal["published", "seeded"] = "published",
    licence: str = "unknown",
    pictures: PicturesRead | None = None,
    running: FilmRunning | None = None,
    debug: Debug = False,
) -> int:
    """COVID-QU-Ex: chest X-rays with lungs and COVID-19 infection, as one class a pixel.

    SRC is the published folder: Infection Segmentation Data and Lung Segmentation Data, in each Train, Val and Test, in
    these COVID-19, Non-COVID and Normal, in these images, lung masks and infection masks (PNG of one name).

    Classes are 0 background, 1 healthy lung, 2 COVID-19 infection, 3 non-COVID infection; 255 is unknown. Nobody has
    outlined the infection on non-COVID images: --non-covid says what their lungs are. Those of COVID-19 images without
    an infection mask are unknown, too.

    OUT then holds cases/KEY/ with image.png, classes.png and lungs.png; qa.png, some of them to be looked at; and
    dataset.json with each image's label, the rule, counts by class and split, and the split with its hash. Every image
    of SRC is a case, or listed: in failures.json with what is wrong, or in left_out, since the same picture, or nearly
    the same, is in a split nearer to testing. A class without a pixel in training stops the run.

    A run that was stopped, however it was, goes on when it is started again; the exit code is 3 where anything failed.

    ```
    hilum prepare covid-qu-ex COVID-QU-Ex classes --workers 8
    hilum prepare covid-qu-ex COVID-QU-Ex classes --parts infection --non-covid lung
    hilum prepare covid-qu-ex COVID-QU-Ex classes --split seeded --seed 1
    ```

    Parameters
    ----------
    src
        Folder with both parts, or one of them.
    out
        Folder for the data set.
    non_covid
        What the lungs of non-COVID images are: unknown (they count in no loss and no figure), lung (infection as a
        whole, as the source has it), or label-only (no pixel of these images has a class).
    parts
        Which parts are taken.
    split
        The published one, or one that is drawn.
    licence
        Of the images, for model cards.
    debug
        Show the traceback of each image that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.datasets.class_map import NonCovid
    from hilum.datasets.covid_qu_ex import Part
    from hilum.workflows.covid_films import CovidRule
    from hilum.workflows.prepare_covid_qu_ex import CovidOptions, SplitBy, prepare_covid_qu_ex

    running = running or FilmRunning()
    with checked_options():
        rule = CovidRule(NonCovid(non_covid), _rule(pictures), licence)
        every = tuple(dict.fromkeys(Part(one) for one in parts))
        options = CovidOptions(rule, every, SplitBy(split), running.seed, _running(running))
    return _say(prepare_covid_qu_ex(src, out, options, bar), debug=debug)


@prepare.command(name="cxr-masks")
def cxr_masks(
    src: Path,
    out: Path,
    /,
    *,
    layout: str,
    purpose: Literal["learn", "test"] | None = None,
    polarity: Literal["check", "keep", "invert"] = "check",
    running: FilmRunning | None = None,
    debug: Debug = False,
) -> int:
    """Chest X-rays with bit masks of several structures, which may overlap, as masks and as one class a pixel.

    SRC holds images/, masks/ (of the same names, each bit a structure) and metadata.csv. What columns and bits mean is
    a layout: cxr-infection and jsrt are known; for any other a YAML or JSON file names bits, classes and columns
    (docs/how-to/prepare-chest-x-ray-classes.md).

    Of classes that overlap the later wins. OUT then holds cases/KEY/ with image.png, classes.png and a mask for each
    structure; qa.png, some of them to be looked at; and dataset.json with each image's label, licence and day, counts
    by class and split, and five folds by patient. Copies are left out and listed; laterals are refused. A class without
    a pixel in training stops the run.

    A film that fails is listed in failures.json and costs nothing else; the exit code is 3.

    ```
    hilum prepare cxr-masks cxr-infection classes --layout cxr-infection
    hilum prepare cxr-masks JSRT organs --layout jsrt --purpose learn
    hilum prepare cxr-masks films classes --layout layout.yaml --seed 1
    ```

    Parameters
    ----------
    src
        Folder with images/, masks/ and metadata.csv.
    out
        Folder for the data set.
    layout
        cxr-infection, jsrt, or a file.
    purpose
        learn puts fold 1 into validation and the others into training, test puts all films into the split "test"; the
        layout's own when not given (jsrt: test).
    polarity
        Films whose bright and dark look exchanged: check refuses them, keep takes all as they are, invert turns all
        over.
    debug
        Show the traceback of each film that failed; `hilum --debug`.
    """
    from hilum.cli.progress import bar
    from hilum.datasets.bit_masks import read_layout
    from hilum.workflows.prepare_cxr_masks import MaskOptions, Purpose, prepare_cxr_masks

    running = running or FilmRunning()
    with checked_options():
        meant = None if purpose is None else Purpose(purpose)
        rule = _rule(PicturesRead(polarity))
        options = MaskOptions(read_layout(layout), meant, running.seed, rule, _running(running))
    return _say(prepare_cxr_masks(src, out, options, bar), debug=debug)


def _rule(asked: PicturesRead | None) -> "PictureRule":
    from hilum.workflows.class_picture import GreyMasks, PictureRule, Polarity

    asked = asked or PicturesRead()
    return PictureRule(Polarity(asked.polarity), GreyMasks(asked.grey_masks))


def _running(asked: FilmRunning) -> "Running":
    from hilum.workflows.patch_set import Running

    return Running(asked.workers, asked.max_failures, asked.force)


def _say(prepared: "PreparedClasses", *, debug: bool) -> int:
    """The usual line, then what each split holds."""
    code = say_prepared(prepared, debug=debug, of=_LEFT_OUT)
    for split, count in prepared.counts.items():
        if split == "all" or not count["films"]:
            continue
        labels = ", ".join(f"{number} {label}" for label, number in count["image_labels"].items())
        classes = ", ".join(f"{name} on {number}" for name, number in count["films_with_class"].items())
        unknown = count["films_with_unknown_pixels"]
        rest = f", unknown on {unknown}" if unknown else ""
        print(f"{split}: {count['films']} films of {count['patients']} patients: {labels}; {classes}{rest}")
    return code
