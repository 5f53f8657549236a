"""What the subcommands share."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from rich.console import Console


class UserError(click.ClickException):
    """A mistake the user can put right: one sentence, no traceback, exit code 2."""

    exit_code = 2


def make_console(stderr: bool = False) -> Console:
    """Where rich prints: as wide as the terminal, or 120 where there is none to ask (rich would take 80)."""
    from rich.console import Console

    console = Console(stderr=stderr, highlight=False)
    return console if console.is_terminal else Console(stderr=stderr, highlight=False, width=120)


class DeviceName(click.ParamType):
    """`cpu`, `sim`, `cuda`, `cuda:N` or `auto`; checked for its form alone."""

    name = "cpu|sim|cuda[:N]|auto"

    def convert(self, value: str, param: click.Parameter | None, context: click.Context | None) -> str:
        if not re.fullmatch(r"cpu|sim|auto|cuda(:\d+)?", value):
            self.fail(f"{value!r} is no device; it is cpu, sim, cuda, cuda:N (the N-th GPU, from 0) or auto.")
        return value


device_option = click.option(
    "--device",
    type=DeviceName(),
    metavar="cpu|sim|cuda[:N]|auto",
    default="cpu",
    show_default=True,
    help="Where to compute; sim runs the GPU's kernels on the CPU, auto is cuda where there is a GPU, else cpu.",
)


def open_device(name: str) -> str:
    """The device that `name` stands for, tried out; a UserError says why it cannot be used here."""
    if name == "auto":
        return "cpu" if _problem("cuda") else "cuda"
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
