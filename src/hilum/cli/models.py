"""`hilum models`."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from hilum.workflows.models import ModelListing, ShippedListing

_MILLION = 1e6
_SHOWN = (
    "dice_mean",
    "dice_pooled",
    "lesion_sensitivity",
    "false_positives_per_image",
    "gone_noticed",
    "false_gone_rate",
)


def models(*names: str, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the networks that can be trained, and the trained models that come with hilum.

    Of those that are named: a network's parts and settings, a trained model's figures.

    ```
    hilum models
    hilum models unet improved
    hilum models --json > models.json
    ```

    Parameters
    ----------
    names
        Networks and trained models to show in full; all are listed, briefly, when none is named.
    json
        Print JSON for programs, with everything.
    """
    from hilum.workflows.models import list_models, list_shipped

    found, shipped = list_models(names), list_shipped(names)
    if json:
        from hilum.io.json_file import to_json

        print(to_json({"schema": "hilum.models/1", "models": found, "shipped": shipped}))
        return 0
    for listing in found:
        _show(listing)
        if names:
            _show_settings(listing)
    for model in shipped:
        _show_shipped(model, all_figures=bool(names))
    if not names:
        print("\nhilum models NAME shows its parts and settings.")
    return 0


def _show(listing: "ModelListing") -> None:
    print(f"{listing.name:<10} {listing.parameters / _MILLION:6.2f} M  {listing.summary}")


def _show_settings(listing: "ModelListing") -> None:
    parts = ", ".join(f"{name} {count:,}" for name, count in listing.parts.items())
    print(f"  parts (parameters): {parts}; {listing.encoder_stages} encoder stages")
    print(f"  pretrained weights: {'torchxrayvision ResNet-50' if listing.pretrained else 'none'}")
    for setting in listing.settings:
        print(f"  {setting.name} = {setting.default}\n      {setting.meaning}")


def _show_shipped(model: "ShippedListing", *, all_figures: bool) -> None:
    print(f"\n{model.name}: trained {model.network}, {model.bytes / _MILLION:.1f} MB, {model.pixels}")
    print(f"  marks {', '.join(model.classes) or 'nodules'} on {model.marks}")
    if model.threshold is None:
        print(f"  gives each pixel its likeliest class; data: {model.licence}")
        print("  on the validation patients that chose the epoch:")
    else:
        print(f"  marks from a probability of {model.threshold:g} on; data: {model.licence}")
        print("  on the validation patients that chose this threshold:")
    for name in model.figures if all_figures else _SHOWN:
        if (value := model.figures.get(name, {}).get("value")) is not None:
            low, high = (model.figures[name].get(end) for end in ("low", "high"))
            print(f"    {name:<26} {value:.3f}" + (f" ({low:.3f}–{high:.3f})" if low is not None else ""))
    print(f"  card: {model.card or 'none yet'}")
