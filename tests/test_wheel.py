"""What goes into the wheel: the shipped weights and tables beside the code."""

import shutil
import zipfile
from pathlib import Path

from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[1]


def test_the_wheel_has_weights_and_tables(tmp_path):
    """Built of the project's own settings and ignored names, around a package that has one of each."""
    for name in ("pyproject.toml", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, tmp_path / name)
    package = tmp_path / "src" / "hilum"
    wanted = [
        "weights/xray/weights.safetensors",
        "weights/xray/config.json",
        "weights/xray/card.md",
        "datasets/chest.npy",
        "followup/guidelines/rulesets/fleischner-2017.yaml",
    ]
    for name in wanted:
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_bytes(b"x")
    shutil.copy(ROOT / "src" / "hilum" / "__init__.py", package / "__init__.py")
    [wheel] = WheelBuilder(str(tmp_path)).build(directory=str(tmp_path / "dist"))
    assert {f"hilum/{name}" for name in wanted} <= set(zipfile.ZipFile(wheel).namelist())
    assert (ROOT / "src" / "hilum" / "datasets" / "chest.npy").is_file()
