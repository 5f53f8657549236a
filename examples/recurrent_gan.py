"""A recurrent GAN generates waves: one LSTM turns noise into sequences, another tells them from real ones.

The real ones are damped waves with a random frequency and phase. The quality of the generated ones is measured without
a network: how much of a sequence's variance the best-fitting damped wave explains, and how far the frequencies spread.

    python examples/recurrent_gan.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import GREY, ORANGE, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim
from gpunet.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

LENGTH, NOISE = 24, 6


def waves(n, device):
    frequency, phase = 0.35 + 0.45 * gpunet.rand(n, 1, device=device), 6.28 * gpunet.rand(n, 1, device=device)
    times = gpunet.arange(LENGTH, device=device)
    return gpunet.sin(frequency * times + phase) * gpunet.exp(-0.04 * times)


class Generator(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.lstm, self.head = nn.LSTM(NOISE, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, noise):
        outputs, _ = self.lstm(noise[:, None].expand(-1, LENGTH, -1))  # the same noise at every step
        return self.head(outputs)[..., 0].tanh()


class Discriminator(nn.Module):
    """Sees two sequences at a time, so that it notices when all generated ones are alike (PacGAN, Lin et al. 2018)."""

    def __init__(self, width=48):
        super().__init__()
        self.lstm = nn.LSTM(2, width, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(2 * width, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def forward(self, sequences):
        pairs = sequences.view(-1, 2, LENGTH).transpose(1, 2)
        return self.head(self.lstm(pairs)[0].mean(1))[:, 0]


def fit(sequences):
    """For each sequence the share of its variance that the best-fitting damped wave explains, and its frequency."""
    times, frequencies = np.arange(LENGTH), np.linspace(0.2, 1.0, 81)
    shares = []
    for frequency in frequencies:
        basis = np.stack([np.sin(frequency * times), np.cos(frequency * times)]) * np.exp(-0.04 * times)
        q, _ = np.linalg.qr(basis.T)
        shares.append(((sequences @ q) ** 2).sum(1) / (sequences**2).sum(1))
    return np.max(shares, 0), frequencies[np.argmax(shares, 0)]


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    generator, discriminator = Generator().to(device), Discriminator().to(device)
    average = AveragedModel(generator, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    optimizer_g = optim.Adam(generator.parameters(), lr=1e-3, betas=(0.5, 0.99))
    optimizer_d = optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.5, 0.99))

    @gpunet.compile
    def step(real, noise):
        fake = generator(noise)
        optimizer_d.zero_grad()
        (F.softplus(-discriminator(real)) + F.softplus(discriminator(fake.detach()))).mean().backward()
        optimizer_d.step()
        optimizer_g.zero_grad()
        F.softplus(-discriminator(fake)).mean().backward()
        optimizer_g.step()

    noise = gpunet.randn(400, NOISE, device=device)
    with gpunet.no_grad():
        before, _ = fit(generator(noise).numpy(force=True))
    for _ in range(240 if quick else 1000):
        step(waves(128, device), gpunet.randn(128, NOISE, device=device))
        average.update_parameters(generator)
    with gpunet.no_grad():
        generated = average(noise).numpy(force=True)
    real = waves(400, device).numpy(force=True)
    (explained, frequencies), (explained_of_real, real_frequencies) = fit(generated), fit(real)

    figure = plt.figure(figsize=(12, 3.4))
    grid = figure.add_gridspec(2, 5, width_ratios=[1, 1, 1, 1, 1.4])
    for row, (name, sequences, colour) in enumerate((("Real", real, GREY), ("Generated", generated, ORANGE))):
        for column in range(4):
            axis = figure.add_subplot(grid[row, column], ylim=(-1.05, 1.05), xticks=[], yticks=[-1, 0, 1])
            axis.plot(sequences[column], color=colour)
            axis.set_title("" if column else name)
    axis = figure.add_subplot(grid[:, 4], title="Frequencies", yticks=[])
    for name, values, colour in (("real", real_frequencies, GREY), ("generated", frequencies, ORANGE)):
        axis.hist(values, np.linspace(0.2, 1, 17), color=colour, alpha=0.6, label=name)
    axis.legend()
    save(figure, out / "recurrent_gan.png")
    return {"explained_before": before.mean(), "explained": explained.mean(),
            "explained_of_real": explained_of_real.mean(),
            "spread_of_frequencies": frequencies.std(), "spread_of_real": real_frequencies.std()}


if __name__ == "__main__":
    run(main)
