"""A network's marks on one picture explained, whatever the picture shows."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hilum.core import Explanation, Provenance, Sanity
from hilum.core.mask import Selection
from hilum.explain.gradcam import LayerMap, Shown, grad_cam, to_highest
from hilum.explain.layers import default_layer, require_layer
from hilum.explain.sanity import SanityRule, sanity_check
from hilum.models.network import Network

METHOD = "gradcam"
_PROBE_PX = 256


@dataclass(frozen=True)
class ExplainOptions:
    """How a network's marks are explained.

    Attributes:
        layer: name of the layer whose features are looked at; None takes the encoder's last stage.
        sanity: how the check by weight randomisation is made; None leaves it out.
    """

    layer: str | None = None
    sanity: SanityRule | None = None


@dataclass(frozen=True, eq=False)
class Explained:
    """What came out, on the pixels that the network has seen.

    Attributes:
        layer: whose features these are.
        map: where they speak for the target.
        marked_from: the score from which a pixel is marked.
        target: what was explained, in words.
        sanity: the check; None when it wasn't made.
        notes: what a person who uses the map should know, one line each.
    """

    layer: str
    map: LayerMap
    marked_from: float
    target: str
    sanity: Sanity | None
    notes: tuple[str, ...]

    def on_study(
        self, key: str, scores: NDArray[np.float32], study: "OwnPixels", provenance: Provenance
    ) -> Explanation:
        """The same on the study's own pixels.

        Args:
            key: of the study.
            scores: [H, W] the network's, as it has seen the picture.
            study: how its pixels lie to these.
            provenance: what it was made with.
        """
        probability = study.back(scores)
        return Explanation(
            key=key,
            heat=to_highest(study.back(self.map.on_picture())),
            highest=float(self.map.values.max()),
            probability=probability,
            marked=probability >= self.marked_from,
            method=METHOD,
            layer=self.layer,
            target=self.target,
            cell_px=(self.map.cell_px[0] * study.to_own[0], self.map.cell_px[1] * study.to_own[1]),
            provenance=provenance,
            sanity=self.sanity,
            notes=(*study.notes, *self.notes),
        )


@dataclass(frozen=True)
class OwnPixels:
    """How a study's own pixels lie to those that the network has seen.

    Attributes:
        back: brings a map [H, W] of these to its own.
        to_own: rows and columns of its own that one of these is.
        notes: what was assumed of it.
    """

    back: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    to_own: tuple[float, float]
    notes: tuple[str, ...] = ()


def checked_layer(network: Network, layer: str | None) -> str:
    """The layer's name, the encoder's last stage for None, tried on an empty picture before any work begins.

    Raises:
        ConfigError: there is no such layer, or it can't be explained.
    """
    name = default_layer(network) if layer is None else layer
    device = next(network.parameters()).device
    require_layer(network, name)
    beside = max(network.config.prior_channels)
    planes = torch.zeros(1, 1 + beside, _PROBE_PX, _PROBE_PX, device=device)
    shown = Shown(planes[:, :1], planes[:, 1:] if beside else None)
    grad_cam(network, shown, name, np.ones(shown.size, dtype=bool))
    return name


def explained(
    network: Network, shown: Shown, probability: NDArray[np.float32], threshold: float, options: ExplainOptions
) -> Explained:
    """Explain what a network marks on a picture; where it marks nothing, its scores as a whole.

    Args:
        network: in evaluation mode.
        shown: the picture.
        probability: [H, W] the network's scores of it.
        threshold: from which score a pixel is marked.
        options: see there.

    Raises:
        ConfigError: there is no such layer, or it can't be explained.
    """
    layer = options.layer or default_layer(network)
    target, words, notes = _target(probability, threshold)
    found = grad_cam(network, shown, layer, target)
    if not found.varies:
        notes = (*notes, f"no feature of {layer} speaks for the target more than another: the map is empty")
    rule = options.sanity
    sanity = None if rule is None else sanity_check(network, shown, layer, target, rule)
    return Explained(layer, found, threshold, words, sanity, notes)


def _target(probability: NDArray[np.float32], threshold: float) -> tuple[Selection, str, tuple[str, ...]]:
    """Which pixels' mean logit is explained, in words too, and what is to be said about it."""
    marked = probability >= threshold
    if marked.any():
        return marked, f"mean logit of the {int(marked.sum())} pixels with a score of at least {threshold:g}", ()
    note = "nothing is marked: the map explains the mean of all pixels, so it says what raises scores anywhere"
    return np.ones_like(marked), f"mean logit of all pixels, since no score reaches {threshold:g}", (note,)
