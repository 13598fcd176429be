"""Energy: the processor's counters as Linux shows them, and the model where there are none."""

import math

import pytest

from hilum.infer.energy import PowercapCounter, counter_for, modelled


def zone(root, name, microjoules, span=10_000_000):
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "max_energy_range_uj").write_text(f"{span}\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder


def test_packages_add_up_and_their_parts_are_not_counted_twice(tmp_path):
    first, second = zone(tmp_path, "intel-rapl:0", 1_000_000), zone(tmp_path, "intel-rapl:1", 0)
    cores = zone(tmp_path, "intel-rapl:0:0", 0)
    counter = counter_for("cpu", tmp_path)
    before = counter.joules()
    (first / "energy_uj").write_text("4000000")
    (second / "energy_uj").write_text("500000")
    (cores / "energy_uj").write_text("2500000")
    assert counter.joules() - before == pytest.approx(3.5)


def test_a_counter_that_began_again_went_on(tmp_path):
    folder = zone(tmp_path, "intel-rapl:0", 9_000_000)
    counter = PowercapCounter((folder,))
    (folder / "energy_uj").write_text("2000000")
    assert counter.joules() == pytest.approx(3)
    (folder / "energy_uj").write_text("2500000")
    assert counter.joules() == pytest.approx(3.5)


@pytest.mark.parametrize("is_there", [True, False])
def test_without_counters_that_may_be_read_there_is_none(tmp_path, is_there):
    if is_there:
        folder = zone(tmp_path, "intel-rapl:0", 0)
        (folder / "energy_uj").unlink()
        (folder / "energy_uj").mkdir()  # reading it fails, as it does for those who aren't root
    assert counter_for("cpu", tmp_path) is None


def test_the_model_by_hand():
    """1 M products of 3.7 pJ and sums of .9, 1 k weights, 10 k features; 8 bytes cost 100 or 1300 to 2600 pJ."""
    found = modelled(1_000_000, 1_000, 10_000)
    arithmetic = 4.6e-6
    assert found.low == pytest.approx(arithmetic + 4 * (1_000 * 162.5 + 10_000 * 12.5) * 1e-12)
    assert found.high == pytest.approx(arithmetic + 4 * 11_000 * 325 * 1e-12)
    assert found.joules == pytest.approx(math.sqrt(found.low * found.high))
    assert found.kind == "modelled"
    assert "Horowitz" in found.how


def test_eight_bits_cost_less_and_more_work_costs_more():
    assert modelled(10**6, 10**3, 10**4, "int8").high < modelled(10**6, 10**3, 10**4).low
    assert modelled(2 * 10**6, 10**3, 10**4).joules > modelled(10**6, 10**3, 10**4).joules
