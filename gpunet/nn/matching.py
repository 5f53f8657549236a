"""Set prediction: predictions matched to targets at the least cost, and the loss of the matched pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gpunet.engine.modes import no_grad
from gpunet.nn import functional as F
from gpunet.nn.boxes import box_convert, giou
from gpunet.nn.module import Module
from gpunet.nn.utils.rnn import pad_sequence
from gpunet.ops.creation import as_tensor, full, ones
from gpunet.ops.join import cat
from gpunet.tensor import Tensor

__all__ = ["HungarianMatcher", "SetCriterion"]

Outputs = Mapping[str, Any]
Targets = Sequence[Mapping[str, Tensor]]
Pairs = list[tuple[Tensor, Tensor]]


class HungarianMatcher(Module):
    """Matches each target of an image to a prediction of its own, so that the sum of the costs is the least:
    cost_class (-p[class]) + cost_bbox |b - b'|_1 + cost_giou (-GIoU(b, b')).

    The costs of a batch are computed on its device and go to the host in one transfer, where SciPy's
    `linear_sum_assignment` solves each image (`pip install scipy`).

    Source: Kuhn 1955; Carion et al. 2020, "End-to-End Object Detection with Transformers" (DETR).

    Args:
        cost_class: weight of the class's probability.
        cost_bbox: weight of the boxes' L1 distance.
        cost_giou: weight of the boxes' generalized IoU.

    Shape:
        outputs: a dict of "pred_logits" [N, Q, classes] and "pred_boxes" [N, Q, 4] as (cx, cy, w, h). targets: for each
        image a dict of "labels" [T] and "boxes" [T, 4].

    Returns:
        For each image (predictions, targets): two int64 tensors of min(Q, T) indices, on the host.

    Raises:
        ValueError: all weights are 0; outputs and targets do not fit each other; a cost is NaN or infinite.
        ImportError: SciPy is missing.

    Examples:
        >>> outputs = {"pred_logits": gpunet.tensor([[[9.0, 0.0], [0.0, 9.0]]]),
        ...            "pred_boxes": gpunet.tensor([[[0.5, 0.5, 0.2, 0.2], [0.5, 0.5, 0.2, 0.2]]])}
        >>> targets = [{"labels": gpunet.tensor([1]), "boxes": gpunet.tensor([[0.5, 0.5, 0.2, 0.2]])}]
        >>> nn.HungarianMatcher()(outputs, targets)
        [(tensor([1]), tensor([0]))]
    """

    def __init__(self, cost_class: float = 1, cost_bbox: float = 1, cost_giou: float = 1) -> None:
        super().__init__()
        if not (cost_class or cost_bbox or cost_giou):
            raise ValueError("HungarianMatcher: all costs cannot be 0")
        self.cost_class, self.cost_bbox, self.cost_giou = cost_class, cost_bbox, cost_giou

    @no_grad()
    def forward(self, outputs: Outputs, targets: Targets) -> Pairs:
        solve = _solver()
        logits, boxes = outputs["pred_logits"], outputs["pred_boxes"]
        _check(logits, boxes, targets)
        sizes = [len(target["labels"]) for target in targets]
        if not sum(sizes) or not logits.shape[1]:
            empty = as_tensor([]).long()
            return [(empty, empty) for _ in sizes]
        # Each image's queries by its own targets, padded to the most that one has: [N, Q, T].
        labels = pad_sequence([target["labels"] for target in targets], batch_first=True).long()
        wanted = pad_sequence([target["boxes"] for target in targets], batch_first=True, padding_value=0.5)
        found, wanted = boxes[:, :, None], wanted.to(boxes.dtype)[:, None]
        chances = logits.softmax(-1).gather(2, labels[:, None].expand(-1, logits.shape[1], -1))
        cost = self.cost_bbox * (found - wanted).abs().sum(-1) - self.cost_class * chances
        cost = cost - self.cost_giou * giou(box_convert(found, "cxcywh", "xyxy"), box_convert(wanted, "cxcywh", "xyxy"))
        pairs = []
        for image, (each, size) in enumerate(zip(cost.cpu().double().numpy(), sizes, strict=True)):
            try:
                rows, columns = solve(each[:, :size])
            except ValueError:
                raise ValueError(f"HungarianMatcher: a cost of image {image} is NaN or infinite; are its boxes "
                                 "empty, or did the network diverge?") from None
            pairs.append((as_tensor(rows).long(), as_tensor(columns).long()))
        return pairs

    def extra_repr(self) -> str:
        return f"cost_class={self.cost_class}, cost_bbox={self.cost_bbox}, cost_giou={self.cost_giou}"


def _solver() -> Any:
    try:
        from scipy.optimize import linear_sum_assignment
    except ImportError as error:
        raise ImportError("HungarianMatcher needs SciPy: pip install scipy") from error
    return linear_sum_assignment


def _check(logits: Tensor, boxes: Tensor, targets: Targets) -> None:
    if logits.ndim != 3 or boxes.shape != (*logits.shape[:2], 4):
        raise ValueError("HungarianMatcher: expected pred_logits [N, Q, classes] and pred_boxes [N, Q, 4], got "
                         f"{tuple(logits.shape)} and {tuple(boxes.shape)}")
    if len(targets) != logits.shape[0]:
        raise ValueError(f"HungarianMatcher: there are {logits.shape[0]} images and {len(targets)} targets")
    for image, target in enumerate(targets):
        if target["boxes"].shape != (len(target["labels"]), 4):
            raise ValueError(f"HungarianMatcher: target {image} has {len(target['labels'])} labels and boxes of shape "
                             f"{tuple(target['boxes'].shape)}; expected one box [4] for each")


class SetCriterion(Module):
    """The losses of a set of predictions, as DETR has them: the matched predictions learn their target's class and box,
    all others the class "nothing", which is the last one and counts `eos_coef`.

    Source: Carion et al. 2020, "End-to-End Object Detection with Transformers".

    Args:
        num_classes: how many classes there are, without "nothing".
        matcher: pairs predictions and targets.
        weight_dict: the weight of each loss in `total`; None: DETR's, 1 for "loss_ce", 5 for "loss_bbox", 2 for
            "loss_giou".
        eos_coef: the weight of the class "nothing" in the cross entropy.

    Shape:
        outputs and targets: those of `HungarianMatcher`, with num_classes + 1 logits. outputs["aux_outputs"], a list of
        more outputs, such as those of earlier layers, is matched and added by itself.

    Returns:
        A dict of "loss_ce", "loss_bbox" and "loss_giou", with "_0" and so on for the auxiliary outputs. The sums of the
        boxes' losses are divided by the number of targets in the batch.

    Raises:
        ValueError: outputs and targets do not fit each other.

    Examples:
        >>> criterion = nn.SetCriterion(3, nn.HungarianMatcher())
        >>> outputs = {"pred_logits": gpunet.zeros(1, 5, 4), "pred_boxes": gpunet.full((1, 5, 4), 0.5)}
        >>> targets = [{"labels": gpunet.tensor([2]), "boxes": gpunet.full((1, 4), 0.5)}]
        >>> losses = criterion(outputs, targets)
        >>> {name: round(loss.item(), 4) for name, loss in losses.items()}
        {'loss_ce': 1.3863, 'loss_bbox': 0.0, 'loss_giou': 0.0}
        >>> criterion.total(losses)
        tensor(1.3863)
    """

    empty_weight: Tensor

    def __init__(self, num_classes: int, matcher: HungarianMatcher, weight_dict: Mapping[str, float] | None = None,
                 eos_coef: float = 0.1) -> None:
        super().__init__()
        self.num_classes, self.matcher, self.eos_coef = num_classes, matcher, eos_coef
        self.weight_dict = dict(weight_dict or {"loss_ce": 1.0, "loss_bbox": 5.0, "loss_giou": 2.0})
        weight = ones(num_classes + 1)
        weight[-1] = eos_coef
        self.register_buffer("empty_weight", weight)

    def forward(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        losses = self._losses(outputs, targets)
        for index, each in enumerate(outputs.get("aux_outputs", ())):
            losses.update({f"{name}_{index}": loss for name, loss in self._losses(each, targets).items()})
        return losses

    def _losses(self, outputs: Outputs, targets: Targets) -> dict[str, Tensor]:
        logits, boxes = outputs["pred_logits"], outputs["pred_boxes"]
        if logits.shape[-1] != self.num_classes + 1:
            raise ValueError(f"SetCriterion: expected {self.num_classes + 1} logits, of {self.num_classes} classes and "
                             f"of nothing; got {logits.shape[-1]}")
        pairs = self.matcher(outputs, targets)
        images = cat([full((len(rows),), image, dtype=rows.dtype) for image, (rows, _) in enumerate(pairs)])
        place = images.to(logits.device), cat([rows for rows, _ in pairs]).to(logits.device)
        labels = cat([target["labels"][columns.to(target["labels"].device)]
                      for target, (_, columns) in zip(targets, pairs, strict=True)]).long()
        wanted = cat([target["boxes"][columns.to(target["boxes"].device)]
                      for target, (_, columns) in zip(targets, pairs, strict=True)]).to(boxes.dtype)
        classes = full(logits.shape[:2], self.num_classes, dtype=labels.dtype, device=logits.device)
        classes[place] = labels
        found, count = boxes[place], max(1, sum(len(target["labels"]) for target in targets))
        overlap = giou(box_convert(found, "cxcywh", "xyxy"), box_convert(wanted, "cxcywh", "xyxy"))
        return {"loss_ce": F.cross_entropy(logits.transpose(1, 2), classes, self.empty_weight),
                "loss_bbox": (found - wanted).abs().sum() / count,
                "loss_giou": (1 - overlap).sum() / count}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum.

        Args:
            losses: what the criterion gave; those of auxiliary outputs have the weights of the others.

        Returns:
            A tensor of no dimensions.
        """
        parts = [loss * self.weight_dict.get(name.rstrip("0123456789").rstrip("_"), 0.0)
                 for name, loss in losses.items()]
        return sum(parts[1:], parts[0])
