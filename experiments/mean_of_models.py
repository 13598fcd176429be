"""The mean of several models' weights: as fast as each, often better than any (Izmailov 2018; Wortsman 2022).

    python experiments/mean_of_models.py PAIRS OUT MODEL MODEL…

The models are of one network and one chain: each run began with the weights of another, or all with the same ones, else
their mean is nothing. PAIRS is what they learnt from; the threshold is chosen anew on its validation patients. OUT is a
model for `hilum predict`, `hilum evaluate` and `experiments/ship_model.py`; configuration, epochs and time are those of
the last model, whose run has to be finished.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import torch

from hilum.core import ConfigError, HilumError
from hilum.infer.device import resolved_device
from hilum.infer.loaded import LoadedModel, load_model
from hilum.models.network import Network
from hilum.train.card import ModelFacts
from hilum.train.config import Machine, TrainConfig
from hilum.train.fit import Fitted, quiet
from hilum.train.judged_model import probabilities
from hilum.train.judging import judge
from hilum.train.stored import VALIDATION, write_model
from hilum.workflows.train_data import read_data
from hilum.workflows.train_films import films_seen
from hilum.workflows.train_result import judged_facts, write_facts


def mean_of(models: list[LoadedModel]) -> Network:
    """A network whose every number is the mean of the models' (counts of batch norm are the last one's).

    Raises:
        ConfigError: the networks differ.
    """
    kinds = {str((type(model.network), model.network.config)) for model in models}
    if len(kinds) > 1:
        raise ConfigError("the models are of different networks.", "Name runs of one recipe.")
    states = [model.network.state_dict() for model in models]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in states[-1].items()
    }
    network = models[-1].network
    network.load_state_dict(mean)
    return network


def averaged(names: list[str], data: Path, out: Path, machine: Machine) -> ModelFacts:
    """Write the mean of models, judged on validation."""
    models = [load_model(name) for name in names]
    last = models[-1].config
    seen = tuple(dict.fromkeys(one for model in models for one in films_seen(model.config)))
    config = TrainConfig.of(last["config"])
    network, read = mean_of(models), read_data(data, config)
    with quiet(machine.threads):
        device = resolved_device(machine.device)
        maps = probabilities(network, read.validation, config.trainer.batch_size, device)
    found = judge(maps, [sample.truth for sample in read.validation], config.trainer.monitor)
    every = [model.config["validation"]["epoch"] for model in models]
    fitted = Fitted(last["epochs"], last["seconds"], {"epoch": every[-1], **found}, ())
    write_model(out, network.cpu(), config, {"threshold": {"value": found["threshold"], "chosen_on": VALIDATION}})
    hashes = ", ".join(
        f"{model.name} ({model.weights_hash[:12]}, epoch {epoch:.0f})"
        for model, epoch in zip(models, every, strict=True)
    )
    facts = judged_facts(out, config, read, fitted, machine)
    facts = replace(
        facts,
        data=replace(facts.data, unlabeled=seen),
        origin=f"the mean of the weights of {hashes}; the last one's configuration is given",
        again=f"python experiments/mean_of_models.py DATA OUT {' '.join(model.name for model in models)}",
    )
    write_facts(facts, out)
    return facts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    try:
        facts = averaged(given.models, given.pairs, given.out, Machine(threads=given.threads))
    except HilumError as error:
        sys.exit(f"mean_of_models: {error}")
    for name in ("dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image"):
        print(f"{name:<26} {facts.found.figures[name].value:.4f}")


if __name__ == "__main__":
    main()
