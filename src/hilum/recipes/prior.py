"""Recipes for chest X-rays of which an earlier one is known: does it help, and what of it?

The arms of the comparison are settings of one recipe; a set that doesn't fit together is refused, with what would:

    X-ray alone                  data.prior=none data.prior_lesions=false model.options.inputs=1
    X-ray and itself             data.prior=same data.prior_lesions=false model.options.inputs=2
    another patient's earlier    data.prior=shuffled data.prior_lesions=false model.options.inputs=2
    the patient's earlier        data.prior_lesions=false model.options.inputs=2
    with its known lesions       (as the recipe is)
    by attention                 model.options.fusion=attention
"""

from hilum.datasets.xray_config import InsertionConfig
from hilum.models.catalogue import ModelConfig
from hilum.recipes.xray import CHEAP_MM, FULL_MM, cheap, xray
from hilum.train.config import TrainConfig

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
    crop = xray_prior().augment.crop_px or (448, 448)
    fewer = (round(crop[0] * FULL_MM / CHEAP_MM), round(crop[1] * FULL_MM / CHEAP_MM))
    return small.model_copy(
        update={
            "augment": small.augment.model_copy(update={"crop_px": fewer}),
            "model": ModelConfig(name="res_unet", options={**small.model.options, "fold": 2}),
        }
    )
