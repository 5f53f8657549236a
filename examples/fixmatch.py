"""FixMatch: four labels a class, and 1,402 images without.

The network labels an image that was moved a little; if it is sure, it must give the same answer for the same image
moved a lot and partly covered. Beside it, the same network with the 40 labels alone.

    python examples/fixmatch.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import accuracy, digits, moved, run, save, show

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def weak(images):
    return moved(images, angle=0.05, shift=0.05, scale=0.02)


def strong(images):
    return moved(images) * (gpunet.rand_like(images) > 0.3)


def train(labelled, labels, images, test, steps, weight):
    """Accuracies on the test part (images and labels) while a network learns; `weight` 0: from the labels alone."""
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
            known, little, much = model(gpunet.cat([weak(labelled), weak(x), strong(x)])).split([40, 192, 192])
            sure, guesses = little.detach().softmax(1).max(1)
            errors = F.cross_entropy(much, guesses, reduction="none")
            loss = F.cross_entropy(known, labels) + weight * (errors * (sure > 0.9)).mean()
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
    four = np.concatenate([np.flatnonzero(labels.numpy(force=True) == each)[10:14] for each in range(10)])
    labelled, steps = images[four], 100 if quick else 300
    alone = train(labelled, labels[four], images, test, steps, weight=0)
    together = train(labelled, labels[four], images, test, steps, weight=1)

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=[1, 1.5])
    show(axes[0], labelled.view(10, 4, 1, 8, 8).transpose(0, 1).flatten(0, 1), 10, "All that is labelled")
    for name, curve in (("40 labels alone", alone), ("FixMatch: and 1,402 without", together)):
        axes[1].plot(range(10, steps + 1, 10), curve, label=f"{name}: {curve[-1]:.1%}")
    axes[1].set(title="Accuracy on the test part by step", ylim=(0.5, 1))
    axes[1].legend(loc="lower right")
    save(figure, out / "fixmatch.png")
    return {"labels_alone": alone[-1], "fixmatch": together[-1]}


if __name__ == "__main__":
    run(main)
