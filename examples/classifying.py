"""Ways to classify: one network for all classes, one for each, one for each pair; several labels; several tasks.

Beside them random forest, support vectors, logistic regression and nearest neighbours of scikit-learn, and networks
and trees together (stacking). gpunet's `Classifier` is an estimator of scikit-learn, so that its meta-estimators take
it. The digits are made hard: few for training, and noise over all. Bars are 95 % confidence intervals (Wilson).

    python examples/classifying.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import BLUE, GREY, ORANGE, batches, digits, run, save
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.sklearn import Classifier


def interval(right, n):
    """Wilson's 95 % confidence interval of a share, as its distances below and above."""
    p, z = right / n, 1.96
    middle, half = (p + z**2 / (2 * n)), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return p - (middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n) - p


class Trunk(nn.Module):
    """A trunk and a head for each task; a task is a number of outputs."""

    def __init__(self, tasks, width=128):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Dropout(0.4))
        self.heads = nn.ModuleList(nn.Linear(width, outputs) for outputs in tasks)

    def forward(self, x):
        hidden = self.trunk(x)
        return [head(hidden) for head in self.heads]


def train(model, loss, epochs, *data):
    optimizer = optim.Adam(model.to(data[0].device).parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in batches(32, *data):
            optimizer.zero_grad()
            loss(model(batch[0]), *batch[1:]).backward()
            optimizer.step()
    return model.eval()


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, labels, test, test_labels = digits(device)
    noisy = [(each + 0.35 * gpunet.randn_like(each)).flatten(1) for each in (images[:500], test)]
    x, x_test = (each.numpy(force=True) for each in noisy)
    y, y_test = labels[:500].numpy(force=True), test_labels.numpy(force=True)
    epochs = 10 if quick else 40

    def network():
        return Classifier((128,), dropout=0.4, max_epochs=epochs, learning_rate=3e-3, batch_size=32, device=device,
                          random_state=0)

    forest, svm = RandomForestClassifier(50 if quick else 100, random_state=0), SVC()
    ways = {
        "network, all classes at once": network(),
        "ten networks, one against the rest": OneVsRestClassifier(network()),
        "45 networks, one against one": OneVsOneClassifier(network()),
        "random forest": forest, "support vectors": svm, "logistic regression": LogisticRegression(max_iter=1000),
        "nearest neighbours": KNeighborsClassifier(5),
        "network, forest and support vectors": StackingClassifier(
            [("network", network()), ("forest", forest), ("support", svm)], LogisticRegression(max_iter=1000), cv=3),
    }
    if quick:
        for slow in ("ten networks, one against the rest", "45 networks, one against one",
                     "network, forest and support vectors"):
            del ways[slow]
    right = {name: (way.fit(x, y).predict(x_test) == y_test).sum() for name, way in ways.items()}

    data = noisy[0], labels[:500]
    codes = gpunet.eye(10, device=device)  # ten answers yes or no
    many = train(Trunk([10]), lambda out, y: F.binary_cross_entropy_with_logits(out[0], codes[y]), epochs, *data)
    both = train(Trunk([10, 1, 1]), lambda out, y: F.cross_entropy(out[0], y)  # the digit; is it even; is it above 4
                 + 0.3 * F.binary_cross_entropy_with_logits(out[1][:, 0], (y % 2 == 0).float())
                 + 0.3 * F.binary_cross_entropy_with_logits(out[2][:, 0], (y > 4).float()), epochs, *data)
    with gpunet.no_grad():
        right["multi-label: ten answers, yes or no"] = (many(noisy[1])[0].argmax(1) == test_labels).sum().item()
        digit, even, _ = both(noisy[1])
        right["multi-task: digit, parity, size"] = (digit.argmax(1) == test_labels).sum().item()
        parity = ((even[:, 0] > 0) == (test_labels % 2 == 0)).float().mean().item()

    right = dict(sorted(right.items(), key=lambda item: item[1]))
    n, ours = len(y_test), ("network", "multi")
    figure, axis = plt.subplots(figsize=(9, 4))
    for place, (name, count) in enumerate(right.items()):
        colour = ORANGE if " and " in name else BLUE if any(word in name for word in ours) else GREY
        axis.errorbar(count / n, place, xerr=np.array(interval(count, n))[:, None], fmt="o", color=colour, capsize=3)
        axis.text(count / n, place + 0.22, f"{count / n:.1%}", ha="center", fontsize=8)
    axis.set_yticks(range(len(right)), right)
    axis.set(title="Accuracy: networks (blue), scikit-learn (grey), both (orange)",
             ylim=(-0.5, len(right) - 0.2))
    save(figure, out / "classifying.png")
    return {name.split(":")[0].replace(",", "").replace(" ", "_"): count / n for name, count in right.items()} | {
        "parity": parity}


if __name__ == "__main__":
    run(main)
