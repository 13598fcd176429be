"""`changes.json` says which lesions could have changed, or that nobody knows."""

import json

import numpy as np
import pytest

from hilum.core import UnreadableError
from hilum.datasets.stored_changes import stored_changes
from hilum.io import write_png


def written(folder, **more):
    """A file of one lesion."""
    lesion = {"id": 1, "change": "unchanged", "centre_px": [3, 3], "is_synthetic": False, **more}
    content = {"schema": "hilum.changes/1", "labels": "a.png", "prior_labels": "a.png", "lesions": [lesion]}
    (folder / "changes.json").write_text(json.dumps(content))
    write_png(np.eye(7, dtype=np.uint8), folder / "a.png")
    return folder / "changes.json"


@pytest.mark.parametrize(
    ("entry", "says"),
    [({"can_change": True}, True), ({"can_change": False}, False), ({"can_change": None}, None), ({}, None)],
)
def test_whether_a_lesion_could_have_changed_is_read(tmp_path, entry, says):
    assert stored_changes(written(tmp_path, **entry)).lesions[0].can_change is says


def test_any_other_word_is_refused(tmp_path):
    with pytest.raises(UnreadableError, match="can_change is true, false or null"):
        stored_changes(written(tmp_path, can_change="no"))
