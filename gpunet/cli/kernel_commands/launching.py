"""What `gpunet kernel check` and `profile` share: the options that say how a kernel is launched, and its arguments."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import SEED, FiniteRange, UserError
from gpunet.cli.kernel_commands.common import Sizes, times

if TYPE_CHECKING:
    from gpunet.cli.kernel_commands.spec import Argument
    from gpunet.sim import Function

THREADS = 256  # of a block, where --block does not say; fewer where the kernel allows fewer

_EXAMPLES = """\b
Examples:
  {command} scale.cu --grid 4 --block 256 --arg 'f32[1000]' --arg 'f32[1000]=normal(0,1)' --arg i32=1000
  {command} softmax.cu --kernel 'softmax<float,4>' --grid 16 --arg 'f32[16,1000]' --arg logits.npy

\b
An argument (--arg) is one of
  f32[16,1000]=normal(0,3)   an array: its type, its shape, and what it holds
  f32[16]                    an array that the kernel is to write; reading it before that is a finding
  i32=1000, f32=0.0625       a number of exactly this type
  i32=[1,2,3]                an array of these numbers
  logits.npy                 an array, or a number, from a file of NumPy's
  null                       the null pointer
  struct{{i32=2,f32[8]=1}}     a structure, passed by value; an array in it is a pointer
  @0                         the array of argument 0 once more, for kernels that work in place

\b
Types: {types}
An array holds a number, a list [...], or one of
{fills}
An integer type cuts the fractions of random numbers off.
"""


class WithLanguage(click.Command):
    """A command whose help ends with the language of --arg, made when it is asked for: it needs NumPy."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from gpunet.cli.kernel_commands.spec import FILLS, TYPES

        width = max(len(fill.form) for fill in FILLS.values())
        fills = "\n".join(f"  {fill.form:{width}}   {fill.about}" for fill in FILLS.values())
        self.epilog = _EXAMPLES.format(command=ctx.command_path, types=" ".join(TYPES), fills=fills)
        super().format_epilog(ctx, formatter)


timeout_option = click.option("--timeout", type=FiniteRange(0, 1e6, min_open=True), default=60.0, metavar="S",
                              help="Seconds that the kernel may take.")


def launch_options(command: Callable[..., None]) -> Callable[..., None]:
    """How the kernel is launched, and with what."""
    for option in reversed([
        click.option("--kernel", "name", metavar="NAME", show_default="the file's only kernel",
                     help="The kernel, or an instance of a template: 'scale<float,4>'."),
        click.option("--grid", type=Sizes(), default=(1,), metavar="X[,Y[,Z]]", show_default="1", help="Blocks."),
        click.option("--block", type=Sizes(), metavar="X[,Y[,Z]]",
                     show_default=f"{THREADS}, or what __launch_bounds__ allows", help="Threads of a block."),
        click.option("--shared", type=click.IntRange(0, 2**31 - 1), default=0, metavar="BYTES",
                     help="Dynamic shared memory of a block."),
        click.option("--cluster", type=Sizes(most=16), metavar="X[,Y[,Z]]", show_default="what __cluster_dims__ says",
                     help="Blocks of a cluster, where the launch says them."),
        click.option("--arg", "specs", multiple=True, metavar="SPEC",
                     help="An argument of the kernel, in order: see below."),
        click.option("--out", "outs", multiple=True, metavar="K=FILE.npy",
                     help="Save an array after the run; K is the parameter's name, or its number from 0."),
        click.option("--seed", type=SEED, default=0, metavar="N", help="Decides the random numbers."),
    ]):
        command = option(command)
    return command


def parse_arguments(specs: tuple[str, ...], seed: int) -> list[Argument]:
    from gpunet.cli.kernel_commands.spec import SpecError, parse_all

    try:
        return parse_all(specs, seed)
    except SpecError as error:
        raise UserError(f"--arg {error}.") from error


def values_of(arguments: list[Argument]) -> list[Any]:
    """The arguments as `sim.check` takes them. By identity: an array that is given twice (@0) stays one."""
    import numpy as np

    from gpunet import sim

    outputs: dict[int, np.ndarray] = {}

    def value(argument: Argument) -> Any:
        if isinstance(argument.value, tuple):
            return sim.Record(*map(value, argument.value))
        if not argument.output or not isinstance(argument.value, np.ndarray):
            return argument.value
        key = id(argument.value)
        if key not in outputs:
            outputs[key] = sim.uninitialised(argument.value.shape, argument.value.dtype)
        return outputs[key]

    return list(map(value, arguments))


def parameter_names(function: Function, arguments: list[Argument]) -> list[str]:
    """The names of the kernel's parameters. A UserError says when there are more or fewer arguments; a kernel that a
    macro declares is left to the compiler."""
    from gpunet.kernel import signature

    declared = [kernel for kernel in function.declared if kernel.parameters or kernel.types == kernel.parameters]
    fitting = [kernel.parameters for kernel in declared if len(kernel.parameters) == len(arguments)]
    if fitting or not declared:
        return list(fitting[0] if fitting else [""] * len(arguments))
    count = len(declared[0].parameters)
    try:  # with a template's arguments put in
        text = "\n".join(function.module.texts.values())
        listed = ", ".join(map(str, signature.parameters(text, function.name.rpartition("::")[2])))
    except signature.SignatureError:
        listed = ", ".join(declared[0].declared)
    raise UserError(f"{function.name} takes {count} argument{'s' * (count != 1)} ({listed}), and --arg is given "
                    f"{times(len(arguments))}.")


def output_of(text: str, names: list[str], arguments: list[Argument]) -> tuple[int, Path]:
    """K=FILE.npy as the argument's position and the file."""
    import numpy as np

    key, equals, path = text.partition("=")
    if not equals or not path:
        raise UserError(f"--out {text!r}: it is written K=FILE.npy, such as 0=result.npy.")
    position = int(key) if key.isdigit() else names.index(key) if key in names else -1
    if not 0 <= position < len(arguments):
        raise UserError(f"--out {text!r}: there is no argument {key}; there are 0 to {len(arguments) - 1}"
                        + (f" ({', '.join(names)})." if any(names) else "."))
    if not isinstance(arguments[position].value, np.ndarray):
        raise UserError(f"--out {text!r}: argument {key} is no array.")
    return position, Path(path)


def save(path: Path, array: Any) -> None:
    import numpy as np

    try:
        with path.open("wb") as file:
            np.save(file, np.asarray(array))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error


def sizes(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


def duration(seconds: float) -> str:
    """Two digits, and all of a number with more before its point."""
    return f"{seconds:.2g} s" if seconds < 99.5 else f"{seconds:.0f} s"
