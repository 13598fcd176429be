"""An engine's process, seen from outside."""

import json
import os
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hilum.core import InputError

_LAUNCH = """
import importlib, sys
sys.path.append(sys.argv[1])
worker, engine = (importlib.import_module("engines." + name) for name in ("worker", sys.argv[2]))
worker.run(engine.main, *sys.argv[3:])
"""
"""The room's folder goes last on the path: nothing of hilum's environment is seen by a peer's interpreter."""


@dataclass(frozen=True)
class Outcome:
    """What an engine did in one scene.

    Attributes:
        seconds: of every timed repeat.
        growth_mb: highest resident memory over the process after its imports.
        image: [row, column]; None when it is absent or failed.
        versions: of what ran.
        absent: why there is nothing, else "".
    """

    seconds: tuple[float, ...] = ()
    growth_mb: float = np.nan
    image: NDArray[np.float32] | None = None
    versions: Mapping[str, str] = field(default_factory=dict)
    absent: str = ""


class EngineProcess:
    """Runs one engine in one scene, a projection at a time.

    Attributes:
        seconds: of every projection so far, the warm-up's first.
        absent: why it doesn't run, else "".
        versions: of what it runs.
    """

    def __init__(self, python: str, module: str, variant: str, folder: Path) -> None:
        words = [python, "-c", _LAUNCH, str(Path(__file__).parent), module, str(folder), variant]
        self._folder = folder
        self._log = (folder / "log.txt").open("w+", encoding="utf-8")
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._log}
        self.seconds: list[float] = []
        self.versions: Mapping[str, str] = {}
        self._process: subprocess.Popen[str] | None = None
        try:
            self._process = subprocess.Popen(words, text=True, env=_environment(), **pipes)  # noqa: S603
        except OSError as error:
            self.absent = f"{python} doesn't start: {error.strerror}"
        else:
            self.versions = self._ask().get("versions", {})

    def project(self) -> None:
        """Project once; the time is added to `seconds`."""
        if not self.absent:
            self._say("project\n")
            found = self._ask()
            if not self.absent:
                self.seconds.append(found["seconds"])

    def finish(self) -> Outcome:
        """Close the process and collect what it did; the first projection was the warm-up."""
        growth_mb, image = np.nan, None
        if not self.absent and self._process:
            self._stdin().close()
            growth_mb = self._ask().get("growth_mb", np.nan)
            if not self.absent and self.seconds:
                image = np.load(self._folder / "image.npy")
        self._close()
        return Outcome(tuple(self.seconds[1:]), growth_mb, image, self.versions, self.absent)

    def _close(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
        for stream in (self._process.stdin, self._process.stdout) if self._process else ():
            with suppress(BrokenPipeError):
                if stream:
                    stream.close()
        self._log.close()

    def _ask(self) -> dict[str, Any]:
        """The next answer; what isn't one makes the engine absent."""
        line = self._process.stdout.readline() if self._process and self._process.stdout else ""
        found: dict[str, Any] = json.loads(line) if line.startswith("{") else {"missing": self._last_words()}
        self.absent = str(found.get("missing", ""))
        return found

    def _say(self, line: str) -> None:
        self._stdin().write(line)
        self._stdin().flush()

    def _stdin(self) -> IO[str]:
        if self._process is None or self._process.stdin is None:
            raise InputError("an engine that doesn't run was asked to project.")
        return self._process.stdin

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return f"it stopped: {lines[-1][:200] if lines else 'without a word'}"


def _environment() -> dict[str, str]:
    """This process's, without what would mix two Python environments."""
    return {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
