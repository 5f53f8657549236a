"""A siamese network: triplets from a sampler of its own, a triplet loss and nearest neighbours."""

from collections import defaultdict

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset


class Balanced(Sampler):
    """Batches with as many examples of each class, in an order that does not depend on chance."""

    def __init__(self, labels, each, batches):
        self.places, self.each, self.batches = defaultdict(list), each, batches
        for i, label in enumerate(labels.tolist()):
            self.places[label].append(i)

    def __iter__(self):
        for batch in range(self.batches):
            yield [places[(batch * self.each + k) % len(places)] for places in self.places.values()
                   for k in range(self.each)]

    def __len__(self):
        return self.batches


def build():
    # No bias at the end: distances do not depend on it, so its gradient is rounding noise, which Adam enlarges.
    return nn.Sequential(nn.Linear(6, 24), nn.ReLU(inplace=True), nn.utils.weight_norm(nn.Linear(24, 8, bias=False)))


def triplets(features, labels):
    """For each example the farthest of its class and the nearest of another."""
    distances = torch.cdist(features, features)
    same = labels[:, None] == labels[None, :]
    positive = distances.masked_fill(~same, -float("inf")).argmax(1)
    negative = distances.masked_fill(same, float("inf")).argmin(1)
    return features, features[positive], features[negative]


def train(model, steps):
    labels = torch.arange(40) % 4
    centres = torch.tensor([[(i * 5 + j * 3) % 7 - 3.0 for j in range(6)] for i in range(4)])
    data = centres[labels] * 0.3 + torch.sin(torch.arange(240.0)).reshape(40, 6)
    loader = DataLoader(TensorDataset(data, labels), batch_sampler=Balanced(labels, 3, steps))
    criterion = nn.TripletMarginLoss(margin=1.0)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, amsgrad=True)
    losses = []
    for inputs, targets in loader:
        loss = criterion(*triplets(model(inputs), targets))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        z = F.normalize(model(data), dim=-1)
        similar = (z @ z.t()).fill_diagonal_(-float("inf"))
        losses.append(similar.topk(3).values.mean().item())
    return losses


if __name__ == "__main__":
    torch.manual_seed(0)
    print(train(build(), 20))
