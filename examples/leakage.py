"""Preparing data, and how to fool oneself: the test part must not help in training, not even a little.

A table of houses with missing values, columns of very different size and categories; a rare class; and three leaks,
each of which makes a network look better than it is: features chosen, patients split, and examples repeated before
the split.

    python examples/leakage.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from frame import BLUE, ORANGE, run, save
from sklearn.compose import make_column_transformer
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.metrics import balanced_accuracy_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from gpunet.sklearn import Classifier
from gpunet.train import train_test_split


def network(device, quick, **options):
    return Classifier((32,), max_epochs=15 if quick else 60, learning_rate=5e-3, batch_size=32, device=device,
                      random_state=0, **options)


def table(random, n=600):
    """Area, year and district of houses, with values missing, and whether a house is dear, which one in eight is."""
    area, year, district = random.normal(120, 40, n), random.integers(1900, 2020, n), random.integers(0, 4, n)
    worth = area / 40 + (year - 1960) / 40 + 1.5 * (district == 2) + random.normal(0, 0.5, n)
    rows = np.stack([area * 100, year, district], 1).astype(object)
    rows[random.random(n) < 0.15, 0] = np.nan
    rows[random.random(n) < 0.15, 1] = np.nan
    return rows, (worth > np.quantile(worth, 0.875)).astype(int)


def prepare():
    """Missing values become the median and a mark, numbers are scaled, categories become columns."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return make_column_transformer((numbers, [0, 1]), (OneHotEncoder(sparse_output=False), [2]))


def main(device="cpu", quick=False, out=Path(".")):
    random = np.random.default_rng(0)
    rows, dear = table(random)
    split = train_test_split(rows, dear, test_size=0.5, random_state=0, stratify=dear)
    x, x_test, y, y_test = (np.asarray(each) for each in split)
    raw = SimpleImputer(strategy="constant", fill_value=0).fit_transform
    ways = {
        "as they are": network(device, quick).fit(raw(x), y).predict(raw(x_test)),
        "filled in, scaled": make_pipeline(prepare(), network(device, quick)).fit(x, y).predict(x_test),
        "and classes weighted": make_pipeline(prepare(), network(device, quick, class_weight="balanced"))
        .fit(x, y).predict(x_test),
    }
    prepared = {name: balanced_accuracy_score(y_test, guesses) for name, guesses in ways.items()}

    def score(x, y, groups=None):
        parts = train_test_split(x, y, test_size=0.3, random_state=0, **({} if groups is None else {"groups": groups}))
        x, x_test, y, y_test = (np.asarray(each) for each in parts)
        return network(device, quick).fit(x, y).score(x_test, y_test)

    # Of 2,000 columns of noise the 20 that happen to go with a coin's toss, chosen on all rows or on the training rows.
    noise, coin = random.normal(size=(200, 2000)), random.integers(0, 2, 200)
    chosen = SelectKBest(k=20)
    x, x_test, y, y_test = (np.asarray(each) for each in train_test_split(noise, coin, test_size=0.3, random_state=0))
    honest = make_pipeline(chosen, network(device, quick)).fit(x, y).score(x_test, y_test)
    leaks = {"features chosen\nbefore the split": (score(chosen.fit_transform(noise, coin), coin), honest)}
    # 100 patients with a coin's diagnosis, five measurements of each: the network knows the patients, not the illness.
    patients, ill = np.repeat(np.arange(100), 5), np.repeat(random.integers(0, 2, 100), 5)
    measured = random.normal(size=(100, 20))[patients] + 0.5 * random.normal(size=(500, 20))
    leaks["one patient\non both sides"] = score(measured, ill), score(measured, ill, groups=patients)
    # Noise again, each row three times, as when rare examples are repeated to balance the classes.
    few, sides = random.normal(size=(150, 20)), random.integers(0, 2, 150)
    rows = np.repeat(np.arange(150), 3)
    leaks["examples repeated\nbefore the split"] = score(few[rows], sides[rows]), score(few[rows], sides[rows], rows)

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
    left.bar(list(prepared), list(prepared.values()), color=BLUE, width=0.55)
    left.set(title="A table, prepared: balanced accuracy", ylim=(0.4, 1))
    places = np.arange(3)
    bars = [right.bar(places + shift, [pair[side] for pair in leaks.values()], 0.36, color=colour, label=label)
            for side, shift, colour, label in ((0, -0.19, ORANGE, "leaking"), (1, 0.19, BLUE, "split first"))]
    right.axhline(0.5, color="#333", linewidth=1, linestyle="--")
    right.set(title="There is nothing to learn here, but a leak finds it: accuracy", ylim=(0, 1.12))
    right.set_xticks(places, list(leaks))
    right.legend(loc="upper right", ncols=2)
    for drawn in (*bars, left.containers[0]):
        (left if drawn is left.containers[0] else right).bar_label(drawn, fmt="%.2f", fontsize=9)
    save(figure, out / "leakage.png")
    return {name.replace(" ", "_").replace(",", ""): value for name, value in prepared.items()} | {
        f"{name.split(chr(10))[0].replace(' ', '_')}_{side}": pair[number]
        for name, pair in leaks.items() for number, side in enumerate(("leaking", "split_first"))}


if __name__ == "__main__":
    run(main)
