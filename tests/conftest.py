"""Shared by all tests: bounded property tests, and real data where there is any."""

import os
from collections.abc import Callable, Iterator
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


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Tiny networks are quickest on one thread of torch: more only wait. `pytest.mark.usefixtures("one_thread")`."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
