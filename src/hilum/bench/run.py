"""From options to a dated report."""

import shlex
from datetime import UTC, datetime
from pathlib import Path

from hilum.bench.drr import Options, bench_drr
from hilum.bench.report import write_report
from hilum.io.installed import sample_ct_path
from hilum.io.read import read_volume
from hilum.workflows.track import Track, silently


def run_drr(out: Path, options: Options, track: Track = silently) -> tuple[Path, bool]:
    """Time the projectors on the sample CT and write the report.

    Returns:
        The report, and whether hilum's projectors are right.
    """
    found = bench_drr(read_volume(sample_ct_path()), options, track)
    return write_report(found, command(out, options), out, datetime.now(UTC).date()), found.passed


def command(out: Path, options: Options) -> str:
    """What makes the report again, without this machine's paths."""
    peers = ["--peers", "PYTHON"] if options.peers else []
    sizes = [word for side in options.sizes for word in ("--size", str(side))]
    slow = ["--slow"] if options.slow else []
    return shlex.join(["hilum", "bench", "drr", out.name, *peers, *slow, *sizes, "--repeats", str(options.repeats)])
