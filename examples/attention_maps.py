"""Attention that can be read: a Transformer learns to sort, and its attention map becomes the permutation.

The encoder reads eight numbers; the decoder writes them in ascending order. The attention weights of the decoder are
drawn: a row for each number that it writes, a column for each number of the input.

    python examples/attention_maps.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
from frame import run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim

LENGTH, NUMBERS, WIDTH = 8, 50, 64


class Sorter(nn.Module):
    def __init__(self):
        super().__init__()
        self.numbers = nn.Embedding(NUMBERS + 1, WIDTH)  # the last one: the start token
        self.encoder = nn.TransformerEncoderLayer(WIDTH, 2, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.attention = nn.MultiheadAttention(WIDTH, 1, batch_first=True)
        self.positions, self.mix = nn.Embedding(LENGTH, WIDTH), nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU())
        self.head = nn.Linear(WIDTH, NUMBERS)

    def forward(self, x, previous):
        """Logits of the next number at each position, given the previous one, and the attention [N, output, input]."""
        memory = self.encoder(self.numbers(x))
        positions = self.positions(gpunet.arange(LENGTH, device=x.device)).expand(len(x), -1, -1)
        query = self.mix(gpunet.cat([self.numbers(previous), positions], dim=2))
        attended, weights = self.attention(query, memory, memory)
        return self.head(attended), weights


def examples(n, device):
    """Eight different numbers, the same sorted, and the number before each of the sorted ones."""
    x = gpunet.rand(n, NUMBERS, device=device).argsort(1)[:, :LENGTH]
    y = x.sort(1).values
    return x, y, F.pad(y[:, :-1], (1, 0), value=NUMBERS)


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    model, steps = Sorter().to(device), 300 if quick else 1500
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    @gpunet.compile
    def step(x, y, previous):
        optimizer.zero_grad()
        F.cross_entropy(model(x, previous)[0].flatten(0, 1), y.flatten()).backward()
        optimizer.step()

    maps = {}
    x, y, previous = examples(1000, device)
    for number in range(steps + 1):
        if number in (0, steps // 10, steps // 4, steps):
            with gpunet.no_grad():
                logits, weights = model(x, previous)
            maps[f"After {number} steps"] = weights[0].numpy(force=True)
        if number < steps:
            step(*examples(64, device))
            schedule.step()

    figure, axes = plt.subplots(1, 4, figsize=(12, 3.4))
    for axis, (title, attention) in zip(axes, maps.items(), strict=True):
        axis.imshow(attention, cmap="Blues", vmin=0, vmax=1)
        axis.set(title=title, xticks=range(8), yticks=range(8), xticklabels=x[0].tolist(), yticklabels=y[0].tolist(),
                 xlabel="input")
        axis.grid(False)
    axes[0].set_ylabel("output")
    save(figure, out / "attention_maps.png")
    return {"right_numbers": (logits.argmax(2) == y).float().mean().item(),
            "attention_is_the_permutation": (weights.argmax(2) == x.argsort(1)).float().mean().item()}


if __name__ == "__main__":
    run(main)
