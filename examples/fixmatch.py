"""FixMatch: four labels a class, and 1,402 images without.

The prediction for a weakly augmented image, where it is confident, becomes the label of the same image strongly
augmented. Beside it, the same network with the 40 labels alone.

    python examples/fixmatch.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import accuracy, augment, digits, run, save, show

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def weak(images):
    return augment(images, angle=0.05, shift=0.05, scale=0.02)


def strong(images):
    return augment(images) * (gpunet.rand_like(images) > 0.3)


def train(labelled, labels, images, test, steps, weight):
    """The curve of the test accuracy. `weight`: of the unlabelled loss; 0: the labels alone."""
    gpunet.manual_seed(1)
    device = images.device
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256),
                          nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 10)).to(device)
    optimizer = optim.AdamW(model.parameters(), lr=5e-3, weight_decay=0.02)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    curve = []
    for step in range(steps):
        if weight:
            x = images[gpunet.randint(0, len(images), (192,), device=device)]
            logits, weak_logits, strong_logits = model(
                gpunet.cat([weak(labelled), weak(x), strong(x)])).split([40, 192, 192])
            confidence, pseudo_labels = weak_logits.detach().softmax(1).max(1)
            losses = F.cross_entropy(strong_logits, pseudo_labels, reduction="none")
            loss = F.cross_entropy(logits, labels) + weight * (losses * (confidence > 0.9)).mean()
        else:
            loss = F.cross_entropy(model(weak(labelled)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 10 == 9:
            curve.append(accuracy(model, *test))
    return curve


def main(device="cpu", quick=False, out=Path(".")):
    images, labels, *test = digits(device)
    four = np.concatenate([np.flatnonzero(labels.numpy(force=True) == digit)[10:14] for digit in range(10)])
    labelled, steps = images[four], 100 if quick else 300
    alone, fixmatch = (train(labelled, labels[four], images, test, steps, weight) for weight in (0, 1))

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=[1, 1.5])
    show(axes[0], labelled.view(10, 4, 1, 8, 8).transpose(0, 1).flatten(0, 1), 10, "All labelled images")
    for name, curve in (("40 labels alone", alone), ("FixMatch, with 1,402 unlabelled", fixmatch)):
        axes[1].plot(range(10, steps + 1, 10), curve, label=f"{name}: {curve[-1]:.1%}")
    axes[1].set(title="Test accuracy by step", ylim=(0.5, 1))
    axes[1].legend(loc="lower right")
    save(figure, out / "fixmatch.png")
    return {"labels_alone": alone[-1], "fixmatch": fixmatch[-1]}


if __name__ == "__main__":
    run(main)
