"""Adversarial examples, and training against them.

A change of the image that people hardly see, up the gradient of the loss, makes a network err: one step of its sign
(FGSM) or many small ones within the same bounds (PGD). A network that trains on such images learns to withstand them.

    python examples/adversarial_examples.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import accuracy, batches, digits, run, save, show

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def attack(model, x, y, bound, steps):
    """Images within `bound` of x, pixel by pixel, on which the model's loss is high. steps=1: FGSM; more: PGD."""
    start = x if steps == 1 else x + bound * (2 * gpunet.rand_like(x) - 1)
    found, rate = start.clamp(0, 1), bound if steps == 1 else 2.5 * bound / steps
    for _ in range(steps):
        found.requires_grad_()
        (slope,) = gpunet.autograd.grad(F.cross_entropy(model(found), y), found)
        found = (found.detach() + rate * slope.sign()).clamp(x - bound, x + bound).clamp(0, 1)
    return found


def train(images, labels, epochs, bound):
    gpunet.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1),
                          nn.ReLU(), nn.Flatten(), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10)).to(images.device)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for x, y in batches(64, images, labels):
            if bound:
                x = attack(model, x, y, bound, steps=3)
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
        schedule.step()
    return model.eval()


def main(device="cpu", quick=False, out=Path(".")):
    images, labels, test, test_labels = digits(device)
    bound, epochs = 0.15, 4 if quick else 15
    if quick:
        test, test_labels = test[:100], test_labels[:100]
    models = {"plain": train(images, labels, epochs, 0), "defended": train(images, labels, epochs, bound)}
    bounds, figures = [0.0, 0.05, 0.1, 0.15, 0.2], {}

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.3), width_ratios=[1.1, 1, 1])
    for name, model in models.items():
        for kind, steps, line in (("FGSM", 1, "--"), ("PGD", 10, "-")):
            right = [accuracy(model, attack(model, test, test_labels, each, steps), test_labels) for each in bounds]
            axes[0].plot(bounds, right, line, label=f"{name}, {kind}", color=f"C{name == 'defended':d}")
            figures[f"{name}_{kind}"] = right[3]
        figures[name] = right[0]
    axes[0].set(title="Accuracy under attack", xlabel="bound of the change of a pixel", ylim=(0, 1))
    axes[0].legend(loc="lower left")

    chosen = gpunet.arange(0, 100, 5, device=device)
    x, y = test[chosen], test_labels[chosen]
    found = attack(models["plain"], x, y, bound, 10)
    with gpunet.no_grad():
        guesses = models["plain"](found).argmax(1).tolist()
    show(axes[1], x, 5, "Digits, all read rightly")
    show(axes[2], found, 5, "After PGD: what the plain network reads")
    for place, guess in enumerate(guesses):
        axes[2].text(9 * (place % 5) + 7.3, 9 * (place // 5) + 1, guess, color="#d9662b", ha="right", weight="bold")
    save(figure, out / "adversarial_examples.png")
    return figures


if __name__ == "__main__":
    run(main)
