"""The edge of the command: what goes wrong below it becomes one sentence and an exit status.

    2     the user can put it right: files, memory, a device, a value
    70    a fault of gpunet's own, with a traceback to report
    130   interrupted by Ctrl-C (143 by SIGTERM, 129 by SIGHUP)
    141   the reader of the output has gone, as in `gpunet ... | head`

Status 1 is left to what a command finds, such as a bug in a kernel.
"""

from __future__ import annotations

import os
import platform
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from gpunet.cli.common import UserError
from gpunet.cli.stopping import stoppable

# What our own code raises for the user to read, by module and name. A module that is not loaded has raised nothing.
_FOR_THE_USER = {
    "gpunet._environment": ("SettingError",),
    "gpunet.data.datasets.idx": ("DatasetError",),
    "gpunet.kernel.nvrtc": ("NvrtcError",),
    "gpunet.ptx.errors": ("Unsupported",),
    "gpunet.ptx.program": ("MissingError",),
    "gpunet.sim.errors": ("CompileError", "CompilerMissingError"),
    "gpunet.train.config": ("ConfigError",),
    "gpunet.train.run_folder": ("RunError",),
}


class Edge(click.Group):
    """The top command. Whatever is raised below it is told by `explain`, or reported as a fault of gpunet's own."""

    def make_context(self, *arguments: Any, **options: Any) -> click.Context:
        with _edge():  # --help and --version print from here
            return super().make_context(*arguments, **options)

    def invoke(self, ctx: click.Context) -> Any:
        streams: tuple[Any, ...] = sys.stdout, sys.stderr
        for stream in streams:
            if hasattr(stream, "reconfigure"):  # a file's name may hold what the terminal's encoding does not
                stream.reconfigure(errors="backslashreplace")
        with _edge(), stoppable(), _warnings_without_code():
            return super().invoke(ctx)


@contextmanager
def _warnings_without_code() -> Iterator[None]:
    """gpunet's warnings are at the line that calls it, which here is one of click's: the sentence says all."""
    usual, click_itself = warnings.formatwarning, os.path.dirname(click.__file__)

    def formatted(message: Warning | str, category: type[Warning], filename: str, *more: Any) -> str:
        if os.path.dirname(filename) == click_itself:
            return f"Warning: {message}\n"
        return usual(message, category, filename, *more)

    warnings.formatwarning = formatted
    try:
        yield
    finally:
        warnings.formatwarning = usual


@contextmanager
def _edge() -> Iterator[None]:
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # here, where a full disk can still be told
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt as error:
        click.echo("\nInterrupted.", err=True)
        raise click.exceptions.Exit(getattr(error, "status", 130)) from None
    except BrokenPipeError:
        _drop_output()
        raise click.exceptions.Exit(141) from None
    except Exception as error:
        if isinstance(error, OSError) and error.filename is None:
            _drop_output()
        if sentence := explain(error):
            raise UserError(sentence) from error
        traceback.print_exception(error)
        click.echo(_request_to_report(), err=True)
        raise click.exceptions.Exit(70) from error


def explain(error: Exception) -> str | None:
    """One sentence for an error that the user can do something about; None for a fault of gpunet's own."""
    if isinstance(error, MemoryError):
        return f"Not enough memory: {_text(error)}. Smaller batches, images or arrays take less."
    if isinstance(error, OSError):
        names = [_short(os.fsdecode(name)) for name in (error.filename, error.filename2)
                 if isinstance(name, str | bytes)]
        return f"{', '.join(names) or 'Reading or writing failed'}: {error.strerror or _text(error)}."
    module = type(error).__module__
    if module.partition(".")[0] in ("cupy", "cupy_backends"):
        return f"The GPU failed: {_text(error)}. `gpunet devices` shows what works here."
    if any(isinstance(error, each) for each in _loaded()):
        return str(error).strip()
    return None


def _loaded() -> list[type[Exception]]:
    return [getattr(sys.modules[module], name)
            for module, names in _FOR_THE_USER.items() if module in sys.modules for name in names]


def _short(name: str) -> str:
    return name if len(name) <= 200 else f"{name[:90]}...{name[-90:]}"


def _text(error: Exception) -> str:
    return str(error).strip().rstrip(".") or type(error).__name__


def _request_to_report() -> str:
    import gpunet

    return (f"\nThis is a fault of gpunet {gpunet.__version__} (Python {platform.python_version()}, "
            f"{platform.platform()}). Please report it, with the command and the lines above.")


def _drop_output() -> None:
    """What is still to be written goes nowhere: Python would fail again when it ends."""
    try:
        descriptor = os.open(os.devnull, os.O_WRONLY)
        os.dup2(descriptor, sys.stdout.fileno())
        os.close(descriptor)
    except (OSError, ValueError):  # no descriptor behind the stream, as in tests
        pass
