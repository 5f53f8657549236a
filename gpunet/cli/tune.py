"""`gpunet tune`."""

from __future__ import annotations

import shlex
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from gpunet.cli.common import COUNT, DeviceName, make_console, open_device


@click.command()
@click.argument("config", type=click.Path(path_type=Path), metavar="CONFIG.toml")
@click.option("--trials", type=COUNT, show_default="the file's, or 20", help="Trials in all, with those of before.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting that stays as it is.")
@click.option("--out", type=click.Path(path_type=Path), metavar="STUDY", show_default="runs/tune-RECIPE-TIME",
              help="The study's folder; one that exists is gone on with.")
@click.option("--device", type=DeviceName(), metavar="cpu|sim|cuda[:N]|auto", show_default="the file's",
              help="Where to compute.")
def tune(config: Path, trials: int | None, settings: tuple[str, ...], out: Path | None, device: str | None) -> None:
    """Look for the best settings, by Optuna (pip install "gpunet[tune]").

    CONFIG.toml names a recipe and settings as for `gpunet train`, and in a section [tune.space] the ranges of others.
    """
    from gpunet.cli.train import read_config
    from gpunet.train.config import parse_assignment
    from gpunet.train.tuning import BEST, PLOT, Plan
    from gpunet.train.tuning import tune as carry_out

    recipe, given = read_config(config, sections=("tune",))
    options: dict[str, Any] = {name.removeprefix("tune."): given.pop(name) for name in list(given)
                               if name.startswith("tune.")}
    given |= dict(map(parse_assignment, settings))
    if trials is not None:
        options["trials"] = trials
    if device is not None:
        given["train.device"] = device
    plan = Plan(recipe, given, options)
    place = open_device(plan.recipe.config({**plan.fixed, **plan.first()})["train.device"])
    folder = out or Path("runs") / f"tune-{recipe}-{datetime.now():%Y%m%d-%H%M%S}"

    def say(row: dict[str, Any]) -> None:
        value = "diverged" if row["value"] is None else f"{plan.metric} {row['value']:.4g}"
        chosen = "  ".join(f"{name}={_short(row[name])}" for name in plan.space)
        print(f"trial {row['trial']:>3}  {value}  {row['state']}  {chosen}", flush=True)

    try:
        rows = carry_out(plan, folder, place, say)
    except KeyboardInterrupt:
        again = shlex.join(["gpunet", "tune", str(config), "--out", str(folder)])
        click.echo(f"\nInterrupted. Go on with: {again}")
        sys.exit(130)
    _show(rows, plan)
    click.echo(f"{folder / PLOT} shows the trials; gpunet train {shlex.quote(str(folder / BEST))} takes the best one's "
               "settings.")


def _show(rows: list[dict[str, Any]], plan: Any) -> None:
    from rich.table import Table

    table = Table("trial", "state", plan.metric, "epochs", *plan.space)
    worst = -float("inf") if plan.maximize else float("inf")
    rows = sorted(rows, key=lambda row: worst if row["value"] is None else row["value"], reverse=plan.maximize)
    for row in sorted(rows, key=lambda row: row["state"] != "finished")[:20]:
        table.add_row(str(row["trial"]), row["state"], "" if row["value"] is None else f"{row['value']:.4g}",
                      str(row["epochs"] or ""), *(_short(row[name]) for name in plan.space))
    make_console().print(table)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
