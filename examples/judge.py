"""How good generated digits are: a classifier that was trained on real digits judges them."""

from functools import cache

import numpy as np
from frame import batches, digits

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


@cache
def classifier(device, epochs=12):
    """A convolutional network without its last layer, that layer, and the Fréchet distances for comparison."""
    gpunet.manual_seed(0)
    images, labels, test, _ = digits(device)
    features = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU(),
        nn.Flatten(), nn.Linear(512, 32), nn.ReLU()).to(device)
    head = nn.Linear(32, 10).to(device)
    model = nn.Sequential(features, head)
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for x, y in batches(64, images, labels):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()
    noise = test.flatten()[gpunet.randperm(test.numel())].view_as(test)
    distances = {"distance_of_real": frechet_distance(features, test, images),
                 "distance_of_noise": frechet_distance(features, noise, images)}
    return features, head, distances


@gpunet.no_grad()
def frechet_distance(features, samples, real):
    """The distance of two normal distributions that are fitted to the features, as in the FID (Heusel et al. 2017)."""
    (m, c), (n, d) = ((x.mean(0), np.cov(x.T)) for x in (features(each).numpy(force=True) for each in (samples, real)))
    trace_of_root = np.sqrt(np.maximum(np.linalg.eigvals(c @ d).real, 0)).sum()
    return float(((m - n) ** 2).sum() + np.trace(c + d) - 2 * trace_of_root)


def judge(samples, labels=None):
    """Of samples [N, 1, 8, 8] in 0 to 1:

    recognised: the share that the classifier gives its label; without labels, the share of which it is more than 90 %
        sure;
    classes: how many of the ten classes there are: exp of the entropy of the predicted classes;
    distance: the Fréchet distance of their features from those of the training digits; beside it that of the test
        digits (real), and of pixels in random order (noise).
    """
    features, head, distances = classifier(str(samples.device))
    with gpunet.no_grad():
        confidence, predictions = head(features(samples)).softmax(1).max(1)
    recognised = confidence > 0.9 if labels is None else predictions == labels
    shares = np.bincount(predictions.numpy(force=True), minlength=10) / len(samples)
    return {"recognised": recognised.float().mean().item(),
            "classes": float(np.exp(-(shares * np.log(shares + 1e-12)).sum())),
            "distance": frechet_distance(features, samples, digits(samples.device)[0]), **distances}
