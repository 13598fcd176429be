"""What a data set of pairs over time holds: kinds of change, and how well the known warps were undone.

    python benchmarks/over_time.py OVER_TIME

OVER_TIME is what `hilum prepare over-time` made. For each split: lesions of each kind and how many of them were
inserted; how many real lesions could be changed; and in mm, quantiles of each picture's mean error before and after
registration, of its 95 % within the body, and of the error at lesions' centres.
"""

import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from hilum.datasets.prepared import read_prepared

QUANTILES = (5, 25, 50, 75, 95)


def line(name: str, values: Iterable[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"  {name:26}{len(known):6}" + "".join(f"{one:8.2f}" for one in np.percentile(known, QUANTILES))


def main(folder: Path) -> None:
    data = read_prepared(folder)
    options = json.loads(data.index.read_text())["options"]
    for split in ("train", "validation"):
        cases = [case for case in data.records if case["patient"] in set(data.splits[split])]
        reached, total = options["reached"][split], sum(options["reached"][split].values())
        print(f"{split}: {len(cases)} pictures, {total} lesions; real: {options['real'][split]}")
        for kind, count in reached.items():
            inserted, wanted = (options[name][split][kind] for name in ("inserted", "wanted"))
            print(f"  {kind:10}{count:6}{count / total:8.1%}, inserted {inserted}, wanted {wanted}")
        found = [case["prior"]["registration"] for case in cases]
        lesions = [
            one["residual_mm"]
            for case in cases
            for one in json.loads((data.index.parent / case["changes"]).read_text())["lesions"]
        ]
        print(f"  {'mm':26}{'n':>6}" + "".join(f"{f'{one} %':>8}" for one in QUANTILES))
        print(line("apart, mean of a picture", (one["residual_mm"]["mean_unregistered"] for one in found)))
        print(line("left, mean of a picture", (one["residual_mm"]["mean"] for one in found)))
        print(line("left, 95 % of a picture", (one["residual_mm"]["p95"] for one in found)))
        print(line("left, at lesions' centres", lesions))
        print(f"  converged: {sum(one['converged'] for one in found)} of {len(found)}")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    main(Path(sys.argv[1]))
