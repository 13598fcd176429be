"""Recipes for lung nodules on CT slices: the networks of source E, its variants by a setting, and hilum's own.

    told where the nodule is     --set data.point_share=0.8 --set model.options.inputs=2
    ENet with skips              slices_enet --set model.options.skips=true
    ENet with skips and CBAM     slices_enet --set model.options.skips=true --set model.options.cbam=true
    BCE, weighted BCE            loss.name=bce; loss.options.pos_weight=10 beside it, or {factor: 1, cap: 20}
    Dice, BCE + Dice             loss.name=dice; loss.name=bce_dice
    focal, adaptive focal        loss.name=focal; loss.name=adaptive_focal
    Tversky family               loss.name=tversky; loss.name=focal_tversky

`slices` is hilum's own and told of points. All others have one schedule, so that networks and losses are compared and
not rates; Swin-UNETR alone has a lower peak, as transformers need. Pieces are smaller than the slices, whose middle is
the nodule: of a piece of 64 pixels in 128 the nodule can be anywhere, and in one of 96 in the middle third only, so
"the middle is the nodule" would be learnt; where the point is told, that does no harm, and larger pieces show more of
what a nodule is attached to.

The cheap protocol ranks (`NAME_cheap`): 4 epochs of 80 steps of 16 pieces, 320 steps, the same for all, and four
passes over some 460 validation slices of 128². On one thread of an undisturbed processor with AMX, reading included:
hilum's own a minute, ENet two, the U-Net six, SegNet thirteen. Swin-UNETR's time has not been measured. It orders
networks that learn fast; none has learnt all that it could by then.
"""

from hilum.datasets.slice_config import SliceDataConfig
from hilum.datasets.xray_config import AugmentConfig, SamplingConfig
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.train.config import OptimiserConfig, ScheduleConfig, TrainConfig, TrainerConfig

PIECE_PX = 64
"""Side of the pieces that are learnt from: half of the published slices', so a nodule in the middle can be anywhere."""
POINTED_PX = 96
"""The same where the network is told of points."""
BATCH = 16
CHEAP_EPOCHS, CHEAP_STEPS = 4, 80

_TRANSFORMER_LR = 5e-4


def slices() -> TrainConfig:
    """Hilum's own: a slim U-Net that is told where the nodule is, within 700 M multiply-accumulates for 512².

    One piece in five comes without a point, so that it can do without one, too.
    """
    network = ModelConfig(name="slim_unet", options={"inputs": 2, "widths": (8, 16, 32, 60, 96)})
    run = _run("slices", network, point_share=0.8)
    return run.model_copy(update={"trainer": run.trainer.model_copy(update={"epochs": 60, "ema": 0.995})})


def slices_cheap() -> TrainConfig:
    """`slices` in the cheap protocol."""
    return cheap(slices())


def slices_slim() -> TrainConfig:
    """Hilum's own network, told nothing: a slim U-Net on folded pixels, of as many multiply-accumulates."""
    return _run("slices_slim", ModelConfig(name="slim_unet"))


def slices_slim_cheap() -> TrainConfig:
    """`slices_slim` in the cheap protocol."""
    return cheap(slices_slim())


def slices_unet() -> TrainConfig:
    """The plain baseline, of source E's size: a U-Net of 32 to 512 channels on every pixel.

    Source E's own, as its count of parameters tells: --set model.options.widths=[64,128,256,512]
    --set model.options.up=bilinear --set model.options.norm=none; four times the work.
    """
    return _run("slices_unet", ModelConfig(name="unet", options={"widths": (32, 64, 128, 256, 512), "stem": "full"}))


def slices_unet_cheap() -> TrainConfig:
    """`slices_unet` in the cheap protocol."""
    return cheap(slices_unet())


def slices_segnet() -> TrainConfig:
    """SegNet: max-unpooling to where the maxima were, no skips."""
    return _run("slices_segnet", ModelConfig(name="segnet"))


def slices_segnet_cheap() -> TrainConfig:
    """`slices_segnet` in the cheap protocol."""
    return cheap(slices_segnet())


def slices_enet() -> TrainConfig:
    """ENet; skips, CBAM, dropout and activations are settings of the model."""
    return _run("slices_enet", ModelConfig(name="enet"))


def slices_enet_cheap() -> TrainConfig:
    """`slices_enet` in the cheap protocol."""
    return cheap(slices_enet())


def slices_swin() -> TrainConfig:
    """Swin-UNETR, at a lower peak rate."""
    return _run("slices_swin", ModelConfig(name="swin_unetr"), lr=_TRANSFORMER_LR)


def slices_swin_cheap() -> TrainConfig:
    """`slices_swin` in the cheap protocol."""
    return cheap(slices_swin())


def cheap(config: TrainConfig) -> TrainConfig:
    """A recipe in the cheap protocol."""
    draws = {"draws": BATCH * CHEAP_STEPS}
    return config.model_copy(
        update={
            "recipe": f"{config.recipe}_cheap",
            "sampling": config.sampling.model_copy(update=draws),
            "trainer": config.trainer.model_copy(
                update={"epochs": CHEAP_EPOCHS, "panels_every": CHEAP_EPOCHS, "ema": 0.0}
            ),
        }
    )


def _run(name: str, model: ModelConfig, lr: float = 2e-3, point_share: float = 0.0) -> TrainConfig:
    """AdamW by a cosine, BCE + Dice over the batch, pieces at any place.

    Nine draws in ten show a nodule: all that teaches its edge; the rest keep the network from marking vessels.
    """
    return TrainConfig(
        recipe=name,
        data=SliceDataConfig(point_share=point_share),
        sampling=SamplingConfig(lesion_share=0.9),
        augment=AugmentConfig(
            crop_px=(POINTED_PX, POINTED_PX) if point_share else (PIECE_PX, PIECE_PX),
            crop_on_lesion=0.9,
            rotate_deg=15,
            scale=0.15,
            shear_deg=5,
            flip_up_down=0.5,
            elastic_mm=0,
            gamma=0.15,
            blur=0,
        ),
        model=model,
        loss=LossConfig(name="bce_dice", options={"dice": {"over": "batch"}}),
        optimiser=OptimiserConfig(lr=lr, weight_decay=1e-2),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=0.5),
        trainer=TrainerConfig(epochs=40, batch_size=BATCH, monitor="dice_mean", panels_every=10),
    )
