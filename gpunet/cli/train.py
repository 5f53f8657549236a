"""`gpunet train`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from gpunet.cli.common import COUNT, SEED, FiniteRange, UserError, counted, device_option, open_device

# What may be said beside --resume: the rest was settled when the run began.
_WITH_RESUME = {"resume", "device", "epochs", "data"}


# Defaults as --help shows them. The values themselves are in gpunet.train.recipes, which is slow to import.
DEFAULTS = {
    "digits": {"epochs": "30", "batch_size": "64", "lr": "sgd 0.1, adam 0.003, adamw 0.003", "dropout": "0.2"},
    "mnist": {"epochs": "10", "batch_size": "64", "lr": "sgd 0.05, adam 0.001, adamw 0.001", "dropout": "0.2"},
}


def _options(dataset: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    shown = DEFAULTS[dataset]
    options = [
        device_option,
        click.option("--epochs", type=COUNT, show_default=shown["epochs"], help="Passes over the training data."),
        click.option("--batch-size", type=COUNT, show_default=shown["batch_size"], help="Images a step."),
        click.option("--lr", type=FiniteRange(0, min_open=True), show_default=shown["lr"], help="Learning rate."),
        click.option("--optimizer", type=click.Choice(["sgd", "adam", "adamw"]), show_default="adam",
                     help="How the weights are updated."),
        click.option("--dropout", type=FiniteRange(0, 1, max_open=True), show_default=shown["dropout"],
                     help="Share of values dropped."),
        click.option("--seed", type=SEED, metavar="N", show_default="0", help="Decides weights, order and dropout."),
        click.option("--out", type=click.Path(path_type=Path), metavar="RUN",
                     show_default=f"runs/{dataset}-TIME", help="The run's folder, which is made."),
        click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
                     help="Go on with this run, by its own settings."),
    ]

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


@click.group()
def train() -> None:
    """Train a network; weights, history and learning curves go to a run folder."""


@train.command()
@_options("digits")
def digits(**options: Any) -> None:
    """An MLP on the UCI optical digits: 8 x 8 images, bundled with gpunet."""
    _train("digits", options)


@train.command()
@click.option("--data", type=click.Path(), metavar="DIR", help="Folder of the four IDX files, plain or .gz.")
@_options("mnist")
def mnist(**options: Any) -> None:
    """An MLP on MNIST, or any other set in its format."""
    _train("mnist", options)


def _train(dataset: str, options: dict[str, Any]) -> None:
    from gpunet.cli.display import display, final_table
    from gpunet.train import TrainingDiverged

    run = _prepare(dataset, options)
    view = display(run)
    try:
        with view:
            run.fit([view])
    except KeyboardInterrupt as error:
        _say_what_is_kept(run)
        sys.exit(getattr(error, "status", 130))
    except TrainingDiverged as error:
        raise UserError(str(error)) from error
    view.console.print(final_table(run))
    click.echo(f"Try it: gpunet predict {shlex.quote(str(run.folder))} --sample 12")


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
            raise UserError(f"{resume} has finished {counted(done, 'epoch')}; give more than that by --epochs to go "
                            "on.")
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
    click.echo(f"Go on with: gpunet train {run.settings.dataset} --resume {shlex.quote(str(run.folder))}")
