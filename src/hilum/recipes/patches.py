"""Recipes for lung nodules in pieces of a CT: hilum's own, and the networks of source B (`luna16_…`).

Source B's plan is theirs in full: 300 epochs, patience 30, 4 pieces a step, half of them with a nodule, a rise over 10
epochs and cosines of 20, 40, … epochs, .4 Dice + .3 focal + .2 Tversky + .1 boundary, deep supervision of .3 in sum.
It names no rate. Its comments have Tversky's weights the other way round; here missed voxels weigh more, as it means.
Both are told where the nodule is if wanted: --set data.point_share=0.8 --set model.options.inputs=2.

The cheap protocol ranks (`NAME_cheap`): 4 epochs of 60 steps of 4 cubes of 48 voxels, by one schedule for all.
"""

from hilum.datasets.patch_config import PatchAugmentConfig, PatchDataConfig
from hilum.datasets.xray_config import SamplingConfig
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.train.config import OptimiserConfig, ScheduleConfig, TrainConfig, TrainerConfig

CUBE_PX = 48
"""Side of the cubes that are learnt from: a multiple of the own network's stride, within the smallest pieces."""
CHEAP_BATCH, CHEAP_EPOCHS, CHEAP_STEPS = 4, 4, 60
_LR = 2e-3
_SOURCE_LR = 1e-3
_AUGMENT = PatchAugmentConfig(crop_px=CUBE_PX, crop_on_lesion=0.9, shift_mm=8.0)
"""Shifted beside the random place, since published cubes of 51 voxels have their nodule in the middle."""


def nodule3d() -> TrainConfig:
    """Hilum's own: a slim U-Net of three axes that is told where the nodule is.

    One cube in five comes without a point, so that it can do without one, too.
    """
    return TrainConfig(
        recipe="nodule3d",
        data=PatchDataConfig(point_share=0.8),
        sampling=SamplingConfig(lesion_share=0.8, draws=160),
        augment=_AUGMENT,
        model=ModelConfig(name="slim_unet3d", options={"inputs": 2}),
        loss=LossConfig(name="bce_dice", options={"dice": {"over": "sample"}}),
        optimiser=OptimiserConfig(lr=_LR, weight_decay=1e-2),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=1),
        trainer=TrainerConfig(epochs=150, batch_size=8, ema=0.995, monitor="dice_mean", panels_every=20),
    )


def nodule3d_cheap() -> TrainConfig:
    """`nodule3d` in the cheap protocol."""
    return cheap(nodule3d())


def nodule3d_detector() -> TrainConfig:
    """Hilum's own detector: boxes of nodules anywhere on a CT, with nobody to say where (`retina3d`).

    Half of the cubes have a nodule, and half of the rest what only looks like one. Pieces larger than the published
    cubes of 51 voxels show more of the surroundings at a time: --set augment.crop_px=64.
    """
    own = nodule3d()
    return own.model_copy(
        update={
            "recipe": "nodule3d_detector",
            "data": PatchDataConfig(hard_share=0.5),
            "sampling": SamplingConfig(lesion_share=0.5, draws=1600),
            "model": ModelConfig(name="retina3d"),
            "loss": LossConfig(name="retina"),
            "trainer": own.trainer.model_copy(update={"epochs": 26, "ema": 0.998, "panels_every": 5}),
        }
    )


def nodule3d_detector_cheap() -> TrainConfig:
    """`nodule3d_detector` in the cheap protocol."""
    return cheap(nodule3d_detector())


def luna16_unet() -> TrainConfig:
    """Source B's residual U-Net of 32 to 512 channels, by its plan."""
    return _source_b("luna16_unet", ModelConfig(name="unet3d", options={"deep_supervision": True}))


def luna16_unet_cheap() -> TrainConfig:
    """`luna16_unet` in the cheap protocol."""
    return cheap(luna16_unet())


def luna16_attention() -> TrainConfig:
    """Source B's Attention U-Net of 32 to 256 channels, by its plan."""
    return _source_b("luna16_attention", ModelConfig(name="attention_unet3d", options={"deep_supervision": True}))


def luna16_attention_cheap() -> TrainConfig:
    """`luna16_attention` in the cheap protocol."""
    return cheap(luna16_attention())


def cheap(config: TrainConfig) -> TrainConfig:
    """A recipe in the cheap protocol: same steps, cubes and schedule for all; the loss is its own."""
    own = nodule3d()
    trainer = {
        "epochs": CHEAP_EPOCHS,
        "batch_size": CHEAP_BATCH,
        "patience": None,
        "ema": 0.0,
        "panels_every": CHEAP_EPOCHS,
    }
    return config.model_copy(
        update={
            "recipe": f"{config.recipe}_cheap",
            "sampling": own.sampling.model_copy(update={"draws": CHEAP_BATCH * CHEAP_STEPS}),
            "augment": own.augment,
            "optimiser": own.optimiser,
            "schedule": own.schedule.model_copy(update={"warmup_epochs": 0.5}),
            "trainer": config.trainer.model_copy(update=trainer),
        }
    )


def _source_b(name: str, model: ModelConfig) -> TrainConfig:
    terms = (
        {"name": "dice", "weight": 0.4},
        {"name": "focal", "weight": 0.3, "options": {"alpha": 0.75, "gamma": 3.0}},
        {"name": "tversky", "weight": 0.2, "options": {"fp_weight": 0.3, "fn_weight": 0.7}},
        {"name": "boundary", "weight": 0.1},
    )
    inner = LossConfig(name="combined", options={"terms": terms})
    return TrainConfig(
        recipe=name,
        data=PatchDataConfig(),
        sampling=SamplingConfig(lesion_share=0.5),
        augment=_AUGMENT,
        model=model,
        loss=LossConfig(name="deep_supervision", options={"loss": inner.plain(), "coarser": 0.3, "decay": 0.5}),
        optimiser=OptimiserConfig(lr=_SOURCE_LR, weight_decay=1e-2),
        schedule=ScheduleConfig(kind="restarts", warmup_epochs=10, cycle_epochs=20, cycle_growth=2),
        trainer=TrainerConfig(epochs=300, batch_size=4, patience=30, monitor="dice_mean", panels_every=20),
    )
