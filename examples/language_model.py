"""A language model of characters, by recurrence and by attention.

Two networks, an LSTM and a small Transformer, read the reference of the Python language, which comes with every Python,
and learn to say which character comes next. Beside them what counting can do: letters, and pairs of letters.

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
    def __init__(self, symbols):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(symbols, WIDTH), nn.LSTM(WIDTH, 2 * WIDTH, batch_first=True)
        self.head = nn.Linear(2 * WIDTH, symbols)

    def forward(self, x):
        return self.head(self.lstm(self.embed(x))[0])


class Transformer(nn.Module):
    def __init__(self, symbols):
        super().__init__()
        self.embed, self.places = nn.Embedding(symbols, WIDTH), nn.Embedding(LENGTH, WIDTH)
        layer = nn.TransformerEncoderLayer(WIDTH, 4, 3 * WIDTH, dropout=0.0, batch_first=True, norm_first=True)
        self.layers, self.head = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False), nn.Linear(WIDTH, symbols)

    def forward(self, x):
        n = x.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(n, device=x.device)
        places = self.places(gpunet.arange(n, device=x.device))
        return self.head(self.layers(self.embed(x) + places, mask=mask, is_causal=True))


def bits(model, codes):
    """Bits per character on a text."""
    x = codes[:len(codes) // LENGTH * LENGTH].view(-1, LENGTH)
    with gpunet.no_grad():
        return F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten()).item() / np.log(2)


def write(model, start, alphabet, device, length=160, temperature=0.6):
    codes = [alphabet.index(letter) for letter in start]
    with gpunet.no_grad():
        for _ in range(length):
            last = model(gpunet.tensor([codes[-LENGTH:]], device=device))[0, -1]
            codes.append(gpunet.multinomial((last / temperature).softmax(0), 1).item())
    return "".join(alphabet[code] for code in codes)


def main(device="cpu", quick=False, out=Path(".")):
    text = "\n".join(topics[name] for name in sorted(topics))
    text = "".join(letter for letter in text if letter.isascii())[:300_000]
    alphabet = sorted(set(text))
    codes = np.array([alphabet.index(letter) for letter in text])
    pairs = np.ones((len(alphabet), len(alphabet)))
    np.add.at(pairs, (codes[:280_000 - 1], codes[1:280_000]), 1)
    test = codes[280_000:280_000 + (4096 if quick else 16384)]
    counted = {"one_letter": -np.log2(pairs.sum(0) / pairs.sum())[test].mean(),
               "two_letters": -np.log2(pairs / pairs.sum(1, keepdims=True))[test[:-1], test[1:]].mean()}

    codes, test = gpunet.tensor(codes[:280_000], device=device), gpunet.tensor(test, device=device)
    figures, texts = dict(counted), {}
    figure, axes = plt.subplots(1, 2, figsize=(12, 3.6), width_ratios=[1, 1.3])
    for network in (Recurrent, Transformer):
        gpunet.manual_seed(0)
        model, steps, curve = network(len(alphabet)).to(device), 60 if quick else 300, []
        optimizer = optim.AdamW(model.parameters(), lr=4e-3)
        schedule = optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps, cycle_momentum=False)

        @gpunet.compile
        def step(x, model=model, optimizer=optimizer):
            optimizer.zero_grad()
            loss = F.cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())
            loss.backward()
            optimizer.step()
            return loss

        for number in range(steps):
            starts = gpunet.randint(0, len(codes) - LENGTH, (24, 1), device=device)
            step(codes[starts + gpunet.arange(LENGTH, device=device)])
            schedule.step()
            if number % 20 == 19:
                curve.append(bits(model, test[:4096]))
        name = network.__name__
        figures[name.lower()] = bits(model, test)
        axes[0].plot(range(20, steps + 1, 20), curve, label=f"{name}: {figures[name.lower()]:.2f}")
        texts[name] = write(model, "The statement ", alphabet, device, length=20 if quick else 300)

    for name, line in (("one_letter", ":"), ("two_letters", "--")):
        axes[0].axhline(counted[name], color=GREY, linestyle=line,
                        label=f"counting {name.replace('_', ' ')}: {counted[name]:.2f}")
    axes[0].set(title="Bits per character on the test part, by step", ylim=(1.5, None))
    axes[0].legend()
    axes[1].axis("off")
    for (name, written), y in zip(texts.items(), (1.0, 0.48), strict=True):
        axes[1].text(0, y, f"{name} writes", va="top", weight="bold")
        axes[1].text(0, y - 0.09, fill(written, 72, max_lines=6), va="top", family="monospace", fontsize=8)
    save(figure, out / "language_model.png")
    return figures


if __name__ == "__main__":
    run(main)
