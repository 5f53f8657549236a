"""What `gpunet predict` does for each kind of input."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.align import Align
from rich.console import Group
from rich.table import Table
from rich.text import Text

import gpunet
from gpunet import Generator, randperm
from gpunet.cli.common import UserError, make_console
from gpunet.cli.draw import picture
from gpunet.cli.images import ImageError, read_grey, to_model_input
from gpunet.data.datasets.folder import IMG_EXTENSIONS
from gpunet.train import load_run
from gpunet.train.config import ConfigError, flat, read_toml
from gpunet.train.recipes import text
from gpunet.train.recipes.digits import DigitRecipe
from gpunet.train.recipes.table import TableRecipe
from gpunet.train.run_folder import CONFIG
from gpunet.train.run_model import ModelOfRun

_AT_ONCE = 256  # pictures in memory


def show_images(model: ModelOfRun, places: Sequence[str], as_json: bool) -> None:
    """Says what each picture shows."""
    paths = pictures_in(places)
    console = make_console()
    drawn = console.is_terminal and not as_json
    digits = isinstance(model.recipe, DigitRecipe)  # whose pictures are changed, which is noted
    table = Table("image", "digit" if digits else "class", "probability", "next", *["note"] * digits, show_lines=drawn)
    if drawn:
        table.add_column("as seen")
    rows = []
    for start in range(0, len(paths), _AT_ONCE):
        some = paths[start : start + _AT_ONCE]
        inputs, notes = zip(*(_read(path, model) for path in some), strict=True)
        probabilities = model.predict(gpunet.from_numpy(np.stack(inputs)))
        for path, seen, note, row in zip(some, inputs, notes, probabilities, strict=True):
            rows.append(classified(str(path), row, model.classes))
            first, second = np.argsort(-row)[:2]
            cells = [str(path), model.classes[first], f"{row[first]:.1%}", f"{model.classes[second]} {row[second]:.1%}",
                     *[note] * digits]
            shown = model.recipe.picture(seen, model.about) if drawn else None
            table.add_row(*cells, *([] if shown is None else [picture(_grey(shown), console)]))
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    else:
        console.print(table)


def classified(name: str, probabilities: np.ndarray, classes: Sequence[str]) -> dict[str, Any]:
    """What is said about an input of this name."""
    best = int(probabilities.argmax())
    return {"input": name, "prediction": classes[best], "probability": round(float(probabilities[best]), 6),
            "probabilities": {each: round(float(value), 6) for each, value in zip(classes, probabilities, strict=True)}}


def of_tables(model: ModelOfRun, paths: Sequence[str]) -> list[dict[str, Any]]:
    """What is said about each row of CSV files."""
    assert isinstance(model.recipe, TableRecipe)
    found: list[dict[str, Any]] = []
    for path in paths:
        rows, lines = model.recipe.rows(path, model.about)
        for line, output in zip(lines, model.predict(rows), strict=True):
            name = f"{path}:{line}"
            found.append(classified(name, output, model.classes) if model.task == "classification" else
                         {"input": name, "prediction": float(output)})
    return found


def continued(model: ModelOfRun, prompts: Sequence[str], length: int, temperature: float, seed: int
              ) -> list[dict[str, Any]]:
    """How the beginnings of texts go on."""
    def after(prompt: str) -> str:
        return "".join(text.continued(model.model, model.about, prompt, length, temperature, seed, model.device))

    return [{"prompt": prompt, "continuation": after(prompt)} for prompt in prompts]


def pictures_in(places: Iterable[str]) -> list[Path]:
    """The files that are named, and in the place of a folder the pictures in it and below."""
    found: list[Path] = []
    for each in map(Path, places):
        if not each.is_dir():
            found.append(each)
            continue
        inside = sorted(path for path in each.rglob("*") if path.suffix.lower() in IMG_EXTENSIONS and path.is_file())
        if not inside:
            raise UserError(f"{each} has no pictures; their names end in {', '.join(IMG_EXTENSIONS)}.")
        found += inside
    return found


def _read(path: Path, model: ModelOfRun) -> tuple[np.ndarray, str]:
    """A picture as the model takes it, and what was done to it."""
    recipe = model.recipe
    if not isinstance(recipe, DigitRecipe):
        return recipe.read_input(path, model.about), ""
    try:
        grey = read_grey(path)
    except ImageError as error:
        raise UserError(str(error)) from error
    try:
        seen, inverted = to_model_input(grey, tuple(model.about["image_shape"]), recipe)
    except ImageError as error:
        raise UserError(f"{path} {error}") from error
    return seen, "dark on light: inverted" if inverted else ""


def _grey(image: np.ndarray) -> np.ndarray:
    """A picture for the terminal: grey, and no larger than it is legible there."""
    grey = image if image.ndim == 2 else image.mean(2)
    step = max(1, -(-max(grey.shape) // 28))
    return grey[::step, ::step]


def show_sample(model: ModelOfRun, count: int, seed: int, data: str | None) -> None:
    """Draws examples of the test part, and what the model says about them."""
    test = _test_part(model, data)
    if count > len(test):
        raise UserError(f"--sample {count}: the test set has {len(test)} images.")
    chosen = randperm(len(test), generator=Generator().manual_seed(seed))[:count].tolist()
    images = np.stack([np.asarray(test[each][0]) for each in chosen])
    truth = np.array([int(test[each][1]) for each in chosen])
    probabilities, classes = model.predict(gpunet.from_numpy(images)), model.classes
    best = probabilities.argmax(1)

    console = make_console()
    cells, wide = [], 0
    for image, row, guess, true in zip(images, probabilities, best, truth, strict=True):
        right = guess == true
        verdict = Text(f"{classes[guess]} {row[guess]:.1%}", style="green" if right else "bold red", justify="center")
        verdict.append("" if right else f"\nis {classes[true]}")
        drawn = picture(_grey(model.recipe.picture(image, model.about)), console)
        wide = max(wide, *(len(line) for text in (drawn, verdict) for line in text.plain.split("\n")))
        cells.append(Group(Align.center(drawn), verdict))
    fitting = max(1, (console.width - 1) // (wide + 3))
    columns = -(-count // -(-count // fitting))  # as few rows as fit, filled evenly
    table = Table(show_header=False, show_lines=True)
    for _ in range(columns):
        table.add_column(no_wrap=True, width=wide)
    for start in range(0, count, columns):
        table.add_row(*cells[start : start + columns])
    console.print(table)
    right = f"{(best == truth).sum()} of {count} right"
    console.print(f"{right} ({_kind(model)} of the test set, which the network never saw).")


def _kind(model: ModelOfRun) -> str:
    return "digits" if isinstance(model.recipe, DigitRecipe) else "pictures"


def _test_part(model: ModelOfRun, data: str | None) -> Any:
    """The test part of the run's data. A weights file alone is enough for digits, which have their own test set."""
    if isinstance(model.recipe, DigitRecipe):
        return model.recipe.test_part(model.about, data or _data_folder(model.place))
    return load_run(model.place, model.device, data).data("test")


def _data_folder(place: Path) -> str | None:
    """Where the run's own dataset was, if it says so."""
    try:
        path = (place if place.is_dir() else place.parent) / CONFIG
        return flat(read_toml(path), str(path)).get("data.path")
    except ConfigError:
        return None
