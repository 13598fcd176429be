"""The kinds of data that hilum learns from, as configurations and stored models name them."""

from collections.abc import Mapping

XRAY, SLICES, CT_PATCHES, XRAY_CLASSES = "xray", "slices", "ct-patches", "xray-classes"


def kind_of(data: object) -> str:
    """The kind that fields, or a configuration, of data are of.

    Those that don't say it are X-rays: runs of a time before there were others, and models that came from them.
    """
    kind = data.get("kind", XRAY) if isinstance(data, Mapping) else getattr(data, "kind", XRAY)
    return str(kind)
