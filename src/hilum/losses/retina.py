"""The loss of a detector: which anchors lie on a nodule, and where the nodules' boxes are."""

import logging
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, smooth_l1_loss

from hilum.core import ConfigError, GeometryError
from hilum.losses.base import Output, SegmentationLoss
from hilum.losses.parts import Loss
from hilum.losses.pixels import expanded, visible
from hilum.ops import label_parts

_NEGATIVE, _IGNORED = -1, -2
"""What an anchor is that belongs to no box; the numbers of MONAI's matchers."""


@runtime_checkable
class BoxOutput(Protocol):
    """What this loss reads of a network's output; `hilum.models.output.Detection` is one."""

    @property
    def class_logits(self) -> Tensor:
        """[B, N]."""

    @property
    def codes(self) -> Tensor:
        """[B, N, 6]."""

    @property
    def anchors(self) -> Tensor:
        """[N, 6] (z0, y0, x0, z1, y1, x1) in voxels, from edge to edge."""

    @property
    def positions(self) -> Sequence[int]:
        """Places of each level."""

    @property
    def size(self) -> Sequence[int]:
        """Of the input."""

    def encoded(self, boxes: Tensor, which: Tensor) -> Tensor:
        """[n, 6] codes of boxes for the anchors of these numbers."""

    def decoded(self, codes: Tensor, which: Tensor) -> Tensor:
        """[n, 6] boxes of codes of the anchors of these numbers."""


class Retina(SegmentationLoss):
    """BCE or focal loss of the anchors' classes, and smooth L1 or GIoU of the boxes (Lin 2017; MONAI's detectors).

    A nodule is a connected part of the truth (26 neighbours), also where the piece's edge cuts it. Its anchors are
    those that ATSS gives it (Zhang 2020; MONAI's), or else the one that shares most with it. Other anchors that share
    much with a nodule's box, and those whose middle has the weight 0, are neither nodule nor background. Nothing is
    drawn: negatives are the hardest of each piece, so a run that was stopped goes on with the same losses.
    """

    class Config(SegmentationLoss.Config):
        """What counts, and how much."""

        classes: Literal["hard_negatives", "focal"] = "hard_negatives"
        """hard_negatives: BCE over the nodules' anchors and the hardest of the others. focal: focal loss over all
        anchors, per anchor of a nodule (Lin 2017)."""
        negatives: PositiveFloat = 3.0
        """hard_negatives: how many for each anchor of a nodule, over the batch's pieces each by itself."""
        least_negatives: PositiveInt = 32
        """hard_negatives: of each piece at least."""
        alpha: Annotated[float, Field(gt=0, lt=1)] = 0.75
        """focal: weight of nodules; background has 1 - alpha. Source B's."""
        gamma: NonNegativeFloat = 3.0
        """focal: how little counts what is nearly right. Source B's."""
        boxes: Literal["smooth_l1", "giou"] = "smooth_l1"
        """smooth_l1: of the codes. giou: 1 less the generalised intersection over union (Rezatofighi 2019)."""
        beta: PositiveFloat = 1 / 9
        """smooth_l1: below which difference it is a square."""
        box_weight: NonNegativeFloat = 1.0
        """Of the boxes' loss beside the classes'."""
        candidates: PositiveInt = 4
        """ATSS: places of each level that are looked at for a nodule."""
        ignored_iou: Annotated[float, Field(gt=0, le=1)] = 0.2
        """Intersection over union with a nodule's box from which an anchor is not taken for background."""
        least_voxels: PositiveInt = 4
        """Smaller parts of the truth are not learnt: crumbs of turning a mask, or of a nodule cut by the edge."""

    of_boxes = True
    config: Config

    def __call__(self, output: Output, target: Tensor, weight: Tensor | None = None) -> Loss:
        """As in `SegmentationLoss`; parts are "class" and "box"."""
        if not isinstance(output, BoxOutput):
            raise ConfigError("the loss retina teaches boxes, and this network gives none.", "Set model.name=retina3d.")
        if tuple(target.shape[2:]) != tuple(output.size) or len(target) != len(output.class_logits):
            raise GeometryError(
                f"boxes of {len(output.class_logits)} pieces of {list(output.size)} and a truth {list(target.shape)} "
                "are not of one shape."
            )
        weights = expanded(torch.ones(()) if weight is None else weight.detach().cpu().float(), target.shape)
        truth = visible(target.detach().cpu().float(), weights)[:, 0].numpy() >= 0.5
        counted = _at_middles(weights[:, 0], output)
        device = output.class_logits.device
        boxes = [boxes_of(one, self.config.least_voxels) for one in truth]
        matched = torch.stack([self._matched(*one, output) for one in zip(boxes, counted, strict=True)]).to(device)
        of_class = self._of_class(output.class_logits, matched, counted.to(device))
        of_box = self._of_box(output, matched, boxes)
        parts = {"class": of_class.detach(), "box": of_box.detach()}
        return Loss(of_class + self.config.box_weight * of_box, parts)

    def _matched(self, boxes: Tensor, counted: Tensor, output: BoxOutput) -> Tensor:
        """[N] the box that each anchor of a piece stands for, or that it is background, or ignored."""
        matched = torch.full((len(output.anchors),), _NEGATIVE)
        if len(boxes):
            anchors = output.anchors.cpu()
            per_place = len(anchors) // sum(output.positions)
            shared, matched = _matcher(self.config.candidates)(boxes, anchors, output.positions, per_place)
            for number in set(range(len(boxes))) - set(matched.tolist()):
                matched[shared[number].argmax()] = number
            matched[(matched < 0) & (shared.amax(0) >= self.config.ignored_iou)] = _IGNORED
        matched[counted == 0] = _IGNORED
        return matched

    def _of_class(self, logits: Tensor, matched: Tensor, counted: Tensor) -> Tensor:
        """Scalar; `counted` [B, N] is the weight of each anchor."""
        logits, is_nodule = logits.float(), (matched >= 0).float()
        each = binary_cross_entropy_with_logits(logits, is_nodule, reduction="none")
        weights = counted * (matched != _IGNORED)
        if self.config.classes == "focal":
            surprise = (is_nodule - logits.sigmoid()).abs()
            balance = torch.where(is_nodule > 0, self.config.alpha, 1 - self.config.alpha)
            return (weights * balance * surprise.pow(self.config.gamma) * each).sum() / is_nodule.sum().clamp(min=1)
        weights = weights * torch.stack([self._chosen(*one) for one in zip(logits, matched, strict=True)])
        return (weights * each).sum() / weights.sum().clamp(min=torch.finfo(weights.dtype).tiny)

    def _chosen(self, logits: Tensor, matched: Tensor) -> Tensor:
        """[N] 1 for the anchors of nodules, and for those of the rest that look most like one."""
        nodules, background = matched >= 0, (matched == _NEGATIVE).nonzero()[:, 0]
        wanted = max(self.config.least_negatives, round(self.config.negatives * int(nodules.sum())))
        hardest = logits.detach()[background].topk(min(wanted, len(background))).indices
        chosen = nodules.float()
        chosen[background[hardest]] = 1
        return chosen

    def _of_box(self, output: BoxOutput, matched: Tensor, boxes: Sequence[Tensor]) -> Tensor:
        """Scalar: the mean over the nodules' anchors of the batch; 0 without any."""
        piece, anchor = (matched >= 0).nonzero(as_tuple=True)
        codes = output.codes[piece, anchor].float()
        if not len(piece):
            return codes.sum()
        own = zip(piece.tolist(), matched[piece, anchor].tolist(), strict=True)
        wanted = torch.stack([boxes[number][box] for number, box in own]).to(codes.device)
        if self.config.boxes == "smooth_l1":
            return smooth_l1_loss(codes, output.encoded(wanted, anchor), beta=self.config.beta)
        from monai.data.box_utils import box_pair_giou

        shared: Tensor = box_pair_giou(output.decoded(codes, anchor), wanted)
        return (1 - shared).mean()


def boxes_of(truth: "np.ndarray[Any, np.dtype[np.bool_]]", least_voxels: int = 1) -> Tensor:
    """[n, 6] the boxes of a mask's connected parts, in voxels from edge to edge; smaller parts are left out."""
    from scipy.ndimage import find_objects

    labels = label_parts(truth)
    sizes = np.bincount(labels.ravel())
    places = [place for label, place in enumerate(find_objects(labels), start=1) if sizes[label] >= least_voxels]
    corners = [[*(one.start for one in place), *(one.stop for one in place)] for place in places]
    return torch.tensor(corners, dtype=torch.float32).reshape(-1, 6)


def _at_middles(weights: Tensor, output: BoxOutput) -> Tensor:
    """[B, N] the weight of the voxel at each anchor's middle; 0 in what a network padded."""
    anchors = output.anchors.cpu()
    places = ((anchors[:, :3] + anchors[:, 3:]) / 2).long()
    size = torch.tensor(list(output.size))
    inside = (places < size).all(1)
    z, y, x = places.minimum(size - 1).T
    return weights[:, z, y, x] * inside


@lru_cache(maxsize=4)
def _matcher(candidates: int) -> Any:
    """MONAI's, for small objects: an anchor's middle may lie outside of the box."""
    from monai.apps.detection.utils.ATSS_matcher import ATSSMatcher

    # Its constructor logs by `logging.info`, which gives the root logger a handler for good unless it has one.
    root, deaf = logging.getLogger(), logging.NullHandler()
    root.addHandler(deaf)
    try:
        return ATSSMatcher(candidates, center_in_gt=False)
    finally:
        root.removeHandler(deaf)
