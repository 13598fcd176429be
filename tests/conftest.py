"""Shared by all tests: bounded property tests, and real data where there is any."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile(
    "hilum", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("hilum")

DATA = Path(os.environ.get("HILUM_DATA") or Path(__file__).parents[2] / "shared" / "data")


@pytest.fixture(scope="session")
def real_data() -> Callable[[str], Path]:
    """A folder of real data by name; the test is skipped where it isn't."""

    def find(name: str) -> Path:
        if not (DATA / name).exists():
            pytest.skip(f"no real data: {DATA / name} is not here (set HILUM_DATA to the folder that holds {name})")
        return DATA / name

    return find
