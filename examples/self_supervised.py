"""SimCLR: an encoder learns from digits without labels, and then needs only few of them.

Of each image there are two views, turned, moved and partly covered. The codes of two views of one image should be
nearer to each other than to those of all others in the batch (contrastive loss). A linear classifier on the frozen
codes, the probe, gets ten labels a class.

    python examples/self_supervised.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import batches, digits, moved, run, save
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def view(images):
    """Moved a little, and one in four pixels covered."""
    return moved(images) * (gpunet.rand_like(images) > 0.25)


def contrast(a, b, temperature=0.2):
    """Of the codes of 2N views, each should find its twin."""
    codes = F.normalize(gpunet.cat([a, b]), dim=1)
    alike = codes @ codes.T / temperature
    alike.fill_diagonal_(-1e9)
    twins = gpunet.arange(len(codes), device=codes.device).roll(len(a))
    return F.cross_entropy(alike, twins)


def probe(encoder, images, labels, test, test_labels):
    """Test accuracy of a linear classifier of the codes that gets ten images of each class."""
    encoder.eval()
    with gpunet.no_grad():
        codes, test_codes = (encoder(each).numpy(force=True) for each in (images, test))
    labels = labels.numpy(force=True)
    few = np.concatenate([np.flatnonzero(labels == each)[:10] for each in range(10)])
    scale = codes.std(0) + 1e-6
    encoder.train()
    linear = LogisticRegression(max_iter=2000).fit(codes[few] / scale, labels[few])
    return linear.score(test_codes / scale, test_labels.numpy(force=True)), test_codes


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    data = images, _, _, test_labels = digits(device)
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 256),
                            nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 32)).to(device)
    projection = nn.Sequential(nn.ReLU(), nn.Linear(32, 32)).to(device)
    before, codes_before = probe(encoder, *data)

    epochs = 6 if quick else 40
    optimizer = optim.AdamW([*encoder.parameters(), *projection.parameters()], lr=3e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for _ in range(epochs):
        for (x,) in batches(206, images):
            optimizer.zero_grad()
            loss = contrast(*projection(encoder(gpunet.cat([view(x), view(x)]))).chunk(2))
            loss.backward()
            optimizer.step()
        schedule.step()
    after, codes_after = probe(encoder, *data)

    figure, axes = plt.subplots(1, 2, figsize=(9, 4))
    for axis, codes, title in ((axes[0], codes_before, f"Untrained encoder: probe {before:.1%}"),
                               (axes[1], codes_after, f"SimCLR, no labels seen: probe {after:.1%}")):
        dots = axis.scatter(*PCA(2).fit_transform(codes).T, c=test_labels.numpy(force=True), cmap="tab10", s=14)
        axis.set(title=title, xticks=[], yticks=[])
    figure.colorbar(dots, ax=axes, ticks=np.arange(10) * 0.9 + 0.45, aspect=40).ax.set_yticklabels(range(10))
    save(figure, out / "self_supervised.png")
    return {"probe_before": before, "probe_after": after, "loss": loss.item()}


if __name__ == "__main__":
    run(main)
