"""What the recipes of `gpunet train` reach beside baselines: python -m bench.recipes digits|text|tables [--seeds 5].

digits: test accuracy. text: validation loss of a GPT after an epoch on a megabyte of Python's own library, beside that
of a bigram model. tables: scikit-learn's bundled sets, a quarter of each for the test, beside its GradientBoosting and
its LogisticRegression or Ridge, which get the training and validation rows.
"""

from __future__ import annotations

import argparse
import csv
import sysconfig
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from gpunet.train.recipes import RECIPES
from gpunet.train.run import Run

TABLES = ("iris", "wine", "breast_cancer", "diabetes", "digits")


def run_of(recipe: str, **settings: Any) -> tuple[Run, float]:
    """A run that has ended, and its seconds."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        run = Run.start(RECIPES[recipe].config(settings), "cpu", Path(folder) / "run")
        run.fit()
        return run, perf_counter() - start


def digits(seeds: int) -> None:
    for seed in range(seeds):
        run, seconds = run_of("digits", **{"train.seed": seed})
        assert run.test is not None
        print(f"digits, seed {seed}: test accuracy {run.test['accuracy']:.4f} in {seconds:.1f} s", flush=True)


def text(seeds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "library.txt"
        files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
        content = "".join(each.read_bytes().decode("ascii", "ignore") for each in files)
        path.write_text(content[:1_000_000])
        for seed in range(seeds):
            run, seconds = run_of("text", **{"data.path": str(path), "train.epochs": 1, "train.seed": seed})
            (bigram,) = run.data.baseline.values()
            print(f"text, seed {seed}: validation loss {run.best.monitor.best:.4f}, of a bigram model {bigram:.4f}, in "
                  f"{seconds:.0f} s", flush=True)


def tables(seeds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in TABLES:
            path, classes = _written(name, Path(folder))
            found = np.array([_scores(path, classes, seed) for seed in range(seeds)])
            ours, boosted, linear = found.mean(0)
            print(f"{name}: gpunet {ours:.4f}, GradientBoosting {boosted:.4f}, "
                  f"{'LogisticRegression' if classes else 'Ridge'} {linear:.4f}: {ours - max(boosted, linear):+.4f}",
                  flush=True)


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


def _scores(path: Path, classes: bool, seed: int) -> list[float]:
    """Accuracy, or R2, on the test rows: of the recipe, of boosted trees and of a linear model."""
    from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    run, _ = run_of("table", **{"data.path": str(path), "data.target": "target", "data.test": 0.25, "train.seed": seed})
    parts: dict[str, Any] = run.data.parts
    x, y = (np.concatenate([parts[part].tensors[place].numpy() for part in ("train", "validation")])
            for place in (0, 1))
    test = [each.numpy() for each in parts["test"].tensors]
    models = [GradientBoostingClassifier(random_state=0) if classes else GradientBoostingRegressor(random_state=0),
              make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000) if classes else Ridge())]
    assert run.test is not None
    return [run.test["accuracy" if classes else "r2"], *(model.fit(x, y).score(*test) for model in models)]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.recipes", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("digits", "text", "tables"))
    parser.add_argument("--seeds", type=int, default=1)
    arguments = parser.parse_args()
    {"digits": digits, "text": text, "tables": tables}[arguments.what](arguments.seeds)


if __name__ == "__main__":
    main()
