"""What the subcommands share: errors, option types, the console, and the device."""

from __future__ import annotations

import logging
import math
import os
import re
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

if TYPE_CHECKING:
    from rich.console import Console


def printable(text: str) -> str:
    """`text` with control characters and undecodable bytes as escapes: a file's name must not steer the terminal."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in "\n\t" else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text
    )


def counted(number: int, thing: str) -> str:
    """`1 epoch`, `2 epochs`."""
    return f"{number:,} {thing}{'s' * (number != 1)}"


class UserError(click.ClickException):
    """A mistake the user can put right: one sentence, no traceback, exit code 2."""

    exit_code = 2

    def format_message(self) -> str:
        return printable(self.message)


def is_given(parameter: str) -> bool:
    """Whether a parameter of the running command stands on the command line."""
    return click.get_current_context().get_parameter_source(parameter) is ParameterSource.COMMANDLINE


def make_console(stderr: bool = False) -> Console:
    """Where rich prints; the commands make no other console.

    Strings are printed as they are: a name such as `[bold]x` or `:smile:` is no markup. What is to have a style is a
    rich Text. The console is as wide as the terminal, or 120 where there is none to ask (rich would take 80).
    """
    from rich.console import Console

    class Plain(Console):
        def render_str(self, text: str, **options: Any) -> Any:
            return super().render_str(printable(text), **options)

    console = Plain(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.file.isatty() and "COLUMNS" not in os.environ:
        console.width = 120
    return console


def is_live(console: Console) -> bool:
    """Whether lines can be drawn anew: in a terminal that moves its cursor, also where FORCE_COLOR is set elsewhere."""
    return console.file.isatty() and console.is_terminal and not console.is_dumb_terminal


def waiting(message: str) -> AbstractContextManager:
    """Shows `message` beside a spinner, in a terminal alone."""
    console = make_console(stderr=True)
    return console.status(message) if is_live(console) else nullcontext()


class FiniteRange(click.FloatRange):
    """A FloatRange that refuses NaN, which no comparison would, and infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


COUNT = click.IntRange(1, 2**31 - 1)
SEED = click.IntRange(0, 2**64 - 1)  # a larger one would be taken modulo 2^64


class DeviceName(click.ParamType):
    """`cpu`, `sim`, `cuda`, `cuda:N` or `auto`; checked for its form alone."""

    name = "cpu|sim|cuda[:N]|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        if not re.fullmatch(r"cpu|sim|auto|cuda(:[0-9]{1,3})?", value):
            self.fail(f"{value!r} is no device; it is cpu, sim, cuda, cuda:N (the N-th GPU, from 0) or auto.")
        return value


device_option = click.option(
    "--device",
    type=DeviceName(),
    metavar="cpu|sim|cuda[:N]|auto",
    default="cpu",
    help="Where to compute; sim runs the GPU's kernels on the CPU, auto is cuda where there is a GPU, else cpu.",
)


def open_device(name: str) -> str:
    """The device that `name` stands for, tried out; a UserError says why it cannot be used here."""
    from gpunet import native

    tell_of_builds()
    if name == "auto":
        name = "cpu" if _problem("cuda") else "cuda"
    if name == "cpu":
        native.wait()
    if problem := _problem(name):
        raise UserError(f"{problem.rstrip('.')}. `gpunet devices` shows what works here.")
    return name


def _problem(device: str) -> str | None:
    """Why a device cannot run our kernels here; None where it can."""
    import gpunet

    try:
        ones = gpunet.ones(1, 1, device=device)
        gpunet.matmul(ones, ones).item()  # this takes all that training takes: memory, a compiler, a launch
    except Exception as error:
        return " ".join(str(error).split())
    return None


def tell_of_builds() -> None:
    """From now on the first kernel that is compiled is announced: it takes seconds, in which nothing else is shown."""
    logger = logging.getLogger("gpunet.build")
    if not any(isinstance(each, _FirstBuild) for each in logger.handlers):
        logger.addHandler(_FirstBuild())
        logger.setLevel(logging.INFO)


class _FirstBuild(logging.Handler):
    """Prints the first record of a compilation to stderr, and no other: not, say, that there is no compiler."""

    _told = False

    def emit(self, record: logging.LogRecord) -> None:
        if not self._told and record.msg.startswith("Compiling "):
            self._told = True
            click.echo(f"{record.getMessage()}: this takes a while, once; the result is kept.", err=True)
