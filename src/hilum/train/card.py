"""A model's card: what it learnt from, what it reaches, where its threshold comes from, and what it is not for."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

import torch

from hilum import __version__
from hilum.core.changes import GONE_AUC
from hilum.core.evaluation import Evaluation, Group, Threshold
from hilum.core.figures import Figure
from hilum.evaluate.gone import MOST_FALSE_GONE, GoneThreshold
from hilum.io.machine import processor_name
from hilum.metrics.lesions import MatchRule
from hilum.report.figures import with_interval
from hilum.train.adaptation_config import UnlabeledFacts
from hilum.train.card_classes import class_head, class_sections
from hilum.train.card_use import pixels_of, shown_of, unit_of, use_of
from hilum.train.class_facts import ClassFacts
from hilum.train.config import TrainConfig
from hilum.train.fit import Fitted
from hilum.train.silence import MARKED, silent_epochs

LIDC_LICENCE = "LIDC-IDRI: CC BY 3.0"
_FIGURES = (
    "dice_mean",
    "dice_pooled",
    "iou_pooled",
    "precision_pooled",
    "recall_pooled",
    "lesion_sensitivity",
    "false_positives_per_image",
    "empty_false_positive_rate",
    "hd95_mm",
    "nsd_2mm",
    "ece",
)
_BESIDE = (
    "dice_mean",
    "dice_pooled",
    "lesion_sensitivity",
    "false_positives_per_image",
    "empty_false_positive_rate",
)
_LIBRARIES = ("torch", "pytorch-lightning", "monai", "numpy")


@dataclass(frozen=True)
class DataFacts:
    """What a model learnt from.

    Attributes:
        name: of the data set, without its place on this machine.
        split_hash: of the stored split; "" when there is none.
        licence: of the data.
        training: pictures and patients to learn from.
        validation: pictures and patients on which the best epoch and the threshold were chosen.
        failed: cases that could not be read.
        notes: what else a user has to know, such as inserted nodules.
        unlabeled: films that it adapted to, or a model that it began with.
        has_lidc: whether patients of LIDC are among them; each was checked against the one rule of who may be where.
    """

    name: str
    split_hash: str
    licence: str
    training: tuple[int, int]
    validation: tuple[int, int]
    failed: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unlabeled: tuple[UnlabeledFacts, ...] = ()
    has_lidc: bool = False


@dataclass(frozen=True, eq=False)
class ModelFacts:
    """Everything that a card says.

    Attributes:
        config: of the run.
        data: what it learnt from.
        found: the kept model, judged on validation; None for one that redraws pictures.
        fitted: what the run came to.
        origin: where the weights came from before training.
        parameters: how many numbers were learnt.
        machine: where it was trained.
        again: the command that makes it again; "" where there is none.
        gone: below which score a known lesion is called gone; None for a model that doesn't look at them one by one.
        classes: names, temperatures, gate and figures of a model of films by classes; None of others.
    """

    config: TrainConfig
    data: DataFacts
    found: Evaluation | None
    fitted: Fitted
    origin: str
    parameters: int
    machine: Sequence[str] = field(default_factory=lambda: hardware())
    again: str = ""
    gone: GoneThreshold | None = None
    classes: ClassFacts | None = None


def model_card(facts: ModelFacts) -> str:
    """The card as Markdown."""
    parts: tuple[str, ...]
    if facts.classes is not None:
        words = use_of(facts.config.data)
        parts = (class_head(facts.config, facts.classes, facts.parameters), words, _data(facts))
        parts = (*parts, *class_sections(facts.classes, facts.found), _training(facts))
    elif facts.found is None:
        parts = (_pretrained_head(facts), _data(facts), _redrawn(facts), _training(facts))
    else:
        judged = (
            _results(facts.found, unit_of(facts.config.data)),
            _beside(facts.found),
            _threshold(facts.found.threshold, facts.config.trainer.monitor),
            *([] if facts.gone is None else [_gone(facts.gone, facts.found.threshold)]),
        )
        parts = (
            _head(facts),
            use_of(facts.config.data, finds_boxes=facts.config.model.finds_boxes),
            _data(facts),
            *judged,
            _training(facts),
        )
    return "\n\n".join(parts) + "\n"


def _head(facts: ModelFacts) -> str:
    config = facts.config
    return (
        f"# {config.recipe or config.model.name}\n\nMarks lung nodules on {shown_of(config.data)}: a network "
        f"`{config.model.name}` of {facts.parameters:,} parameters, on {pixels_of(config.data)}.\n\n"
        f"**Decision support for research, not a medical device.{_shipping(facts)}**"
    )


def _shipping(facts: ModelFacts) -> str:
    return " Not to be shipped: see Data." if facts.data.unlabeled else ""


def _pretrained_head(facts: ModelFacts) -> str:
    config = facts.config
    return (
        f"# {config.recipe}\n\nRedraws hidden squares of frontal chest X-rays: a network `{config.model.name}` of "
        f"{facts.parameters:,} parameters, on {pixels_of(config.data)}. **It marks no lesions.** Its "
        "encoder is for runs that learn to: `hilum train RECIPE OUT --data DATA --from THIS --set "
        "start.parts=[encoder]`, with the same network. No mask was looked at.\n\nFor research only."
    )


def _redrawn(facts: ModelFacts) -> str:
    best = facts.fitted.best
    return (
        "## Results\n\n"
        f"Of the hidden pixels' variance on the validation pictures {best['explained']:.1%} is explained: "
        f"mean squared error {best['hidden_error']:.5f} of the full range squared, and {best['trivial_error']:.5f} for "
        "the mean of what each picture shows. The best epoch was chosen on these same pictures."
    )


def _data(facts: ModelFacts) -> str:
    data, config = facts.data, facts.config
    shown = unit_of(config.data)
    lines = [
        f"data: {data.name}; licence: {data.licence}",
        f"split: by patient, hash `{data.split_hash or 'none stored'}`",
        f"training: {data.training[0]} {shown} of {data.training[1]} patients",
        f"validation: {data.validation[0]} {shown} of {data.validation[1]} patients",
        *([f"truth: `{config.data.truth}`"] if facts.found else []),
        *(["LIDC patients whose number is divisible by 5 were not used for anything"] if data.has_lidc else []),
        *([f"{len(data.failed)} cases could not be read: {', '.join(data.failed)}"] if data.failed else []),
        *(_films(one) for one in data.unlabeled),
        *data.notes,
    ]
    return "## Data\n\n" + _list(lines)


def _films(films: UnlabeledFacts) -> str:
    pictures, patients = films.pictures
    return (
        f"**not to be shipped**: it, or a model that it began with, has seen {pictures} unlabeled films of {patients} "
        f"patients, {films.name} (licence: {films.licence}), by {films.method.replace('_', ' ')}; figures on these "
        "same films flatter it"
    )


def _results(found: Evaluation, unit: str) -> str:
    counts = f"{found.n_cases} validation {unit}, {found.n_empty_truth} of them without a lesion"
    words = (
        f"Of {counts}, truth `{found.truth}`, on the model's own pixels; 95 % intervals by bootstrap over patients. "
        "The best epoch and the threshold were chosen on these same pictures, so others will give somewhat less."
    )
    rows = [(name, found.figures[name]) for name in _FIGURES if name in found.figures]
    bands = [row for group in found.by_size for row in _band(group)]
    return "\n\n".join(("## Results", words, _table(rows), "By lesion size:", _table(bands)))


def _beside(found: Evaluation) -> str:
    """What tells a model from a mask that covers everything: its share, the rule, rivals, alarms."""
    counted = [case.values for case in found.cases]
    marked = sum(one["predicted_pixels"] for one in counted)
    pixels = sum(one[name] for one in counted for name in ("tp", "fp", "fn", "tn"))
    words = (
        f"Lesions are matched by {MatchRule()}: what covers everything finds everything. The model marks "
        f"{marked / max(pixels, 1):.2%} of all pixels. Beside it, on the same pictures:"
    )
    rows = [f"| {name} | {' | '.join(_short(figures, one) for one in _BESIDE)} |" for name, figures in _rows(found)]
    head = (f"| prediction | {' | '.join(_BESIDE)} |", f"|{'---|' * (len(_BESIDE) + 1)}")
    rings = [f"**{alarm.name}**: {alarm.says}" for alarm in found.alarms if not alarm.is_note]
    return "\n\n".join((words, "\n".join((*head, *rows)), *([_list(rings)] if rings else [])))


def _rows(found: Evaluation) -> list[tuple[str, Mapping[str, Figure]]]:
    return [("this model", found.figures), *((rival.name, rival.figures) for rival in found.rivals)]


def _short(figures: Mapping[str, Figure], name: str) -> str:
    value = figures[name].value if name in figures else math.nan
    return "undefined" if math.isnan(value) else f"{value:.3f}"


def _band(group: Group) -> Iterable[tuple[str, Figure]]:
    name = "lesion_sensitivity"
    return [(f"{name}, {group.name}", group.figures[name])] if name in group.figures else []


def _table(rows: Iterable[tuple[str, Figure]]) -> str:
    lines = [f"| {name} | {_value(figure)} | {figure.n} |" for name, figure in rows]
    return "\n".join(("| figure | value (95 % interval) | n |", "|---|---|---|", *lines))


def _value(figure: Figure) -> str:
    return "undefined" if math.isnan(figure.value) else with_interval(figure)


def _threshold(threshold: Threshold, monitor: str) -> str:
    return (
        f"## Threshold\n\nA pixel is marked from a score of {threshold.value:g} on: of a small grid, where {monitor} "
        f"was highest. Chosen on: {threshold.chosen_on}. A score, from 0 to 1, ranks; it is **no probability**: it is "
        "not calibrated (ece above), and of pixels or lesions scored .9 far fewer than nine in ten may be nodules."
    )


def _gone(gone: GoneThreshold, threshold: Threshold) -> str:
    words = (
        f"A known lesion is called gone when the highest score where it was is below {gone.value:.4g}: so at most "
        f"{MOST_FALSE_GONE:.0%} of the {gone.there} that are still there are called gone, and of the {gone.gone} that "
        f"are gone as many as can be. Chosen on: {threshold.chosen_on}, the lesions of this table, so others will give "
        f"somewhat less. {GONE_AUC}: the area under the curve of all such thresholds. Intervals draw patients; the "
        "threshold stays."
    )
    return "\n\n".join(("## Called gone", words, _table(gone.figures.items())))


def _training(facts: ModelFacts) -> str:
    config, fitted = facts.config, facts.fitted
    lines = [
        f"recipe `{config.recipe}`, configuration `{config.hash}` (all of it in config.json)",
        f"began from: {facts.origin}",
        f"{fitted.epochs} epochs in {fitted.seconds / 60:.1f} minutes; kept: epoch {fitted.best['epoch']:.0f}"
        + (", the running mean of the weights" if config.trainer.ema else ""),
        f"weights stored as {config.trainer.store}"
        + ("; the figures above are those of the stored weights" if facts.found else ""),
        *_silence(fitted),
        f"loss `{config.loss.name}`, precision {config.trainer.precision}, seed {config.trainer.seed}",
        *([f"made again by: `{facts.again}`"] if facts.again else []),
        *facts.machine,
        ", ".join((f"hilum {__version__}", *(f"{name} {version(name)}" for name in _LIBRARIES))),
    ]
    return "## Training\n\n" + _list(lines)


def _silence(fitted: Fitted) -> list[str]:
    """Whether the network marked nothing for a while, and whether what is kept does."""
    silent = silent_epochs(fitted.rows)
    while_it_learnt = f"it marked nothing on validation after {len(silent)} of {fitted.epochs} epochs"
    kept = "**the kept model marks nothing on validation: it learnt nothing**"
    return [*([while_it_learnt] if silent else []), *([kept] if fitted.best.get(MARKED) == 0 else [])]


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def hardware(processes: int = 1) -> tuple[str, ...]:
    """What this runs on, without names of persons or hosts.

    Args:
        processes: that share each batch.
    """
    cards = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
    processor = f"{processor_name()}, {torch.get_num_threads()} threads"
    shared = (
        f"**{processes} processes shared each batch**: each took the loss, and batch norm, over its own share, so one "
        "process learns something else from the same configuration"
    )
    return (
        f"processor: {processor}",
        *([f"graphics: {', '.join(cards)}"] if cards else []),
        *([shared] if processes > 1 else []),
    )
