"""A character language model, by recurrence and by attention.

An LSTM and a small Transformer read the reference of the Python language, which comes with every Python, and learn to
predict the next character. Beside them what counting does: single characters, and pairs of characters.

    python examples/language_model.py
"""

from pathlib import Path
from pydoc_data.topics import topics
from textwrap import fill

import matplotlib.pyplot as plt
import numpy as np
from frame import GREY, run, save

import gpunet
import gpunet.nn.functional as F
from gpunet import nn, optim

LENGTH, WIDTH = 64, 64


class Recurrent(nn.Module):
    def __init__(self, characters):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(characters, WIDTH), nn.LSTM(WIDTH, 2 * WIDTH, batch_first=True)
        self.head = nn.Linear(2 * WIDTH, characters)

    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0])


class Transformer(nn.Module):
    def __init__(self, characters):
        super().__init__()
        self.embed, self.positions = nn.Embedding(characters, WIDTH), nn.Embedding(LENGTH, WIDTH)
        for embedding in (self.embed, self.positions):
            nn.init.normal_(embedding.weight, std=0.1)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 3 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(WIDTH, characters)

    def forward(self, x):
        mask = nn.Transformer.generate_square_subsequent_mask(x.shape[1], device=x.device)
        positions = self.positions(gpunet.arange(x.shape[1], device=x.device))
        return self.head(self.layers(self.embed(x) + positions, mask=mask, is_causal=True))


def cross_entropy(model, x):
    """Of each character after those before it."""
    return F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())


@gpunet.no_grad()
def bits(model, text):
    """Bits per character."""
    rows = len(text) // (LENGTH + 1)
    return cross_entropy(model, text[:rows * (LENGTH + 1)].view(rows, -1)).item() / np.log(2)


@gpunet.no_grad()
def write(model, start, alphabet, device, length, temperature=0.6):
    text = [alphabet.index(character) for character in start]
    for _ in range(length):
        logits = model(gpunet.tensor([text[-LENGTH:]], device=device))[0, -1]
        text.append(gpunet.multinomial((logits / temperature).softmax(0), 1).item())
    return "".join(alphabet[each] for each in text)


def main(device="cpu", quick=False, out=Path(".")):
    text = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", "ignore").decode()[:300_000]
    alphabet = sorted(set(text))
    text = np.array([alphabet.index(character) for character in text])
    train, test = text[:280_000], text[280_000:280_000 + (4096 if quick else 16384)]
    pairs = np.ones((len(alphabet), len(alphabet)))
    np.add.at(pairs, (train[:-1], train[1:]), 1)
    counted = {"one_letter": -np.log2(pairs.sum(0) / pairs.sum())[test].mean(),
               "two_letters": -np.log2(pairs / pairs.sum(1, keepdims=True))[test[:-1], test[1:]].mean()}

    train, test = gpunet.tensor(train, device=device), gpunet.tensor(test, device=device)
    figures, texts, steps = dict(counted), {}, 60 if quick else 700
    figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), width_ratios=[1, 1.3])
    for network in (Recurrent, Transformer):
        gpunet.manual_seed(0)
        model, curve = network(len(alphabet)).to(device), []
        optimizer = optim.AdamW(model.parameters())
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 8e-3, total_steps=steps, cycle_momentum=False)

        @gpunet.compile
        def step(x, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            cross_entropy(model, x).backward()
            optimizer.step()

        for number in range(1, steps + 1):
            starts = gpunet.randint(0, len(train) - LENGTH, (24, 1), device=device)
            step(train[starts + gpunet.arange(LENGTH + 1, device=device)])
            schedule.step()
            if number % 20 == 0:
                curve.append(bits(model, test[:4096]))
        name = network.__name__
        figures[name.lower()] = bits(model, test)
        axes[0].plot(range(20, steps + 1, 20), curve, label=f"{name}: {figures[name.lower()]:.2f}")
        texts[name] = write(model, "The statement ", alphabet, device, length=20 if quick else 300)

    for name, line in (("one_letter", ":"), ("two_letters", "--")):
        axes[0].axhline(counted[name], color=GREY, linestyle=line,
                        label=f"counting {name.replace('_', ' ')}: {counted[name]:.2f}")
    axes[0].set(title="Bits per character of the test text, by step", ylim=(1.5, None))
    axes[0].legend()
    axes[1].axis("off")
    for (name, written), y in zip(texts.items(), (1.0, 0.48), strict=True):
        axes[1].text(0, y, f"{name} writes", va="top", weight="bold")
        axes[1].text(0, y - 0.09, fill(written, 72, max_lines=6), va="top", family="monospace", fontsize=8)
    save(figure, out / "language_model.png")
    return figures


if __name__ == "__main__":
    run(main)
