"""Convolution, recurrence and attention read the same digits.

The CNN looks at small windows of the image, the LSTM reads it row after row, and attention lets each row look at all
the others. About the same number of parameters, the same optimizer and the same batches.

    python examples/three_readers.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import accuracy, augment, batches, digits, run, save, show

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


class CNN(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
                         nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 32), nn.ReLU(), nn.Linear(32, 10))


class Recurrent(nn.Module):
    def __init__(self, width=56):
        super().__init__()
        self.lstm, self.head = nn.LSTM(8, width, batch_first=True), nn.Linear(8 * width, 10)

    def forward(self, images):
        outputs, _ = self.lstm(images[:, 0])  # eight rows of eight pixels
        return self.head(outputs.flatten(1))


class Attention(nn.Module):
    def __init__(self, width=40):
        super().__init__()
        self.rows, self.positions = nn.Linear(8, width), nn.Parameter(0.1 * gpunet.randn(8, width))
        self.layer = nn.TransformerEncoderLayer(width, 4, 2 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.head = nn.Linear(8 * width, 10)

    def forward(self, images):
        return self.head(self.layer(self.rows(images[:, 0]) + self.positions).flatten(1))


def main(device="cpu", quick=False, out=Path(".")):
    images, labels, test, test_labels = digits(device)
    epochs = 3 if quick else 12
    figures, curves = {}, {}
    for network in (CNN, Recurrent, Attention):
        gpunet.manual_seed(0)
        model = network().to(device)
        optimizer = optim.AdamW(model.parameters(), lr=3e-3, weight_decay=0.01)
        schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
        curve = []
        for _ in range(epochs):
            for x, y in batches(64, images, labels):
                optimizer.zero_grad()
                F.cross_entropy(model(augment(x)), y).backward()
                optimizer.step()
            schedule.step()
            curve.append(accuracy(model, test, test_labels))
        name, parameters = network.__name__, sum(p.numel() for p in model.parameters())
        figures |= {name.lower(): curve[-1], f"{name.lower()}_parameters": parameters}
        curves[f"{name}, {parameters:,} parameters"] = curve

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=[1, 1.7])
    show(axes[0], augment(images[:48]), 8, "What they read, augmented")
    for name, curve in curves.items():
        axes[1].plot(range(1, epochs + 1), curve, label=name)
    axes[1].set(title="Test accuracy by epoch", ylim=(0.8, 1))
    axes[1].legend(loc="lower right")
    save(figure, out / "three_readers.png")
    return figures


if __name__ == "__main__":
    run(main)
