"""Privacy has a price: an overfitted network gives its training data away, one trained by DP-SGD does not.

200 digits are learned by heart by a plain network: from the loss alone one can tell which were among them. DP-SGD clips
each example's gradient and adds noise; the more noise, the smaller epsilon, the less the attack finds, and the less is
learned.

    python examples/privacy.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import BLUE, ORANGE, digits, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.data import DataLoader, TensorDataset
from gpunet.privacy import PrivacyEngine, loss_threshold_attack

DELTA = 1e-3  # a fifth of one over the number of examples


def trained(x, y, noise, epochs):
    """A network, and the epsilon that its training spent; without noise it is plain SGD."""
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10)).to(x.device)
    optimizer, loader = optim.SGD(model.parameters(), lr=1.0), DataLoader(TensorDataset(x, y), 40, shuffle=True)
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
    order = np.random.default_rng(0).permutation(len(x))  # neighbours are of one writer
    (x, others), (y, their_y) = ((each[order[:200]], each[order[200:]]) for each in (x, y))
    runs = {}
    for noise in (0.0, 2.0) if quick else (0.0, 0.5, 1.0, 2.0, 4.0):
        gpunet.manual_seed(0)
        model, epsilon = trained(x, y, noise, (10 if quick else 20) if noise else 60)
        with gpunet.no_grad():
            losses = [F.cross_entropy(model(a), b, reduction="none").cpu().numpy()
                      for a, b in ((x, y), (others, their_y))]
            accuracy = (model(test_x).argmax(1) == test_y).float().mean().item()
        runs[noise] = epsilon, accuracy, loss_threshold_attack(*losses), losses

    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6))
    for axis, noise in zip(axes, (0.0, 2.0), strict=False):
        epsilon, _, attack, losses = runs[noise]
        bins = np.linspace(-9, 3, 40)
        for each, name, colour in zip(losses, ("trained on", "never seen"), (ORANGE, BLUE), strict=True):
            axis.hist(np.log10(each + 1e-9), bins, density=True, alpha=0.6, label=name, color=colour)
        title = f"DP-SGD, epsilon {epsilon:.1f}" if noise else "plain SGD"
        axis.set(title=f"{title}: the attack's AUC is {attack.auc:.2f}", xlabel="log10 of the loss", yticks=[])
        axis.legend(loc="upper left")
    epsilons, accuracies, attacks, _ = zip(*list(runs.values())[1:], strict=True)
    axes[2].semilogx(epsilons, accuracies, "o-", label="accuracy on new digits")
    axes[2].semilogx(epsilons, [attack.auc for attack in attacks], "o-", label="AUC of the attack")
    axes[2].axhline(runs[0.0][1], color=BLUE, linestyle=":", linewidth=1)
    axes[2].axhline(runs[0.0][2].auc, color=ORANGE, linestyle=":", linewidth=1)
    axes[2].set(title="More noise, less epsilon (dotted: plain SGD)", xlabel="epsilon", ylim=(0.4, 1))
    axes[2].legend(loc="center right")
    save(figure, out / "privacy.png")
    (_, plain, attack, _), (epsilon, private, against, _) = runs[0.0], runs[2.0]
    return {"accuracy": plain, "attack_auc": attack.auc, "epsilon": epsilon, "private_accuracy": private,
            "private_attack_auc": against.auc}


if __name__ == "__main__":
    run(main)
