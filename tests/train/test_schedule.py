"""Rates over epochs."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hilum.train.config import ScheduleConfig
from hilum.train.schedule import Plateau, factor_at


def test_a_cosine_rises_to_its_peak_and_falls_to_its_lowest():
    config = ScheduleConfig(kind="cosine", warmup_epochs=2, warmup_from=0.1, lowest=0.01)
    found = [factor_at(progress, 12, config) for progress in (0, 1, 2, 7, 12)]
    assert found == pytest.approx([0.1, 0.55, 1, 0.505, 0.01])


def test_restarts_are_torchs():
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimiser, T_0=3, T_mult=2, eta_min=0.05)
    config = ScheduleConfig(kind="restarts", warmup_epochs=0, lowest=0.05, cycle_epochs=3, cycle_growth=2)
    for step in range(90):
        progress = step / 4
        theirs.step(progress)
        assert factor_at(progress, 30, config) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-9)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60))
def test_a_plateau_is_torchs(figures):
    weight = torch.nn.Parameter(torch.zeros(1))
    optimiser = torch.optim.SGD([weight], lr=1.0)
    rule = {"mode": "max", "factor": 0.5, "patience": 2, "threshold": 0, "min_lr": 0.1}
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, **rule)
    ours = Plateau(ScheduleConfig(kind="plateau", patience=2, step=0.5, lowest=0.1))
    for figure in figures:
        theirs.step(figure)
        ours.see(figure)
        assert ours.factor == optimiser.param_groups[0]["lr"]


def test_an_undefined_figure_is_no_improvement():
    plateau = Plateau(ScheduleConfig(kind="plateau", patience=0))
    for figure in (0.5, math.nan):
        plateau.see(figure)
    assert plateau.factor == 0.5


@given(st.floats(0, 200), st.sampled_from(["constant", "cosine", "restarts", "plateau"]))
def test_no_factor_leaves_its_bounds(progress, kind):
    config = ScheduleConfig(kind=kind, warmup_epochs=3, warmup_from=0.2, lowest=0.1)
    assert 0.1 - 1e-12 <= factor_at(progress, 40, config) <= 1
