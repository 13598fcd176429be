"""`hilum models`."""

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from hilum.workflows.models import ModelListing

_MILLION = 1e6


def models(*names: str, json: Annotated[bool, Parameter(negative="")] = False) -> int:
    """List the networks: what each is, how large, and, for those that are named, what can be set.

    ```
    hilum models
    hilum models unet improved
    hilum models --json > models.json
    ```

    Parameters
    ----------
    names
        Networks to show with their parts and settings; all are listed, briefly, when none is named.
    json
        Print JSON for programs, with everything.
    """
    from hilum.workflows.models import list_models

    found = list_models(names)
    if json:
        from hilum.io.json_file import to_json

        print(to_json({"schema": "hilum.models/1", "models": found}))
        return 0
    for listing in found:
        _show(listing)
        if names:
            _show_settings(listing)
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
