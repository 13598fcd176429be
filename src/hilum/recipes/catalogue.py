"""The recipes by name."""

from collections.abc import Callable

from hilum.core import ConfigError
from hilum.recipes import films, patches, prior, slices, xray
from hilum.train.config import TrainConfig

Recipe = Callable[[], TrainConfig]

RECIPES: dict[str, Recipe] = {
    "xray": xray.xray,
    "xray_unet": xray.xray_unet,
    "xray_prior": prior.xray_prior,
    "xray_prior_cheap": prior.xray_prior_cheap,
    "xray_new_lesions": prior.xray_new_lesions,
    "xray_known_lesions": prior.xray_known_lesions,
    "xray_pretrain": xray.xray_pretrain,
    "xray_original": xray.xray_original,
    "xray_original_cheap": xray.xray_original_cheap,
    "xray_improved": xray.xray_improved,
    "xray_improved_cheap": xray.xray_improved_cheap,
    "xray_unet_skip": xray.xray_unet_skip,
    "xray_unet_skip_cheap": xray.xray_unet_skip_cheap,
    "slices": slices.slices,
    "slices_cheap": slices.slices_cheap,
    "slices_slim": slices.slices_slim,
    "slices_slim_cheap": slices.slices_slim_cheap,
    "slices_unet": slices.slices_unet,
    "slices_unet_cheap": slices.slices_unet_cheap,
    "slices_segnet": slices.slices_segnet,
    "slices_segnet_cheap": slices.slices_segnet_cheap,
    "slices_enet": slices.slices_enet,
    "slices_enet_cheap": slices.slices_enet_cheap,
    "slices_swin": slices.slices_swin,
    "slices_swin_cheap": slices.slices_swin_cheap,
    "nodule3d": patches.nodule3d,
    "nodule3d_cheap": patches.nodule3d_cheap,
    "nodule3d_detector": patches.nodule3d_detector,
    "nodule3d_detector_cheap": patches.nodule3d_detector_cheap,
    "luna16_unet": patches.luna16_unet,
    "luna16_unet_cheap": patches.luna16_unet_cheap,
    "luna16_attention": patches.luna16_attention,
    "luna16_attention_cheap": patches.luna16_attention_cheap,
    "covid_unet": films.covid_unet,
    "covid_classifier": films.covid_classifier,
    "covid_hybrid": films.covid_hybrid,
    "covid_multitask": films.covid_multitask,
    "covid_slim": films.covid_slim,
    "cxr_lungs": films.cxr_lungs,
}


def recipe(name: str) -> TrainConfig:
    """The complete configuration of this name.

    Raises:
        ConfigError: there is none.
    """
    try:
        return RECIPES[name]()
    except KeyError:
        raise ConfigError(f"there is no recipe {name!r}.", f"There are: {', '.join(RECIPES)}.") from None
