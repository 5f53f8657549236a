"""Boxes, the matcher and the set loss: brute force over all matchings, DETR's formula in PyTorch, gradients."""

import itertools

import numpy as np
import pytest

import gpunet
from gpunet import nn
from gpunet.vision import ops

pytest.importorskip("scipy")
try:
    import torch
except ImportError:
    torch = None


def batch(images=3, queries=5, classes=4, sizes=(2, 0, 4), seed=0):
    """Outputs with one more class, "nothing", and targets, as arrays."""
    random = np.random.default_rng(seed)
    outputs = {"pred_logits": random.standard_normal((images, queries, classes + 1)),
               "pred_boxes": random.uniform(0.1, 0.9, (images, queries, 4))}
    targets = [{"labels": random.integers(0, classes, n), "boxes": random.uniform(0.1, 0.9, (n, 4))} for n in sizes]
    return outputs, targets


def tensors(outputs, targets, library=gpunet, **options):
    return ({name: library.tensor(each, **options) for name, each in outputs.items()},
            [{name: library.tensor(each) for name, each in target.items()} for target in targets])


def giou(a, b):
    """Of two boxes (cx, cy, w, h), by hand."""
    (ax, ay, aw, ah), (bx, by, bw, bh) = a, b
    wide = max(0.0, min(ax + aw / 2, bx + bw / 2) - max(ax - aw / 2, bx - bw / 2))
    high = max(0.0, min(ay + ah / 2, by + bh / 2) - max(ay - ah / 2, by - bh / 2))
    around = ((max(ax + aw / 2, bx + bw / 2) - min(ax - aw / 2, bx - bw / 2))
              * (max(ay + ah / 2, by + bh / 2) - min(ay - ah / 2, by - bh / 2)))
    union = aw * ah + bw * bh - wide * high
    return wide * high / union - (around - union) / around


def costs(outputs, targets, image, weights):
    powers = np.exp(outputs["pred_logits"][image])
    p = powers / powers.sum(1, keepdims=True)
    target = targets[image]
    return np.array([[-weights[0] * p[q, label] + weights[1] * abs(box - wanted).sum() - weights[2] * giou(box, wanted)
                      for label, wanted in zip(target["labels"], target["boxes"], strict=True)]
                     for q, box in enumerate(outputs["pred_boxes"][image])])


@pytest.mark.parametrize("weights", [(1, 1, 1), (1, 5, 2), (0, 0, 1)])
def test_no_other_matching_costs_less(weights):
    outputs, targets = batch()
    found = nn.HungarianMatcher(*weights)(*tensors(outputs, targets))
    assert [tuple(len(each) for each in pair) for pair in found] == [(2, 2), (0, 0), (4, 4)]
    for image, (rows, columns) in enumerate(found):
        if not len(rows):
            continue
        cost, size = costs(outputs, targets, image, weights), len(rows)
        least = min(sum(cost[q, t] for t, q in enumerate(order)) for order in itertools.permutations(range(5), size))
        assert cost[rows.numpy(), columns.numpy()].sum() == pytest.approx(least)
        assert sorted(columns.tolist()) == list(range(size)) and rows.dtype == columns.dtype == gpunet.int64


def test_more_targets_than_predictions():
    (rows, columns), = nn.HungarianMatcher()(*tensors(*batch(1, 2, 4, (6,))))
    assert sorted(rows.tolist()) == [0, 1] and len(set(columns.tolist())) == 2


def test_the_loss_is_its_formula():
    """The matched predictions' boxes; the cross entropy weighted by 0.1 for "nothing"; auxiliary outputs likewise."""
    outputs, targets = batch()
    matcher = nn.HungarianMatcher(1, 5, 2)
    ours, theirs = tensors(outputs, targets)
    other = tensors(*batch(seed=1))[0]
    found = nn.SetCriterion(4, matcher)({**ours, "aux_outputs": [other]}, theirs)
    pairs = matcher(ours, theirs)
    powers = np.exp(outputs["pred_logits"])
    p, ce, weight, l1, overlap = powers / powers.sum(2, keepdims=True), 0.0, 0.0, 0.0, 0.0
    for image, (rows, columns) in enumerate(pairs):
        classes = {q: targets[image]["labels"][t] for q, t in zip(rows.tolist(), columns.tolist(), strict=True)}
        for q in range(5):
            ce -= (1 if q in classes else 0.1) * np.log(p[image, q, classes.get(q, 4)])
            weight += 1 if q in classes else 0.1
        for q, t in zip(rows.tolist(), columns.tolist(), strict=True):
            box, wanted = outputs["pred_boxes"][image, q], targets[image]["boxes"][t]
            l1 += abs(box - wanted).sum()
            overlap += 1 - giou(box, wanted)
    assert found["loss_ce"].item() == pytest.approx(ce / weight, rel=1e-6)
    assert found["loss_bbox"].item() == pytest.approx(l1 / 6)
    assert found["loss_giou"].item() == pytest.approx(overlap / 6)
    alone = nn.SetCriterion(4, matcher)(other, theirs)
    assert {name: loss.item() for name, loss in found.items() if name.endswith("_0")} == {
        f"{name}_0": loss.item() for name, loss in alone.items()}
    total = sum(weight * (found[name].item() + alone[name].item()) for name, weight in
                [("loss_ce", 1), ("loss_bbox", 5), ("loss_giou", 2)])
    assert nn.SetCriterion(4, matcher).total(found).item() == pytest.approx(total)


@pytest.mark.skipif(torch is None, reason="PyTorch is the oracle")
def test_the_gradients_are_those_of_detrs_loss_in_pytorch():
    outputs, targets = batch()
    ours, theirs = tensors(outputs, targets, requires_grad=True)
    criterion = nn.SetCriterion(4, nn.HungarianMatcher())
    criterion.total(criterion(ours, theirs)).backward()
    peer, wanted = tensors(outputs, targets, torch, requires_grad=True)
    pairs = [(torch.tensor(rows.numpy()), torch.tensor(columns.numpy()))
             for rows, columns in criterion.matcher(*tensors(outputs, targets))]
    place = (torch.cat([torch.full_like(rows, image) for image, (rows, _) in enumerate(pairs)]),
             torch.cat([rows for rows, _ in pairs]))
    classes = torch.full((3, 5), 4)
    classes[place] = torch.cat([t["labels"][columns] for t, (_, columns) in zip(wanted, pairs, strict=True)])
    boxes = torch.cat([t["boxes"][columns] for t, (_, columns) in zip(wanted, pairs, strict=True)])
    weight = torch.tensor([1.0] * 4 + [0.1]).double()
    found = peer["pred_boxes"][place]
    corners = [torch.cat([b[:, :2] - b[:, 2:] / 2, b[:, :2] + b[:, 2:] / 2], 1) for b in (found, boxes)]
    low, high = torch.maximum(corners[0][:, :2], corners[1][:, :2]), torch.minimum(corners[0][:, 2:], corners[1][:, 2:])
    shared = (high - low).clamp(min=0).prod(1)
    union = found[:, 2:].prod(1) + boxes[:, 2:].prod(1) - shared
    around = (torch.maximum(corners[0][:, 2:], corners[1][:, 2:])
              - torch.minimum(corners[0][:, :2], corners[1][:, :2])).prod(1)
    loss = (torch.nn.functional.cross_entropy(peer["pred_logits"].transpose(1, 2), classes, weight)
            + 5 * (found - boxes).abs().sum() / 6 + 2 * (1 - shared / union + (around - union) / around).sum() / 6)
    loss.backward()
    for name in outputs:
        np.testing.assert_allclose(ours[name].grad.numpy(), peer[name].grad.numpy(), atol=1e-7)


def test_a_batch_without_targets_learns_nothing_only():
    outputs, targets = batch(2, 3, 4, (0, 0))
    ours, theirs = tensors(outputs, targets, requires_grad=True)
    criterion = nn.SetCriterion(4, nn.HungarianMatcher())
    losses = criterion(ours, theirs)
    criterion.total(losses).backward()
    assert losses["loss_bbox"].item() == losses["loss_giou"].item() == 0 and losses["loss_ce"].isfinite()
    assert ours["pred_logits"].grad.any()


def test_boxes():
    random = np.random.default_rng(0)
    a, b = random.uniform(0.1, 1, (6, 4)), random.uniform(0.1, 1, (3, 4))
    corners = [ops.box_convert(gpunet.tensor(each), "cxcywh", "xyxy") for each in (a, b)]
    expected = [[giou(x, y) for y in b] for x in a]
    np.testing.assert_allclose(ops.generalized_box_iou(*corners).numpy(), expected, atol=1e-12)
    np.testing.assert_allclose(ops.box_area(corners[0]).numpy(), a[:, 2] * a[:, 3])
    square = gpunet.tensor([[0.0, 0.0, 4.0, 4.0], [2.0, 2.0, 6.0, 6.0], [9.0, 9.0, 10.0, 10.0]])
    np.testing.assert_allclose(ops.box_iou(square[:1], square).numpy(), [[1, 4 / 28, 0]], rtol=1e-6)
    formats = {"xyxy": [1.0, 2.0, 4.0, 8.0], "xywh": [1.0, 2.0, 3.0, 6.0], "cxcywh": [2.5, 5.0, 3.0, 6.0]}
    for (one, values), (other, wanted) in itertools.product(formats.items(), repeat=2):
        assert ops.box_convert(gpunet.tensor([values]), one, other).tolist() == [wanted]


def test_errors_say_what_is_wrong():
    outputs, targets = tensors(*batch())
    matcher = nn.HungarianMatcher()
    with pytest.raises(ValueError, match="all costs cannot be 0"):
        nn.HungarianMatcher(0, 0, 0)
    with pytest.raises(ValueError, match="3 images and 2 targets"):
        matcher(outputs, targets[:2])
    with pytest.raises(ValueError, match="target 0 has 2 labels"):
        matcher(outputs, [{"labels": targets[0]["labels"], "boxes": gpunet.rand(3, 4)}, *targets[1:]])
    with pytest.raises(ValueError, match="expected pred_logits"):
        matcher({**outputs, "pred_boxes": gpunet.rand(3, 5, 3)}, targets)
    with pytest.raises(ValueError, match="image 0 is NaN"):
        matcher({**outputs, "pred_boxes": outputs["pred_boxes"] * float("nan")}, targets)
    with pytest.raises(ValueError, match="expected 8 logits"):
        nn.SetCriterion(7, matcher)(outputs, targets)
    with pytest.raises(ValueError, match="the formats are"):
        ops.box_convert(gpunet.rand(1, 4), "xyxy", "yxyx")
    with pytest.raises(ValueError, match="expected boxes"):
        ops.box_iou(gpunet.rand(4), gpunet.rand(1, 4))
