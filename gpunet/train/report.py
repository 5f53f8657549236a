"""A run as one web page: curves, results, the worst examples, the model, the settings and the environment."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import datetime
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import numpy as np

import gpunet
from gpunet import files, models
from gpunet.models._summary import readable
from gpunet.train.curves import PAGE, SERIES, panels, scatter, titled
from gpunet.train.loaded import LoadedRun, Predictions, load_run
from gpunet.train.pages import render, safe, style
from gpunet.train.recipes.csv_file import decoded
from gpunet.train.run_folder import RunError

_MOST_CLASSES = 40  # whose confusion matrix is shown
_MOST_POINTS = 2000  # of a scatter plot
_MOST_TEXTS = 8
_LARGEST = 256  # pixels of a picture's longer side
_MOST_COLUMNS = 12  # of a table's row
_UNLIKELY = 0.05  # the probability below which a right character is marked


def write_report(run: LoadedRun | str | PathLike[str], path: str | PathLike[str] | None = None, *,
                 part: Literal["train", "validation", "test"] = "validation", worst: int = 24) -> Path:
    """Writes a web page about a run: learning curves, confusion matrix, the worst examples, model, settings and
    environment. It is one file that asks nobody for anything, for light and dark, wide and narrow screens.

    Args:
        run: what `load_run` gives, or the folder of a run.
        path: the file; None: `report.html` in the run's folder.
        part: which data the results and the examples are of.
        worst: how many of the worst examples are shown.

    Returns:
        The file.

    Raises:
        RunError: the folder is none of a run, has no finished epoch, or is damaged.
        OSError: the file cannot be written.

    Examples:
        >>> try:
        ...     train.write_report("no-such-run")
        ... except RuntimeError as error:
        ...     print(error)  # doctest: +ELLIPSIS
        no-such-run... does not exist; give a folder that `gpunet train` has written.
    """
    run = run if isinstance(run, LoadedRun) else load_run(run)
    path = run.folder / "report.html" if path is None else Path(path)
    files.replace(path, report_page(run, part, worst), durable=False)
    return path


def report_page(run: LoadedRun, part: Literal["train", "validation", "test"] = "validation", worst: int = 24) -> str:
    """The page's text. Where the run's data cannot be read any more, it says so in place of what needs them."""
    if not run.history:
        raise RunError(f"{run.folder} has no finished epoch to report on; go on with gpunet resume {run.folder}.")
    results = examples = problem = None
    try:
        found = run.predictions(part)
        results, examples = _results(run, found, part), _worst(run, found, part, worst)
    except (RuntimeError, OSError, ValueError) as error:
        problem = str(error)
    summary = models.summary(run.model, input_data=run.example_input())
    shown = [("curves", "Curves"), ("results", "Results"), *([("worst", "Worst examples")] if examples else []),
             ("model", "Model"), ("settings", "Settings"), ("environment", "Environment")]
    rows = list(run.history)
    return render(
        "report.html", style=style(), run=run, part=part, sections=shown, subtitle=_subtitle(run, summary),
        cards=_cards(run), curves=[safe(each) for each in panels(rows, run.best_epoch)], best=run.best_epoch,
        series=[(name, PAGE[prefix]) for prefix, name in SERIES], problem=problem, results=results, worst=examples,
        layers=[{"depth": each.depth, "name": each.path.rpartition(".")[2] or each.kind,
                 "kind": each.kind if each.path else "", "shape": each.output_shape,
                 "parameters": f"{each.parameters:,}" if each.parameters else "",
                 "bytes": readable(each.bytes) if each.bytes else ""} for each in summary.layers],
        totals=summary.totals(), settings=_settings(run.config), environment=_environment(run),
        version=gpunet.__version__, now=f"{datetime.now():%Y-%m-%d %H:%M}", folder=str(run.folder))


# ---- what the run says ---------------------------------------------------------------------------------------------


def _subtitle(run: LoadedRun, summary: models.ModelSummary) -> str:
    what = {"classification": f"classification into {len(run.classes)} classes", "regression": "regression",
            "language": "a language model"}[run.task]
    return f"{run.recipe}: {what}, {type(run.model).__name__} with {summary.parameters:,} parameters, on {run.device}"


def _cards(run: LoadedRun) -> list[tuple[str, str, str]]:
    """Names, values and remarks of the most important numbers."""
    row = run.history[min(run.best_epoch, len(run.history)) - 1]
    cards = []
    names = [name for name in row if name.startswith("val_") and isinstance(row[name], int | float)]
    for name in sorted(names, key=lambda name: name == "val_loss")[:2]:
        cards.append((titled(name), _number(row[name]), f"epoch {run.best_epoch}"))
    for name, value in (run.test or {}).items():
        if isinstance(value, int | float) and len(cards) < 4:
            title = titled(f"val_{name}").replace("Validation", "Test")
            cards.insert(0, (title, _number(value), "never used in training"))
    times = [(each.get("seconds") or 0.0, each.get("examples_per_second") or 0.0) for each in run.history]
    seconds = sum(each for each, _ in times)
    speed = sum(each * rate for each, rate in times) / max(seconds, 1e-9)
    cards.append(("Epochs", f"{len(run.history):,}", run.state))
    cards.append(("Training time", _time(seconds), f"{speed:,.0f} examples/s"))
    return cards


def _settings(config: dict[str, Any]) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles of sections, and their names and values."""
    top = [(name, _text(value)) for name, value in config.items() if not isinstance(value, dict)]
    sections = [(title, [(name, _text(value)) for name, value in rows.items()])
                for title, rows in config.items() if isinstance(rows, dict)]
    return [*([("", top)] if top else []), *sections]


def _environment(run: LoadedRun) -> list[tuple[str, str]]:
    return [(name, str(value)) for name, value in {"started": run.started, **run.environment}.items() if value]


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return "default" if value is None else "yes" if value is True else "no" if value is False else str(value)


# ---- what the network says -----------------------------------------------------------------------------------------


def _results(run: LoadedRun, found: Predictions, part: str) -> dict[str, Any]:
    title = f"Results on the {part} data: {len(found.losses):,} examples"
    empty = {"title": title, "matrix": [], "classes": run.classes, "plot": "", "confused": [], "by_class": [],
             "texts": [], "baseline": [(name, _number(value)) for name, value in run.baseline.items()]}
    if run.task == "classification":
        return {**empty, **_confusion(found, run.classes)}
    if run.task == "regression":
        right, said = found.targets.ravel(), found.outputs.ravel()
        step = -(-len(right) // _MOST_POINTS)
        errors = np.abs(said - right)
        text = (f"The mean error is {_number(errors.mean())}, half of the errors are below "
                f"{_number(np.median(errors))}, and one in twenty is above {_number(np.quantile(errors, 0.95))}.")
        return {**empty, "plot": safe(scatter(right[::step].tolist(), said[::step].tolist())), "texts": [text]}
    loss = float(found.losses.mean())
    return {**empty, "texts": [f"A mean loss of {_number(loss)} a token: perplexity {_number(np.exp(loss))}, "
                               f"{_number(loss / np.log(2))} bits a token."]}


def _confusion(found: Predictions, classes: Sequence[str]) -> dict[str, Any]:
    """The confusion matrix, and what follows from it."""
    said, count = found.outputs.argmax(1), len(classes)
    matrix = np.bincount(found.targets * count + said, minlength=count * count).reshape(count, count)
    rows = [{"name": classes[i], "cells": [
        {"name": classes[j], "count": int(matrix[i, j]), "right": i == j,
         "share": float(matrix[i, j] / max(matrix[i].sum(), 1))} for j in range(count)]} for i in range(count)]
    hits, truth, guesses = matrix.diagonal(), matrix.sum(1), matrix.sum(0)

    def share(part: int, whole: int) -> str:
        return f"{part / whole:.3f}" if whole else ""

    by_class = [{"name": name, "count": f"{truth[i]:,}", "precision": share(hits[i], guesses[i]),
                 "recall": share(hits[i], truth[i]), "f1": share(2 * hits[i], truth[i] + guesses[i])}
                for i, name in enumerate(classes)]
    wrong = matrix - np.diag(hits)
    worst = [divmod(int(each), count) for each in np.argsort(-wrong, axis=None, kind="stable")[:8]]
    confused = [(classes[i], classes[j], f"{wrong[i, j]:,}") for i, j in worst if wrong[i, j]]
    return {"matrix": rows if count <= _MOST_CLASSES else [], "by_class": by_class, "confused": confused}


def _worst(run: LoadedRun, found: Predictions, part: Any, most: int) -> dict[str, Any] | None:
    """The examples with the largest losses, as pictures, rows or texts."""
    order = np.argsort(-found.losses, kind="stable")[:most].tolist()
    if not order:
        return None
    empty = {"about": f"The {len(order)} examples of the {part} data with the largest loss, the largest first.",
             "pictures": [], "head": [], "numeric": [], "rows": [], "texts": []}
    if run.inputs == "image" and run.task == "classification":
        return {**empty, "pictures": [_pictured(run, found, part, each) for each in order]}
    if run.task == "language":
        return {**empty, "texts": [_marked(run, found, part, each) for each in order[:_MOST_TEXTS]],
                "about": f"The pieces of the {part} text with the largest loss. Marked: characters to which the network"
                         f" gave a probability below {_UNLIKELY:g}."}
    return {**empty, **_listed(run, found, part, order)}


def _pictured(run: LoadedRun, found: Predictions, part: Any, index: int) -> dict[str, Any]:
    image, said, right = run.picture(part, index), int(found.outputs[index].argmax()), int(found.targets[index])
    return {"source": _png(image), "small": max(image.shape[:2]) < 64, "number": index, "right": run.classes[right],
            "said": run.classes[said], "hit": said == right, "probability": f"({found.outputs[index, said]:.0%})",
            "loss": f"{found.losses[index]:.2f}"}


def _png(image: np.ndarray) -> str:
    """A picture of numbers in 0 to 1 as a data URL."""
    from PIL import Image

    made = Image.fromarray((np.clip(image, 0, 1) * 255).round().astype(np.uint8))
    made.thumbnail((_LARGEST, _LARGEST))
    content = io.BytesIO()
    made.save(content, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


def _marked(run: LoadedRun, found: Predictions, part: Any, index: int) -> dict[str, Any]:
    """A piece of text, in parts that are unlikely or not."""
    characters = [run.about["vocabulary"][int(each)] for each in found.targets[index]]
    pieces: list[tuple[str, bool]] = []
    for character, unlikely in zip(characters, found.outputs[index] < _UNLIKELY, strict=True):
        if pieces and pieces[-1][1] == unlikely:
            pieces[-1] = pieces[-1][0] + character, unlikely
        else:
            pieces.append((character, bool(unlikely)))
    return {"pieces": pieces, "about": f"no. {index}, loss {found.losses[index]:.2f}"}


def _listed(run: LoadedRun, found: Predictions, part: Any, order: Sequence[int]) -> dict[str, Any]:
    """Rows of a table: number, right and said, loss, and the first columns."""
    data, columns = run.data(part), run.about["columns"]
    classes, rows = run.task == "classification", []
    for index in order:
        if classes:
            said = int(found.outputs[index].argmax())
            verdict = [run.classes[int(found.targets[index])],
                       f"{run.classes[said]} ({found.outputs[index, said]:.0%})"]
        else:
            verdict = [_number(found.targets[index]), _number(found.outputs[index])]
        values = decoded(np.asarray(data[index][0]), columns)[:_MOST_COLUMNS]
        rows.append([str(index), *verdict, f"{found.losses[index]:.3g}", *values])
    shown = columns[:_MOST_COLUMNS]
    numbers = [4 + place for place, column in enumerate(shown) if column["kind"] == "number"]
    return {"head": ["No.", "Right", "Said", "Loss", *(column["name"] for column in shown)], "rows": rows,
            "numeric": [0, *([] if classes else [1, 2]), 3, *numbers]}


def _number(value: Any) -> str:
    """A number as people read it."""
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    if value and not 1e-3 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return f"{value:,.4f}".rstrip("0").rstrip(".") if abs(value) < 100 else f"{value:,.1f}"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min {rest} s"
