"""An adversarial autoencoder: latent codes that a discriminator cannot tell from a chosen prior.

As in a VAE, the codes should follow a known distribution, so that new ones can be sampled. In place of a KL divergence
a discriminator tells codes from samples of the prior, and the encoder learns to fool it. The prior here is a
two-dimensional normal distribution, so the whole latent space can be drawn.

    python examples/adversarial_autoencoder.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import batches, digits, run, save, show
from judge import judge

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.distributions import Normal


def mlp(inputs, outputs, width=256):
    return nn.Sequential(nn.Linear(inputs, width), nn.LeakyReLU(0.2), nn.Linear(width, width), nn.LeakyReLU(0.2),
                         nn.Linear(width, outputs))


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, labels, _, _ = digits(device)
    encoder, decoder, discriminator = mlp(64, 2).to(device), mlp(2, 64).to(device), mlp(2, 1, 128).to(device)
    reconstruct = optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    discriminate = optim.Adam(discriminator.parameters(), lr=5e-4, betas=(0.5, 0.99))
    fool = optim.Adam(encoder.parameters(), lr=5e-4, betas=(0.5, 0.99))

    @gpunet.compile
    def step(x, prior):
        reconstruct.zero_grad()
        F.binary_cross_entropy_with_logits(decoder(encoder(x)), x).backward()
        reconstruct.step()
        discriminate.zero_grad()
        with gpunet.no_grad():
            codes = encoder(x)
        (F.softplus(-discriminator(prior)) + F.softplus(discriminator(codes))).mean().backward()
        discriminate.step()
        fool.zero_grad()
        F.softplus(-discriminator(encoder(x))).mean().backward()
        fool.step()

    for _ in range(12 if quick else 80):
        for (x,) in batches(64, images.flatten(1)):
            step(x, gpunet.randn(64, 2, device=device))

    with gpunet.no_grad():
        codes = encoder(images.flatten(1)).numpy(force=True)
        samples = decoder(gpunet.randn(500, 2, device=device)).sigmoid().view(-1, 1, 8, 8)
        line = Normal(0.0, 1.0).icdf(gpunet.linspace(0.03, 0.97, 12)).to(device)  # equal shares of the prior
        plane = gpunet.cartesian_prod(line.flip(0), line).flip(1)  # (x, y), from the top left
        decoded = decoder(plane).sigmoid().view(-1, 1, 8, 8)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
    for digit in range(10):
        axes[0].scatter(*codes[labels.numpy(force=True) == digit].T, s=5, color=plt.cm.tab10(digit), label=digit)
    axes[0].set(title="The codes of the digits", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=3, fontsize=8)
    show(axes[1], decoded, 12, "What the decoder makes of the plane")
    save(figure, out / "adversarial_autoencoder.png")
    return judge(samples) | {"mean_of_codes": float(np.abs(codes.mean(0)).max()),
                             "deviation_of_codes": float(codes.std(0).mean())}


if __name__ == "__main__":
    run(main)
