"""Runs on CT slices as one table: network, loss, seed, what it costs, and what it reaches on validation.

    python benchmarks/slice_runs.py RUN …

RUN is a folder that `hilum train slices… RUN --data SLICES` left. Figures are those of the models' cards: validation
slices with truth of nodules of three readers and more, the threshold chosen on them for each run by its mean Dice.
Multiply-accumulates by the rule of docs/explanation/models.md.
"""

import json
import sys
from pathlib import Path

from hilum.models.catalogue import ModelConfig
from hilum.models.macs import count_macs

SIZES = (256, 512)


def row(run):
    """The columns of one run."""
    stored = json.loads((run / "model" / "config.json").read_text(encoding="utf-8"))
    config, figures = stored["config"], stored["figures"]
    network = ModelConfig(**config["model"]).build()
    macs = [count_macs(network.eval(), (size, size)).total / 1e6 for size in SIZES]
    parameters = sum(one.numel() for one in network.parameters())
    loss = config["loss"]["name"]
    if weight := config["loss"].get("options", {}).get("pos_weight"):
        loss += f", weight {weight}" if weight != 1 else ""

    def figure(name):
        value, low, high = (figures[name][part] for part in ("value", "low", "high"))
        return f"{value:.3f} ({low:.3f}–{high:.3f})"

    return (
        run.name,
        config["model"]["name"],
        loss,
        str(config["trainer"]["seed"]),
        f"{parameters:,}",
        *(f"{one:,.1f}" for one in macs),
        figure("dice_mean"),
        figure("dice_pooled"),
        figure("false_positives_per_image"),
    )


HEADS = ("run", "network", "loss", "seed", "parameters", "M MACs 256²", "512²", "per slice", "pooled", "false marks")

if __name__ == "__main__":
    print("| " + " | ".join(HEADS) + " |")
    print("|" + "---|" * len(HEADS))
    for place in sys.argv[1:]:
        print("| " + " | ".join(row(Path(place))) + " |", flush=True)
