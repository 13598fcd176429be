"""Every type of the ground floor is to be had from `hilum.core`; the rooms are named where people look."""

import importlib
import pkgutil
import tomllib
from pathlib import Path

import hilum
from hilum import core


def test_every_class_of_core_is_exported():
    modules = [importlib.import_module(f"hilum.core.{found.name}") for found in pkgutil.iter_modules(core.__path__)]
    assert len(modules) > 8
    classes = {
        name
        for module in modules
        for name, found in vars(module).items()
        if isinstance(found, type) and found.__module__ == module.__name__ and not name.startswith("_")
    }
    assert classes <= set(core.__all__)
    assert sorted(core.__all__) == list(core.__all__)


def test_the_package_names_its_rooms_in_their_order():
    contract = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    layers = contract["tool"]["importlinter"]["contracts"][0]["layers"]
    layers = [layer for layer in layers if not layer.startswith("__")]
    rooms = [room.strip() for layer in layers for room in layer.split("|")]
    named = [(hilum.__doc__ or "").find(f"`{room}`") for room in rooms]
    assert min(named) > 0
    order = [hilum.__doc__.find(f"`{layer}`") for layer in layers if "|" not in layer]
    assert order == sorted(order, reverse=True)
