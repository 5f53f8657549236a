"""What a network gives away about its training data, and how DP-SGD protects it.

Of 400 digits three in ten have a random label, as careless people label. A plain network memorises them: from the loss
alone an attacker can tell which examples it was trained on (membership inference), and it reads new digits badly.
DP-SGD clips the gradient of each example and adds noise: the more noise, the smaller epsilon, and the less a single
example can change.

    python examples/privacy.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import BLUE, ORANGE, accuracy, digits, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.data import DataLoader, TensorDataset
from gpunet.privacy import PrivacyEngine, loss_threshold_attack

DELTA = 1e-3  # less than one over the number of examples


def train(x, y, noise, epochs):
    """A network, and the epsilon that its training spent; without noise it is plain SGD."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 10)).to(x.device)
    optimizer, loader = optim.SGD(model.parameters(), lr=0.5), DataLoader(TensorDataset(x, y), 40, shuffle=True)
    engine = PrivacyEngine()
    if noise:
        model, optimizer, loader = engine.make_private(module=model, optimizer=optimizer, data_loader=loader,
                                                       noise_multiplier=noise, max_grad_norm=1.0)
    for _ in range(epochs):
        for images, labels in loader:
            optimizer.zero_grad()
            F.cross_entropy(model(images), labels).backward()
            optimizer.step()
    return model, engine.get_epsilon(DELTA) if noise else np.inf


def main(device="cpu", quick=False, out=Path(".")):
    x, y, test_x, test_y = digits(device)
    random = np.random.default_rng(0)
    wrong = gpunet.tensor(random.random(len(y)) < 0.3, device=device)
    y = gpunet.where(wrong, gpunet.tensor(random.integers(0, 10, len(y)), device=device), y)
    order = random.permutation(len(x))  # neighbours are of one writer
    members, others = ((x[chosen], y[chosen]) for chosen in (order[:400], order[400:]))
    runs = {}
    for noise in (0.0, 1.0) if quick else (0.0, 0.5, 1.0, 2.0, 4.0):
        gpunet.manual_seed(0)
        model, epsilon = train(*members, noise, (10 if quick else 20) if noise else (100 if quick else 200))
        with gpunet.no_grad():
            losses = [F.cross_entropy(model(images), labels, reduction="none").numpy(force=True)
                      for images, labels in (members, others)]
        runs[noise] = epsilon, accuracy(model, test_x, test_y), loss_threshold_attack(*losses).auc, losses

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
    for axis, noise in zip(axes, (0.0, 1.0), strict=False):
        epsilon, _, auc, losses = runs[noise]
        for each, name, colour in zip(losses, ("trained on", "never seen"), (ORANGE, BLUE), strict=True):
            axis.hist(np.log10(each + 1e-9), np.linspace(-5, 2, 40), density=True, alpha=0.6, label=name, color=colour)
        title = f"DP-SGD, epsilon {epsilon:.1f}" if noise else "Plain SGD"
        axis.set(title=f"{title}: the attack's AUC is {auc:.2f}", xlabel="log10 of the loss", yticks=[])
        axis.legend(loc="upper left")
    (_, plain, attack, _), *private = runs.values()
    epsilons, accuracies, attacks, _ = zip(*private, strict=True)
    axes[2].semilogx(epsilons, accuracies, "o-", label="test accuracy")
    axes[2].semilogx(epsilons, attacks, "o-", label="AUC of the attack")
    axes[2].axhline(plain, color=BLUE, linestyle=":", linewidth=1)
    axes[2].axhline(attack, color=ORANGE, linestyle=":", linewidth=1)
    axes[2].minorticks_off()
    axes[2].set_xticks(epsilons, [f"{epsilon:.1f}" for epsilon in epsilons])
    axes[2].set(title="More noise, less epsilon (dotted: plain SGD)", xlabel="epsilon", ylim=(0.25, 1))
    axes[2].legend(loc="lower right")
    save(figure, out / "privacy.png")
    epsilon, private_accuracy, private_attack, _ = runs[1.0]
    return {"accuracy": plain, "attack_auc": attack, "epsilon": epsilon, "private_accuracy": private_accuracy,
            "private_attack_auc": private_attack}


if __name__ == "__main__":
    run(main)
