"""The demonstration's chapter on follow-up: the real CT beside itself 90 days later, made by computer, truth known."""

import datetime
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hilum.core import Geometry, Volume
from hilum.core.geometry import Floats, Triple
from hilum.datasets.ct_appearance import appearance
from hilum.datasets.growth_phantom import How, Placed, scanned
from hilum.datasets.growth_shape import ball
from hilum.datasets.rescan import background
from hilum.datasets.swelling import Swelling
from hilum.io.dicom.write import write_series
from hilum.io.installed import sample_ct_path
from hilum.io.json_file import write_json
from hilum.ops import place
from hilum.report.page import Link, Page, Picture, Section, Table
from hilum.workflows.demo_scene import Scene
from hilum.workflows.followup import REPORT, FollowupOptions, run_followup
from hilum.workflows.followup_studies import StudyChoice
from hilum.workflows.phantom_plan import SYNTHETIC

FIRST_DAY, DAYS = datetime.date(2000, 1, 1), 90
DOUBLING_DAYS = 200.0
GROWTH = math.exp2(DAYS / DOUBLING_DAYS)
NEW_MM, NEW_LPS_MM = 8.0, (-91.0, 1.0, -172.0)
"""A ball in clear lung of the sample CT."""
_TURN_DEG, _SHIFT_MM = 2.5, (12.0, -9.0, 35.0)
_SEED = 0
_NEAR_MM = 10.0
_NONE = "–"
_SHOWN = ("Nodules", "Growth")
PHANTOM, FOLLOWUP = "phantom", "followup"


@dataclass(frozen=True)
class Known:
    """What is true of a nodule.

    Attributes:
        words: which one it is.
        centre_lps_mm: on the second CT.
        percent: by which its volume grew; None for one that is new.
        volume_mm3: at the second date, where that is exact.
    """

    words: str
    centre_lps_mm: Triple
    percent: float | None
    volume_mm3: float | None = None


def followed_up(scene: Scene, folder: Path) -> Section:
    """The CT followed up to its phantom at 90 days; `phantom/` and `followup/`.

    What stands in `ct/` is taken for the first date, so the CT's own chapter comes before.
    """
    later, truth = grown(scene)
    write_series(
        later,
        folder / PHANTOM / f"day-{DAYS:03}",
        patient="SYNTHETIC-PHANTOM",
        description=f"SYNTHETIC growth phantom, day {DAYS}",
        date=FIRST_DAY + datetime.timedelta(days=DAYS),
        comments=SYNTHETIC,
    )
    write_json(folder / PHANTOM / "truth.json", _record(truth))
    dates = (FIRST_DAY, FIRST_DAY + datetime.timedelta(days=DAYS))
    options = FollowupOptions(
        choice=StudyChoice(dates), given=(folder / "ct" / "nodules.json", None), patient="SYNTHETIC follow-up"
    )
    paths = [sample_ct_path(), folder / PHANTOM / f"day-{DAYS:03}"]
    done = run_followup(paths, folder / FOLLOWUP, options)
    return _section(done.record, done.page, truth)


def grown(scene: Scene) -> tuple[Volume, tuple[Known, ...]]:
    """The CT as it might be at the second date: synthetic.

    The readers' first nodule is larger, a ball is new, noise is new, and the patient lies otherwise, which stands in
    the header alone: no voxel is interpolated for it. Lungs are as full as before.
    """
    ct = scene.upright
    swelling = Swelling.of(place(scene.agreed[0], ct.geometry).select(1), ct.geometry, GROWTH)
    seen = swelling.applied(background(ct, appearance(ct)))
    volume = math.pi / 6 * NEW_MM**3
    made = scanned(seen, [Placed(ball(), volume, NEW_LPS_MM)], How(), np.random.default_rng(_SEED))
    moved = _posture(ct.geometry.to_lps_mm((np.array(ct.geometry.shape_zyx) - 1) / 2))
    name = f"nodule {scene.nodules[0].id} of the readers"
    known = (
        Known(name, _through(moved, swelling.centre_lps_mm), 100 * (GROWTH - 1)),
        Known(f"a ball of {NEW_MM:g} mm", _through(moved, NEW_LPS_MM), None, volume),
    )
    grid = Geometry(made.ct.geometry.shape_zyx, moved @ made.ct.geometry.affine_lps)
    return Volume(made.ct.array, grid), known


def _posture(about: Floats) -> Floats:
    """4×4: a turn about the body's axis through a place, and a shift."""
    angle = math.radians(_TURN_DEG)
    matrix = np.eye(4)
    matrix[:2, :2] = [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    matrix[:3, 3] = about - matrix[:3, :3] @ about + _SHIFT_MM
    return matrix


def _through(matrix: Floats, point: Triple) -> Triple:
    x, y, z = (matrix[:3, :3] @ point + matrix[:3, 3]).tolist()
    return x, y, z


def _record(truth: Sequence[Known]) -> dict[str, object]:
    return {
        "schema": "hilum.demo-truth/1",
        "synthetic": True,
        "note": SYNTHETIC,
        "days": [0, DAYS],
        "nodules": [
            {
                "nodule": one.words,
                "centre_lps_mm": one.centre_lps_mm,
                "is_new": one.percent is None,
                "growth_percent": one.percent,
                "doubling_days": None if one.percent is None else DOUBLING_DAYS,
                "volume_mm3": one.volume_mm3,
            }
            for one in truth
        ],
        "all_others": "unchanged",
    }


def _section(record: Mapping[str, Any], page: Page | None, truth: Sequence[Known]) -> Section:
    pictures: list[Picture] = []
    for section in () if page is None else page.sections:
        pictures += section.pictures if section.title in _SHOWN else ()
    about = (
        f"SYNTHETIC: the second CT was made by computer from the first; no patient was scanned {DAYS} days later. "
        f"The readers' nodule was grown as one that doubles in {DOUBLING_DAYS:g} days, a ball was put in, the patient "
        "turned and shifted, and all noise is new. Nothing of that is told to what measures here."
    )
    limits = (
        "Lungs that are as full at both dates make it easier than two real CTs. The nodule pushes aside what is around "
        "it, while the errors that the intervals stand for were fitted on nodules drawn over their surroundings."
    )
    columns = ("nodule", "is", "true change of volume", "measured, 95 %", "doubling time, true", "measured", "it grew")
    table = Table(columns, [*_rows(record, truth)], "The truth, and what was measured. One CT proves nothing.")
    said = ("rule set", "category", "management", "because")
    advice = Table(said, [*_advice(record)], "What rule sets say of the second date, with their reason.")
    link = Link("The whole follow-up, as its own report", f"{FOLLOWUP}/{REPORT}")
    return Section("Followed up after 90 days", (about, limits), pictures, [table, advice], (link,))


def _rows(record: Mapping[str, Any], truth: Sequence[Known]) -> Iterator[tuple[str, ...]]:
    """Each nodule whose truth is known, then the others, of which nothing changed."""
    names = {one.words: _track(record, one.centre_lps_mm) for one in truth}
    for one in truth:
        name = names[one.words]
        true = "new" if one.percent is None else f"{one.percent:+.1f} %"
        doubling = _NONE if one.percent is None else f"{DOUBLING_DAYS:.0f} days"
        yield (name or _NONE, one.words, true, *_measured(record, name, doubling))
    for each in record["nodules"]:
        if each["name"] not in names.values():
            yield (each["name"], "another mark", "none", *_measured(record, each["name"], _NONE))


def _track(record: Mapping[str, Any], centre: Triple) -> str | None:
    """The nodule that was found at a place on the second CT."""
    later = record["studies"][1]["nodules"]
    away = [math.dist(one["centre_lps_mm"], centre) for one in later]
    nearest = int(np.argmin(away)) if away else -1
    if nearest < 0 or away[nearest] > _NEAR_MM:
        return None
    return next((one["name"] for one in record["nodules"] if one["seen"].get("2") == later[nearest]["id"]), None)


def _measured(record: Mapping[str, Any], name: str | None, doubling: str) -> tuple[str, str, str, str]:
    """Change, true doubling time, measured one, and the probability of growth."""
    pair = next((one for one in record["pairs"] if one["nodule"] == name), None)
    if pair is None or pair["volume_change_percent"] is None:
        fate = next((fate for fate in ("new", "gone") for one in record[fate] if one["nodule"] == name), "not found")
        return fate, doubling, _NONE, _NONE
    change = pair["volume_change_percent"]
    likely = pair["probability_of_growth"]
    return (
        _between(change, "%", "+.0f"),
        doubling,
        _doubling(pair["doubling_days"]),
        _NONE if likely is None else f"{100 * likely:.0f} %",
    )


def _doubling(days: Mapping[str, Any]) -> str:
    if days["value"] is None:
        return "not growing"
    if days["can_be_none"]:
        return "not growing" if days["low"] is None else f"over {days['low']:.0f} days, or none"
    return _between(days, "days", ".0f")


def _between(figure: Mapping[str, float | None], unit: str, form: str) -> str:
    value, low, high = (figure[name] for name in ("value", "low", "high"))
    if value is None:
        return _NONE
    interval = "" if low is None or high is None else f" ({low:{form}} to {high:{form}})"
    return f"{value:{form}} {unit}{interval}"


def _advice(record: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    for one in record["advice"]:
        yield (
            f"{one['ruleset']} {one['version']}",
            one["category"] or "no answer",
            one["management"] or _NONE,
            one["because"],
        )
