"""How well the readers of a file of CT crops agree, slice by slice: the yardstick of a prepared data set of slices.

    python benchmarks/slice_yardstick.py lidc-slices/slices.npz

Masks are the crops' own; the rules are those of `hilum yardstick` (docs/explanation/yardstick.md).
"""

import sys
from pathlib import Path

import numpy as np

from hilum.datasets.slice_file import nodule_stacks
from hilum.datasets.splits import Role, role
from hilum.evaluate.bootstrap import mean_figures, resample_patients
from hilum.evaluate.yardstick import HEADLINE_READERS, Against, View, agreement


def main() -> None:
    with np.load(Path(sys.argv[1]), allow_pickle=False) as stored:
        stacks = nodule_stacks({name: stored[name] for name in stored})
    counted = [one for one in stacks if one.reader_count >= HEADLINE_READERS]
    for name, roles in (("validation", {Role.VALIDATION}), ("all but held out", {*Role} - {Role.HELD_OUT})):
        chosen = [one for one in counted if role(one.patient) in roles]
        print(f"{name}: {len(chosen)} nodules of {len({one.patient for one in chosen})} patients")
        for view in (View.SLICE, View.DRAWN_SLICE):
            for against in (Against.OTHERS, Against.INSIDE):
                values = [agreement(one.drawn, view, against) for one in chosen]
                patients = np.repeat([one.patient for one in chosen], [len(some) for some in values])
                dice = np.concatenate(values)
                known = np.isfinite(dice)
                draw = resample_patients(patients[known].tolist(), np.random.default_rng(0), 1000)
                figure = mean_figures({"dice": dice[known]}, draw)["dice"]
                span = f"{figure.value:.3f} ({figure.low:.3f} to {figure.high:.3f})"
                print(f"  {view}, {against}: {span}, {figure.n} slices")


if __name__ == "__main__":
    main()
