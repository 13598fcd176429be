"""Decisions about nodules in words and numbers."""

import math

from hilum.core import Nodule
from hilum.followup.ct_likeness import diameter_mm
from hilum.followup.ct_places import Expected
from hilum.followup.ct_tracks import Likeness, NoduleKey


def paired(one: Likeness, rival: tuple[NoduleKey, Likeness] | None) -> str:
    """Why two nodules are one."""
    return f"{_beside(one)}; {_nearest(rival)}"


def alone(nearest: tuple[NoduleKey, Likeness] | None, is_taken: bool) -> str:
    """Why a nodule has no partner."""
    if nearest is None:
        return "there is no nodule at the other date"
    key, one = nearest
    if one.may_be_one:
        why = "it fits another nodule better" if is_taken else "without it all others fit better"
    elif one.distance_mm > one.gate_mm:
        why = "too far"
    else:
        why = f"too unlike in all ({one.unlikeness:.2f} where 1 is allowed)"
    return f"the nearest is nodule {key.nodule}: {_beside(one)}: {why}"


def joined(expected: Expected, one: Likeness, whole: Nodule, word: str) -> str:
    """Why a nodule is part of another."""
    return (
        f"{word} nodule {whole.id}: {one.distance_mm:.1f} mm between its centre and that nodule's, which has a radius "
        f"of {diameter_mm(whole) / 2:.1f} mm and both parts' volume (places are sure to {expected.error_mm:.1f} mm)"
    )


def uncovered(number: int | None) -> str:
    """Why nothing can be said.

    Args:
        number: of the later study, counted from 1, that doesn't show the place; None where no earlier one does.
    """
    who = "no earlier study shows" if number is None else f"study {number} doesn't show"
    return f"{who} its place, or it lies too near the edge of what is shown to be sure"


def by_hand(word: str) -> str:
    """That a person decided."""
    return f"set by hand: {word}"


def _beside(one: Likeness) -> str:
    words = [f"{one.distance_mm:.1f} mm from where it is expected ({one.gate_mm:.1f} mm are allowed)"]
    if not math.isnan(one.size_ratio):
        words.append(f"{one.size_ratio:.2f} times the diameter")
    if not math.isnan(one.texture_change):
        words.append(f"texture {one.texture_change:+.1f}" if one.texture_change else "the same texture")
    return ", ".join(words)


def _nearest(rival: tuple[NoduleKey, Likeness] | None) -> str:
    if rival is None:
        return "there is no other"
    key, one = rival
    word = "which might be it as well" if one.may_be_one else "which is too unlike or far"
    return f"the next is nodule {key.nodule}, {one.distance_mm:.1f} mm away ({one.gate_mm:.1f} allowed), {word}"
