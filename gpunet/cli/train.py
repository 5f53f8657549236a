"""`gpunet train`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gpunet.cli.common import UserError, device_option, open_device

# What may be said beside --resume: the rest was settled when the run began.
_WITH_RESUME = {"resume", "device", "epochs", "data"}


def _options(command: Callable[..., None]) -> Callable[..., None]:
    for option in reversed(
        [
            device_option,
            click.option("--epochs", type=click.IntRange(1), help="Passes over the training data."),
            click.option("--batch-size", type=click.IntRange(1), help="Images a step."),
            click.option("--lr", type=click.FloatRange(0, min_open=True), help="Learning rate."),
            click.option("--optimizer", type=click.Choice(["sgd", "adam", "adamw"]), help="adam if not given."),
            click.option("--dropout", type=click.FloatRange(0, 1, max_open=True), help="Share of values dropped."),
            click.option("--seed", type=click.IntRange(0), help="Decides weights, order and dropout; 0 if not given."),
            click.option("--out", type=click.Path(path_type=Path), help="Run folder; runs/DATASET-TIME if not given."),
            click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Go on with this run."),
        ]
    ):
        command = option(command)
    return command


@click.group()
def train() -> None:
    """Train a network; weights, history and learning curves go to a run folder."""


@train.command()
@_options
def digits(**options: Any) -> None:
    """An MLP on the UCI optical digits: 8 x 8 images, bundled with gpunet."""
    _train("digits", options)


@train.command()
@click.option("--data", type=click.Path(), metavar="DIR", help="Folder of the four IDX files, plain or .gz.")
@_options
def mnist(**options: Any) -> None:
    """An MLP on MNIST, or any other set in its format."""
    _train("mnist", options)


def _train(dataset: str, options: dict[str, Any]) -> None:
    from gpunet.cli.display import display, final_table
    from gpunet.data.datasets import DatasetError
    from gpunet.train import TrainingDiverged
    from gpunet.train.run import RunError
    from gpunet.train.stopping import stoppable

    try:
        run = _prepare(dataset, options)
    except (RunError, DatasetError) as error:
        raise UserError(str(error)) from error
    view = display(run)
    try:
        with stoppable(), view:
            run.fit([view])
    except KeyboardInterrupt as error:
        _say_what_is_kept(run)
        sys.exit(getattr(error, "status", 130))
    except RunError as error:
        raise UserError(str(error)) from error
    except TrainingDiverged as error:
        raise click.ClickException(str(error)) from error
    view.console.print(final_table(run))
    click.echo(f"Try it: gpunet predict {run.folder} --sample 12")


def _prepare(dataset: str, options: dict[str, Any]) -> Any:
    from gpunet.train.recipes import RECIPES
    from gpunet.train.run import Run

    resume, out, data = options.pop("resume"), options.pop("out"), options.get("data")
    if resume is not None:
        _refuse_beside_resume()
        run = Run.resume(resume, dataset, open_device(options["device"]), options["epochs"], data)
        done = len(run.trainer.history)
        if done >= run.settings.epochs:
            run.release()
            raise UserError(f"{resume} has finished {done} epochs; give more than that by --epochs to go on.")
        return run
    if dataset == "mnist" and data is None:
        raise click.UsageError("Missing option '--data': the folder of the four MNIST files.")
    device = open_device(options.pop("device"))
    settings = RECIPES[dataset].settings(**options)
    return Run.start(settings, device, out)


def _refuse_beside_resume() -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        given = context.get_parameter_source(parameter.name) is ParameterSource.COMMANDLINE
        if given and parameter.name not in _WITH_RESUME:
            raise click.UsageError(f"{parameter.opts[0]} cannot be given with --resume: the run keeps its own.")


def _say_what_is_kept(run: Any) -> None:
    done = run.kept
    if not done:
        click.echo("\nInterrupted before the first epoch was finished; nothing is kept.")
        return
    click.echo(f"\nInterrupted; {run.folder} keeps the {done} finished epoch{'s' if done > 1 else ''}.")
    click.echo(f"Go on with: gpunet train {run.settings.dataset} --resume {run.folder}")
