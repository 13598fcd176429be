"""A recipe and a data set to a trained model with its card (`hilum train`)."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hilum.core import ConfigError, Failure, OutputError
from hilum.infer.device import resolved_device
from hilum.infer.loaded import CONFIG, LoadedNetwork, load_network
from hilum.io.inputs import require_path
from hilum.io.json_file import plain, read_json, write_json
from hilum.io.text_file import write_bytes, write_text
from hilum.models.network import Network
from hilum.models.parts import load_part, part_of, require_fit
from hilum.report.training import rate_picture
from hilum.train.config import ALL, Machine, TrainConfig
from hilum.train.finder import FoundRate, find_rate, require_one_process
from hilum.train.fit import fit, resolved_precision
from hilum.train.guard import failures_said
from hilum.train.keeping import CHECKPOINT
from hilum.train.phases import require_fitting
from hilum.train.silence import COVERS, MARKED, MOST, REMEDY
from hilum.train.stored import MODEL
from hilum.workflows.journal import FOLDER, finished_note, journalled, was_finished
from hilum.workflows.output import Run, output_folder, sha256_of, stored_run
from hilum.workflows.predict_options import DEFAULT, SHIPPED_FOR
from hilum.workflows.train_config import as_yaml
from hilum.workflows.train_data import cases_of, data_hash, read_data
from hilum.workflows.train_facts import TrainData
from hilum.workflows.train_films import films_seen, read_films, require_films
from hilum.workflows.train_further import with_further
from hilum.workflows.train_result import judged_facts, write_facts

DOWNLOAD = "download"
SETTINGS, FAILED = "config.yaml", "failures.json"
SAID = 3
"""Settings that an error names."""
SHOWN = (
    "dice_mean",
    "dice_pooled",
    "lesion_sensitivity",
    "false_positives_per_image",
    "empty_false_positive_rate",
    "explained",
    "hidden_error",
    "trivial_error",
)

SHOWN_OF_CLASSES = ("dice_mean", "dice_pooled", "iou_mean", "label_accuracy", "label_unsure")


@dataclass(frozen=True)
class TrainOptions:
    """How a run is made; what it learns depends on `start`, `pretrained`, `unlabeled` and `also` alone.

    Attributes:
        machine: where it is computed.
        start: a trained model, by name or folder, whose weights it begins with; None for random ones.
        pretrained: torchxrayvision's file of ResNet-50, or "download", for the encoders of the sources' networks.
        force: replace what an earlier run of hilum left in the folder.
        unlabeled: a prepared data set of films that it adapts to, whose labels are not looked at; None for none.
        also: further data sets of the same kind, whose training splits are learnt from, too.
    """

    machine: Machine = field(default_factory=Machine)
    start: str | None = None
    pretrained: str | None = None
    force: bool = False
    unlabeled: Path | None = None
    also: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.start is not None and self.pretrained is not None:
            raise ConfigError("a run begins with a trained model or with a pretrained encoder, not with both.")

    @property
    def words(self) -> str:
        """The options that a result depends on, without places on this machine; "" for none."""
        named = {"--from MODEL": self.start, "--pretrained FILE": self.pretrained, "--unlabeled FILMS": self.unlabeled}
        words = [words for words, value in named.items() if value is not None]
        return " ".join([*words, *("--also MORE" for _ in self.also)])


@dataclass(frozen=True)
class Trained:
    """A finished run.

    Attributes:
        folder: where it lies.
        figures: of the kept model on validation, with intervals, as in `model/config.json`.
        threshold: chosen on validation; None for a network that redraws pictures.
        epochs: learnt.
        failures: cases that could not be read.
        was_done: whether the folder held this run already.
        note: that other code of hilum than this has worked on it, or that nothing was learnt; "" for neither.
        is_of_classes: whether it gives films classes, and marks no lesions.
    """

    folder: Path
    figures: Mapping[str, Any]
    threshold: float | None
    epochs: int
    failures: tuple[Failure, ...] = ()
    was_done: bool = False
    note: str = ""
    is_of_classes: bool = False


def run_train(config: TrainConfig, data: Path, out: Path, options: TrainOptions | None = None) -> Trained:
    """Train, or go on with a run that was stopped, however it was.

    Leaves `model/` (weights.safetensors, config.json, card.md), `metrics.csv`, `training_curves.png`, `panels/`,
    `tensorboard/`, `config.yaml` (all of the configuration) and `run.json` in `out`.

    Args:
        config: of the run; its precision "auto" becomes what it means on this device.
        data: a prepared data set, or a packed cache of one.
        out: folder to fill.
        options: see there.

    Raises:
        InputError: the data set can't be used.
        ConfigError: the configuration doesn't fit the data, the network or the weights.
        TrainError: nothing to learn from, a loss that is no number, or not enough memory.
        OutputError: `out` holds something else, or can't be written.
    """
    options = options or TrainOptions()
    with failures_said():  # reading and judging may need more memory than learning
        return _trained(on_device(config, options.machine), data, out, options)


def _trained(config: TrainConfig, data: Path, out: Path, options: TrainOptions) -> Trained:
    run = _run(config, data, options)
    if was_finished(out, run) and not options.force:
        return _as_left(out, note=finished_note(out, run))
    if not options.force:
        _refuse_other_settings(out, run)
    network = begun(config, options)  # first: weights that don't fit are told before all pictures are read
    read = _with_films(_read(data, config, options), config, options)
    with journalled(out, run, force=options.force) as journal:
        write_text(out / SETTINGS, as_yaml(config))
        fitted = fit(network, cases_of(read, config), config, options.machine, out)
        facts = judged_facts(out / MODEL, config, read, fitted, options.machine)
        again = f"hilum train {config.recipe} OUT --data DATA -c config.json {options.words}".rstrip()
        write_facts(replace(facts, origin=network.weights_origin, again=again), out / MODEL)
        write_json(out / FAILED, read.failures)
        journal.finish(run)
    shutil.rmtree((out / CHECKPOINT).parent, ignore_errors=True)
    return _as_left(out, was_done=False, note=journal.note)


def run_find_rate(config: TrainConfig, data: Path, out: Path, options: TrainOptions | None = None) -> FoundRate:
    """Look for a learning rate; leaves `lr_finder.png` and `lr_finder.json` in `out`.

    Raises:
        HilumError: as `run_train`.
    """
    options = options or TrainOptions()
    require_one_process(options.machine)
    config = on_device(config, options.machine)
    run = _run(config, data, options)
    with failures_said():
        network = begun(config, options)
        read = _with_films(_read(data, config, options), config, options)
    with output_folder(out, replace(run, command="train --find-lr"), force=options.force) as folder:
        found = find_rate(network, cases_of(read, config), config, options.machine)
        write_bytes(folder / "lr_finder.png", rate_picture(found.rates, found.losses, found.suggested))
        write_json(folder / "lr_finder.json", found)
    return found


def on_device(config: TrainConfig, machine: Machine) -> TrainConfig:
    """The configuration with the precision that "auto" means on the machine's device."""
    precision = resolved_precision(config.trainer.precision, resolved_device(machine.device))
    return config.model_copy(update={"trainer": config.trainer.model_copy(update={"precision": precision})})


def begun(config: TrainConfig, options: TrainOptions) -> Network:
    """The network as a run begins with it.

    Raises:
        ConfigError: a phase or a rate is of a part that the network doesn't have.
        UnsupportedError: the weights to begin with are of another architecture.
    """
    import torch

    torch.manual_seed(config.trainer.seed)
    network = config.model.build()
    if options.pretrained is not None:
        _load_encoder(network, options.pretrained)
    if options.start is not None:
        _take(network, load_network(_named(options.start, config)), config)
    elif config.start.parts != (ALL,):
        raise ConfigError(f"start.parts is {list(config.start.parts)}, of no model.", "Name one: --from MODEL.")
    require_fitting(network, config)
    return network


def _named(start: str, config: TrainConfig) -> str:
    """A model's name or folder; "default" is the one shipped for the run's kind of data, as `hilum predict` has it."""
    if start != DEFAULT:
        return start
    if config.data.kind not in SHIPPED_FOR:
        raise ConfigError(f"no model for data of the kind {config.data.kind} is shipped.", "Name one: --from MODEL.")
    return SHIPPED_FOR[config.data.kind]


def _take(network: Network, given: LoadedNetwork, config: TrainConfig) -> None:
    """Take all weights of a trained model, or some parts' alone; keys and shapes have to be the same."""
    recipe = given.config["config"].get("recipe") or "unknown"
    weights = f"weights {given.weights_hash[:12]} of the model {given.name} (recipe {recipe}, "
    learnt = (given.config.get("data") or {}).get("name")
    parts, weights = config.start.parts, f"{weights}configuration {given.config_hash[:12]})"
    weights += f", which learnt from {learnt}" if learnt else ""
    if parts != (ALL,):
        for part in parts:
            load_part(network, part, part_of(given.network, part).state_dict())
        rest = f"{', '.join(parts)}: {weights}; the rest: {network.weights_origin}"
        network.weights_origin = rest
        return
    if given.is_pretext and config.pretext is None:
        raise ConfigError(
            f"the model {given.name} redraws pictures, so its head is of no use for masks.",
            "Take its encoder: --set start.parts=[encoder]",
        )
    require_fit(network.state_dict(), given.network.state_dict(), f"the model {config.model.name} of this run")
    network.load_state_dict(given.network.state_dict())
    network.weights_origin = weights


def _load_encoder(network: Network, pretrained: str) -> None:
    from hilum.models.attended import AttendedResNet
    from hilum.models.class_network import ClassUNet
    from hilum.models.torchxrayvision import load_torchxrayvision

    if not isinstance(network, AttendedResNet | ClassUNet):
        raise ConfigError(
            f"there are no pretrained weights for the network {type(network).__name__}.", "Leave --pretrained out."
        )
    network.load_pretrained(load_torchxrayvision(_pretrained_file(pretrained)))


def _pretrained_file(pretrained: str) -> Path:
    from hilum.models.torchxrayvision import download_torchxrayvision

    return download_torchxrayvision() if pretrained == DOWNLOAD else require_path(Path(pretrained))


def _run(config: TrainConfig, data: Path, options: TrainOptions) -> Run:
    """What determines the result."""
    require_films(config, options.unlabeled)
    inputs = {"data": data_hash(data)}
    inputs |= {f"also {number}": data_hash(one) for number, one in enumerate(options.also, start=1)}
    if options.unlabeled is not None:
        inputs["unlabeled"] = data_hash(options.unlabeled)
    if options.start is not None:
        inputs["start"] = load_network(_named(options.start, config)).weights_hash
    if options.pretrained is not None:
        inputs["pretrained"] = sha256_of(_pretrained_file(options.pretrained))
    return Run("train", inputs, config.plain())


def _refuse_other_settings(out: Path, run: Run) -> None:
    """A folder whose run differs in settings alone: say in which, since it may be a default of a newer hilum.

    Raises:
        OutputError: it does.
    """
    stored = stored_run(out / FOLDER) or stored_run(out) or {}
    if stored.get("command") != run.command or stored.get("inputs") != run.inputs:
        return
    if different := differences(stored.get("options", {}), plain(run.options)):
        raise OutputError(
            f"{out} was begun with other settings: {', '.join(different[:SAID])}.",
            f"Go on with -c {out / SETTINGS} alone; choose another folder (--from {out} begins with this one's best "
            "weights); or replace it with --force.",
        )


def differences(old: Any, new: Any, where: str = "") -> list[str]:
    """Each setting that differs, such as "trainer.epochs 12, now 30"."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        names = dict.fromkeys((*old, *new))
        inner = [differences(old.get(name), new.get(name), f"{where}.{name}".strip(".")) for name in names]
        return [one for some in inner for one in some]
    return [] if old == new else [f"{where} {old}, now {new}"]


def _read(data: Path, config: TrainConfig, options: TrainOptions) -> TrainData[Any]:
    """The data set, and the training splits of further ones."""
    read = read_data(data, config)
    return with_further(read, [read_data(one, config) for one in options.also])


def _with_films(read: TrainData[Any], config: TrainConfig, options: TrainOptions) -> TrainData[Any]:
    """The data with the films to adapt to, and with what the model to begin with has seen."""
    seen = () if options.start is None else films_seen(load_network(_named(options.start, config)).config)
    if options.unlabeled is None:
        return replace(read, facts=replace(read.facts, unlabeled=seen))
    films = read_films(options.unlabeled, config, {one.patient for one in read.validation})
    facts = replace(read.facts, unlabeled=tuple(dict.fromkeys((*seen, films.facts))))
    return replace(read, films=films.samples, facts=facts, failures=(*read.failures, *films.failures))


def _as_left(out: Path, *, was_done: bool = True, note: str = "") -> Trained:
    content = read_json(out / MODEL / CONFIG)
    failures = tuple(Failure(**one) for one in read_json(out / FAILED))
    threshold = content.get("threshold", {}).get("value")
    if content["validation"].get(MARKED) == 0:
        note = " ".join(filter(None, (note, f"the kept model marks nothing on validation. {REMEDY}")))
    elif content["validation"].get(MARKED, 0) >= MOST:
        share = content["validation"][MARKED]
        note = " ".join(filter(None, (note, f"the kept model marks {share:.0%} of validation's pixels: {COVERS}.")))
    is_of_classes = "classes" in content
    return Trained(
        out, content["figures"], threshold, content["epochs"], failures, was_done, note, is_of_classes=is_of_classes
    )
