"""Detection by set prediction: digits scattered over a canvas are found, boxed and read, as in DETR.

Sixty-four predictions, each a box and a class or "nothing", are matched to the digits of an image by the Hungarian
algorithm. Matched predictions learn their digit, all others "nothing": so no digit should be found twice.

    python examples/detection.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import BLUE, ORANGE, RED, batches, digits, run, save
from matplotlib.patches import Rectangle

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.vision.ops import box_convert, box_iou

SIZE, GRID = 32, 8
NOTHING = 10  # the class after the digits


def scattered(count, images, labels, random):
    """Canvases [count, 1, 32, 32] with one to four digits, 8 to 12 pixels high, that do not overlap; their targets."""
    scaled = {size: F.interpolate(images, size=size, mode="bilinear").numpy(force=True) for size in range(8, 13)}
    canvases, targets = np.zeros((count, 1, SIZE, SIZE), np.float32), []
    for canvas in canvases:
        digits, boxes = [], []
        for _ in range(random.integers(1, 5)):
            digit, size = random.integers(len(images)), random.integers(8, 13)
            row, column = random.integers(0, SIZE - size + 1, 2)
            place = canvas[0, row:row + size, column:column + size]
            if not place.any():
                place[:] = scaled[size][digit, 0]
                digits.append(digit)
                boxes.append([column + size / 2, row + size / 2, size, size])
        targets.append({"labels": labels[digits], "boxes": gpunet.tensor(boxes, device=images.device) / SIZE})
    return gpunet.tensor(canvases, device=images.device), targets


class Detector(nn.Module):
    """A CNN with a prediction for each of 8 x 8 places: a class, or "nothing", and a box near it. By attention the
    places agree on which of them predicts a digit."""

    def __init__(self, width=64):
        super().__init__()
        layers, channels = [], 1
        for wider, stride in ((width // 4, 1), (width // 2, 2), (width, 2), (width, 1)):
            layers += [nn.Conv2d(channels, wider, 3, stride, padding=1), nn.BatchNorm2d(wider), nn.ReLU()]
            channels = wider
        self.body, self.head = nn.Sequential(*layers), nn.Linear(width, NOTHING + 1 + 4)
        self.positions = nn.Parameter(0.1 * gpunet.randn(GRID * GRID, width))
        self.attention = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True)
        steps = (gpunet.arange(GRID) + 0.5) / GRID
        self.register_buffer("places", gpunet.cartesian_prod(steps, steps).flip(1))  # (x, y), row after row

    def forward(self, canvases):
        features = self.body(canvases).flatten(2).transpose(1, 2)
        logits, offset, size = self.head(self.attention(features + self.positions)).split([NOTHING + 1, 2, 2], -1)
        return {"pred_logits": logits,
                "pred_boxes": gpunet.cat([self.places + offset.tanh() / GRID, size.sigmoid()], -1)}


def corners(boxes):
    return box_convert(boxes, "cxcywh", "xyxy")


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    random = np.random.default_rng(0)
    x, y, test_x, test_y = digits(device)
    model = Detector(48 if quick else 64).to(device)
    matcher = nn.HungarianMatcher(cost_class=1, cost_bbox=5, cost_giou=2)
    criterion = nn.SetCriterion(NOTHING, matcher, {"loss_ce": 5, "loss_bbox": 5, "loss_giou": 2}).to(device)
    canvases, targets = scattered(1000 if quick else 4000, x, y, random)
    size, epochs = (16, 2) if quick else (32, 6)
    optimizer, steps = optim.AdamW(model.parameters()), epochs * (len(canvases) // size)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 1e-2, total_steps=steps, pct_start=0.1)
    losses = []
    for _ in range(epochs):
        for (chosen,) in batches(size, gpunet.arange(len(canvases))):
            optimizer.zero_grad()
            loss = criterion.total(criterion(model(canvases[chosen]), [targets[i] for i in chosen.tolist()]))
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())

    canvases, targets = scattered(100 if quick else 300, test_x, test_y, random)
    with gpunet.no_grad():
        outputs = model.eval()(canvases)
    boxes, (confidence, classes) = corners(outputs["pred_boxes"]), outputs["pred_logits"].softmax(-1).max(-1)
    found = (classes != NOTHING) & (confidence > 0.7)
    right, ious = gpunet.zeros_like(found), []
    for image, ((rows, columns), target) in enumerate(zip(matcher(outputs, targets), targets, strict=True)):
        iou = box_iou(boxes[image, rows], corners(target["boxes"][columns])).diagonal()
        right[image, rows] = found[image, rows] & (classes[image, rows] == target["labels"][columns]) & (iou > 0.5)
        ious += iou.tolist()

    figure, axes = plt.subplots(2, 5, figsize=(11, 4.6))
    for image, axis in enumerate(axes.ravel()[:9]):
        axis.imshow(canvases[image, 0].numpy(force=True), vmin=0, vmax=1)
        axis.set(xticks=[], yticks=[], xlim=(-0.5, SIZE + 3))
        axis.grid(False)
        for each in found[image].nonzero()[:, 0].tolist():
            colour = BLUE if right[image, each] else RED
            left, top, far, low = (boxes[image, each] * SIZE - 0.5).tolist()
            axis.add_patch(Rectangle((left, top), far - left, low - top, fill=False, color=colour))
            axis.text(far + 0.5, top + 3, classes[image, each].item(), color=colour, weight="bold", clip_on=True)
    axes[1, 4].plot(losses, color=ORANGE, linewidth=0.8)
    axes[1, 4].set(title="Loss", xlabel="step", yscale="log")
    save(figure, out / "detection.png")
    return {"digits_found_and_read": right.sum().item() / sum(len(target["labels"]) for target in targets),
            "predictions_that_are_right": right.sum().item() / max(1, found.sum().item()),
            "overlap_of_matched_boxes": np.mean(ious)}


if __name__ == "__main__":
    run(main)
