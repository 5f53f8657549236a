"""Matching as a loss: digits scattered over a canvas are found, boxed and read, in no order.

Sixteen predictions, each a class or "nothing" and a box, are matched to an image's digits by the Hungarian algorithm,
as DETR does; the matched ones learn their digit, the others to be silent.

    python examples/detection.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import BLUE, ORANGE, RED, digits, run, save
from matplotlib.patches import Rectangle

import gpunet
from gpunet import nn, optim
from gpunet.vision.ops import box_convert, box_iou

SIZE, CELLS = 32, 4


def scattered(x, y, count, random):
    """Canvases [count, 1, 32, 32] with one to four digits that do not overlap, and their targets."""
    canvases, targets = np.zeros((count, 1, SIZE, SIZE), np.float32), []
    images, classes = x.cpu().numpy(), y.cpu().numpy()
    for canvas in canvases:
        places = []
        for corner in random.integers(0, SIZE - 7, (random.integers(1, 5), 2)):
            if all(abs(corner - other).max() >= 8 for other in places):
                places.append(corner)
        chosen = random.integers(0, len(x), len(places))
        for (row, column), image in zip(places, images[chosen], strict=True):
            canvas[:, row:row + 8, column:column + 8] = image
        boxes = np.array([[column + 4, row + 4, 8, 8] for row, column in places], np.float32) / SIZE
        targets.append({"labels": gpunet.tensor(classes[chosen], device=x.device),
                        "boxes": gpunet.tensor(boxes, device=x.device)})
    return gpunet.tensor(canvases, device=x.device), targets


class Detector(nn.Module):
    """A prediction for each cell of a 4 x 4 grid: ten classes and "nothing", and a box near the cell."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(32, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU(),
            nn.Conv2d(64, 128, 4, stride=2, padding=1), nn.BatchNorm2d(128), nn.ReLU())
        self.head = nn.Linear(128, 11 + 4)
        centres = (gpunet.arange(CELLS) + 0.5) / CELLS
        self.register_buffer("centres", gpunet.stack([centres.repeat(CELLS), centres.repeat_interleave(CELLS)], 1))

    def forward(self, x):
        found = self.head(self.body(x).flatten(2).transpose(1, 2))
        logits, move, size = found.split([11, 2, 2], -1)
        boxes = gpunet.cat([self.centres + move.tanh() / CELLS, size.sigmoid()], -1)
        return {"pred_logits": logits, "pred_boxes": boxes}


def corners(boxes):
    return box_convert(boxes, "cxcywh", "xyxy")


def detected(outputs):
    """Of each image the classes and the boxes (x1, y1, x2, y2) of the predictions that are no "nothing"."""
    classes = outputs["pred_logits"].argmax(-1)
    boxes = corners(outputs["pred_boxes"])
    return [(each[each < 10], box[each < 10]) for each, box in zip(classes, boxes, strict=True)]


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    random = np.random.default_rng(0)
    x, y, test_x, test_y = digits(device)
    model = Detector().to(device)
    matcher = nn.HungarianMatcher(cost_class=1, cost_bbox=5, cost_giou=2)
    criterion = nn.SetCriterion(10, matcher, {"loss_ce": 3, "loss_bbox": 5, "loss_giou": 2}, eos_coef=0.3).to(device)
    steps = 30 if quick else 400
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, total_steps=steps)
    losses = []
    for _ in range(steps):
        canvases, targets = scattered(x, y, 32, random)
        optimizer.zero_grad()
        loss = criterion.total(criterion(model(canvases), targets))
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())

    model.eval()
    canvases, targets = scattered(test_x, test_y, 50 if quick else 300, random)
    with gpunet.no_grad():
        outputs = model(canvases)
        found = detected(outputs)
        pairs = matcher(outputs, targets)
    matched = [box_iou(corners(boxes[rows]), corners(target["boxes"][columns])).diagonal().mean().item()
               for boxes, target, (rows, columns) in zip(outputs["pred_boxes"], targets, pairs, strict=True)]
    right, said, there = 0, 0, 0
    for (classes, boxes), target in zip(found, targets, strict=True):
        said, there = said + len(classes), there + len(target["labels"])
        if len(classes):
            overlaps, nearest = box_iou(corners(target["boxes"]), boxes).max(1)
            right += int(((overlaps > 0.5) & (classes[nearest] == target["labels"])).sum())

    figure, axes = plt.subplots(2, 5, figsize=(11, 4.8))
    for axis, canvas, (classes, boxes), target in zip(axes.ravel()[:9], canvases, found, targets, strict=False):
        axis.imshow(canvas[0].cpu().numpy(), vmin=0, vmax=1)
        axis.axis("off")
        truth = corners(target["boxes"])
        for label, box in zip(classes.tolist(), boxes, strict=True):
            overlaps = box_iou(box[None], truth)[0]
            colour = BLUE if target["labels"][overlaps.argmax()] == label and overlaps.max() > 0.5 else RED
            left, top, far, low = (box * SIZE - 0.5).tolist()
            axis.add_patch(Rectangle((left, top), far - left, low - top, fill=False, color=colour))
            axis.text(far + 0.3, top + 2, label, color=colour, fontsize=11, weight="bold", clip_on=True)
    axes[1, 4].plot(losses, color=ORANGE, linewidth=0.8)
    axes[1, 4].set(title="Loss", xlabel="step", yscale="log")
    save(figure, out / "detection.png")
    return {"found_and_read": right / there, "of_those_said": right / max(1, said),
            "overlap_of_matched_boxes": float(np.mean(matched))}


if __name__ == "__main__":
    run(main)
