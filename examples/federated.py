"""Federated averaging: twenty clients train one network together, and keep their data.

Each client has a few dozen digits of few classes. In each round half of the clients train a copy of the network on
their own digits, and the server averages the weights. Compared with each client alone, and with all data in one place.

    python examples/federated.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import GREY, accuracy, digits, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import nn
from gpunet.privacy import FederatedAveraging, split_by_dirichlet


def network(device):
    gpunet.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10)).to(device)


def main(device="cpu", quick=False, out=Path(".")):
    x, y, test_x, test_y = digits(device)
    rounds = 6 if quick else 40

    def curve(clients, fraction, epochs=1):
        federation = FederatedAveraging(network(device), clients, F.cross_entropy, lr=0.2, batch_size=16,
                                        fraction=fraction, epochs=epochs)
        accuracies = []
        for _ in range(rounds):
            federation.round()
            accuracies.append(accuracy(federation.model, test_x, test_y))
        return accuracies

    parts = split_by_dirichlet(y, clients=20, alpha=0.3)
    clients = [(x[part.to(device)], y[part.to(device)]) for part in parts]
    central = curve([(x, y)], 1.0)
    federated = {epochs: curve(clients, 0.5, epochs) for epochs in (1, 5)}
    alone = [curve([client], 1.0)[-1] for client in clients[:5 if quick else 20]]

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    counts = np.array([np.bincount(labels.cpu().numpy(), minlength=10) for _, labels in clients])
    bottom = np.zeros(20)
    for digit in range(10):
        left.bar(range(20), counts[:, digit], bottom=bottom, color=plt.cm.tab10(digit), label=str(digit))
        bottom += counts[:, digit]
    left.set(title="The clients' data", xlabel="client", ylabel="digits", xticks=[])
    left.legend(ncols=2, fontsize=7, handlelength=1)
    right.plot(central, label="all data in one place")
    for epochs, each in federated.items():
        right.plot(each, label=f"federated, {epochs} epoch{'s' * (epochs > 1)} a round")
    right.axhline(np.mean(alone), color=GREY, linestyle=":", label="a client alone, mean")
    right.set(title="Test accuracy", xlabel="round", ylim=(0, 1))
    right.legend(loc="lower right")
    save(figure, out / "federated.png")
    return {"one_place": central[-1], "federated": federated[5][-1], "a_client_alone": float(np.mean(alone))}


if __name__ == "__main__":
    run(main)
