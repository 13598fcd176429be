"""A prepared data set of X-rays to one packed file that a training run elsewhere reads (`hilum prepare xray-pack`)."""

from dataclasses import dataclass
from pathlib import Path

from hilum.core import Failure, InputError, OutputError
from hilum.datasets.xray_pack import XrayPack, write_pack
from hilum.io.json_file import plain
from hilum.train.config import TrainConfig, xrays_of
from hilum.workflows.train_data import data_hash
from hilum.workflows.train_facts import PACK
from hilum.workflows.train_xrays import read_xrays

CARRIED_MB = 60
"""What a machine without this data set can be expected to be sent."""


@dataclass(frozen=True)
class Packed:
    """A packed file.

    Attributes:
        path: where it lies.
        megabytes: its size, 10⁶ bytes.
        training: pictures to learn from.
        validation: pictures to be judged on.
        nodules: to insert.
        failures: cases that could not be read.
    """

    path: Path
    megabytes: float
    training: int
    validation: int
    nodules: int
    failures: tuple[Failure, ...]

    @property
    def is_large(self) -> bool:
        """Whether it is larger than `CARRIED_MB`."""
        return self.megabytes > CARRIED_MB


def pack_xrays(data: Path, out: Path, config: TrainConfig, *, force: bool = False) -> Packed:
    """Pack everything that a run of this configuration reads; the same data and settings give the same bytes.

    Args:
        data: a prepared data set.
        config: says pixels, truth, weights of hidden lesions, and whether nodules to insert, earlier pictures and their
            lesions are packed as well.
        out: a name that ends in `.npz`.
        force: write over a file that is there.

    Raises:
        InputError: the data set can't be used, or is a packed file itself.
        TrainError: there is nothing to learn from.
        OutputError: `out` is there already, has another ending, or can't be written.
    """
    if out.suffix != PACK:
        raise OutputError(f"{out} is no name for a packed file.", f"Let it end in {PACK}.")
    if out.exists() and (out.is_dir() or not force):
        raise OutputError(f"{out} exists already.", "Choose another name, or write over it with --force.")
    if data.suffix == PACK:
        raise InputError(f"{data} is packed already.", "Give the prepared data set.")
    # All of them: whether misplaced pictures teach is the run's to say, and its card counts them. Likewise whose
    # earlier picture stands beside the X-ray, and what is seen at a time: each has its own, whole, in the file.
    wanted = xrays_of(config)
    prior = "none" if wanted.prior == "none" else "earlier"
    everything = wanted.model_copy(update={"leave_out_odd": False, "prior": prior, "view": "picture"})
    read = read_xrays(data, config.model_copy(update={"data": everything}))
    about = {
        "name": read.facts.name,
        "split_hash": read.facts.split_hash,
        "source": data_hash(data),
        **{name: getattr(wanted, name) for name in ("truth", "pixel_mm", "visibility_floor")},
        "failures": plain(read.failures),
    }
    write_pack(out, XrayPack({"train": read.training, "validation": read.validation}, about, read.bank))
    nodules = len(read.bank.nodules) if read.bank else 0
    megabytes = out.stat().st_size / 1e6
    return Packed(out, megabytes, len(read.training), len(read.validation), nodules, read.failures)
