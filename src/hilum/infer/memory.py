"""How much memory this process holds, and how much it has held at most."""

import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")
_RESET_PEAK = "5"
"""proc_pid_clear_refs(5): sets the highest resident size to the current one (Linux 4.0 and later)."""
_KIB = 1024


def resident_bytes() -> int:
    """Resident memory now; where the system doesn't say it, the most so far."""
    return _of_status("VmRSS") or _most_ever()


def peak_bytes() -> int:
    """The most that was resident since `reset_peak`, or since the process began."""
    return _of_status("VmHWM") or _most_ever()


def reset_peak() -> None:
    """Count the peak from now on, where the system can."""
    with suppress(OSError):
        _CLEAR.write_text(_RESET_PEAK, encoding="ascii")


def _of_status(key: str) -> int:
    """Bytes; 0 where the system doesn't say."""
    lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines() if _STATUS.is_file() else []
    return next((int(line.split()[1]) * _KIB for line in lines if line.startswith(f"{key}:")), 0)


def _most_ever() -> int:
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * _KIB
