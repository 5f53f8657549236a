"""`gpunet evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gpunet.cli.common import device_option, is_given, make_console, open_device, waiting


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--part", type=click.Choice(["test", "validation", "train"]), default="test",
              help="Which part of the run's data.")
@click.option("--data", type=click.Path(), metavar="PLACE",
              help="Other data of the same kind, all of them: a file or folder as the recipe reads it.")
@click.option("--json", "as_json", is_flag=True, help="Print an object.")
@device_option
def evaluate(run: Path, part: str, data: str | None, as_json: bool, device: str) -> None:
    """Evaluate the network that RUN holds on its test part, or on other data.

    The test part was not trained on, and has not decided which epoch is best.
    """
    from gpunet.train import load_run

    if data is not None and is_given("part"):
        raise click.UsageError("--part is of the run's own data, and --data names others; give one of the two.")
    loaded = load_run(run, open_device(device))
    with waiting("Evaluating"):
        dataset: Any = loaded.other_data(data) if data is not None else loaded.data(part)  # pyright: ignore[reportArgumentType]
        found = {name: value for name, value in loaded.evaluate(dataset).items() if isinstance(value, int | float)}
        classes = _by_class(loaded, dataset) if loaded.task == "classification" else []
    what = data if data is not None else part
    if as_json:
        click.echo(json.dumps({"run": str(run), "data": what, "examples": len(dataset), **found,
                               **({"classes": classes} if classes else {})}, indent=2))
        return
    from rich.table import Table

    console = make_console()
    table = Table(show_header=False)
    table.add_row(f"examples ({what})", f"{len(dataset):,}")
    for name, value in found.items():
        table.add_row(name.replace("_", " "), f"{value:.4f}")
    console.print(table)
    if classes:
        table = Table("class", "examples", "precision", "recall", "f1")
        for row in classes:
            table.add_row(row["class"], f"{row['examples']:,}", *(
                "" if row[name] is None else f"{row[name]:.3f}" for name in ("precision", "recall", "f1")))
        console.print(table)


def _by_class(loaded: Any, dataset: Any) -> list[dict[str, Any]]:
    """Precision, recall and F1 of each class; None where a class was neither seen nor said."""
    import numpy as np

    found = loaded.predictions(dataset)
    said, right = found.outputs.argmax(1), found.targets
    rows = []
    for number, name in enumerate(loaded.classes):
        hits = int(np.sum((said == number) & (right == number)))
        of_said, of_right = int(np.sum(said == number)), int(np.sum(right == number))
        rows.append({"class": name, "examples": of_right, "precision": hits / of_said if of_said else None,
                     "recall": hits / of_right if of_right else None,
                     "f1": 2 * hits / (of_said + of_right) if of_said + of_right else None})
    return rows
