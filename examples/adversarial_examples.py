"""Adversarial examples, and adversarial training against them.

A small change of the image up the gradient of the loss makes a network err: one step of the gradient's sign (FGSM), or
many small ones within the same bounds (PGD). A network that trains on such images becomes robust to them.

    python examples/adversarial_examples.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import ORANGE, accuracy, batches, digits, run, save, show

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def attack(model, x, y, bound, steps):
    """Images within `bound` of x, pixel by pixel, on which the model's loss is high. steps=1: FGSM; more: PGD."""
    size, adversarial = bound, x.clone()
    if steps > 1:  # smaller steps from a random start
        size, adversarial = 2.5 * bound / steps, (x + bound * (2 * gpunet.rand_like(x) - 1)).clamp(0, 1)
    for _ in range(steps):
        adversarial.requires_grad_()
        (gradient,) = gpunet.autograd.grad(F.cross_entropy(model(adversarial), y), adversarial)
        adversarial = (adversarial.detach() + size * gradient.sign()).clamp(x - bound, x + bound).clamp(0, 1)
    return adversarial


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
            robust = [accuracy(model, attack(model, test, test_labels, each, steps), test_labels) for each in bounds]
            axes[0].plot(bounds, robust, line, label=f"{name}, {kind}", color=f"C{name == 'defended':d}")
            figures[f"{name}_{kind}"] = robust[bounds.index(bound)]
        figures[name] = robust[0]
    axes[0].set(title="Accuracy under attack", xlabel="largest change of a pixel", xticks=bounds, ylim=(0, 1))
    axes[0].legend(loc="lower left")

    chosen = gpunet.arange(0, 100, 5, device=device)
    x, y = test[chosen], test_labels[chosen]
    for axis, images, title in ((axes[1], x, "Test digits, and what the plain network reads"),
                                (axes[2], attack(models["plain"], x, y, bound, 10), "The same after PGD")):
        show(axis, images, 5, title)
        with gpunet.no_grad():
            predictions = models["plain"](images).argmax(1).tolist()
        for place, prediction in enumerate(predictions):
            axis.text(9 * (place % 5) + 7.3, 9 * (place // 5) + 1, prediction, color=ORANGE, ha="right", weight="bold")
    save(figure, out / "adversarial_examples.png")
    return figures


if __name__ == "__main__":
    run(main)
