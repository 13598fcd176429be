"""What a picture costs in energy: by the machine's counters where there are any, else by a model of the hardware."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from hilum.infer.exported import Precision
from hilum.infer.extras import NVML, installed

POWERCAP = Path("/sys/class/powercap")
_MICRO, _MILLI, _PICO = 1e-6, 1e-3, 1e-12

MAC_PJ: Mapping[Precision, float] = {"float32": 3.7 + 0.9, "int8": 0.2 + 0.1}
"""A multiplication and an addition, 45 nm, .9 V; of int8 the sum has 32 bits (Horowitz 2014, figure 1.1.9)."""
CACHE_PJ, DRAM_PJ = 100 / 8, (1300 / 8, 2600 / 8)
"""A byte from a cache of 1 MB, and from memory, the lowest and the highest (the same figure gives them for 8 bytes)."""
BYTES: Mapping[Precision, int] = {"float32": 4, "int8": 1}

MODEL = (
    "modelled after Horowitz (ISSCC 2014): arithmetic, and what layers read and write, on a chip of 45 nm that does "
    "nothing else; from all features in cache to all in memory. Not this computer's: it ranks networks, no more"
)


@dataclass(frozen=True)
class Energy:
    """Of one picture.

    Attributes:
        kind: whether counters said it or a model.
        joules: a picture's; of a model the middle of both ends, on a logarithmic scale.
        low: end of what is plausible; NaN where it was measured.
        high: the other end.
        how: which counter, or which model, and what it leaves out.
    """

    kind: Literal["measured", "modelled"]
    joules: float
    low: float
    high: float
    how: str


def modelled(macs: int, weights: int, numbers: int, precision: Precision = "float32") -> Energy:
    """Energy of one picture by Horowitz's table (2014).

    low: weights come from memory once, features stay in a cache. high: features go to memory and back as well, and
    memory costs most.

    Args:
        macs: multiply-accumulates.
        weights: numbers that the layers read, once a picture.
        numbers: that they read and write of features.
        precision: of all of them.
    """
    size = BYTES[precision]
    arithmetic = macs * MAC_PJ[precision]
    low = arithmetic + size * (weights * DRAM_PJ[0] + numbers * CACHE_PJ)
    high = arithmetic + size * (weights + numbers) * DRAM_PJ[1]
    return Energy("modelled", math.sqrt(low * high) * _PICO, low * _PICO, high * _PICO, MODEL)


class Counter(Protocol):
    """Something that counts the energy that was used."""

    how: str

    def joules(self) -> float:
        """Since some time in the past."""


class PowercapCounter:
    """The processor's own counters (RAPL), as Linux shows them; all packages together, wrapped rounds added.

    Args:
        zones: folders of packages.
    """

    def __init__(self, zones: tuple[Path, ...]) -> None:
        self.how = "RAPL, all processor packages with everything else that ran"
        self._zones = zones
        self._span = [_number(zone / "max_energy_range_uj") for zone in zones]
        self._last = [_number(zone / "energy_uj") for zone in zones]
        self._sum = 0.0

    def joules(self) -> float:
        """Since the counter was made; to be asked at least once a round of the counter (minutes)."""
        now = [_number(zone / "energy_uj") for zone in self._zones]
        steps = zip(now, self._last, self._span, strict=True)
        self._sum += sum(after - before if after >= before else after - before + span for after, before, span in steps)
        self._last = now
        return self._sum * _MICRO


def _number(path: Path) -> float:
    return float(path.read_text(encoding="ascii"))


class NvmlCounter:
    """A graphics card's own counter (Volta and later).

    Args:
        index: of the card.
    """

    def __init__(self, index: int = 0) -> None:
        import pynvml

        pynvml.nvmlInit()
        self.how = "NVML, the graphics card with everything else that ran on it; without the processor"
        self._nvml: Any = pynvml
        self._card = pynvml.nvmlDeviceGetHandleByIndex(index)
        self.joules()  # older cards refuse here

    def joules(self) -> float:
        """Since the driver was loaded."""
        return float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(self._card)) * _MILLI


def counter_for(device: str, root: Path = POWERCAP) -> Counter | None:
    """The energy counter of a device; None where there is none, or it may not be read.

    Args:
        device: "cpu" or "cuda".
        root: where Linux shows the processor's counters.
    """
    if device == "cuda":
        return _nvml()
    zones = tuple(sorted(path.parent for path in root.glob("intel-rapl:*/energy_uj") if _is_package(path.parent)))
    try:
        return PowercapCounter(zones) if zones else None
    except (OSError, ValueError):  # since 2020 Linux lets root alone read them
        return None


def _is_package(zone: Path) -> bool:
    """Whether a zone is a whole package: parts of one, such as its cores, have a second number."""
    return zone.name.count(":") == 1


def _nvml() -> Counter | None:
    if not installed(NVML):
        return None
    import pynvml

    try:
        return NvmlCounter()
    except pynvml.NVMLError:
        return None
