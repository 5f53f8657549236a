"""An adversarial autoencoder: codes that a discriminator cannot tell from a chosen distribution.

As in a VAE the codes should be spread in a known way, so that new ones can be drawn. Here no formula says how far they
are from it but a second network, which tells codes from true draws; the encoder learns to deceive it. The chosen
distribution: a plane of two dimensions, normal, which is drawn whole.

    python examples/adversarial_autoencoder.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import batches, digits, run, save, show
from judge import Judge

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
    encoder, decoder, critic = mlp(64, 2).to(device), mlp(2, 64).to(device), mlp(2, 1, 128).to(device)
    draws = optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=1e-3)
    deceives = optim.Adam(encoder.parameters(), lr=5e-4, betas=(0.5, 0.99))
    tells = optim.Adam(critic.parameters(), lr=5e-4, betas=(0.5, 0.99))

    @gpunet.compile
    def step(x, noise):
        draws.zero_grad()  # an autoencoder
        error = F.binary_cross_entropy_with_logits(decoder(encoder(x)), x)
        error.backward()
        draws.step()
        tells.zero_grad()  # whose codes the critic tells from noise
        with gpunet.no_grad():
            codes = encoder(x)
        (F.softplus(-critic(noise)) + F.softplus(critic(codes))).mean().backward()
        tells.step()
        deceives.zero_grad()  # and who learns to deceive it
        F.softplus(-critic(encoder(x))).mean().backward()
        deceives.step()
        return error

    for _ in range(12 if quick else 80):
        for (x,) in batches(64, images.flatten(1)):
            step(x, gpunet.randn(64, 2, device=device))

    with gpunet.no_grad():
        codes = encoder(images.flatten(1)).numpy(force=True)
        samples = decoder(gpunet.randn(500, 2, device=device)).sigmoid().view(-1, 1, 8, 8)
        line = Normal(0.0, 1.0).icdf(gpunet.linspace(0.03, 0.97, 12)).to(device)  # equal shares of the codes
        plane = gpunet.stack(gpunet.meshgrid(line.flip(0), line, indexing="ij")[::-1], dim=-1).view(-1, 2)
        map_of_codes = decoder(plane).sigmoid().view(-1, 1, 8, 8)
    figure, axes = plt.subplots(1, 2, figsize=(9, 4.2))
    for digit in range(10):
        axes[0].scatter(*codes[labels.numpy(force=True) == digit].T, s=5, color=f"C{digit}" if digit < 6 else
                        plt.cm.Set2(digit - 6), label=digit)
    axes[0].set(title="Where the digits are", xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    axes[0].legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=3, fontsize=8)
    show(axes[1], map_of_codes, 12, "What the decoder draws there")
    save(figure, out / "adversarial_autoencoder.png")
    return Judge(device)(samples) | {"mean_of_codes": float(np.abs(codes.mean(0)).max()),
                                     "deviation_of_codes": float(codes.std(0).mean())}


if __name__ == "__main__":
    run(main)
