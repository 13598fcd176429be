"""One case from end to end: a known movement is measured and undone, and what is inserted is as visible as it is."""

import json

import numpy as np
import pytest

from hilum.core import ChangeKind
from hilum.datasets.augment2d import Warp
from hilum.datasets.insertion import BankNodule, Gain, Insertion
from hilum.datasets.over_time import Shadow
from hilum.datasets.over_time_plan import CasePlan, Planned, PlannedInsertion
from hilum.datasets.over_time_survey import Fit, Lesion
from hilum.datasets.over_time_view import EarlierView
from hilum.datasets.prepared import CaseSource
from hilum.datasets.stored_changes import stored_changes
from hilum.io import write_png
from hilum.workflows.over_time_case import OverTimeJob, case_files, over_time_case
from tests.followup.test_xray_registration import MM, phantom

GAIN = Gain(0.01, 0.0, 0.06, 0.4, 99)
CORNER = (80, 55)


def ball(radius_px, half=16):
    """Chords of a ball, in mm."""
    away = np.hypot(*(np.indices((2 * half + 1, 2 * half + 1)) - half))
    return Shadow((2 * MM * np.sqrt(np.maximum(radius_px**2 - away**2, 0))).astype(np.float32), away <= radius_px)


def insertion(kind, factor=1.0, scale=1.0, place=(0.5, 0.5)):
    shape = ball(10)
    nodule = BankNodule("LIDC-IDRI-0003", "1", 4, 28.0, shape.thickness_mm, shape.extent, shape.extent)
    how = Insertion(0, 0.0, False, scale * MM / 0.7, 1.0, (place,))  # shapes are kept on pixels of .7 mm
    return PlannedInsertion(Planned(kind, factor), [(nodule, how)])


def made(folder, picture, inserted=(), view=None, lesions=()):
    """The record and the changes of a case of this picture."""
    write_png(np.rint(picture * 255).astype(np.uint8), folder / "published.png")
    case = CaseSource("k", "LIDC-IDRI-0002", folder / "truth.png", image=folder / "published.png", pixel_mm=(MM, MM))
    plan = CasePlan([Planned(ChangeKind.UNCHANGED, can_change=False)] * len(lesions), inserted)
    (record,) = over_time_case(OverTimeJob("k", case, lesions, plan, view or EarlierView(), GAIN), folder / "out")
    return record, stored_changes(folder / "out" / record["changes"])


@pytest.fixture(scope="module")
def shifted(tmp_path_factory):
    """Of a picture that lay 8 mm lower and 6 mm further left, with one lesion that stays."""
    folder = tmp_path_factory.mktemp("shifted")
    lesion = Lesion(CORNER, ball(5), Fit(0.01, 2.0, 0.9), True, 14.0)
    view = EarlierView(pose=Warp(shift_mm=(8.0, -6.0)))
    return folder / "out", *made(folder, phantom(), view=view, lesions=[lesion])


def test_a_known_shift_is_measured_and_undone(shifted):
    folder, record, changes = shifted
    found = record["prior"]["registration"]
    assert found["converged"]
    assert found["residual_mm"]["mean_unregistered"] == pytest.approx(10, abs=0.05)
    assert found["residual_mm"]["mean"] < 0.7
    assert found["residual_mm"]["p95"] < 2
    assert not changes.lesions[0].can_change
    (entry,) = json.loads((folder / record["changes"]).read_text())["lesions"]
    now, before = (np.argwhere(one).mean(axis=0) * MM for one in (changes.labels, changes.prior_labels))
    assert now == pytest.approx((np.array(CORNER) + 16) * MM)
    assert np.linalg.norm(before - now) == pytest.approx(entry["residual_mm"], abs=0.5)


def test_a_record_names_every_file(shifted):
    folder, record, _ = shifted
    assert sorted(case_files(record, folder)) == sorted((folder / "cases/k").iterdir())


def test_what_has_shrunk_is_as_visible_as_a_nodule_of_its_size(tmp_path, monkeypatch):
    monkeypatch.setattr("hilum.workflows.over_time_case.register_xray", lambda *_: _Still())
    picture = (0.4 + np.random.default_rng(0).normal(0, 0.1, (200, 210))).clip(0, 1)
    seen = []
    for number, planned in enumerate(
        [insertion(ChangeKind.SHRUNK, 2.0), insertion(ChangeKind.UNCHANGED, 1.0, 0.5), insertion(ChangeKind.UNCHANGED)]
    ):
        _, changes = made(tmp_path / str(number), picture, [planned])
        seen.append((changes.lesions[0].visibility, changes.lesions[0].size_mm))
    (shrunk, size_mm), (half, half_mm), (whole, _) = seen
    assert size_mm == pytest.approx(half_mm, rel=0.05)
    assert shrunk == pytest.approx(half, rel=0.05)
    assert 0.1 < half < 0.8 * whole


class _Still:
    """A stand-in for registration, of which visibility knows nothing."""

    converged, notes = True, ()

    class misfit:  # noqa: N801
        figures = staticmethod(dict)

    def moved(self, picture, **_):
        return picture

    def places_px(self, points_px):
        return points_px
