"""`gpunet kernel check`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import SEED, FiniteRange, UserError, make_console, printable, waiting
from gpunet.cli.kernel_commands.common import Sizes, choose_kernel, compiler_options, read_source, source_options

if TYPE_CHECKING:
    from gpunet.cli.kernel_commands.spec import Argument
    from gpunet.sim import Finding, Function

_THREADS = 256  # of a block, where --block does not say; fewer where the kernel allows fewer

_EXAMPLES = """\b
Examples:
  gpunet kernel check scale.cu --grid 4 --block 256 --arg 'f32[1000]' --arg 'f32[1000]=normal(0,1)' --arg i32=1000
  gpunet kernel check softmax.cu --kernel 'softmax<float,4>' --grid 16 --arg 'f32[16,1000]' --arg logits.npy

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


class _WithLanguage(click.Command):
    """A command whose help ends with the language of --arg, made when it is asked for: it needs NumPy."""

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        from gpunet.cli.kernel_commands.spec import FILLS, TYPES

        width = max(len(fill.form) for fill in FILLS.values())
        fills = "\n".join(f"  {fill.form:{width}}   {fill.about}" for fill in FILLS.values())
        self.epilog = _EXAMPLES.format(types=" ".join(TYPES), fills=fills)
        super().format_epilog(ctx, formatter)


@click.command(cls=_WithLanguage, short_help="Find a kernel's bugs, without a GPU.")
@source_options
@click.option("--kernel", "name", metavar="NAME", show_default="the file's only kernel",
              help="The kernel, or an instance of a template: 'scale<float,4>'.")
@click.option("--grid", type=Sizes(), default=(1,), metavar="X[,Y[,Z]]", show_default="1", help="Blocks.")
@click.option("--block", type=Sizes(), metavar="X[,Y[,Z]]",
              show_default=f"{_THREADS}, or what __launch_bounds__ allows", help="Threads of a block.")
@click.option("--shared", type=click.IntRange(0, 2**31 - 1), default=0, metavar="BYTES",
              help="Dynamic shared memory of a block.")
@click.option("--arg", "specs", multiple=True, metavar="SPEC", help="An argument of the kernel, in order: see below.")
@click.option("--out", "outs", multiple=True, metavar="K=FILE.npy",
              help="Save an array after the run; K is the parameter's name, or its number from 0.")
@click.option("--timeout", type=FiniteRange(0, 1e6, min_open=True), default=60.0, metavar="S",
              help="Seconds that the kernel may take.")
@click.option("--seed", type=SEED, default=0, metavar="N", help="Decides the random numbers.")
@click.option("--strict", is_flag=True, help="Exit with status 1 for warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: Path, name: str | None, grid: tuple[int, ...], block: tuple[int, ...] | None, shared: int,
          specs: tuple[str, ...], outs: tuple[str, ...], timeout: float, seed: int, defines: tuple[str, ...],
          includes: tuple[str, ...], strict: bool, as_json: bool) -> None:
    """Run a kernel of FILE.cu on the CPU under the checker, and show what it does wrong: races, accesses out of bounds,
    reads of what nothing has written, barriers that not all threads reach, deadlocks, wrong masks, misaligned accesses,
    arguments that do not fit, asynchronous copies used too early. Needs a C++ compiler and no GPU.

    The exit status is 0 where nothing is found or only warnings are, and 1 where a mistake is and only then (with
    --strict, for warnings too). It is 2 where nothing could be checked because the call is wrong, the kernel does not
    compile or the machine lacks something, 130 after Ctrl-C, and 70 where gpunet itself fails.
    """
    from gpunet import sim
    from gpunet.sim.checker.checking import check_printing

    source = read_source(file)
    name = choose_kernel(source, name)
    arguments = _arguments(specs, seed)
    try:
        function = sim.load(source.path, name, compiler_options(defines, includes))
    except sim.CompileError as error:
        raise UserError(f"{file} does not compile for the checker:\n{error}") from error
    except sim.KernelError as error:
        raise UserError(str(error)) from error
    names = _parameter_names(function, arguments)
    saved = [_output(each, names, arguments) for each in outs]
    values = _values(arguments)
    try:
        with waiting("Compiling and running ..."):
            if shared > function.max_dynamic_shared_size_bytes:
                function.max_dynamic_shared_size_bytes = shared
            block = block or (min(_THREADS, function.attributes["max_threads_per_block"]),)
            start = perf_counter()
            # What the kernel prints must not come between the lines of JSON.
            findings = check_printing(function, grid, block, tuple(values), shared, timeout, 2 if as_json else 1)
    except sim.CompileError as error:
        raise UserError(f"{file} does not compile for the checker:\n{error}") from error
    except (sim.CompilerMissingError, sim.KernelError) as error:
        raise UserError(str(error)) from error
    seconds = perf_counter() - start
    for position, path in saved:
        _save(path, values[position])
    if as_json:
        content = {"file": str(file), "kernel": name, "grid": grid, "block": block, "shared": shared,
                   "arguments": [each.text for each in arguments], "seed": seed,
                   "findings": [each.as_dict() for each in findings], "seconds": round(seconds, 3)}
        click.echo(json.dumps(content, indent=2))
    else:
        _show(findings, function.module.texts, source.path.name, file)
        _summarise(findings, f"{file}, {name}, grid {_sizes(grid)}, block {_sizes(block)}", seconds)
    if any(strict or each.severity == "error" for each in findings):
        raise SystemExit(1)


def _arguments(specs: tuple[str, ...], seed: int) -> list[Argument]:
    from gpunet.cli.kernel_commands.spec import SpecError, parse_all

    try:
        return parse_all(specs, seed)
    except SpecError as error:
        raise UserError(f"--arg {error}.") from error


def _values(arguments: list[Argument]) -> list[Any]:
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


def _parameter_names(function: Function, arguments: list[Argument]) -> list[str]:
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
                    f"{len(arguments)} times.")


def _output(text: str, names: list[str], arguments: list[Argument]) -> tuple[int, Path]:
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


def _save(path: Path, array: Any) -> None:
    import numpy as np

    try:
        with path.open("wb") as file:
            np.save(file, np.asarray(array))
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.") from error


def _sizes(sizes: tuple[int, ...]) -> str:
    return " x ".join(map(str, sizes))


_STYLES = {"error": "bold red", "warning": "bold yellow", "message": "bold", "place": "bold", "gutter": "bold blue",
           "mark": "bold red", "other": "bold yellow", "note": "cyan"}


def _show(findings: list[Finding], texts: Mapping[str, str | None], name: str, file: Path) -> None:
    """The findings, each a block of lines; how to mend a kind of mistake is said once. `name` is what the kernel's file
    is called in them, `file` what the user calls it."""
    from rich.text import Text

    from gpunet.sim.checker.finding import remedy_of, spans

    console, told = make_console(), set()
    for finding in findings:
        remedy = remedy_of(finding)
        for line in spans(finding, texts.get, remedy not in told):
            text = Text()
            for words, role in line:
                words = words.replace(name, str(file), 1) if role == "place" else words
                text.append(printable(words), _STYLES.get(role, ""))
            text.rstrip()
            console.print(text, soft_wrap=True)
        console.print()
        told.add(remedy)


def _summarise(findings: list[Finding], what: str, seconds: float) -> None:
    from rich.text import Text

    kinds = Counter((finding.kind, finding.severity) for finding in findings)
    found = ", ".join(f"{count} {kind}" + " (warning)" * (severity == "warning") for (kind, severity), count in
                      kinds.items())
    text = Text(printable(f"{what}: "))
    worst = max((finding.severity == "error" for finding in findings), default=None)
    text.append(found or "nothing found", {None: "bold green", False: "bold yellow", True: "bold red"}[worst])
    text.append(f" ({seconds:.2g} s)", "dim")
    make_console().print(text, soft_wrap=True)
