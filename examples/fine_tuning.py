"""Transfer learning: a network that reads digits learns from few examples which numbers are prime.

Its saved weights are loaded into a network with a new head of two outputs. Feature extraction freezes all other layers;
fine-tuning trains them too, at a tenth of the head's learning rate (discriminative learning rates). Beside them the
same network from scratch.

    python examples/fine_tuning.py
"""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import accuracy, augment, digits, run, save, show

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim

PRIMES = [0, 0, 1, 1, 0, 1, 0, 1, 0, 0]


class CNN(nn.Module):
    def __init__(self, outputs):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(),
                                  nn.MaxPool2d(2), nn.Flatten(), nn.Linear(512, 64), nn.ReLU())
        self.head = nn.Linear(64, outputs)

    def forward(self, x):
        return self.head(self.body(x))


def train(model, groups, x, y, steps):
    """Trains the given groups of parameters on random batches of augmented images."""
    optimizer = optim.AdamW(groups)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        chosen = gpunet.randint(0, len(x), (40,), device=x.device)
        optimizer.zero_grad()
        F.cross_entropy(model(augment(x[chosen])), y[chosen]).backward()
        optimizer.step()
        schedule.step()


def from_scratch(weights, device):
    model = CNN(2).to(device)
    return model, [{"params": model.parameters(), "lr": 3e-3}]


def feature_extraction(weights, device):
    model = pretrained(weights, device)
    model.body.requires_grad_(False)
    return model, [{"params": model.head.parameters(), "lr": 1e-2}]


def fine_tuning(weights, device):
    model = pretrained(weights, device)
    return model, [{"params": model.body.parameters(), "lr": 1e-3}, {"params": model.head.parameters(), "lr": 1e-2}]


def pretrained(weights, device):
    model = CNN(10)
    model.load_state_dict(gpunet.load(weights))
    model.head = nn.Linear(64, 2)
    return model.to(device)


def main(device="cpu", quick=False, out=Path(".")):
    images, labels, test, test_labels = digits(device)
    primes, test_primes = (gpunet.tensor(PRIMES, device=device)[each] for each in (labels, test_labels))
    steps, counts, repeats = (60, [10], 1) if quick else (200, [10, 20, 40, 80], 2)

    gpunet.manual_seed(0)
    reader = CNN(10).to(device)
    train(reader, [{"params": reader.parameters(), "lr": 3e-3}], images, labels, 3 * steps)
    figures, curves = {"digits": accuracy(reader, test, test_labels)}, {}
    with tempfile.TemporaryDirectory() as folder:
        weights = Path(folder) / "digits.safetensors"
        gpunet.save(reader.state_dict(), weights)
        for way in (from_scratch, feature_extraction, fine_tuning):
            accuracies = np.zeros((len(counts), repeats))
            for place, seed in np.ndindex(*accuracies.shape):
                gpunet.manual_seed(seed)
                order = np.random.default_rng(seed).permutation(len(labels))
                few = np.concatenate([order[labels.numpy(force=True)[order] == digit][:counts[place] // 10]
                                      for digit in range(10)])
                model, groups = way(weights, device)
                train(model, groups, images[few], primes[few], steps)
                accuracies[place, seed] = accuracy(model, test, test_primes)
            curves[way.__name__.replace("_", " ")] = accuracies.mean(1)
            figures[f"{way.__name__}_10_labels"] = accuracies[0].mean()

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), width_ratios=[1, 1.5])
    shown = [images[primes == each][:20] for each in (1, 0)]
    show(axes[0], gpunet.cat(shown), 10, "Prime (above), and not (below)")
    for name, curve in curves.items():
        axes[1].plot(counts, curve, "o-", label=name)
    axes[1].set(title="Prime or not: test accuracy", xlabel="labelled examples", xscale="log", ylim=(0.75, 1))
    axes[1].set_xticks(counts, counts)
    axes[1].minorticks_off()
    axes[1].legend(loc="lower right")
    save(figure, out / "fine_tuning.png")
    return figures


if __name__ == "__main__":
    run(main)
