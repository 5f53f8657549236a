"""`gpunet predict`: what the network of a run says about pictures, rows of a table, or the beginning of a text."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gpunet.cli.common import COUNT, SEED, FiniteRange, UserError, device_option, is_given, make_console, open_device


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, metavar="[INPUT]...")
@click.option("--sample", type=COUNT, metavar="N", help="N examples of the test part, taken at random, of pictures.")
@click.option("--seed", type=SEED, default=0, metavar="N", help="Decides what --sample takes, and how a text goes on.")
@click.option("--data", type=click.Path(), metavar="DIR", help="The dataset's folder, for --sample.",
              show_default="where it was")
@click.option("--length", type=COUNT, default=400, metavar="N", help="Characters to continue a text by.")
@click.option("--temperature", type=FiniteRange(0), default=0.8,
              help="How freely a text goes on; 0 always takes the likeliest character.")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
@device_option
def predict(run: Path, inputs: tuple[str, ...], sample: int | None, seed: int, data: str | None, length: int,
            temperature: float, as_json: bool, device: str) -> None:
    """Say what the network that RUN holds sees in each INPUT.

    RUN is a folder that `gpunet train` has written. For a run on images an INPUT is a picture, or a folder of them; for
    one on a table it is a CSV file; for one on a text it is the beginning of a text, which is continued.

    For a run on digits a picture may have any size and colours: it is turned upright as its EXIF data say and made
    grey, dark ink on light paper is inverted, and the digit is cut out, scaled and centred as the training images are.
    """
    if bool(inputs) == (sample is not None):
        raise click.UsageError("Give one or more INPUTs (for images: files or folders), or --sample N.")
    from gpunet.cli import predicting
    from gpunet.train.loaded import ModelOfRun

    model = ModelOfRun(run, open_device(device))
    if model.inputs != "text" and (option := next(filter(is_given, ("length", "temperature")), None)):
        raise UserError(f"--{option} is for runs on texts, and {run} is one of the recipe {model.recipe.name}.")
    if sample is not None:
        if model.inputs != "image":
            raise UserError(f"--sample is for runs on images, and {run} is one of the recipe {model.recipe.name}.")
        predicting.show_sample(model, sample, seed, data)
    elif model.inputs == "text":
        _show(predicting.continued(model, inputs, length, temperature, seed), as_json, text=True)
    elif model.inputs == "table":
        _show(predicting.of_tables(model, inputs), as_json)
    else:
        predicting.show_images(model, inputs, as_json)


def _show(rows: list[dict[str, Any]], as_json: bool, text: bool = False) -> None:
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    console = make_console()
    if text:
        for row in rows:
            console.print(row["prompt"] + row["continuation"], soft_wrap=True)
        return
    from rich.table import Table

    names = [name for name in rows[0] if name != "probabilities"]
    table = Table(*names)
    for row in rows:
        table.add_row(*(_short(name, row[name]) for name in names))
    console.print(table)


def _short(name: str, value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:.4f}" if name == "probability" else f"{value:.4g}"
