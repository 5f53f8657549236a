"""SimCLR: an encoder learns from digits without labels, and then needs only few labels.

Each image gives two views, randomly rotated, shifted and masked. The representations of two views of one image should
be nearer to each other than to those of all other images in the batch (contrastive loss). A linear probe, a classifier
on the frozen representations, gets ten labels a class.

    python examples/self_supervised.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import augment, batches, digits, run, save
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def view(images):
    """Augmented, with a quarter of the pixels masked."""
    return augment(images) * (gpunet.rand_like(images) > 0.25)


def contrastive_loss(a, b, temperature=0.2):
    """NT-Xent: each of the 2N views is classified among all others, its class being the other view of its image."""
    z = F.normalize(gpunet.cat([a, b]), dim=1)
    similarity = z @ z.T / temperature
    similarity.fill_diagonal_(-1e9)
    return F.cross_entropy(similarity, gpunet.arange(len(z), device=z.device).roll(len(a)))


def probe(encoder, images, labels, test, test_labels):
    """Test accuracy of a linear classifier of the representations, from ten labels a class; and the representations."""
    encoder.eval()
    with gpunet.no_grad():
        x, test_x = (encoder(each).numpy(force=True) for each in (images, test))
    encoder.train()
    y, scale = labels.numpy(force=True), x.std(0) + 1e-6
    few = np.concatenate([np.flatnonzero(y == digit)[:10] for digit in range(10)])
    linear = LogisticRegression(max_iter=2000).fit(x[few] / scale, y[few])
    return linear.score(test_x / scale, test_labels.numpy(force=True)), test_x


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    data = images, _, _, test_labels = digits(device)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256),
                            nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 32)).to(device)
    projection = nn.Sequential(nn.ReLU(), nn.Linear(32, 32)).to(device)
    before, x_before = probe(encoder, *data)

    epochs = 6 if quick else 40
    optimizer = optim.AdamW([*encoder.parameters(), *projection.parameters()], lr=3e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for (x,) in batches(206, images):
            optimizer.zero_grad()
            loss = contrastive_loss(*projection(encoder(gpunet.cat([view(x), view(x)]))).chunk(2))
            loss.backward()
            optimizer.step()
        schedule.step()
    after, x_after = probe(encoder, *data)

    figure, axes = plt.subplots(1, 2, figsize=(9, 4))
    for axis, x, title in ((axes[0], x_before, f"Untrained encoder: probe {before:.1%}"),
                           (axes[1], x_after, f"SimCLR, no labels seen: probe {after:.1%}")):
        dots = axis.scatter(*PCA(2).fit_transform(x).T, c=test_labels.numpy(force=True), cmap="tab10", s=14)
        axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(dots, ax=axes, ticks=np.arange(10) * 0.9 + 0.45, aspect=40).ax.set_yticklabels(range(10))
    save(figure, out / "self_supervised.png")
    return {"probe_before": before, "probe_after": after, "loss": loss.item()}


if __name__ == "__main__":
    run(main)
