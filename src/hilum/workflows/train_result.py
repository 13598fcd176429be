"""What a trained model comes to: judged from its files on validation, with its configuration and its card."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hilum import __version__
from hilum.config import merged
from hilum.core import ConfigError
from hilum.core.evaluation import Threshold
from hilum.core.figures import Figure
from hilum.datasets.data_kind import XRAY, XRAY_CLASSES, kind_of
from hilum.datasets.prepared import index_of
from hilum.evaluate.cases import JudgeRule
from hilum.evaluate.evaluation import Judged
from hilum.infer.device import resolved_device
from hilum.infer.loaded import CARD, load_model, load_network, model_folder
from hilum.io.json_file import read_json
from hilum.io.text_file import write_text
from hilum.models.network import Network
from hilum.train.card import ModelFacts, hardware, model_card
from hilum.train.config import Machine, TrainConfig
from hilum.train.data_config import is_of_views
from hilum.train.fit import Fitted, quiet
from hilum.train.judged_model import gone_threshold, judged_model, trivial_rivals
from hilum.train.stored import VALIDATION, gone_record, threshold_record, write_config, write_model
from hilum.workflows.prepare_lung_drrs import OF_CTS
from hilum.workflows.train_class_result import class_model_facts
from hilum.workflows.train_data import read_data
from hilum.workflows.train_facts import TrainData
from hilum.workflows.train_films import films_seen
from hilum.workflows.train_further import with_further

_JUDGED = ("threshold", "classes")
"""What a model's configuration says beyond its run, of which one is there by its kind."""
_EARLIER: dict[str, Any] = {"data": {"leave_out_odd": False}}
"""What runs on X-rays did before there was a setting for it."""


def judged_facts(
    folder: Path, config: TrainConfig, read: TrainData[Any], fitted: Fitted, machine: Machine
) -> ModelFacts:
    """Judge a stored model on the validation cases; one that redraws pictures has its figures already.

    Args:
        folder: of the model; what is judged is what lies there, rounded as it is stored.
        config: of its run.
        read: the data.
        fitted: what the run came to; its threshold is used.
        machine: where to compute.
    """
    if config.pretext is not None:
        pretrained = load_network(str(folder)).network
        origin, learnt = pretrained.weights_origin, _learnt(pretrained)
        return ModelFacts(config, read.facts, None, fitted, origin, learnt, hardware(machine.processes))
    if config.model.gives_classes:
        return class_model_facts(folder, config, read, fitted, machine)
    kept = load_model(str(folder))
    about = Judged(
        data=read.facts.name,
        split=VALIDATION,
        split_hash=read.facts.split_hash,
        truth=config.data.truth,
        threshold=Threshold(fitted.best["threshold"], f"{VALIDATION} of {read.facts.name}"),
        rule=JudgeRule(),
    )
    device = resolved_device(machine.device)
    with quiet(machine.threads):
        found = judged_model(kept.network, read.validation, about, batch_size=config.trainer.batch_size, device=device)
        found = replace(found, rivals=trivial_rivals(read.training, read.validation, about))
        gone = None
        if is_of_views(config.data):
            gone = gone_threshold(kept.network, read.validation, device=device)
    origin, learnt = kept.network.weights_origin, _learnt(kept.network)
    return ModelFacts(config, read.facts, found, fitted, origin, learnt, hardware(machine.processes), gone=gone)


def _learnt(network: Network) -> int:
    return sum(one.numel() for one in network.parameters())


def write_facts(facts: ModelFacts, folder: Path) -> None:
    """Write a model's configuration, now with figures, and its card."""
    write_config(folder, facts.config, _found(facts))
    write_text(folder / CARD, model_card(facts))


def _found(facts: ModelFacts) -> dict[str, Any]:
    found, fitted = facts.found, facts.fitted
    judged: dict[str, Any] = {"figures": {name: Figure(name, value) for name, value in fitted.best.items()}}
    if facts.classes is not None:
        figures = facts.classes.figures if found is None else found.figures
        judged = {"classes": facts.classes.record(), "films": facts.classes.films, "figures": figures}
    elif found is not None:
        patients = (case.patient for case in found.cases)
        threshold = threshold_record(found.threshold, facts.data.split_hash, patients)
        judged = {"threshold": threshold, "figures": found.figures}
        if facts.gone is not None:
            judged["gone_threshold"] = gone_record(facts.gone, threshold)
    return {
        **judged,
        "validation": fitted.best,
        "epochs": fitted.epochs,
        "seconds": fitted.seconds,
        "data": facts.data,
        "origin": facts.origin,
        "again": facts.again,
        "trained_with": __version__,
    }


def ship(model: str, data: Path, out: Path, machine: Machine | None = None, also: Sequence[Path] = ()) -> ModelFacts:
    """Store a trained model to be given away: kernels in float16, judged anew as they are then.

    Args:
        model: a trained model's name or folder.
        data: the data set that it was trained on, for the validation cases.
        out: folder for weights, configuration and card.
        machine: where to judge.
        also: further data sets that it has learnt from, as its run was told.

    Raises:
        ConfigError: the model says nothing of the run that it comes from, the data sets are others, or it has learnt
            from films.
        HilumError: as `load_model` and `read_data`.
    """
    machine, loaded = machine or Machine(), load_network(model)
    stored, place = loaded.config, model_folder(model)
    if kind_of(stored["config"]["data"]) != XRAY_CLASSES:
        load_model(model)  # which says what it lacks
    try:
        config = TrainConfig.of(_as_it_ran(stored["config"]), str(place))
        fitted = Fitted(stored["epochs"], stored["seconds"], stored["validation"], ())
        origin, split_hash = stored["origin"], stored["data"]["split_hash"]
    except KeyError as error:
        raise ConfigError(f"{place} is of no finished run: it has no {error}.", "Let the run finish.") from error
    if seen := films_seen(stored):
        names = ", ".join(dict.fromkeys(f"{one.name} ({one.licence})" for one in seen))
        raise ConfigError(
            f"{model} has seen films of other people's data sets, {names}, and is not to be shipped.",
            "Ship a model that was trained without --unlabeled, and began with none that was.",
        )
    _require_no_films(model, config, (data, *also))
    read = read_data(data, config)
    if read.facts.split_hash != split_hash:
        raise ConfigError(f"{data} has another split than the data set that {model} was trained on.", "Name that one.")
    read = with_further(read, [read_data(one, config) for one in also])
    if list(read.facts.training) != stored["data"]["training"]:
        raise ConfigError(
            f"{model} has learnt from {stored['data']['training'][0]} samples, and {read.facts.training[0]} are here.",
            "Name all data sets that it has learnt from.",
        )
    config = config.model_copy(update={"trainer": config.trainer.model_copy(update={"store": "float16"})})
    write_model(out, loaded.network, config, {name: stored[name] for name in _JUDGED if name in stored})
    facts = judged_facts(out, config, read, fitted, machine)
    facts = replace(facts, origin=origin, again=stored.get("again", ""))
    write_facts(facts, out)
    return facts


def _require_no_films(model: str, config: TrainConfig, sets: Sequence[Path]) -> None:
    """Of what is learnt by classes, X-rays of CTs alone may be given away: nobody's films are in them.

    Raises:
        ConfigError: a data set is of films.
    """
    if config.data.kind != XRAY_CLASSES:
        return
    for one in sets:
        kind = (read_json(index_of(one)).get("source") or {}).get("kind")
        if kind != OF_CTS:
            raise ConfigError(
                f"{model} has learnt from {kind or 'films of unknown source'} ({one.name}), and is not to be shipped.",
                "Ship a model that has seen X-rays of CTs alone (hilum prepare lung-drrs).",
            )


def _as_it_ran(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored configuration, complete."""
    return merged(_EARLIER, stored) if kind_of(stored["data"]) == XRAY else stored
