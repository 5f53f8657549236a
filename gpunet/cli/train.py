"""`gpunet train`, and `gpunet resume`."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import COUNT, SEED, DeviceName, FiniteRange, UserError, counted, is_given, open_device
from gpunet.cli.serving import serve_option, serving

if TYPE_CHECKING:
    from gpunet.train import LiveView

# Which setting an option stands for.
SETTINGS = {
    "device": "train.device", "epochs": "train.epochs", "batch_size": "train.batch_size", "lr": "optimizer.lr",
    "optimizer": "optimizer.name", "dropout": "model.dropout", "precision": "train.precision", "seed": "train.seed",
    "data": "data.path", "target": "data.target", "task": "data.task", "model": "model.name",
}
# What may be said beside --resume: the rest was settled when the run began.
_WITH_RESUME = {"resume", "device", "epochs", "data", "serve"}
# Defaults as --help shows them. The values themselves are in gpunet.train.recipes, which is slow to import.
DEFAULTS = {
    "digits": {"epochs": "40", "batch_size": "64", "lr": "sgd 0.1, adam 0.003, adamw 0.003", "dropout": "0.2"},
    "mnist": {"epochs": "10", "batch_size": "64", "lr": "sgd 0.05, adam 0.001, adamw 0.001", "dropout": "0.2"},
    "text": {"epochs": "2", "batch_size": "32", "lr": "sgd 0.1, adam 0.002, adamw 0.002", "dropout": "0.0"},
    "images": {"epochs": "20", "batch_size": "32", "lr": "sgd 0.05, adam 0.001, adamw 0.002", "dropout": "0.1"},
    "table": {"epochs": "100", "batch_size": "32", "lr": "sgd 0.02, adam 0.002, adamw 0.002", "dropout": "0.1"},
}
Command = Callable[..., None]


class Configurations(click.Group):
    """A group in which the name of a TOML file is a command, too: to train by it."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = super().get_command(ctx, cmd_name)
        if found is None and (cmd_name.endswith(".toml") or Path(cmd_name).is_file()):
            @click.command(cmd_name, help=f"Train by the settings in {cmd_name}.")
            @_options(None)
            def by_file(**options: Any) -> None:
                _train(*read_config(Path(cmd_name)), options)

            return by_file
        return found


def _options(recipe: str | None) -> Callable[[Command], Command]:
    """The options that all recipes have. recipe: None for a configuration file."""
    shown = DEFAULTS[recipe] if recipe else dict.fromkeys(("epochs", "batch_size", "lr", "dropout"), "the file's")
    file = None if recipe else "the file's"
    options = [
        click.option("--device", type=DeviceName(), metavar="cpu|sim|cuda[:N]|auto", show_default=file or "cpu",
                     help="Where to compute; sim runs the GPU's kernels on the CPU, auto is cuda where there is a GPU, "
                     "else cpu."),
        click.option("--epochs", type=COUNT, show_default=shown["epochs"], help="Passes over the training data."),
        click.option("--batch-size", type=COUNT, show_default=shown["batch_size"], help="Examples a step."),
        click.option("--lr", type=FiniteRange(0, min_open=True), show_default=shown["lr"], help="Learning rate."),
        click.option("--optimizer", type=click.Choice(["sgd", "adam", "adamw"]), show_default=file or "adamw",
                     help="How the weights are updated."),
        click.option("--dropout", type=FiniteRange(0, 1, max_open=True), show_default=shown["dropout"],
                     help="Share of values dropped."),
        click.option("--precision", type=click.Choice(["float32", "bfloat16", "float16"]),
                     show_default=file or "float32", help="The half types are mixed precision."),
        click.option("--seed", type=SEED, metavar="N", show_default=file or "0",
                     help="Decides splits, weights, order and dropout."),
        click.option("--set", "settings", multiple=True, metavar="NAME=VALUE",
                     help="Any setting, such as optimizer.weight_decay=0.1; may be given several times."),
        click.option("--out", type=click.Path(path_type=Path), metavar="RUN",
                     show_default=f"runs/{recipe or 'RECIPE'}-TIME", help="The run's folder, which is made."),
        serve_option,
    ]
    if recipe:
        options += [
            click.option("--resume", type=click.Path(path_type=Path), metavar="RUN",
                         help="Go on with this run, by its own settings, as `gpunet resume` does."),
            click.option("--settings", "shows", is_flag=True, is_eager=True, expose_value=False,
                         callback=_show_settings, help="Print all settings, as a file to train by."),
        ]

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def _show_settings(context: click.Context, _: click.Parameter, wanted: bool) -> None:
    if not wanted or context.resilient_parsing:
        return
    from gpunet.train.config import REQUIRED, Config
    from gpunet.train.recipes import RECIPES

    schema = RECIPES[str(context.info_name)].settings
    named = {f"{section}.{name}": each for section, names in schema.items() for name, each in names.items()}
    values: dict[str, Any] = {}
    for name, each in named.items():
        values[name] = None if each.default is REQUIRED else each.default(values) if callable(each.default) else \
            each.default
    notes = {name: each.about for name, each in named.items()}
    click.echo(Config(str(context.info_name), values).toml(notes), nl=False)
    context.exit()


@click.group(cls=Configurations, subcommand_metavar="CONFIG.toml | RECIPE [OPTIONS]...")
def train() -> None:
    """Train a network; weights, history and learning curves go to a run folder.

    CONFIG.toml names a recipe and its settings; `gpunet train RECIPE --settings` writes one.
    """


@train.command()
@_options("digits")
def digits(**options: Any) -> None:
    """An MLP on the UCI optical digits: 8 x 8 images, bundled with gpunet."""
    _train("digits", {}, options)


@train.command()
@click.option("--data", type=click.Path(), metavar="DIR", help="Folder of the four IDX files, plain or .gz.")
@_options("mnist")
def mnist(**options: Any) -> None:
    """An MLP on MNIST, or any other set in its format."""
    _train("mnist", {}, options)


@train.command()
@click.argument("file", type=click.Path(), required=False)
@_options("text")
def text(file: str | None, **options: Any) -> None:
    """A GPT that continues texts, character by character, on any text FILE."""
    _train("text", {"data.path": file}, options)


@train.command()
@click.argument("folder", type=click.Path(), required=False)
@click.option("--model", metavar="NAME", show_default="cnn", help="cnn, resnet18, resnet34, resnet50, mobilenet_v2 or "
              "efficientnet_b0.")
@_options("images")
def images(folder: str | None, **options: Any) -> None:
    """A network that tells pictures apart, on a FOLDER that holds a folder for each class."""
    _train("images", {"data.path": folder}, options)


@train.command()
@click.argument("file", type=click.Path(), required=False)
@click.option("--target", metavar="COLUMN", help="The column to predict.")
@click.option("--task", type=click.Choice(["auto", "classification", "regression"]), show_default="auto",
              help="Whether the target is classes or numbers.")
@_options("table")
def table(file: str | None, **options: Any) -> None:
    """Networks that predict the --target column of a CSV FILE from its other columns."""
    _train("table", {"data.path": file}, options)


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--epochs", type=COUNT, show_default="the run's", help="Passes over the training data, in all.")
@click.option("--device", type=DeviceName(), metavar="cpu|sim|cuda[:N]|auto", show_default="the run's",
              help="Where to compute.")
@click.option("--data", type=click.Path(), metavar="PLACE", show_default="where it was", help="The run's data.")
@serve_option
def resume(run: Path, epochs: int | None, device: str | None, data: str | None, serve: int | None) -> None:
    """Go on with the training of RUN, exactly as if it had never stopped."""
    with serving(serve) as live:
        _fit(_resumed(run, None, epochs, device, data), live)


def read_config(path: Path, sections: tuple[str, ...] = ()) -> tuple[str, dict[str, Any]]:
    """The recipe that a configuration file names, and its settings.

    sections: what else it may have, beside settings; else these are left out.
    """
    from gpunet.train.config import ConfigError, flat, read_toml, suggestion
    from gpunet.train.recipes import RECIPES

    content = read_toml(path)
    recipe = content.get("recipe")
    if recipe is None:
        raise ConfigError(f"{path} names no recipe; begin it with recipe = \"NAME\", one of {', '.join(RECIPES)}.")
    if str(recipe) not in RECIPES:  # it may be a list
        raise ConfigError(f"{path}: there is no recipe {recipe!r}; {suggestion(str(recipe), RECIPES, 'there are')}")
    content = {name: value for name, value in content.items() if name != "tune" or name in sections}
    return str(recipe), flat(content, str(path))


def configured(recipe: str, given: dict[str, Any], options: dict[str, Any]) -> Any:
    """The settings of a run: of the file, then of `--set`, then of the other options."""
    from gpunet.train.config import parse_assignment
    from gpunet.train.recipes import RECIPES

    given = given | dict(map(parse_assignment, options.get("settings", ())))
    given |= {SETTINGS[name]: value for name, value in options.items() if name in SETTINGS and value is not None}
    return RECIPES[recipe].config(given)


def _train(recipe: str, given: dict[str, Any], options: dict[str, Any]) -> None:
    from gpunet.train.run import Run

    given = {name: value for name, value in given.items() if value is not None}
    if options.get("resume") is not None:
        _refuse_beside_resume()
        with serving(options["serve"]) as live:
            _fit(_resumed(options["resume"], recipe, options["epochs"], options["device"], options.get("data")), live)
        return
    if recipe == "mnist" and options.get("data") is None and "data.path" not in given and not any(
            each.partition("=")[0].strip() == "data.path" for each in options["settings"]):
        raise click.UsageError("Missing option '--data': the folder of the four MNIST files.")
    config = configured(recipe, given, options)
    with serving(options["serve"]) as live:
        _fit(Run.start(config, open_device(config["train.device"]), options["out"]), live)


def _fit(run: Any, live: LiveView | None) -> None:
    from gpunet.cli.display import display, final_table
    from gpunet.train import TrainingDiverged

    view = display(run)
    if live is not None:
        live.title, live.epochs = f"{run.folder}: {run.config.recipe}", run.config["train.epochs"]
    try:
        with view:
            run.fit([view] if live is None else [view, live])
    except KeyboardInterrupt as error:
        _say_what_is_kept(run)
        sys.exit(getattr(error, "status", 130))
    except TrainingDiverged as error:
        raise UserError(str(error)) from error
    if run.interrupted is not None:
        _say_what_is_kept(run)
        sys.exit(128 + run.interrupted)
    view.console.print(final_table(run))
    click.echo(f"Try it: {next_command(run)}")


def next_command(run: Any) -> str:
    """What a user may do with a run that has ended."""
    folder = shlex.quote(str(run.folder))
    last = {"digits": "--sample 12", "mnist": "--sample 12", "text": '"Once upon a time"',
            "images": "IMAGE.png", "table": "ROWS.csv"}[run.config.recipe]
    return f"gpunet predict {folder} {last}"


def _resumed(folder: Path, recipe: str | None, epochs: int | None, device: str | None, data: str | None) -> Any:
    from gpunet.train.run import Run

    run = Run.resume(folder, open_device, recipe=recipe, device=device, epochs=epochs, data=data)
    if run.finished:
        done = len(run.trainer.history)
        run.release()
        raise UserError(f"{folder} has finished {counted(done, 'epoch')}; give more than that by --epochs to go on.")
    return run


def _refuse_beside_resume() -> None:
    context = click.get_current_context()
    for parameter in context.command.params:
        if is_given(str(parameter.name)) and parameter.name not in _WITH_RESUME:
            raise click.UsageError(f"{parameter.opts[0]} cannot be given with --resume: the run keeps its own.")


def _say_what_is_kept(run: Any) -> None:
    done, batches = run.kept, run.kept_batches
    if not done and not batches:
        click.echo("\nInterrupted before the first epoch was finished; nothing is kept.")
        return
    epochs = [f"the {counted(done, 'finished epoch')}"] if done else []
    begun = [f"{batches:,} batch{'es' * (batches > 1)} of epoch {done + 1}"] if batches else []
    click.echo(f"\nInterrupted; {run.folder} keeps {' and '.join(epochs + begun)}.")
    click.echo(f"Go on with: gpunet resume {shlex.quote(str(run.folder))}")
