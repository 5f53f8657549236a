"""Attention that can be read: a Transformer learns to sort, and its maps are the permutation.

The encoder reads eight numbers, the decoder writes them in order, smallest first. What the decoder attends to while it
writes is drawn: a square for each pair of places.

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
        self.numbers = nn.Embedding(NUMBERS + 1, WIDTH)  # the last one: nothing was written yet
        self.encoder = nn.TransformerEncoderLayer(WIDTH, 2, 2 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.attention = nn.MultiheadAttention(WIDTH, 1, batch_first=True)
        self.places, self.mix = nn.Embedding(LENGTH, WIDTH), nn.Sequential(nn.Linear(2 * WIDTH, WIDTH), nn.ReLU())
        self.head = nn.Linear(WIDTH, NUMBERS)

    def forward(self, x, written):
        """Scores of the next number at each place, and where the decoder looked [N, place, input]."""
        memory = self.encoder(self.numbers(x))
        places = self.places(gpunet.arange(LENGTH, device=x.device)).expand(len(x), -1, -1)
        query = self.mix(gpunet.cat([self.numbers(written), places], dim=2))
        found, weights = self.attention(query, memory, memory)
        return self.head(found), weights


def examples(n, device):
    """Numbers, all different, the same sorted, and what the decoder has written before each place."""
    x = gpunet.rand(n, NUMBERS, device=device).argsort(1)[:, :LENGTH]
    y = x.sort(1).values
    return x, y, F.pad(y[:, :-1], (1, 0), value=NUMBERS)


def main(device="cpu", quick=False, out=Path(".")):
    gpunet.manual_seed(0)
    model, steps = Sorter().to(device), 300 if quick else 1500
    optimizer = optim.AdamW(model.parameters(), lr=3e-3)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    @gpunet.compile
    def step(x, y, written):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x, written)[0].flatten(0, 1), y.flatten())
        loss.backward()
        optimizer.step()
        return loss

    maps = []
    x, y, written = examples(1000, device)
    for number in range(steps):
        if number in (0, steps // 10, steps // 4):
            with gpunet.no_grad():
                maps.append((number, model(x, written)[1][0]))
        step(*examples(64, device))
        schedule.step()
    with gpunet.no_grad():
        scores, weights = model(x, written)
    maps.append((steps, weights[0]))

    figure, axes = plt.subplots(1, 4, figsize=(12, 3.4))
    for axis, (number, weights_then) in zip(axes, maps, strict=True):
        axis.imshow(weights_then.numpy(force=True), cmap="Blues", vmin=0, vmax=1)
        axis.set(title=f"After {number} steps", xticks=range(8), yticks=range(8), xticklabels=x[0].tolist(),
                 yticklabels=y[0].tolist(), xlabel="read")
        axis.grid(False)
    axes[0].set_ylabel("written, from above")
    save(figure, out / "attention_maps.png")
    return {"right_numbers": (scores.argmax(2) == y).float().mean().item(),
            "attention_is_the_permutation": (weights.argmax(2) == x.argsort(1)).float().mean().item()}


if __name__ == "__main__":
    run(main)
