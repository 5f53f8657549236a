"""`gpunet report`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from gpunet.cli.common import COUNT, device_option, open_device, waiting


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.html",
              show_default="report.html in the run's folder", help="The page's file.")
@click.option("--part", type=click.Choice(["validation", "test", "train"]), default="validation",
              help="Which part of the run's data the results and the worst examples are of.")
@click.option("--worst", type=COUNT, metavar="N", default=24, help="How many of the worst examples are shown.")
@click.option("--data", type=click.Path(), metavar="PLACE", show_default="where they were",
              help="Where the run's data are now.")
@device_option
def report(run: Path, out: Path | None, part: Any, worst: int, data: str | None, device: str) -> None:
    """Write a web page about RUN: curves, confusion matrix, worst examples, model, settings and environment.

    The page is one file that asks nobody for anything: it can be sent, and opened anywhere.
    """
    from gpunet.train import load_run, write_report

    loaded = load_run(run, open_device(device), data)
    if data is not None:
        loaded.data(part)  # what is asked for must be there; without --data the page says that it is gone
    with waiting("Writing the report"):
        path = write_report(loaded, out, part=part, worst=worst)
    click.echo(f"Report: {path}")
