"""A generative adversarial network: one network generates digits, the other tells them from real ones.

A DCGAN with the usual stabilisers: spectral normalisation of the discriminator and the hinge loss, Adam without
momentum, two learning rates, the standard deviation within a batch as an input of the discriminator (against mode
collapse), and an exponential moving average of the generator's weights, which generates the samples.

    python examples/gan.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import batches, digits, run, save, show
from judge import judge

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.nn.utils.parametrizations import spectral_norm
from gpunet.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

NOISE = 24


class Generator(nn.Sequential):
    def __init__(self, width=32):
        super().__init__(
            nn.Linear(NOISE, width * 8), nn.Unflatten(1, (2 * width, 2, 2)), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.ConvTranspose2d(2 * width, width, 4, stride=2, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.ConvTranspose2d(width, 1, 4, stride=2, padding=1), nn.Sigmoid())


class Discriminator(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.features = nn.Sequential(
            spectral_norm(nn.Conv2d(1, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 3, padding=1)), nn.LeakyReLU(0.2), nn.Flatten(),
            spectral_norm(nn.Linear(32 * width, 2 * width)), nn.LeakyReLU(0.2))
        self.score = spectral_norm(nn.Linear(2 * width + 1, 1))

    def forward(self, images):
        features = self.features(images)
        deviation = features.std(0).mean().expand(len(images), 1)
        return self.score(gpunet.cat([features, deviation], dim=1))[:, 0]


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    images, _, _, _ = digits(device)
    generator, discriminator = Generator().to(device), Discriminator().to(device)
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(0.98), use_buffers=True).eval()
    optimizer_g = optim.Adam(generator.parameters(), lr=1e-3, betas=(0.0, 0.99))
    optimizer_d = optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.0, 0.99))

    @gpunet.compile
    def step(real, noise):
        fake = generator(noise)
        optimizer_d.zero_grad()
        (F.relu(1 - discriminator(real)).mean() + F.relu(1 + discriminator(fake.detach())).mean()).backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        (-discriminator(fake).mean()).backward()
        optimizer_g.step()

    noise, history = gpunet.randn(60, NOISE, device=device), {}
    epochs = 8 if quick else 40
    for epoch in range(1, epochs + 1):
        for (x,) in batches(64, images):
            step(x, gpunet.randn(64, NOISE, device=device))
            average.update_parameters(generator)
        if epoch in (1, epochs // 4, epochs):
            with gpunet.no_grad():
                history[f"After {epoch} epoch{'s' * (epoch > 1)}"] = average(noise)

    figure, axes = plt.subplots(1, 3, figsize=(12, 2.9))
    for axis, (title, generated) in zip(axes, history.items(), strict=True):
        show(axis, generated, 10, title)
    save(figure, out / "gan.png", colours=32)
    with gpunet.no_grad():
        samples = average(gpunet.randn(500, NOISE, device=device))
    return judge(samples)


if __name__ == "__main__":
    run(main)
