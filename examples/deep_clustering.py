"""Deep clustering: ten clusters of digits, found without a label.

An autoencoder gives each digit a code; then codes and cluster centres are pulled together (DEC: the KL divergence of
the soft assignments from sharper ones). The adjusted Rand index measures how far the clusters agree with the classes,
which are used for nothing else: 0 by chance, 1 if they are the same.

    python examples/deep_clustering.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import augment, batches, digits, run, save, show
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def assignments(codes, centres):
    """The probability that each code belongs to each centre, by Student's t distribution."""
    t = 1 / (1 + (codes[:, None] - centres).square().sum(2))
    return t / t.sum(1, keepdim=True)


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, labels, _, _ = digits(device)
    epochs = 6 if quick else 60
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(),
                            nn.Linear(256, 10)).to(device)
    decoder = nn.Sequential(nn.Linear(10, 256), nn.SiLU(), nn.Linear(256, 64)).to(device)
    optimizer = optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=2e-3)

    for _ in range(epochs):  # a denoising autoencoder: from augmented digits to the originals
        for (x,) in batches(64, images):
            optimizer.zero_grad()
            F.mse_loss(decoder(encoder(augment(x))), x.flatten(1)).backward()
            optimizer.step()

    def agreement(clusters):
        return adjusted_rand_score(labels.numpy(force=True), clusters)

    with gpunet.no_grad():
        of_pixels, of_codes = (KMeans(10, n_init=5, random_state=0).fit(x.numpy(force=True))
                               for x in (images.flatten(1), encoder(images)))
    figures = {"k_means_of_pixels": agreement(of_pixels.labels_), "k_means_of_codes": agreement(of_codes.labels_)}

    centres = nn.Parameter(gpunet.tensor(of_codes.cluster_centers_, device=device))
    optimizer = optim.AdamW([*encoder.parameters(), centres], lr=1e-3)
    curve = []
    for _ in range(epochs // 2):
        with gpunet.no_grad():
            q = assignments(encoder(images), centres)
            p = q**2 / q.sum(0)  # sharper, and the same size for all clusters
            p /= p.sum(1, keepdim=True)
            curve.append(agreement(q.argmax(1).numpy(force=True)))
        for x, target in batches(64, images, p):
            optimizer.zero_grad()
            F.kl_div(assignments(encoder(augment(x)), centres).log(), target, reduction="batchmean").backward()
            optimizer.step()
    with gpunet.no_grad():
        q = assignments(encoder(images), centres)
    clusters = q.argmax(1).numpy(force=True)
    figures["deep_clustering"] = agreement(clusters)

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1.25, 1])
    typical = np.argsort(-q.max(1).values.numpy(force=True), kind="stable")
    rows = [typical[clusters[typical] == cluster][:12] for cluster in range(10)]
    shown = gpunet.cat([images[np.resize(row, 12)] if len(row) else gpunet.zeros_like(images[:12]) for row in rows])
    show(axes[0], shown, 12, "The ten clusters, a row each")
    axes[1].plot(curve, label=f"deep clustering: {figures['deep_clustering']:.3f}")
    for number, name in enumerate(("k_means_of_codes", "k_means_of_pixels"), 1):
        axes[1].axhline(figures[name], color=f"C{number}", linestyle="--",
                        label=f"{name.replace('_', ' ')}: {figures[name]:.3f}")
    axes[1].set(title="Adjusted Rand index by epoch", ylim=(0.5, 1))
    axes[1].legend(loc="lower right")
    save(figure, out / "deep_clustering.png")
    return figures


if __name__ == "__main__":
    run(main)
