"""Ways to classify: multi-class, one-vs-rest, one-vs-one, multi-label and multi-task networks, side by side.

Beside them scikit-learn's random forest, support vector machine, logistic regression and nearest neighbours, and a
stack of networks and trees. gpunet's `Classifier` is a scikit-learn estimator, so scikit-learn's meta-estimators take
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

PROPERTIES = {"even": [0, 2, 4, 6, 8], "above 4": [5, 6, 7, 8, 9], "prime": [2, 3, 5, 7], "multiple of 3": [0, 3, 6, 9],
              "multiple of 5": [0, 5], "with a loop": [0, 6, 8, 9]}  # together they tell the ten digits apart


def interval(p, n, z=1.96):
    """Wilson's 95 % confidence interval of an accuracy p on n examples, as its distances below and above p."""
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return [[p - (middle - half) / (1 + z**2 / n)], [(middle + half) / (1 + z**2 / n) - p]]


class MultiTask(nn.Module):
    """A shared trunk, and a head for each task with its number of outputs."""

    def __init__(self, *outputs, width=128):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(64, width), nn.ReLU(), nn.Dropout(0.4))
        self.heads = nn.ModuleList(nn.Linear(width, count) for count in outputs)

    def forward(self, x):
        features = self.trunk(x)
        return [head(features) for head in self.heads]


def train(model, loss, epochs, x, y):
    optimizer = optim.Adam(model.to(x.device).parameters(), lr=3e-3)
    for _ in range(epochs):
        for inputs, labels in batches(32, x, y):
            optimizer.zero_grad()
            loss(model(inputs), labels).backward()
            optimizer.step()
    return model.eval()


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, labels, test, test_labels = digits(device)
    x, x_test = ((each + 0.35 * gpunet.randn_like(each)).flatten(1) for each in (images[:500], test))
    y, y_test, epochs = labels[:500], test_labels, 10 if quick else 40

    def network():
        return Classifier((128,), dropout=0.4, max_epochs=epochs, learning_rate=3e-3, batch_size=32, device=device,
                          random_state=0)

    forest, svm = RandomForestClassifier(50 if quick else 100, random_state=0), SVC()
    ways = {"multi-class network": network(), "random forest": forest, "support vector machine": svm,
            "logistic regression": LogisticRegression(max_iter=1000), "nearest neighbours": KNeighborsClassifier(5)}
    if not quick:
        ways |= {"one-vs-rest: 10 networks": OneVsRestClassifier(network()),
                 "one-vs-one: 45 networks": OneVsOneClassifier(network()),
                 "stack: network, forest, SVM": StackingClassifier(
                     [("network", network()), ("forest", forest), ("svm", svm)], LogisticRegression(max_iter=1000),
                     cv=3)}
    arrays = [each.numpy(force=True) for each in (x, y, x_test, y_test)]
    accuracies = {name: way.fit(*arrays[:2]).score(*arrays[2:]) for name, way in ways.items()}

    has = gpunet.tensor([[float(digit in digits) for digits in PROPERTIES.values()] for digit in range(10)],
                        device=device)
    multi_label = train(MultiTask(len(PROPERTIES)),
                        lambda outputs, y: F.binary_cross_entropy_with_logits(outputs[0], has[y]), epochs, x, y)
    multi_task = train(MultiTask(10, 1, 1),  # the digit; is it even; is it above 4
                       lambda outputs, y: F.cross_entropy(outputs[0], y)
                       + 0.3 * F.binary_cross_entropy_with_logits(outputs[1][:, 0], has[y, 0])
                       + 0.3 * F.binary_cross_entropy_with_logits(outputs[2][:, 0], has[y, 1]), epochs, x, y)
    with gpunet.no_grad():
        (logits,), (digit, even, _) = multi_label(x_test), multi_task(x_test)
    right = {"multi-label network: six properties": (logits @ has.T).argmax(1) == y_test,  # the digit that fits best
             "multi-task network: digit, parity, size": digit.argmax(1) == y_test,
             "parity": (even[:, 0] > 0) == has[y_test, 0].bool()}
    accuracies |= {name: each.float().mean().item() for name, each in right.items()}
    figures = {name.partition(":")[0].replace(" ", "_").replace("-", "_"): p for name, p in accuracies.items()}

    del accuracies["parity"]
    figure, axis = plt.subplots(figsize=(9, 4))
    for place, (name, p) in enumerate(sorted(accuracies.items(), key=lambda item: item[1])):
        colour = ORANGE if "stack" in name else BLUE if "network" in name else GREY
        axis.errorbar(p, place, xerr=interval(p, len(y_test)), fmt="o", color=colour, capsize=3)
        axis.text(p, place + 0.22, f"{p:.1%}", ha="center", fontsize=8)
        axis.text(-0.01, place, name, ha="right", va="center", transform=axis.get_yaxis_transform())
    axis.set(title="Accuracy: networks (blue), scikit-learn (grey), both (orange)", yticks=range(len(accuracies)),
             yticklabels=[], ylim=(-0.5, len(accuracies) - 0.2))
    save(figure, out / "classifying.png")
    return figures


if __name__ == "__main__":
    run(main)
