"""`hilum train`."""

import math
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from hilum.cli.exit_code import checked_options
from hilum.cli.failures import say_failures
from hilum.cli.options import Debug

if TYPE_CHECKING:
    from hilum.workflows.train import Trained, TrainOptions


@Parameter(name="*", group="Changes to the recipe")
@dataclass(frozen=True)
class Changes:
    """What is different from the recipe."""

    config: Annotated[Path | None, Parameter(alias="-c")] = None
    "YAML or JSON with any of the settings, such as the config.yaml that a run leaves."
    settings: Annotated[tuple[str, ...], Parameter(name="--set", negative="")] = ()
    "Any setting by its path: --set loss.name=focal --set optimiser.lr_of.encoder=1e-5. Over --config."
    epochs: int | None = None
    "At most; trainer.epochs."
    batch_size: int | None = None
    "Pictures a step; trainer.batch_size."
    lr: float | None = None
    "Peak learning rate; optimiser.lr."
    seed: int | None = None
    "Of everything that is drawn; trainer.seed."
    fold: int | None = None
    "Of films by classes, a stored fold that is kept out, to be judged on (--split fold-K); data.fold."

    def fields(self) -> dict[str, Any]:
        """The short names as settings."""
        trainer = {"epochs": self.epochs, "batch_size": self.batch_size, "seed": self.seed}
        changed = {name: value for name, value in trainer.items() if value is not None}
        groups = {"trainer": changed, "optimiser": {} if self.lr is None else {"lr": self.lr}}
        groups["data"] = {} if self.fold is None else {"fold": self.fold}
        return {name: group for name, group in groups.items() if group}


@Parameter(name="*", group="The run")
@dataclass(frozen=True)
class Running:
    """Where it is computed; what is learnt doesn't depend on it, but for rounding and --processes."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    "auto takes the graphics card where there is one."
    workers: int = 0
    "Processes that prepare pictures; 0 does it in between."
    threads: int = 0
    "Of the processor; 0 leaves it to PyTorch."
    processes: int = 1
    "That share each step (DDP): one a graphics card, or several on one computer's processor. Each takes the loss, and \
batch norm, over its own share, so with any recipe the run is another one than by one process; the card says it."
    force: Annotated[bool, Parameter(negative="")] = False
    "Replace what an earlier run of hilum left in OUT."


def train(
    recipe: str,
    out: Path,
    /,
    *,
    data: Path,
    start: Annotated[str | None, Parameter(name="--from")] = None,
    pretrained: str | None = None,
    unlabeled: Path | None = None,
    also: Annotated[tuple[Path, ...], Parameter(negative="")] = (),
    find_lr: Annotated[bool, Parameter(negative="")] = False,
    changes: Changes | None = None,
    running: Running | None = None,
    debug: Debug = False,
) -> int:
    """Train a network by a recipe; a run that was stopped, however it was, goes on when it is started again.

    OUT then holds model/ (weights.safetensors, config.json, card.md), metrics.csv with each part of the loss,
    training_curves.png, panels/ with predictions, tensorboard/, and config.yaml with every setting. The model is that
    of the epoch with the best figure on validation, where its threshold is chosen, too. Cases that can't be read are
    listed in failures.json, and the exit code is 3.

    ```
    hilum train xray_unet run --data pairs
    hilum train xray_unet run --data pairs --epochs 30 --lr 3e-4 --set loss.name=focal
    hilum train xray_unet again --data pairs -c run/config.yaml --seed 1
    hilum train xray_unet rate --data pairs --find-lr
    hilum train nodule3d ct --data cubes --also inserted
    hilum train covid_slim fold1 --data classes --fold 1
    hilum train xray films --data pairs --unlabeled jsrt --set adaptation.method=gradient_reversal
    ```

    Parameters
    ----------
    recipe
        One of those that hilum recipes lists.
    out
        Folder for the results.
    data
        A prepared data set (hilum prepare), or a packed cache of one.
    start
        A trained model, by name (default is the shipped one) or folder, whose weights the run begins with.
    pretrained
        File of torchxrayvision's ResNet-50 for the encoders of the sources' networks, or download (95 MB, once).
    unlabeled
        A prepared data set of films, such as JSRT's, to whose pictures the network adapts by adaptation.method: those
        of the split train, or all where it has nobody in train. Labels are not looked at. Such a model is not to be
        shipped.
    also
        A further data set of the same kind, whose training split is learnt from, too; can be given several times. The
        run is judged on the validation split of --data alone.
    find_lr
        Only look for a learning rate: OUT then holds lr_finder.png and lr_finder.json.
    debug
        Show the traceback of each case that failed; `hilum --debug`.
    """
    from hilum.workflows.train import run_find_rate, run_train
    from hilum.workflows.train_config import resolved_config

    changes = changes or Changes()
    with checked_options():
        config = resolved_config(recipe, changes.config, changes.settings, changes.fields())
        options = replace(_options(running or Running(), start, pretrained), unlabeled=unlabeled, also=also)
    if find_lr:
        found = run_find_rate(config, data, out, options)
        return _say_rate(found.suggested, out / "lr_finder.png")
    return _say(run_train(config, data, out, options), debug=debug)


def _say_rate(suggested: float, picture: Path) -> int:
    if math.isnan(suggested):
        print(f"No rate can be suggested: from the first step on the loss never fell ({picture})")
    else:
        print(f"Suggested: --lr {suggested:.2g} ({picture})")
    return 0


def _options(running: Running, start: str | None, pretrained: str | None) -> "TrainOptions":
    from hilum.train.config import Machine
    from hilum.workflows.train import TrainOptions

    machine = Machine.of(
        {
            "device": running.device,
            "workers": running.workers,
            "threads": running.threads,
            "processes": running.processes,
            "progress": sys.stderr.isatty(),
        }
    )
    return TrainOptions(machine, start, pretrained, running.force)


def _judged(trained: "Trained") -> str:
    """How the figures came about."""
    if trained.is_of_classes:
        return "the likeliest class of each pixel, of each class on the films that have it"
    if trained.threshold is None:
        return "redrawn"
    return f"at a threshold of {trained.threshold:g} that was chosen there"


def _say(trained: "Trained", *, debug: bool) -> int:
    from hilum.workflows.train import FAILED, SHOWN, SHOWN_OF_CLASSES

    state = "Already there" if trained.was_done else "Done"
    print(f"{trained.epochs} epochs; on validation, {_judged(trained)}:")
    for name in SHOWN_OF_CLASSES if trained.is_of_classes else SHOWN:
        figure = trained.figures.get(name, {"value": None})
        if figure["value"] is not None:
            ends = "" if figure["low"] is None else f" ({figure['low']:.3f}–{figure['high']:.3f})"
            print(f"{name:<26} {figure['value']:.3f}{ends}")
    print(f"{state}: {trained.folder / 'model'}")
    if trained.note:
        print(f"hilum: note: {trained.note}", file=sys.stderr)
    return say_failures(trained.failures, listed_in=trained.folder / FAILED, debug=debug)
