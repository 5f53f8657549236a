"""Deep clustering: ten groups of digits, found without a label.

An autoencoder gives each digit a code; then the codes are drawn towards the nearest of ten centres, and the centres
towards the codes (DEC: the KL divergence of soft assignments from sharper ones). The adjusted Rand index says how far
the groups agree with the classes, which nothing here has seen: 0 by chance, 1 if they are the same.

    python examples/deep_clustering.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import batches, digits, moved, run, save, show
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


def assignments(codes, centres):
    """How far each code belongs to each centre, by Student's t distribution."""
    closeness = 1 / (1 + (codes[:, None] - centres).square().sum(2))
    return closeness / closeness.sum(1, keepdim=True)


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, labels, _, _ = digits(device)
    truth, epochs = labels.numpy(force=True), 6 if quick else 60
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.SiLU(), nn.Linear(256, 256), nn.SiLU(),
                            nn.Linear(256, 10)).to(device)
    decoder = nn.Sequential(nn.Linear(10, 256), nn.SiLU(), nn.Linear(256, 64)).to(device)
    optimizer = optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=2e-3)

    for _ in range(epochs):  # an autoencoder of digits that are moved a little: the code should not say where they are
        for (x,) in batches(64, images):
            optimizer.zero_grad()
            F.mse_loss(decoder(encoder(moved(x))), x.flatten(1)).backward()
            optimizer.step()

    def found(groups):
        return adjusted_rand_score(truth, groups)

    with gpunet.no_grad():
        codes = encoder(images).numpy(force=True)
    k_means = KMeans(10, n_init=5, random_state=0).fit(codes)
    figures = {"k_means_of_pixels": found(KMeans(10, n_init=5, random_state=0).fit_predict(
        images.flatten(1).numpy(force=True))), "k_means_of_codes": found(k_means.labels_)}

    centres = nn.Parameter(gpunet.tensor(k_means.cluster_centers_, device=device))
    optimizer = optim.AdamW([*encoder.parameters(), centres], lr=1e-3)
    curve = []
    for _ in range(epochs // 2):
        with gpunet.no_grad():
            q = assignments(encoder(images), centres)
            sharp = q**2 / q.sum(0)
            sharp /= sharp.sum(1, keepdim=True)
            curve.append(found(q.argmax(1).numpy(force=True)))
        for x, target in batches(64, images, sharp):
            optimizer.zero_grad()
            F.kl_div(assignments(encoder(moved(x)), centres).log(), target, reduction="batchmean").backward()
            optimizer.step()
    with gpunet.no_grad():
        q = assignments(encoder(images), centres)
    groups = q.argmax(1).numpy(force=True)
    figures["deep_clustering"] = found(groups)

    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1.25, 1])
    surest = np.argsort(-q.max(1).values.numpy(force=True), kind="stable")
    rows = [surest[groups[surest] == group][:12] for group in range(10)]
    shown = gpunet.cat([images[np.resize(row, 12)] if len(row) else gpunet.zeros_like(images[:12]) for row in rows])
    show(axes[0], shown, 12, "The ten groups, a row each")
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
