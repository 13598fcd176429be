"""A small data set of CT slices out of a large one: the middle slice of every sixth validation nodule, ten at most.

    python benchmarks/slice_sample.py SLICES SAMPLE
    hilum explain SAMPLE why --split validation --sanity --layer decoder.stages.1

SLICES is a data set from `hilum prepare slices`, SAMPLE a folder to make; its index names the files where they are.
Nodules are those of three readers and more, in the data set's order.
"""

import json
import sys
from pathlib import Path

EVERY, MOST = 6, 10


def absolute(case, folder):
    """A case's record with files where they are."""
    masks = {name: str(folder / path) for name, path in case["masks"].items()}
    nodules = str(folder / case["nodules"]) if case.get("nodules") else None
    return {**case, "image": str(folder / case["image"]), "masks": masks, "nodules": nodules}


if __name__ == "__main__":
    folder, out = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    index = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    nodules = {}
    for case in index["cases"]:
        if case["patient"] in index["splits"]["validation"] and case["slice"]["reader_count"] >= 3:
            nodules.setdefault(case["slice"]["nodule"], []).append(case)
    chosen = [slices[len(slices) // 2] for slices in list(nodules.values())[::EVERY]][:MOST]
    out.mkdir(parents=True, exist_ok=True)
    index["cases"] = [absolute(case, folder) for case in chosen]
    (out / "dataset.json").write_text(json.dumps(index), encoding="utf-8")
    print(f"{len(chosen)} slices of {len(nodules)} nodules")
