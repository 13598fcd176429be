"""The rule sets' tables once more, written by hand as plain comparisons: the oracle for the rules that are data."""

import math


def whole(value):
    return math.floor(value + 0.5)


def tenth(value):
    return math.floor(value * 10 + 0.5) / 10


def fleischner(mm, texture, several, risk):
    """At baseline."""
    size = whole(mm)
    if texture == "solid":
        if size < 6:
            return "none" if risk == "low" else "optional-ct-12-months"
        if several:
            return "ct-3-6-months"
        return "ct-6-12-months" if size <= 8 else "ct-3-months-pet-ct-or-tissue"
    if several:
        return "ct-3-6-months"
    if size < 6:
        return "none"
    return "ct-6-12-months" if texture == "ground-glass" else "ct-3-6-months"


def fleischner_by_volume(mm3, several, risk):
    """Solid, at baseline."""
    if mm3 < 100:
        return "none" if risk == "low" else "optional-ct-12-months"
    if several:
        return "ct-3-6-months"
    return "ct-6-12-months" if mm3 <= 250 else "ct-3-months-pet-ct-or-tissue"


def lung_rads_solid(mm, history):
    size = tenth(mm)
    ends, names = {
        "baseline": ((6, 8, 15), ("2", "3", "4A", "4B")),
        "new": ((4, 6, 8), ("2", "3", "4A", "4B")),
        "growing": ((8,), ("4A", "4B")),
    }[history]
    return names[sum(size >= end for end in ends)]


def lung_rads_solid_by_volume(mm3, history):
    size = whole(mm3)
    ends, names = {
        "baseline": ((113, 268, 1767), ("2", "3", "4A", "4B")),
        "new": ((34, 113, 268), ("2", "3", "4A", "4B")),
        "growing": ((268,), ("4A", "4B")),
    }[history]
    return names[sum(size >= end for end in ends)]


def lung_rads_part_solid(mm, solid_mm):
    """At baseline."""
    size, part = tenth(mm), tenth(solid_mm)
    if part >= 8:
        return "4B"
    if part >= 6:
        return "4A"
    return "3" if size >= 6 else "2"


def lndb(nodules):
    """The class of a CT from (volume, rating) of each nodule, as the challenge describes it."""
    solid = [volume for volume, rating in nodules if rating >= 11 / 3]
    subsolid = [(volume, "part-solid" if rating >= 7 / 3 else "glass") for volume, rating in nodules if rating < 11 / 3]
    return max(_lndb_solid(solid), _lndb_subsolid(subsolid))


def _lndb_solid(volumes):
    if not volumes or max(volumes) < 100:
        return 0
    if max(volumes) >= 250:
        return 3
    return 1 if len(volumes) == 1 else 2


def _lndb_subsolid(found):
    if len(found) > 1:
        return 2
    if not found or found[0][0] < 100:
        return 0
    return 2 if found[0][1] == "part-solid" else 1
