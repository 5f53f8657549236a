"""`gpunet predict`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gpunet.cli.common import COUNT, SEED, UserError, device_option, make_console, open_device


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("images", nargs=-1, type=click.Path(path_type=Path), metavar="[IMAGE]...")
@click.option("--sample", type=COUNT, metavar="N", help="N digits of the test set, taken at random.")
@click.option("--seed", type=SEED, default=0, metavar="N", help="Decides what --sample takes.")
@click.option("--data", type=click.Path(), metavar="DIR", show_default="where it was",
              help="The dataset's folder, for --sample.")
@device_option
def predict(
    run: Path, images: tuple[Path, ...], sample: int | None, seed: int, data: str | None, device: str
) -> None:
    """Say which digit each IMAGE (a PNG file) shows, by the network that RUN holds.

    RUN is a folder that `gpunet train` has written. An image may have any size and colours: it is turned upright as
    its EXIF data say and made grey, dark ink on light paper is inverted, and the digit is cut out, scaled and centred
    as the training images are.
    """
    if bool(images) == (sample is not None):
        raise click.UsageError("Give one or more IMAGE files, or --sample N.")
    from gpunet.train.run import load_model

    model, about = load_model(run)
    device = open_device(device)
    model.to(device)
    if sample is None:
        _predict_images(images, model, about, device)
    else:
        _predict_sample(sample, seed, data or _data_folder(run), model, about, device)


def _predict_images(images: tuple[Path, ...], model: Any, about: dict[str, Any], device: str) -> None:
    import numpy as np
    from rich.table import Table

    from gpunet.cli.draw import picture
    from gpunet.cli.images import ImageError, read_grey, to_model_input
    from gpunet.train.recipes import RECIPES

    shape, recipe, classes = tuple(about["image_shape"]), RECIPES[about["dataset"]], about["classes"]
    inputs, notes = [], []
    for path in images:
        grey = _or_user_error(ImageError, "", read_grey, path)
        image, inverted = _or_user_error(ImageError, f"{path} ", to_model_input, grey, shape, recipe)
        inputs.append(image)
        notes.append("dark on light: inverted" if inverted else "")
    console = make_console()
    table = Table("image", "digit", "probability", "next", "note", show_lines=console.is_terminal)
    if console.is_terminal:
        table.add_column("as seen")
    rows = _probabilities(np.stack(inputs), model, device)
    for path, image, note, row in zip(images, inputs, notes, rows, strict=True):
        first, second = np.argsort(-row)[:2]
        cells = [str(path), classes[first], f"{row[first]:.1%}", f"{classes[second]} {row[second]:.1%}", note]
        table.add_row(*cells, *([picture(image, console)] if console.is_terminal else []))
    console.print(table)


def _predict_sample(count: int, seed: int, data: str | None, model: Any, about: dict[str, Any], device: str) -> None:
    from rich.align import Align
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from gpunet import Generator, randperm
    from gpunet.cli.draw import picture
    from gpunet.train.recipes import RECIPES

    recipe, classes = RECIPES[about["dataset"]], about["classes"]
    test = recipe.read(False, data)
    if test.data.shape[1:] != tuple(about["image_shape"]):
        raise UserError(f"The test images are {' x '.join(map(str, test.data.shape[1:]))}, and the network reads "
                        f"{' x '.join(map(str, about['image_shape']))}: give the dataset it was trained on by --data.")
    if count > len(test):
        raise UserError(f"--sample {count}: the test set has {len(test)} images.")
    chosen = randperm(len(test), generator=Generator().manual_seed(seed))[:count].tolist()
    images = test.data.numpy()[chosen] / recipe.full_ink
    truth = test.targets.numpy()[chosen]
    probabilities = _probabilities(images.astype("float32"), model, device)
    best = probabilities.argmax(1)

    console = make_console()
    cells, wide = [], 0
    for image, row, guess, true in zip(images, probabilities, best, truth, strict=True):
        right = guess == true
        verdict = Text(f"{classes[guess]} {row[guess]:.1%}", style="green" if right else "bold red", justify="center")
        verdict.append("" if right else f"\nis {classes[true]}")
        drawn = picture(image, console)
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
    console.print(f"{(best == truth).sum()} of {count} right (digits of the test set, which the network never saw).")


def _probabilities(images: Any, model: Any, device: str) -> Any:
    import numpy as np

    import gpunet
    from gpunet.nn.functional import cross_entropy, softmax
    from gpunet.train import Trainer

    found = softmax(Trainer(model, cross_entropy, device=device).predict(gpunet.from_numpy(images)), 1).numpy()
    if not np.isfinite(found).all():
        raise UserError("The network's outputs are no numbers: its weights hold NaN or infinity; train it anew, with a "
                        "lower learning rate.")
    return found


def _data_folder(run: Path) -> str | None:
    """Where the run's own dataset was, if it says so."""
    import json

    from gpunet.train.run import HISTORY

    path = (run if run.is_dir() else run.parent) / HISTORY
    try:
        folder = json.loads(path.read_text(encoding="utf-8"))["settings"]["data"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return folder if isinstance(folder, str) and "\0" not in folder else None


def _or_user_error(kind: type[Exception], prefix: str, function: Any, *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except kind as error:
        raise UserError(f"{prefix}{error}") from error
