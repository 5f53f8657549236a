"""Preprocessing, and data leakage: the test data must not help in training, not even a little.

A table with missing values, columns of very different scale, categories and a rare class; and three leaks, each of
which makes a network look better than it is: features selected before the split, a patient on both sides of it, and
examples oversampled before it.

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


def table(random, n=600):
    """Area, year and district of houses, with missing values, and whether a house is expensive, as one in eight is."""
    area, year, district = random.normal(120, 40, n), random.integers(1900, 2020, n), random.integers(0, 4, n)
    worth = area / 40 + (year - 1960) / 40 + 1.5 * (district == 2) + random.normal(0, 0.5, n)
    rows = np.stack([area * 100, year, district], 1).astype(object)
    rows[random.random(n) < 0.15, 0] = np.nan
    rows[random.random(n) < 0.15, 1] = np.nan
    return rows, (worth > np.quantile(worth, 0.875)).astype(int)


def prepare():
    """Missing values become the median and an indicator, numbers are standardised, categories one-hot."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    return make_column_transformer((numbers, [0, 1]), (OneHotEncoder(sparse_output=False), [2]))


def main(device="cpu", quick=False, out=Path(".")):
    random = np.random.default_rng(0)

    def network(**options):
        return Classifier((32,), max_epochs=15 if quick else 60, learning_rate=5e-3, batch_size=32, device=device,
                          random_state=0, **options)

    def score(model, x, y, groups=None):
        x, x_test, y, y_test = train_test_split(x, y, test_size=0.3, random_state=0, groups=groups)
        return model.fit(x, y).score(x_test, y_test)

    rows, expensive = table(random)
    x, x_test, y, y_test = train_test_split(rows, expensive, test_size=0.5, random_state=0, stratify=expensive)
    prepared = {
        "as they are": make_pipeline(SimpleImputer(strategy="constant", fill_value=0), network()),
        "filled in, scaled": make_pipeline(prepare(), network()),
        "and classes weighted": make_pipeline(prepare(), network(class_weight="balanced")),
    }
    prepared = {name: balanced_accuracy_score(y_test, model.fit(x, y).predict(x_test))
                for name, model in prepared.items()}

    # Of 2,000 columns of noise the 20 that agree best with coin tosses, selected on all rows or on the training rows.
    noise, coins, select = random.normal(size=(200, 2000)), random.integers(0, 2, 200), SelectKBest(k=20)
    leaks = {"features selected\nbefore the split": (score(network(), select.fit_transform(noise, coins), coins),
                                                    score(make_pipeline(select, network()), noise, coins))}
    # 100 patients, whose diagnosis is a coin toss, with five measurements each: the network recognises the patients.
    patients, ill = np.repeat(np.arange(100), 5), np.repeat(random.integers(0, 2, 100), 5)
    measured = random.normal(size=(100, 20))[patients] + 0.5 * random.normal(size=(500, 20))
    leaks["one patient\non both sides"] = score(network(), measured, ill), score(network(), measured, ill, patients)
    # Noise again, each row three times, as when a rare class is oversampled.
    noise, coins, copies = random.normal(size=(150, 20)), random.integers(0, 2, 150), np.repeat(np.arange(150), 3)
    leaks["examples oversampled\nbefore the split"] = (score(network(), noise[copies], coins[copies]),
                                                       score(network(), noise[copies], coins[copies], copies))

    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 3.6))
    left.bar_label(left.bar(prepared.keys(), prepared.values(), color=BLUE, width=0.55), fmt="%.2f", fontsize=9)
    left.set(title="A table, preprocessed: balanced accuracy", ylim=(0.4, 1))
    places = np.arange(3)
    for shift, label, colour, accuracies in zip((-0.19, 0.19), ("leaking", "split first"), (ORANGE, BLUE),
                                                zip(*leaks.values(), strict=True), strict=True):
        bars = right.bar(places + shift, accuracies, 0.36, color=colour, label=label)
        right.bar_label(bars, fmt="%.2f", fontsize=9)
    right.axhline(0.5, color="#333", linewidth=1, linestyle="--")
    right.set(title="Nothing can be learned here, but for the leaks: accuracy", ylim=(0, 1.12))
    right.set_xticks(places, leaks)
    right.legend(loc="upper right", ncols=2)
    save(figure, out / "leakage.png")
    figures = {name.replace(" ", "_").replace(",", ""): value for name, value in prepared.items()}
    for name, (leaking, honest) in leaks.items():
        key = name.partition("\n")[0].replace(" ", "_")
        figures |= {f"{key}_leaking": leaking, f"{key}_split_first": honest}
    return figures


if __name__ == "__main__":
    run(main)
