"""Recipes for chest X-rays of which an earlier one is known: does it help, and what of it?

The arms of the comparison are settings of one recipe; a set that doesn't fit together is refused, with what would:

    X-ray alone                  data.prior=none data.prior_lesions=false model.options.inputs=1
    X-ray and itself             data.prior=same data.prior_lesions=false model.options.inputs=2
    another patient's earlier    data.prior=shuffled data.prior_lesions=false model.options.inputs=2
    the patient's earlier        data.prior_lesions=false model.options.inputs=2
    with its known lesions       (as the recipe is)
    by attention                 model.options.fusion=attention

`xray_known_lesions` is no arm of it: it looks at each known lesion again, by itself.
"""

from hilum.datasets.xray_config import AugmentConfig, InsertionConfig, SamplingConfig, XrayDataConfig
from hilum.losses.choice import LossConfig
from hilum.models.catalogue import ModelConfig
from hilum.recipes.xray import CHEAP_MM, FULL_MM, cheap, xray
from hilum.train.config import OptimiserConfig, ScheduleConfig, TrainConfig, TrainerConfig

LEFT_MM = 3.0
"""What registration may leave, along each axis. At a lesion it is less than half a millimetre in pictures made over
time, which would teach a network to trust it; in a CT rendered again at another turn, as a patient stands, it is up to
5 (`docs/explanation/over-time.md`)."""


def xray_prior() -> TrainConfig:
    """`xray` with an earlier picture of the patient and its known lesions beside the X-ray; nothing is inserted.

    The earlier picture is shifted by up to 3 mm against the X-ray, since registration is never as good on patients.

    Data are pairs over time (hilum prepare over-time). Arms of the comparison: data.prior, data.prior_lesions,
    model.options.inputs (2 without known lesions, 1 without a prior), model.options.fusion.
    """
    plain = xray()
    augment = plain.augment.plain() | {"prior_shift_mm": LEFT_MM}
    data = plain.data.plain() | {"prior": "earlier", "prior_lesions": True}
    fields = plain.plain() | {
        "recipe": "xray_prior",
        "data": data,
        "augment": augment,
        "insertion": InsertionConfig().plain(),
        "model": ModelConfig(name="res_unet", options={"inputs": 3}).plain(),
    }
    return TrainConfig.of(fields)


def xray_prior_cheap() -> TrainConfig:
    """`xray_prior` in the cheap protocol: the same piece of the chest on pixels twice as large, folded half as far."""
    small = cheap(xray_prior())
    crop = xray_prior().picture_augment.crop_px or (448, 448)
    fewer = (round(crop[0] * FULL_MM / CHEAP_MM), round(crop[1] * FULL_MM / CHEAP_MM))
    return small.model_copy(
        update={
            "augment": small.augment.model_copy(update={"crop_px": fewer}),
            "model": ModelConfig(name="res_unet", options={**small.model.options, "fold": 2}),
        }
    )


def xray_new_lesions() -> TrainConfig:
    """What is new since an earlier X-ray whose lesions are known: the first of the two questions that a prior is asked.

    `xray_prior_cheap` for 40 epochs of 328 pictures, of which four in five show something new. Known lesions are
    background to it: `xray_known_lesions` looks at them.
    """
    plain = xray_prior_cheap()
    return plain.model_copy(
        update={
            "recipe": "xray_new_lesions",
            "data": plain.data.model_copy(update={"view": "new_lesions"}),
            "sampling": SamplingConfig(draws=328, lesion_share=0.8),
            "trainer": plain.trainer.model_copy(update={"epochs": 40, "ema": 0.99, "panels_every": 20}),
        }
    )


LEFT_OF_VIEW_MM = 0.5
"""What a view of a known lesion is shifted by, at most, against the difference to the earlier picture and the mask of
what is known. Millimetres of the patient, as registration's errors are: 1.6 pixels of the view of a lesion of 5 mm,
.4 of one of 20. The difference has been taken already, so more would pull apart what belongs together."""


def xray_known_lesions() -> TrainConfig:
    """A second look at each lesion known from an earlier X-ray: is it still there, and what does it look like now?

    A small network on views of 48 by 48 pixels in which every lesion has the same size; pieces of 40 by 40 at a random
    place shift it, turns of up to 90 degrees and mirror images have no up and down to keep. Half of the loss asks
    whether a view shows anything. For `hilum predict --known-lesions`, beside a model of whole pictures.

    Data are pairs over time (hilum prepare over-time).
    """
    terms = (
        {"name": "bce", "weight": 1.0, "options": {"pos_weight": 2.0}},
        {"name": "presence", "weight": 0.5},
    )
    return TrainConfig(
        recipe="xray_known_lesions",
        data=XrayDataConfig(pixel_mm=FULL_MM, prior="earlier", prior_lesions=True, view="known_lesions"),
        augment=AugmentConfig(
            crop_px=(40, 40),
            crop_on_lesion=0,
            rotate_deg=90,
            scale=0.1,
            shift_mm=0,
            elastic_mm=0,
            blur=0,
            prior_shift_mm=LEFT_OF_VIEW_MM,
        ),
        model=ModelConfig(
            name="res_unet",
            options={
                "inputs": 3,
                "fold": 1,
                "widths": (32, 64, 96),
                "blocks": (1, 1, 2),
                "start_probability": 0.15,
            },
        ),
        loss=LossConfig(name="combined", options={"terms": terms}),
        optimiser=OptimiserConfig(lr=2e-3, weight_decay=0.02),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=2),
        trainer=TrainerConfig(epochs=30, batch_size=32, ema=0.99, monitor="dice_mean", panels_every=10),
    )
