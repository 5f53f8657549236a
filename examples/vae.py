"""A variational autoencoder generates digits, and interpolates between them.

The encoder gives a normal distribution of latent codes for each image; the decoder turns a code into an image. The
loss is the reconstruction error plus the KL divergence of the codes from N(0, 1), whose weight grows from 0 to 1 in
the first epochs (KL annealing), so that the codes carry information before they are made alike.

    python examples/vae.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import GREY, batches, digits, run, save, show
from judge import judge

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim


class VAE(nn.Module):
    def __init__(self, latent=10, width=256):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.SiLU(), nn.Linear(width, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU(),
                                     nn.Linear(width, 64), nn.Unflatten(1, (1, 8, 8)))

    def forward(self, x):
        mean, log_variance = self.encoder(x).chunk(2, dim=1)
        z = mean + (log_variance / 2).exp() * gpunet.randn_like(mean)
        kl = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(1).mean()
        return self.decoder(z), kl


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, _, test, _ = digits(device)
    vae, epochs = VAE().to(device), 25 if quick else 150
    optimizer = optim.AdamW(vae.parameters(), lr=2e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * (len(images) // 64))

    @gpunet.compile
    def step(x, weight):
        optimizer.zero_grad()
        logits, kl = vae(x)
        error = F.binary_cross_entropy_with_logits(logits, x, reduction="sum") / len(x)
        (error + weight * kl).backward()
        optimizer.step()
        return error, kl

    history = []
    for epoch in range(epochs):
        weight = gpunet.tensor(min(1.0, epoch / (0.3 * epochs)), device=device)  # KL annealing
        for (x,) in batches(64, images):
            error, kl = step(x, weight)
            schedule.step()
        history.append((error.item(), kl.item(), 20 * weight.item()))

    with gpunet.no_grad():
        samples = vae.decoder(gpunet.randn(500, 10, device=device)).sigmoid()
        codes, _ = vae.encoder(test[:12]).chunk(2, dim=1)
        walks = [gpunet.lerp(a, b, t / 9) for a, b in zip(codes[::2], codes[1::2], strict=True) for t in range(10)]
        walks = vae.decoder(gpunet.stack(walks)).sigmoid()

    figure, axes = plt.subplots(1, 3, figsize=(12, 2.9), width_ratios=[1, 1.35, 1.35])
    reconstruction, kls, weights = zip(*history, strict=True)
    axes[0].plot(reconstruction, label="reconstruction")
    axes[0].plot(kls, label="KL")
    axes[0].plot(weights, "--", color=GREY, label="20 x weight of KL")
    axes[0].set(title="Loss by epoch", ylim=(0, None))
    axes[0].legend()
    show(axes[1], samples[:60], 10, "Samples")
    show(axes[2], walks, 10, "Interpolation between two test digits")
    save(figure, out / "vae.png", colours=40)
    return judge(samples) | {"kl": kl.item()}


if __name__ == "__main__":
    run(main)
