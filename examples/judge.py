"""How good generated digits are: a classifier that was trained on real ones looks at them."""

from functools import cache

import numpy as np
from frame import batches, digits

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


@cache
class Judge:
    """Calls with samples [N, 1, 8, 8] in 0 to 1, and the classes that they should have, give

    recognised: share of the samples that have their class, or, if no classes were asked for, of which the classifier is
        sure (more than 90 %);
    classes: how many of the ten there are among the samples: exp of the entropy of their shares;
    distance: Fréchet distance of the samples' features to those of real digits, as in the FID. `real` is that of the
        test digits to the training digits, `noise` that of pixels which were shuffled.
    """

    def __init__(self, device: str = "cpu", epochs: int = 12):
        gpunet.manual_seed(0)
        self.images, labels, self.test, test_labels = digits(device)
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
            nn.Flatten(), nn.Linear(512, 32), nn.ReLU()).to(device)
        self.head = nn.Linear(32, 10).to(device)
        model = nn.Sequential(self.features, self.head)
        optimizer = optim.AdamW(model.parameters(), lr=3e-3)
        for _ in range(epochs):
            for x, y in batches(64, self.images, labels):
                optimizer.zero_grad()
                F.cross_entropy(model(x), y).backward()
                optimizer.step()
        with gpunet.no_grad():
            self.accuracy = (model(self.test).argmax(1) == test_labels).float().mean().item()
            self.real = self._distance(self.test)
            self.noise = self._distance(self.test.flatten()[gpunet.randperm(self.test.numel())].view_as(self.test))

    @gpunet.no_grad()
    def __call__(self, samples, labels=None) -> dict[str, float]:
        chances = self.head(self.features(samples)).softmax(1)
        sure, guesses = chances.max(1)
        shares = np.bincount(guesses.numpy(force=True), minlength=10) / len(samples)
        recognised = (sure > 0.9) if labels is None else (guesses == labels)
        return {"recognised": recognised.float().mean().item(),
                "classes": float(np.exp(-(shares * np.log(shares + 1e-12)).sum())),
                "distance": self._distance(samples), "distance_of_real": self.real, "distance_of_noise": self.noise}

    @gpunet.no_grad()
    def _distance(self, samples) -> float:
        (m, c), (n, d) = ((each.mean(0), np.cov(each.T)) for each in
                          (self.features(part).numpy(force=True) for part in (samples, self.images)))
        root = np.sqrt(np.maximum(np.linalg.eigvals(c @ d).real, 0)).sum()
        return float(((m - n) ** 2).sum() + np.trace(c) + np.trace(d) - 2 * root)
