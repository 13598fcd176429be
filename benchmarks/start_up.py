"""How long it takes until hilum works: importing it, asking for help, and, with --setup, both commands from nothing.

    python benchmarks/start_up.py [--setup]

`--setup` clones the committed state into a temporary folder and runs `make demo` and `make test` there, each twice;
the first of each makes its own environment.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPEATS = 9


def seconds(command: list[str], folder: Path | None = None) -> float:
    """How long a command takes; it must succeed."""
    start = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    return time.perf_counter() - start


def medians() -> dict[str, float]:
    """Medians of starting the interpreter, importing hilum and asking for help."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import hilum'": [sys.executable, "-c", "import hilum"],
        "python -c 'import hilum.core'": [sys.executable, "-c", "import hilum.core"],
        "hilum --help": [str(Path(sys.executable).with_name("hilum")), "--help"],
    }
    return {name: statistics.median(seconds(command) for _ in range(REPEATS)) for name, command in commands.items()}


def from_nothing(target: str) -> tuple[float, float]:
    """A make target in a fresh clone, and the same again."""
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as place:
        clone = Path(place) / "hilum"
        git = shutil.which("git") or "git"
        seconds([git, "clone", "--quiet", str(root), str(clone)])
        make = [shutil.which("make") or "make", target]
        return seconds(make, clone), seconds(make, clone)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true", help="time make demo and make test from a fresh clone as well")
    for name, median in medians().items():
        print(f"| `{name}` | {median:.3f} s |")
    if parser.parse_args().setup:
        for target in ("demo", "test"):
            first, second = from_nothing(target)
            print(f"| `make {target}` from nothing, then again | {first:.0f} s, {second:.1f} s |")


if __name__ == "__main__":
    main()
