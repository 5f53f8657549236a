"""What the recipes of `gpunet train` reach beside baselines.

    python -m bench.recipes [--quick] [--out FILE.json]

digits: test accuracy. text: validation loss of a GPT after an epoch on a megabyte of Python's own library, beside that
of a bigram model. Tables: scikit-learn's bundled sets, a quarter of each for the test, beside its GradientBoosting and
its LogisticRegression or Ridge, which get the training and validation rows; means over five seeds. All of it takes half
an hour.
"""

from __future__ import annotations

import csv
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from gpunet.train.recipes import RECIPES
from gpunet.train.run import Run

TABLES = ("iris", "wine", "breast_cancer", "diabetes", "digits")


def run(options, emit: Callable[[dict[str, Any]], object]) -> None:
    """A finding for each recipe and set: what is reached, and what the baselines reach."""
    short = {"train.epochs": 1} if options.quick else {}
    _digits(emit, short)
    _text(emit, 20_000 if options.quick else 1_000_000)
    for name in TABLES[:1] if options.quick else TABLES:
        _table(emit, name, 1 if options.quick else 5, short)


def run_of(recipe: str, **settings: Any) -> tuple[Run, float]:
    """A run that has ended, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        run = Run.start(RECIPES[recipe].config(settings), "cpu", Path(folder) / "run")
        run.fit()
        return run, perf_counter() - start


def _digits(emit, short: dict[str, Any]) -> None:
    run, seconds = run_of("digits", **short)
    assert run.test is not None
    emit({"name": "digits", "measure": "test accuracy", "gpunet": run.test["accuracy"], "seconds": seconds})


def _text(emit, characters: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "library.txt"
        files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
        path.write_text("".join(each.read_bytes().decode("ascii", "ignore") for each in files)[:characters])
        run, seconds = run_of("text", **{"data.path": str(path), "train.epochs": 1})
        (bigram,) = run.data.baseline.values()
        emit({"name": "text", "measure": "validation loss", "gpunet": run.best.monitor.best,
              "baselines": {"bigram model": bigram}, "seconds": seconds})


def _table(emit, name: str, seeds: int, short: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        path, classes = _written(name, Path(folder))
        ours, boosted, linear = map(float, np.mean([_scores(path, classes, seed, **short) for seed in range(seeds)], 0))
        emit({"name": name, "measure": "test accuracy" if classes else "test R2", "gpunet": ours,
              "baselines": {"GradientBoosting": boosted, "LogisticRegression" if classes else "Ridge": linear},
              "seconds": perf_counter() - start})


def _written(name: str, folder: Path) -> tuple[Path, bool]:
    """A set of scikit-learn's as a CSV file, and whether its target is classes."""
    from sklearn import datasets

    data = getattr(datasets, f"load_{name}")()
    path = folder / f"{name}.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*data.feature_names, "target"])
        classes = name != "diabetes"
        for row, target in zip(data.data, data.target, strict=True):
            writer.writerow([*map(float, row), data.target_names[target] if classes else float(target)])
    return path, classes


def _scores(path: Path, classes: bool, seed: int, **settings: Any) -> list[float]:
    """Accuracy, or R2, on the test rows: of the recipe, of boosted trees and of a linear model."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    run, _ = run_of("table", **{"data.path": str(path), "data.target": "target", "data.test": 0.25, "train.seed": seed},
                    **settings)
    parts: dict[str, Any] = run.data.parts
    x, y = (np.concatenate([parts[part].tensors[place].numpy() for part in ("train", "validation")])
            for place in (0, 1))
    test = [each.numpy() for each in parts["test"].tensors]
    models = [GradientBoostingClassifier(random_state=0) if classes else GradientBoostingRegressor(random_state=0),
              make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000) if classes else Ridge())]
    assert run.test is not None
    return [run.test["accuracy" if classes else "r2"], *(model.fit(x, y).score(*test) for model in models)]


def main() -> None:
    from bench.stages import command

    command("recipes", __doc__)


if __name__ == "__main__":
    main()
