"""`gpunet runs`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from gpunet.cli.common import UserError, make_console


@click.command()
@click.argument("folder", type=click.Path(path_type=Path), default="runs")
@click.option("--json", "as_json", is_flag=True, help="Print a list of objects.")
def runs(folder: Path, as_json: bool) -> None:
    """List the runs in FOLDER, the newest first.

    A run is running, finished, or stopped: before its end, by a signal, an error or a crash; go on with `gpunet
    resume`.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder; give the one that holds your runs (by default they are made in runs).")
    try:
        found = [row for each in sorted(folder.iterdir()) if (row := _row(each)) is not None]
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error
    found.sort(key=lambda row: row["started"] or "", reverse=True)
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    if not found and _row(folder) is not None:
        raise UserError(f"{folder} is a run itself; give the folder that holds it, {folder.resolve().parent}.")
    if not found:
        click.echo(f"There is no run in {folder}; `gpunet train digits` makes one.")
        return
    from rich.table import Table

    table = Table("run", "recipe", "started", "epochs", "best", "test", "state")
    for row in found:
        table.add_row(row["run"], row["recipe"] or "?", (row["started"] or "?")[:16].replace("T", " "),
                      f"{row['epochs']}/{row['epochs_wanted'] or '?'}", row["best"] and _metric(row["best"]),
                      row["test"] and _metric(row["test"]), row["state"])
    make_console().print(table)


def _row(folder: Path) -> dict[str, Any] | None:
    """What a folder says about its run; None where it is none. A damaged file leaves its part unknown."""
    from gpunet.train.config import ConfigError, read_toml
    from gpunet.train.run_folder import CHECKPOINT, CONFIG, HISTORY, STARTED, RunError, read_json, state_of

    if not any((folder / name).is_file() for name in (STARTED, CHECKPOINT)):
        return None
    parts: list[dict[str, Any]] = []
    for name in (STARTED, HISTORY):
        try:
            parts.append(read_json(folder / name))
        except RunError:
            parts.append({})
    start, results = parts
    try:
        wanted = read_toml(folder / CONFIG)["train"]["epochs"]
    except (ConfigError, KeyError, TypeError):
        wanted = None
    def known(content: dict[str, Any], name: str, kind: type) -> Any:
        return value if isinstance(value := content.get(name), kind) else None

    epochs: list[dict[str, Any]] = [each for each in known(results, "epochs", list) or [] if isinstance(each, dict)]
    number = (known(results, "best", dict) or {}).get("epoch")
    best = epochs[number - 1] if isinstance(number, int) and 0 < number <= len(epochs) else {}
    validation = {name.removeprefix("val_"): value for name, value in best.items() if name.startswith("val_")}
    return {"run": str(folder), "recipe": known(start, "recipe", str), "started": known(start, "started", str),
            "epochs": len(epochs), "epochs_wanted": wanted, "best_epoch": number, "best": validation or None,
            "test": known(results, "test", dict), "state": state_of(folder)}


def _metric(values: dict[str, Any]) -> str:
    """The most important metric, which is the first beside the loss."""
    name = next((each for each in values if each != "loss"), "loss")
    value = values.get(name)
    return f"{name.replace('_', ' ')} {value:.4f}" if isinstance(value, int | float) else ""
