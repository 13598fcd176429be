"""Weights that were trained elsewhere to a model of hilum's: judged here, with its threshold, configuration and card.

    python -m experiments.adopt RUN PACK.npz OUT

RUN is what `experiments/xray_gpu.py` left, PACK.npz what it learnt from. Threshold and figures are found again here by
the definitions of judging, in 32 bits, for the weights as they are stored. OUT is then a model for `hilum predict`,
`hilum evaluate` and `hilum train --from`.
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from experiments.xray_gpu import BEST, RUN, SCHEMA, sha256, weights_of

from hilum.core import ConfigError, HilumError
from hilum.infer.device import resolved_device
from hilum.io.json_file import read_json
from hilum.models.network import FROM_SCRATCH
from hilum.models.parts import require_fit
from hilum.train.config import Machine, TrainConfig
from hilum.train.fit import Fitted, quiet
from hilum.train.judged_model import probabilities
from hilum.train.judging import judge
from hilum.train.stored import VALIDATION, write_model
from hilum.workflows.train_data import read_data
from hilum.workflows.train_result import judged_facts, write_facts


def adopt(run: Path, pack: Path, out: Path, machine: Machine | None = None):
    """Make a model folder of a run's best weights; its facts.

    Raises:
        ConfigError: the run is no such one, or learnt from other data.
        UnsupportedError: the weights are another architecture's.
    """
    machine, about = machine or Machine(), read_json(run / RUN)
    if about.get("schema") != SCHEMA or not about.get("best"):
        raise ConfigError(f"{run / RUN} is of no run that has come to anything.", "Give the folder that it was told.")
    if about["pack"] != sha256(pack):
        raise ConfigError(f"{pack} is not what the run learnt from.", "Give that file; it is known by its SHA-256.")
    config = TrainConfig.of(about["config"], str(run / RUN))
    trainer = config.trainer.model_copy(update={"precision": about["precision"], "store": "float16"})
    config = config.model_copy(update={"trainer": trainer})
    network, weights, read = config.model.build(), weights_of(run / BEST), read_data(pack, config)
    require_fit(network.state_dict(), weights, str(run / BEST))
    network.load_state_dict(weights)
    with quiet(machine.threads):
        maps = probabilities(network, read.validation, trainer.batch_size, resolved_device(machine.device))
    found = judge(maps, [sample.truth for sample in read.validation], trainer.monitor)
    fitted = Fitted(about["epochs"], about["seconds"], {"epoch": about["best"]["epoch"], **found}, ())
    write_model(out, network.cpu(), config, {"threshold": {"value": found["threshold"], "chosen_on": VALIDATION}})
    facts = replace(judged_facts(out, config, read, fitted, machine), origin=origin_of(about), machine=place_of(about))
    write_facts(facts, out)
    return facts


def origin_of(about):
    return f"weights {about['start'][:12]} of another run" if about["start"] else FROM_SCRATCH


def place_of(about):
    """What a card says of where it was trained."""
    where = f"trained on {about['machine']} with torch {about['torch']} by `experiments/xray_gpu.py`"
    return where, f"judged on validation every {about['every']} epochs"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("run", "pack", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--threads", type=int, default=0)
    given = parser.parse_args()
    try:
        facts = adopt(given.run, given.pack, given.out, Machine(threads=given.threads))
    except HilumError as error:
        sys.exit(f"adopt: {error}")
    for name in ("dice_mean", "dice_pooled", "lesion_sensitivity", "false_positives_per_image"):
        print(f"{name:<26} {facts.found.figures[name].value:.4f}")


if __name__ == "__main__":
    main()
