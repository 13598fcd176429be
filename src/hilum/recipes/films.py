"""Recipes for chest X-rays by classes: which pixels are healthy lung, which are findings, and what a film shows.

All look at 256 rows in the published style, so that scanners differ less, and learn by cross entropy and Dice. How many
classes there are follows from the data set; where it declares others than three:
--set model.options.classes=N --set loss.options.class_weights=...

    source D's class weights      --set loss.options.class_weights=[0.1,3,10,3]
    inverse frequency             --set loss.options.class_weights={cap: 20}
    pretrained ResNet-50          --pretrained FILE, or --pretrained download
    one of five folds             --fold K: neither learnt from nor chosen on
"""

from typing import Any

from hilum.datasets.class_config import ClassDataConfig
from hilum.datasets.xray_config import AugmentConfig, StyleConfig
from hilum.losses.choice import LossConfig
from hilum.losses.classes import SOURCE_WEIGHTS
from hilum.models.catalogue import ModelConfig
from hilum.train.config import OptimiserConfig, Phase, ScheduleConfig, TrainConfig, TrainerConfig

HEIGHT_PX = 256
_DECODER = ("decoder", "head")
_NEW = ("classifier",)


def covid_unet() -> TrainConfig:
    """A U-Net with the encoder of ResNet-50, softmax over classes, source D's weights, and its unfreezing.

    The decoder learns alone for 3 epochs, then the encoder's last two stages with it, from epoch 9 on all. Meant for
    torchxrayvision's weights (--pretrained); from random numbers: --set phases=[{}].
    """
    return _run(
        "covid_unet",
        ModelConfig(name="class_unet"),
        class_weights=SOURCE_WEIGHTS,
        phases=_unfreezing((*_DECODER,)),
        optimiser=_PRETRAINED,
        epochs=40,
    )


def covid_classifier() -> TrainConfig:
    """What a film as a whole shows: healthy, COVID-19 or another disease; calibrated by a temperature on validation."""
    return _run(
        "covid_classifier",
        ModelConfig(name="class_unet", options={"finds": "labels"}),
        phases=_unfreezing(_NEW),
        optimiser=_PRETRAINED,
        monitor="label_auc",
        epochs=30,
    )


def covid_hybrid() -> TrainConfig:
    """A classifier in front of a segmenter, each with an encoder of its own: no finding on a film that is healthy.

    Both limits of the gate, from when healthy is believed and from when any label is given, are chosen on validation.
    """
    options = {"finds": "both", "own_classifier": True, "gates": True}
    both = (*_DECODER, *_NEW)
    return _run(
        "covid_hybrid",
        ModelConfig(name="class_unet", options=options),
        class_weights=SOURCE_WEIGHTS,
        phases=(Phase(train=both), Phase(first_epoch=4)),
        optimiser=_TWO,
        epochs=40,
    )


def covid_multitask() -> TrainConfig:
    """Classes of pixels and the film's label by one shared encoder: the hybrid's simpler rival."""
    return _run(
        "covid_multitask",
        ModelConfig(name="class_unet", options={"finds": "both"}),
        class_weights=SOURCE_WEIGHTS,
        phases=_unfreezing((*_DECODER, *_NEW)),
        optimiser=_PRETRAINED,
        epochs=40,
    )


def covid_slim() -> TrainConfig:
    """The efficient one: the slim U-Net of the CT slices with a softmax over classes; minutes on a processor."""
    return _run("covid_slim", ModelConfig(name="class_slim", options={"evens_out": True}), epochs=60, ema=0.99)


def cxr_lungs() -> TrainConfig:
    """Both lungs alone, to be learnt from X-rays of CTs (hilum prepare lung-drrs) and used on films.

    Shape and tone change more than those of films, since there are only a few CTs to learn from.
    """
    augment = AugmentConfig(
        rotate_deg=10,
        scale=0.2,
        shift_mm=20,
        flip=0.0,
        elastic_mm=6,
        gamma=0.4,
        brightness=0.1,
        contrast=0.3,
        blur_mm=2,
        style=StyleConfig(share=0.9),
    )
    model = ModelConfig(name="class_slim", options={"classes": 2})
    return _run("cxr_lungs", model, epochs=40, ema=0.99, augment=augment)


_PRETRAINED = OptimiserConfig(lr=1e-3, lr_of={"encoder": 1e-4}, weight_decay=1e-2)
"""A tenth of the rate for layers that know something already."""
_TWO = OptimiserConfig(lr=1e-3, lr_of={"encoder": 1e-4, "own_encoder": 1e-4}, weight_decay=1e-2)


_AS_FILMS_CAN_BE = AugmentConfig(
    rotate_deg=10, scale=0.15, shift_mm=20, flip=0.0, elastic_mm=4, style=StyleConfig(share=0.3)
)


def _unfreezing(new: tuple[str, ...]) -> tuple[Phase, ...]:
    """New layers alone, then the encoder's last two stages with them, then all."""
    learn = ("encoder", *new)
    return (Phase(train=new), Phase(first_epoch=4, train=learn, encoder_stages=2), Phase(first_epoch=9))


def _run(
    name: str,
    model: ModelConfig,
    *,
    class_weights: tuple[float, ...] | None = None,
    augment: AugmentConfig | None = None,
    **settings: Any,
) -> TrainConfig:
    """AdamW by a cosine, whole films, changes of place and tone that films can have.

    No mirror images: the heart would be on the other side.
    """
    trainer = {one: settings.pop(one) for one in ("epochs", "ema", "monitor") if one in settings}
    return TrainConfig(
        recipe=name,
        data=ClassDataConfig(height_px=HEIGHT_PX, look="published"),
        augment=augment or _AS_FILMS_CAN_BE,
        model=model,
        loss=LossConfig(name="cross_entropy_dice", options={"class_weights": class_weights}),
        schedule=ScheduleConfig(kind="cosine", warmup_epochs=1),
        trainer=TrainerConfig(batch_size=8, panels_every=10, **trainer),
        **{"optimiser": OptimiserConfig(lr=2e-3, weight_decay=1e-2), **settings},
    )
