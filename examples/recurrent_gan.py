"""A recurrent GAN draws waves: one LSTM writes sequences out of noise, another tells them from real ones.

The real ones are damped waves with a random frequency, phase and decay. How good the drawn ones are is measured without
a network: how much of a sequence's variance the best damped wave explains, and how far the frequencies spread.

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


class Writer(nn.Module):
    def __init__(self, width=48):
        super().__init__()
        self.lstm, self.head = nn.LSTM(NOISE, width, batch_first=True), nn.Linear(width, 1)

    def forward(self, noise):
        outputs, _ = self.lstm(noise[:, None].expand(-1, LENGTH, -1))  # the same noise at every step
        return self.head(outputs)[..., 0].tanh()


class Critic(nn.Module):
    """Judges two sequences at a time, so that it sees when the drawn ones are all alike (PacGAN, Lin et al. 2018)."""

    def __init__(self, width=48):
        super().__init__()
        self.lstm = nn.LSTM(2, width, batch_first=True, bidirectional=True)
        self.head = nn.Sequential(nn.Linear(2 * width, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def forward(self, sequences):
        pairs = sequences.view(-1, 2, LENGTH).transpose(1, 2)
        return self.head(self.lstm(pairs)[0].mean(1))[:, 0]


def explained(sequences):
    """Of each sequence, the share of its variance that the best of many damped waves explains, and its frequency."""
    times, grid = np.arange(LENGTH), np.linspace(0.2, 1.0, 81)
    shares = []
    for frequency in grid:
        basis = np.stack([np.sin(frequency * times), np.cos(frequency * times)]) * np.exp(-0.04 * times)
        q, _ = np.linalg.qr(basis.T)
        shares.append(((sequences @ q) ** 2).sum(1) / (sequences**2).sum(1))
    return np.max(shares, 0), grid[np.argmax(shares, 0)]


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    writer, critic = Writer().to(device), Critic().to(device)
    average = AveragedModel(writer, multi_avg_fn=get_ema_multi_avg_fn(0.99))
    writes = optim.Adam(writer.parameters(), lr=1e-3, betas=(0.5, 0.99))
    tells = optim.Adam(critic.parameters(), lr=2e-3, betas=(0.5, 0.99))

    @gpunet.compile
    def step(real, noise):
        written = writer(noise)
        tells.zero_grad()
        (F.softplus(-critic(real)) + F.softplus(critic(written.detach()))).mean().backward()
        tells.step()
        writes.zero_grad()
        F.softplus(-critic(written)).mean().backward()
        writes.step()

    noise = gpunet.randn(400, NOISE, device=device)
    with gpunet.no_grad():
        before, _ = explained(writer(noise).numpy(force=True))
    for _ in range(240 if quick else 1000):
        step(waves(128, device), gpunet.randn(128, NOISE, device=device))
        average.update_parameters(writer)
    with gpunet.no_grad():
        drawn = average(noise).numpy(force=True)
    shares, frequencies = explained(drawn)
    real = waves(400, device).numpy(force=True)

    figure, axes = plt.subplots(2, 5, figsize=(12, 3.4), sharex=True, sharey=True, width_ratios=[1, 1, 1, 1, 1.4])
    for row, (sequences, colour, name) in enumerate(((real, GREY, "Real"), (drawn, ORANGE, "Drawn"))):
        for axis, sequence in zip(axes[row], sequences, strict=False):
            axis.plot(sequence, color=colour)
            axis.set(ylim=(-1.05, 1.05), xticks=[], yticks=[-1, 0, 1])
        axes[row, 0].set_title(name)
        axes[row, 4].remove()
    axis = figure.add_subplot(axes[0, 4].get_gridspec()[:, 4])
    for sequences, colour, name in ((real, GREY, "real"), (drawn, ORANGE, "drawn")):
        axis.hist(explained(sequences)[1], np.linspace(0.2, 1, 17), color=colour, alpha=0.6, label=name)
    axis.set(title="Frequencies", yticks=[])
    axis.legend()
    save(figure, out / "recurrent_gan.png")
    return {"explained_before": before.mean(), "explained": shares.mean(),
            "explained_of_real": explained(real)[0].mean(),
            "spread_of_frequencies": frequencies.std(), "spread_of_real": explained(real)[1].std()}


if __name__ == "__main__":
    run(main)
