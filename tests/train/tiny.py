"""The smallest run that still learns: discs on noise, a U-Net of eight channels, seconds on one thread."""

from dataclasses import replace

import numpy as np

from hilum.datasets.xray_config import AugmentConfig, SamplingConfig
from hilum.datasets.xray_sample import XraySample
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.train.config import Machine, OptimiserConfig, Phase, ScheduleConfig, TrainConfig, TrainerConfig
from hilum.train.fit import Cases
from hilum.train.xrays import Xrays

SIZE = 32
MACHINE = Machine(device="cpu", threads=1)
TINY = TrainConfig(
    recipe="tiny",
    model=ModelConfig(name="unet", options={"widths": (4, 8), "stem": "full", "dropout": 0.2}),
    optimiser=OptimiserConfig(lr=0.02),
    schedule=ScheduleConfig(warmup_epochs=1),
    trainer=TrainerConfig(epochs=4, batch_size=4, precision="32", panels_every=0),
)


EVERYTHING = TINY.model_copy(
    update={
        "augment": AugmentConfig(crop_px=None, elastic_mm=0),
        "sampling": SamplingConfig(hard_negatives=3.0),
        "loss": LossConfig(name="bce_dice"),
        "phases": (
            Phase(train=("decoder", "head")),
            Phase(first_epoch=3, loss=LossConfig(name="bce_dice", options={"bce_weight": 0.5})),
        ),
        "schedule": ScheduleConfig(kind="plateau", patience=0, warmup_epochs=1),
        "trainer": TrainerConfig(
            epochs=8, batch_size=2, accumulate=2, ema=0.5, clip_norm=1.0, precision="32", panels_every=0
        ),
    }
)
"""A run that needs all that a checkpoint keeps: two phases, a plateau, hard negatives, steps of two batches, a mean."""


def changed(config=TINY, **trainer):
    """The same with other fields of the trainer."""
    return config.model_copy(update={"trainer": config.trainer.model_copy(update=trainer)})


def disc(rng, *, radius=None):
    """A bright disc on noise, somewhere."""
    rows, columns = np.indices((SIZE, SIZE))
    y, x = rng.uniform(8, SIZE - 8, 2)
    radius = rng.uniform(3, 6) if radius is None else radius
    truth = np.hypot(rows - y, columns - x) < radius
    image = np.clip(0.4 + 0.1 * rng.standard_normal(truth.shape) + 0.3 * truth, 0, 1).astype(np.float32)
    return XraySample("disc", "nobody", image, truth, np.ones_like(image), pixel_mm=1.4)


class Discs:
    """Discs by number; every epoch shows them in another order, flipped by lot."""

    def __init__(self, count=8, seed=0):
        self.seed = seed
        self.samples = [disc(np.random.default_rng((seed, case))) for case in range(count)]

    def order(self, epoch):
        return np.random.default_rng((self.seed, 1, epoch)).permutation(len(self.samples)).tolist()

    def draw(self, epoch, place, case):
        rng = np.random.default_rng((self.seed, 2, epoch, place))
        step = -1 if rng.random() < 0.5 else 1
        one = self.samples[case]
        planes = {name: getattr(one, name)[:, ::step].copy() for name in ("image", "truth", "weight")}
        return replace(one, **planes)


def cases(count=8):
    """To learn from, and others to be judged on: five discs and one picture without."""
    judged = [disc(np.random.default_rng((99, case))) for case in range(5)]
    return Cases(Discs(count), [*judged, disc(np.random.default_rng(7), radius=0)])


def everything(kind=Xrays):
    """Cases for `EVERYTHING`: real augmentation, a disc on every second picture; `kind` shows them."""
    samples = [disc(np.random.default_rng((5, case)), radius=None if case % 2 else 0) for case in range(8)]
    return Cases(kind(samples, EVERYTHING), cases().judged)
