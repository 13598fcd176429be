"""What the figures were measured on, without names of persons or hosts."""

import os
import platform
from collections.abc import Mapping
from pathlib import Path

from hilum.io.machine import processor_name


def machine_facts() -> Mapping[str, str]:
    """Processor, cores, memory, system and load."""
    return {
        "processor": processor_name(),
        "cores": str(os.cpu_count()),
        "memory": _memory_gb(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "load before the run": ", ".join(f"{load:.1f}" for load in os.getloadavg()) + " (1, 5, 15 minutes)",
    }


def _memory_gb() -> str:
    kilobytes = _first_value(Path("/proc/meminfo"), "MemTotal").split()
    return f"{int(kilobytes[0]) * 1024 / 1e9:.0f} GB" if kilobytes else "unknown"


def _first_value(path: Path, key: str) -> str:
    """What follows `key :` in a file of such lines; "" where there is no such file or line."""
    if not path.is_file():
        return ""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
