"""Recipes for nodules on chest X-rays: a plain baseline and the sources' models, in full and in the cheap protocol.

The cheap protocol ranks (1.4 mm a pixel, 12 epochs of 8 pictures a step, the same for all); only finalists train in
full. A recipe keeps its loss and the order of its phases in both. In full it keeps its source's rates, too, which were
made for pretrained weights and many epochs. In the cheap protocol all begin from random numbers and take some 500
steps, and AdamW moves a weight by hardly more than rate times steps (.025 at 5e-5). So the sources' networks take the
plain baseline's schedule and a peak of 1e-3 there: networks are compared, and not rates.
"""

from hilum.datasets.xray_config import AugmentConfig, InsertionConfig, XrayDataConfig
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.train.config import OptimiserConfig, Phase, PretextConfig, ScheduleConfig, TrainConfig, TrainerConfig

CHEAP_MM, FULL_MM = 1.4, 0.7
CHEAP_EPOCHS = 12
CHEAP_LR = 1e-3
"""Peak of the sources' networks from random numbers."""

_BUT_ATTENTION = ("encoder", "fusion", "decoder", "head")


def xray_unet() -> TrainConfig:
    """The plain baseline: a U-Net with a strided stem, BCE + Dice, the cheap protocol.

    Dice is taken over the batch: over each picture, an empty prediction is right on pictures without a lesion, nearly
    so on those with small ones, and training ends there (`docs/explanation/losses.md`).
    """
    return TrainConfig(
        recipe="xray_unet",
        data=XrayDataConfig(pixel_mm=CHEAP_MM),
        model=ModelConfig(name="unet"),
        loss=LossConfig(name="bce_dice", options={"dice": {"over": "batch"}}),
        optimiser=OptimiserConfig(lr=3e-3, weight_decay=1e-3),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=1),
        trainer=TrainerConfig(epochs=CHEAP_EPOCHS, batch_size=8),
    )


def xray() -> TrainConfig:
    """The network that hilum ships: a residual U-Net on folded pixels, with real nodules inserted into most pictures.

    Full resolution; a piece of 31 by 31 cm holds most of a chest.
    """
    return TrainConfig(
        recipe="xray",
        data=XrayDataConfig(pixel_mm=FULL_MM, visibility_floor=0.5),
        insertion=InsertionConfig(share=0.7, most=3, least_readers=2),
        augment=AugmentConfig(crop_px=(448, 448), rotate_deg=10, scale=0.2),
        model=ModelConfig(name="res_unet"),
        loss=LossConfig(name="bce_dice", options={"bce": {"pos_weight": 3.0}, "dice": {"over": "batch"}}),
        optimiser=OptimiserConfig(lr=2e-3, weight_decay=0.02),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=2),
        trainer=TrainerConfig(epochs=60, batch_size=8, ema=0.998, monitor="dice_pooled", panels_every=20),
    )


def xray_pretrain() -> TrainConfig:
    """Before `xray`: the same network redraws hidden squares of the training patients' pictures; no mask is looked at.

    Its encoder then begins a run: --from OUT --set start.parts=[encoder]. For `xray_unet`: --set model.name=unet, with
    data.pixel_mm=1.4.
    """
    return TrainConfig(
        recipe="xray_pretrain",
        data=XrayDataConfig(pixel_mm=FULL_MM),
        augment=AugmentConfig(crop_px=(320, 320), crop_on_lesion=0, rotate_deg=10, scale=0.2, blur=0, noise=0),
        model=ModelConfig(name="res_unet", options={"start_probability": 0.4}),
        loss=LossConfig(name="squared_error"),
        optimiser=OptimiserConfig(lr=2e-3, weight_decay=0.02),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=2),
        trainer=TrainerConfig(epochs=40, batch_size=8, monitor="explained", panels_every=10),
        pretext=PretextConfig(),
    )


def xray_original() -> TrainConfig:
    """The source's model by its own plan: attention alone for 10 epochs, all to epoch 50, then all but attention.

    150 epochs of 2 pictures, 5e-5, plateau 15, stop 25. The source freezes a pretrained encoder; from random numbers,
    as here, the encoder learns too. It turns three pictures in ten by up to 10 degrees, here each is turned. It doesn't
    say what its Dice is summed over; here it is the batch, since over each picture an empty mask is hard to leave.
    """
    return _source_c("xray_original", ModelConfig(name="original"), (*_BUT_ATTENTION, "adaptation"))


def xray_original_cheap() -> TrainConfig:
    """`xray_original` in the cheap protocol: its phases begin at epochs 1, 2 and 5 of 12.

    From random numbers: 1e-3 by a cosine. With pretrained weights the source's rate is --lr 5e-5.
    """
    return _from_random_numbers(cheap(xray_original(), phases=(1, 2, 5)))


def xray_unet_skip() -> TrainConfig:
    """The source's U-Net variant: skips from every stage of the ResNet, by the plan of `xray_original`."""
    return _source_c("xray_unet_skip", ModelConfig(name="unet_skip"), _BUT_ATTENTION)


def xray_unet_skip_cheap() -> TrainConfig:
    """`xray_unet_skip` in the cheap protocol: its phases begin at epochs 1, 2 and 5 of 12.

    From random numbers: 1e-3 by a cosine. With pretrained weights the source's rate is --lr 5e-5.
    """
    return _from_random_numbers(cheap(xray_unet_skip(), phases=(1, 2, 5)))


def xray_improved() -> TrainConfig:
    """The source's improved model by its own plan: the last two stages of the ResNet learn, slower than new layers.

    30 epochs, patience 10, 5e-6 and 2e-5, Tversky + focal + weighted BCE, attention .1, pictures of attention every 5
    epochs. The source gives no batch size, schedule or augmentation: those of `xray_original`, and a constant rate.
    """
    return TrainConfig(
        recipe="xray_improved",
        data=XrayDataConfig(pixel_mm=FULL_MM),
        augment=_SOURCE_AUGMENT,
        model=ModelConfig(name="improved"),
        loss=_with_attention(LossConfig(name="medical"), 0.1),
        phases=(Phase(encoder_stages=2),),
        optimiser=OptimiserConfig(lr=2e-5, lr_of={"encoder": 5e-6}, weight_decay=1e-4),
        schedule=ScheduleConfig(kind="constant", warmup_epochs=0),
        trainer=TrainerConfig(epochs=30, batch_size=2, patience=10, clip_norm=1.0, panels_every=5),
    )


def xray_improved_cheap() -> TrainConfig:
    """`xray_improved` in the cheap protocol.

    From random numbers: 1e-3 for new layers and 2.5e-4 for the encoder, in the source's ratio, by a cosine.
    """
    return _from_random_numbers(cheap(xray_improved()))


def cheap(config: TrainConfig, phases: tuple[int, ...] = (1,)) -> TrainConfig:
    """A recipe in the cheap protocol.

    Args:
        config: in full.
        phases: first epoch, counted from 1, of each of its phases.
    """
    trainer = {"epochs": CHEAP_EPOCHS, "batch_size": 8, "patience": None}
    moved = [
        phase.model_copy(update={"first_epoch": first}) for phase, first in zip(config.phases, phases, strict=True)
    ]
    return config.model_copy(
        update={
            "recipe": f"{config.recipe}_cheap",
            "data": config.data.model_copy(update={"pixel_mm": CHEAP_MM}),
            "phases": tuple(moved),
            "trainer": config.trainer.model_copy(update=trainer),
        }
    )


def _from_random_numbers(config: TrainConfig) -> TrainConfig:
    """The plain baseline's schedule and a peak for random numbers; rates of parts keep their ratio to the others'."""
    rates = config.optimiser
    lr_of = {part: CHEAP_LR * rate / rates.lr for part, rate in rates.lr_of.items()}
    fields = rates.plain() | {"lr": CHEAP_LR, "lr_of": lr_of}
    return config.model_copy(
        update={"optimiser": OptimiserConfig.of(fields), "schedule": xray_unet().schedule},
    )


_SOURCE_AUGMENT = AugmentConfig.none().model_copy(update={"flip": 0.5, "rotate_deg": 10.0})


def _source_c(name: str, model: ModelConfig, but_attention: tuple[str, ...]) -> TrainConfig:
    segmentation = LossConfig(
        name="bce_dice", options={"bce_weight": 0.7, "dice_weight": 0.3, "dice": {"over": "batch"}}
    )
    return TrainConfig(
        recipe=name,
        data=XrayDataConfig(pixel_mm=FULL_MM),
        augment=_SOURCE_AUGMENT,
        model=model,
        loss=_with_attention(segmentation, 0.5),
        phases=(
            Phase(first_epoch=1, train=("attention",), loss=LossConfig(name="attention")),
            Phase(first_epoch=11),
            Phase(first_epoch=51, train=but_attention, loss=segmentation),
        ),
        optimiser=OptimiserConfig(lr=5e-5, weight_decay=1e-4),
        schedule=ScheduleConfig(kind="plateau", patience=15, warmup_epochs=0),
        trainer=TrainerConfig(epochs=150, batch_size=2, patience=25),
    )


def _with_attention(loss: LossConfig, weight: float) -> LossConfig:
    terms = [{**loss.plain(), "weight": 1.0}, {"name": "attention", "weight": weight}]
    return LossConfig(name="combined", options={"terms": terms})
