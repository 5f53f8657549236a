"""Boxes: areas, overlaps, formats. torchvision has them as `torchvision.ops`, so does `gpunet.vision.ops`."""

from __future__ import annotations

from gpunet.ops.join import stack
from gpunet.ops.limits import maximum, minimum
from gpunet.tensor import Tensor

__all__ = ["box_area", "box_convert", "box_iou", "generalized_box_iou"]


def _check(op: str, *boxes: Tensor) -> None:
    for each in boxes:
        if each.ndim != 2 or each.shape[1] != 4:
            raise ValueError(f"{op}: expected boxes [N, 4], got shape {tuple(each.shape)}")


def box_area(boxes: Tensor) -> Tensor:
    """Areas of boxes, (x2 - x1) (y2 - y1).

    Args:
        boxes: [N, 4] as (x1, y1, x2, y2).

    Returns:
        Tensor [N].

    Raises:
        ValueError: the boxes have another shape.

    Examples:
        >>> gpunet.vision.ops.box_area(gpunet.tensor([[0.0, 0.0, 2.0, 3.0]]))
        tensor([6.])
    """
    _check("box_area", boxes)
    return _area(boxes)


def _area(boxes: Tensor) -> Tensor:
    return (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])


def _overlaps(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    """Intersection and union of boxes [..., 4], which broadcast."""
    low = maximum(boxes1[..., :2], boxes2[..., :2])
    size = (minimum(boxes1[..., 2:], boxes2[..., 2:]) - low).clamp(min=0)
    shared = size[..., 0] * size[..., 1]
    return shared, _area(boxes1) + _area(boxes2) - shared


def giou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """The generalized IoU of boxes [..., 4], which broadcast: of the first with the first, and so on."""
    shared, union = _overlaps(boxes1, boxes2)
    size = maximum(boxes1[..., 2:], boxes2[..., 2:]) - minimum(boxes1[..., :2], boxes2[..., :2])
    around = size[..., 0] * size[..., 1]
    return shared / union - (around - union) / around


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Intersection over union of all pairs of boxes.

    Args:
        boxes1: [N, 4] as (x1, y1, x2, y2).
        boxes2: [M, 4] likewise.

    Returns:
        Tensor [N, M], from 0 to 1.

    Raises:
        ValueError: the boxes have another shape.

    Examples:
        >>> boxes = gpunet.tensor([[0.0, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]])
        >>> gpunet.vision.ops.box_iou(boxes, boxes[:1])
        tensor([[1.0000],
                [0.3333]])
    """
    _check("box_iou", boxes1, boxes2)
    shared, union = _overlaps(boxes1[:, None], boxes2)
    return shared / union


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """IoU - (|C| - union) / |C| of all pairs of boxes, where C is the least box around both: from -1 to 1, with a
    gradient also where they do not meet.

    Source: Rezatofighi et al. 2019, "Generalized Intersection over Union".

    Args:
        boxes1: [N, 4] as (x1, y1, x2, y2).
        boxes2: [M, 4] likewise.

    Returns:
        Tensor [N, M].

    Raises:
        ValueError: the boxes have another shape.

    Examples:
        >>> boxes = gpunet.tensor([[0.0, 0.0, 1.0, 1.0], [2.0, 0.0, 3.0, 1.0]])
        >>> gpunet.vision.ops.generalized_box_iou(boxes[:1], boxes)
        tensor([[ 1.0000, -0.3333]])
    """
    _check("generalized_box_iou", boxes1, boxes2)
    return giou(boxes1[:, None], boxes2)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Boxes in another format: "xyxy" (corners), "xywh" (corner and size), "cxcywh" (centre and size).

    Args:
        boxes: [..., 4].
        in_fmt: their format.
        out_fmt: the wanted one.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: a format is unknown, or the last size is not 4.

    Examples:
        >>> gpunet.vision.ops.box_convert(gpunet.tensor([[2.0, 3.0, 2.0, 4.0]]), "cxcywh", "xyxy")
        tensor([[1., 1., 3., 5.]])
    """
    known = ("xyxy", "xywh", "cxcywh")
    if in_fmt not in known or out_fmt not in known:
        raise ValueError(f"box_convert: the formats are {', '.join(known)}; got {in_fmt!r} and {out_fmt!r}")
    if boxes.ndim == 0 or boxes.shape[-1] != 4:
        raise ValueError(f"box_convert: expected boxes [..., 4], got shape {tuple(boxes.shape)}")
    if in_fmt == out_fmt:
        return boxes.clone()
    a, b, c, d = boxes.unbind(-1)
    if in_fmt == "cxcywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    elif in_fmt == "xywh":
        c, d = a + c, b + d
    if out_fmt == "cxcywh":
        a, b, c, d = (a + c) / 2, (b + d) / 2, c - a, d - b
    elif out_fmt == "xywh":
        c, d = c - a, d - b
    return stack((a, b, c, d), -1)
