"""A tiny data set over time that a run can learn from: two training and two validation patients, a case each."""

import json

from hilum.datasets.stored_split import StoredSplit
from tests.changed import five, lesion, write_case

TRAINING, VALIDATION = ("LIDC-IDRI-0002", "LIDC-IDRI-0003"), ("LIDC-IDRI-0006", "LIDC-IDRI-0011")


def write_pairs_over_time(folder):
    """Write it; pixels are of 1 mm."""
    records = []
    for number, patient in enumerate((*TRAINING, *VALIDATION)):
        lesions = five() if number % 2 else [lesion(1, "grown", ((40 + number, 50), 7), ((40 + number, 50), 4))]
        records.append(write_case(folder, f"case-{number}", patient, lesions))
    splits = StoredSplit("made", TRAINING, VALIDATION).record()
    index = {"schema": "hilum.dataset/1", "kind": "xray-over-time", "cases": records, "splits": splits, "failures": []}
    (folder / "dataset.json").write_text(json.dumps(index))
    return folder
