"""A chart of arms with and without an earlier X-ray: mean Dice, new lesions found, gone ones noticed, with intervals.

    python benchmarks/prior_arms.py OUT.png "nothing=judged_alone" "the earlier X-ray=judged_earlier" …

Each is a label and the folder of an evaluation on pairs over time (`hilum evaluate`). The copied mask is taken from the
last one. It draws what these say and computes nothing.
"""

import sys
from pathlib import Path

from matplotlib.figure import Figure as Canvas

from hilum.io.json_file import read_json

SHOWN = (
    ("mean Dice", None, "dice_mean"),
    ("new: found", "new", "lesion_sensitivity"),
    ("gone: noticed", "gone", "gone_noticed"),
)
COPIED = "prior's mask copied"


def figure_of(evaluation, change, name):
    """Value, low and high of a figure, overall or of one kind of change."""
    groups = {group["name"]: group["figures"] for group in evaluation["by_change"]}
    found = (evaluation["figures"] if change is None else groups[change])[name]
    return found["value"], found["low"], found["high"]


def chart(arms):
    """One panel a figure, one line an arm, the first on top."""
    canvas = Canvas(figsize=(9, 0.42 * len(arms) + 1.2), layout="constrained")
    panels = canvas.subplots(1, len(SHOWN), sharey=True)
    copied = next(one for one in list(arms.values())[-1]["rivals"] if one["name"] == COPIED)["figures"]["dice_mean"][
        "value"
    ]
    for panel, (title, change, name) in zip(panels, SHOWN, strict=True):
        for place, evaluation in enumerate(arms.values()):
            value, low, high = figure_of(evaluation, change, name)
            panel.errorbar(value, -place, xerr=[[value - low], [high - value]], fmt="o", color="#0072b2", capsize=2)
        panel.set(
            title=title, xlim=(-0.03, 1.03), yticks=[-place for place in range(len(arms))], yticklabels=list(arms)
        )
        panel.grid(axis="x", alpha=0.3)
    panels[0].axvline(copied, color="#d55e00", linestyle="--", label="earlier mask copied")
    panels[0].legend(fontsize=7, loc="lower left")
    return canvas


if __name__ == "__main__":
    named = dict(words.split("=", 1) for words in sys.argv[2:])
    evaluations = {label: read_json(Path(folder) / "evaluation.json") for label, folder in named.items()}
    chart(evaluations).savefig(sys.argv[1], dpi=110)
