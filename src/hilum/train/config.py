"""One frozen configuration says everything that decides what a training run learns."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from hilum.config import Frozen, FrozenConfig, FrozenDict
from hilum.core import ConfigError
from hilum.datasets.patch_config import PatchAugmentConfig, PatchDataConfig
from hilum.datasets.xray_config import AugmentConfig, InsertionConfig, SamplingConfig, XrayDataConfig
from hilum.losses.catalogue import LOSSES
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import MODELS, ModelConfig
from hilum.train.adaptation_config import AdaptationConfig
from hilum.train.data_config import AnyAugmentConfig, DataConfig, axes_of, is_of_classes

ALL = "all"

Share = Annotated[float, Field(ge=0, le=1)]
Precision = Annotated[Literal["auto", "32", "bf16"], BeforeValidator(str)]
Monitor = Literal["dice_mean", "dice_pooled", "explained", "label_auc"]


class Phase(FrozenConfig):
    """A stretch of epochs in which some parts of the network learn."""

    first_epoch: PositiveInt = 1
    """Counted from 1; the phase lasts until the next one begins."""
    train: Annotated[tuple[str, ...], Field(min_length=1)] = (ALL,)
    """Parts that learn, by the names that the network gives them, or all."""
    encoder_stages: PositiveInt | None = None
    """How many of the encoder's last stages learn, where the encoder does; all without it."""
    loss: LossConfig | None = None
    """What is minimised in this phase; the run's loss without it."""


class OptimiserConfig(FrozenConfig):
    """AdamW (Loshchilov and Hutter 2019); norms and biases don't decay."""

    lr: PositiveFloat = 1e-3
    """Learning rate at its peak."""
    lr_of: Annotated[Mapping[str, PositiveFloat], *Frozen] = FrozenDict()
    """Another peak for some parts of the network, by name."""
    weight_decay: NonNegativeFloat = 1e-3
    """Decoupled from the gradient."""
    betas: tuple[Share, Share] = (0.9, 0.999)
    """Memory of the gradient's mean and square."""


class ScheduleConfig(FrozenConfig):
    """How the learning rate goes: a factor on every part's peak."""

    kind: Literal["constant", "cosine", "restarts", "plateau"] = "cosine"
    """cosine: down to the lowest at the last step. restarts: cosines of growing length (Loshchilov and Hutter 2017).
    plateau: down by a factor when the monitored figure stands still."""
    warmup_epochs: NonNegativeFloat = 1.0
    """Linear rise to the peak before all else."""
    warmup_from: Share = 0.1
    """Factor at the first step of the warm-up."""
    lowest: Share = 0.01
    """Factor below which the rate never goes after the warm-up."""
    cycle_epochs: PositiveFloat = 30.0
    """restarts: length of the first cosine."""
    cycle_growth: Annotated[float, Field(ge=1)] = 2.0
    """restarts: how many times longer each next cosine is."""
    patience: NonNegativeInt = 15
    """plateau: epochs without improvement that are waited out."""
    step: Annotated[float, Field(gt=0, lt=1)] = 0.5
    """plateau: factor of each reduction."""


class TrainerConfig(FrozenConfig):
    """How long, how much at a time, how exactly, and when to stop."""

    epochs: PositiveInt = 12
    """At most."""
    batch_size: PositiveInt = 8
    """Images a step, over all processes together."""
    accumulate: PositiveInt = 1
    """Batches whose gradients make one step. Not the same as one batch of all of them where Dice is taken over the
    batch, or the network has batch norm: these see each alone."""
    precision: Precision = "auto"
    """bf16: convolutions in bfloat16, everything else in 32 bits. auto takes it where the device computes in it."""
    clip_norm: NonNegativeFloat = 1.0
    """Longest gradient; 0 for any length."""
    gradient_checkpointing: bool = False
    """Compute the encoder again on the way back: less memory, more time, the same result."""
    ema: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Memory of the running mean of weights that is judged and kept (0.99 is usual for small data); 0 for none."""
    monitor: Monitor = "dice_mean"
    """Figure on validation that picks the best model, at the threshold of the grid where it is highest. explained: of
    the hidden pixels' variance, for a run that redraws pictures. Of films by classes Dice is the mean over classes, of
    the films that have each, and label_auc the mean area under the ROC curves of films' labels."""
    patience: PositiveInt | None = None
    """Epochs without improvement after which training stops; None never does."""
    deterministic: bool = False
    """Refuse operations that give other bits the next time; on a CPU they don't, on CUDA this costs time."""
    store: Literal["float32", "float16"] = "float32"
    """How the kept model's kernels are stored; float16 halves the file. The card has the figures of what is stored."""
    panels_every: NonNegativeInt = 5
    """Epochs between two pictures of predictions and attention; 0 for none."""
    seed: NonNegativeInt = 0
    """Of everything that is drawn."""


class PretextConfig(FrozenConfig):
    """What of a picture is hidden, to be redrawn."""

    share: Annotated[float, Field(gt=0, lt=1)] = 0.6
    """Of a picture's squares."""
    square_mm: PositiveFloat = 22.4
    """Side of a square; smaller ones can be guessed from their neighbours, and teach less."""
    noise_level: NonNegativeFloat = 0.0
    """Standard deviation of noise on what is shown, of the full range; what is redrawn has none."""


class StartConfig(FrozenConfig):
    """What is taken of the model that a run begins with (--from)."""

    parts: Annotated[tuple[str, ...], Field(min_length=1)] = (ALL,)
    """Parts of the network by name, such as encoder, or all; the others begin with random numbers."""


class TrainConfig(FrozenConfig):
    """A complete run; what it learns follows from this and the data."""

    recipe: str = ""
    """Where it began."""
    data: DataConfig = XrayDataConfig(pixel_mm=1.4)
    """What is learnt from: which kind of data, which truth, on which pixels."""
    sampling: SamplingConfig = SamplingConfig()
    """Which pictures an epoch shows, and how often."""
    insertion: InsertionConfig = InsertionConfig()
    """Which real nodules of other training patients are added to them."""
    augment: AnyAugmentConfig = AugmentConfig()
    """How they are changed."""
    model: ModelConfig = ModelConfig()
    """The network."""
    loss: LossConfig = LossConfig()
    """What is minimised."""
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)] = (Phase(),)
    """In order; the first begins at epoch 1."""
    optimiser: OptimiserConfig = OptimiserConfig()
    """How steps are taken."""
    schedule: ScheduleConfig = ScheduleConfig()
    """How large they are."""
    trainer: TrainerConfig = TrainerConfig()
    """How long, and how it is judged."""
    start: StartConfig = StartConfig()
    """What is taken of a model that it begins with."""
    pretext: PretextConfig | None = None
    """Redraw hidden squares of pictures, without looking at masks, instead of marking lesions."""
    adaptation: AdaptationConfig = AdaptationConfig()
    """Make features of unlabeled films like those of the X-rays."""

    @model_validator(mode="after")
    def _phases_in_order(self) -> Self:
        firsts = [phase.first_epoch for phase in self.phases]
        if firsts[0] != 1 or any(later <= earlier for earlier, later in pairwise(firsts)):
            raise ValueError(f"phases begin at epoch 1 and one after another, these at {firsts}")
        return self

    @model_validator(mode="after")
    def _one_task(self) -> Self:
        if (self.pretext is not None) != (self.trainer.monitor == "explained"):
            raise ValueError("trainer.monitor is explained for a run with pretext, and for no other")
        if self.pretext is not None and self.insertion.share:
            raise ValueError("a run with pretext looks at no mask; set insertion.share to 0")
        return self

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        """What belongs to X-rays alone is set for nothing else, and pieces of a CT have networks of three axes."""
        if isinstance(self.augment, PatchAugmentConfig) != isinstance(self.data, PatchDataConfig):
            wanted = "augment.kind patches" if isinstance(self.data, PatchDataConfig) else "augment of pictures"
            raise ValueError(f"data.kind is {self.data.kind}, which goes with {wanted}; choose another recipe")
        if self.model.axes != (axes := axes_of(self.data)):
            fitting = ", ".join(name for name, network in MODELS.items() if network.axes == axes)
            raise ValueError(
                f"data.kind {self.data.kind} is of {axes} axes, and the network {self.model.name} of "
                f"{self.model.axes}; set model.name to one of {fitting}"
            )
        if isinstance(self.data, XrayDataConfig):
            return self
        of_xrays = {
            "insertion.share to 0": self.insertion.share > 0,
            "pretext to null": self.pretext is not None,
            "adaptation.method to none": self.adaptation.is_wanted,
            "augment.prior_shift_mm to 0": getattr(self.augment, "prior_shift_mm", 0) > 0,
        }
        if wrong := [words for words, is_set in of_xrays.items() if is_set]:
            raise ValueError(f"data.kind is {self.data.kind}, and X-rays alone have this: set {', '.join(wrong)}")
        return self

    @model_validator(mode="after")
    def _classes_fit(self) -> Self:
        """Films by classes have networks of their own, and a figure that their network can have."""
        if self.model.gives_classes != is_of_classes(self.data):
            fitting = ", ".join(name for name, one in MODELS.items() if one.gives_classes)
            wanted = f"one of {fitting}" if is_of_classes(self.data) else "one that marks lesions"
            raise ValueError(f"data.kind is {self.data.kind}, and the network {self.model.name}; set it to {wanted}")
        if self.model.gives_classes:
            return self._class_figure()
        if self.trainer.monitor == "label_auc":
            raise ValueError("trainer.monitor label_auc is for films by classes; set it to dice_mean")
        return self

    def _class_figure(self) -> Self:
        """What validation is judged by has to be something that the network gives."""
        finds, monitor = self.model.options["finds"], self.trainer.monitor
        lacking = {"labels": ("dice_mean", "dice_pooled"), "classes": ("label_auc",), "both": ()}[finds]
        if monitor in lacking:
            other = "label_auc" if finds == "labels" else "dice_mean"
            raise ValueError(f"the network finds {finds}, which have no {monitor}; set trainer.monitor to {other}")
        if self.sampling.hard_negatives:
            raise ValueError("films by classes have no false lesions; set sampling.hard_negatives to 0")
        return self

    @model_validator(mode="after")
    def _loss_fits(self) -> Self:
        """Boxes and classes have losses of their own."""
        finds_boxes, gives_classes = self.model.finds_boxes, self.model.gives_classes
        fitting = [
            name for name, loss in LOSSES.items() if (loss.of_boxes, loss.of_classes) == (finds_boxes, gives_classes)
        ]
        for phase in range(len(self.phases)):
            if (name := self.loss_of(phase).name) not in fitting:
                given = "boxes" if finds_boxes else "classes" if gives_classes else "masks"
                few = finds_boxes or gives_classes
                raise ValueError(
                    f"the network {self.model.name} gives {given}, and the loss {name} is not of these; set loss.name "
                    f"to {' or '.join(fitting) if few else 'another one'}"
                )
        return self

    @model_validator(mode="after")
    def _prior_fits(self) -> Self:
        if isinstance(self.data, XrayDataConfig):
            self._require_prior_sense(self.data)
        if self.data.prior_channels not in self.model.prior_channels:
            raise ValueError(_unfitting(self.data, self.model))
        return self

    def _require_prior_sense(self, data: XrayDataConfig) -> None:
        if self.pretext is not None and data.view != "picture":
            raise ValueError(
                "views of known lesions are no pictures to redraw; set data.view to picture, or pretext to null"
            )
        if self.pretext is not None and data.prior == "same":
            raise ValueError("a second image that is the X-ray itself gives away what is hidden; set data.prior")
        if data.prior == "none" and data.prior_lesions:
            raise ValueError("data.prior_lesions are those of a prior; set it to false, or data.prior to earlier")
        if data.prior != "none" and self.insertion.share:
            raise ValueError(
                f"nodules would be inserted into one of two pictures, since data.prior is {data.prior}; "
                "set insertion.share to 0"
            )

    @model_validator(mode="after")
    def _films_fit(self) -> Self:
        if not self.adaptation.is_wanted:
            return self
        if self.augment.crop_px is None:
            raise ValueError("films and X-rays are shown in pieces of one size; set augment.crop_px")
        if self.pretext is not None or self.data.prior_channels:
            raise ValueError("a run with pretext or with a prior adapts to no films; set adaptation.method to none")
        if self.adaptation.every > self.trainer.batch_size:
            raise ValueError(f"adaptation.every is at most the batch's size, {self.trainer.batch_size}")
        return self

    @property
    def picture_augment(self) -> AugmentConfig:
        """How pictures are changed.

        Raises:
            ConfigError: the run shows pieces of a CT.
        """
        if not isinstance(self.augment, AugmentConfig):
            raise ConfigError(f"a run on pictures is needed, and data.kind is {self.data.kind}.")
        return self.augment

    def phase_at(self, epoch: int) -> int:
        """Which phase an epoch, counted from 1, belongs to, counted from 0."""
        return sum(phase.first_epoch <= epoch for phase in self.phases) - 1

    def loss_of(self, phase: int) -> LossConfig:
        """What a phase, counted from 0, minimises."""
        return self.phases[phase].loss or self.loss


def _unfitting(data: DataConfig, model: ModelConfig) -> str:
    """What data and network disagree about, and what to set."""
    given = f"data.kind {data.kind} makes {1 + data.prior_channels} image{'s' * data.prior_channels}"
    if isinstance(data, XrayDataConfig):
        lesions = " with prior_lesions" if data.prior_lesions else ""
        given = f"data.prior {data.prior}{lesions} makes {1 + data.prior_channels} images"
    if "inputs" not in model.options:
        most = max(model.prior_channels)
        remedy = "set data.prior_lesions to false" if most else "set data.prior to none"
        return f"{given}, and the network {model.name}, as it is set, takes at most {1 + most}; {remedy}"
    inputs = model.options["inputs"]
    remedy = f"set model.options.inputs to {1 + data.prior_channels}"
    if not data.prior_channels and model.options.get("fusion", "concatenate") != "concatenate":
        remedy += " and model.options.fusion to concatenate"
    return f"{given}, and the network has model.options.inputs {inputs}; {remedy}"


def xrays_of(config: TrainConfig) -> XrayDataConfig:
    """The X-rays that a run learns from.

    Raises:
        ConfigError: it learns from something else.
    """
    if not isinstance(config.data, XrayDataConfig):
        raise ConfigError(f"a run on X-rays is needed, and data.kind is {config.data.kind}.", "Choose another recipe.")
    return config.data


class Machine(FrozenConfig):
    """Where a run is computed; what it learns doesn't depend on it, but for rounding, and for `processes`."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    """auto takes the graphics card where there is one."""
    threads: NonNegativeInt = 0
    """Of the CPU; 0 leaves it to PyTorch."""
    workers: NonNegativeInt = 0
    """Processes that prepare batches; 0 does it in between."""
    processes: PositiveInt = 1
    """That share each batch (DDP): one a graphics card, or on one CPU. Each takes the loss, and normalises, over its
    share: the run is that of one process for losses that are means over pictures and networks without batch norm, and
    another one for all others (`docs/how-to/train-a-model.md`); the card says how many there were."""
    progress: bool = False
    """Whether a bar is shown on stderr."""
