"""`gpunet ptx`: run, check and profile a PTX file, whatever compiler it is from, or a CUDA source."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import UserError, make_console, printable, waiting
from gpunet.cli.kernel_commands.check import deliver_findings
from gpunet.cli.kernel_commands.common import choose_kernel, read_source, times
from gpunet.cli.kernel_commands.launching import (
    THREADS,
    WithLanguage,
    duration,
    launch_options,
    output_of,
    parse_arguments,
    save,
    sizes,
    timeout_option,
    values_of,
)
from gpunet.cli.kernel_commands.profile import deliver, profile_options, run_apart

if TYPE_CHECKING:
    from gpunet.cli.kernel_commands.spec import Argument
    from gpunet.ptx import Function, Kernel

_FIRST = 8  # elements of an array that are shown


@click.group()
def ptx() -> None:
    """Run PTX, the assembly that NVCC, NVRTC, Triton and Numba make, on the CPU; needs llvmlite and no GPU. FILE may be
    a CUDA source (.cu) too, which NVRTC or nvcc compiles."""


_file = click.argument("file", metavar="FILE.ptx", type=click.Path(path_type=Path))


@ptx.command(cls=WithLanguage, short_help="Run a kernel of a PTX file, and show what it wrote.")
@_file
@launch_options
@timeout_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def run(file: Path, name: str | None, grid: tuple[int, ...], block: tuple[int, ...] | None, shared: int,
        cluster: tuple[int, ...] | None, specs: tuple[str, ...], outs: tuple[str, ...], seed: int, timeout: float,
        as_json: bool) -> None:
    """Run a kernel of FILE.ptx on the CPU. What it writes is shown, and saved by --out.

    A trap, a failed assertion and a deadlock are told with their source line, where the file has .loc lines. The exit
    status is 0, and 2 where the call is wrong, the kernel fails, or has something that is not simulated.
    """
    from gpunet.ptx.profiles import Arrays

    kernel, arguments, values, saved = _prepared(file, name, cluster, specs, outs, seed)
    block = block or (min(THREADS, kernel.most_threads),)
    before = [value.copy() if hasattr(value, "shape") and value.shape else None for value in values]
    arrays = Arrays(values)
    with waiting("Compiling and running ..."), _told():
        kernel.prepare(block, arrays.args)
        start = perf_counter()
        run_apart(lambda: kernel(grid, block, arrays.args, shared), timeout, as_json)
        seconds = perf_counter() - start
    arrays.take_back()
    for position, path in saved:
        save(path, values[position])
    written = {number: _changes(old, value) for number, (old, value) in enumerate(zip(before, values, strict=True))
               if old is not None}
    if as_json:
        click.echo(json.dumps({"file": str(file), "kernel": kernel.name, "grid": grid, "block": block,
                               "shared": shared, "cluster": cluster, "arguments": [each.text for each in arguments],
                               "seed": seed,
                               "written": {str(number): changes for number, changes in written.items()},
                               "seconds": round(seconds, 3)}, indent=2))
        return
    console = make_console()
    console.print(printable(f"{file}, {kernel.name}, grid {sizes(grid)}, block {sizes(block)}: ran in "
                            f"{duration(seconds)} on the CPU"), soft_wrap=True)
    for number, changes in written.items():
        if changes["changed"]:
            first = ", ".join(f"{value:.6g}" for value in changes["first"])
            console.print(f"argument {number}, {arguments[number].text}: {changes['changed']:,} of "
                          f"{changes['elements']:,} elements changed; it begins with {first}", soft_wrap=True)


@ptx.command(cls=WithLanguage, short_help="Count what a kernel of a PTX file asks for, by source line.")
@_file
@launch_options
@profile_options
def profile(file: Path, name: str | None, grid: tuple[int, ...], block: tuple[int, ...] | None, shared: int,
            cluster: tuple[int, ...] | None, specs: tuple[str, ...], outs: tuple[str, ...], seed: int, timeout: float,
            page: Path | None, as_json: bool) -> None:
    """Run a kernel of FILE.ptx on the CPU and count what each source line asks of memory and arithmetic, as `gpunet
    kernel profile` does: lines are those of the file's .loc lines. Registers and occupancy are not known of PTX.

    The exit status is 0, and 2 where the call is wrong, the kernel fails, or has something that is not simulated.
    """
    from gpunet import ptx

    kernel, arguments, values, saved = _prepared(file, name, cluster, specs, outs, seed)
    block = block or (min(THREADS, kernel.most_threads),)
    with waiting("Compiling and running ..."), _told():
        found = ptx.profile(kernel, grid, block, values, shared_mem=shared,
                            run=lambda work: run_apart(work, timeout, as_json))
    for position, path in saved:
        save(path, values[position])
    deliver(found, page, as_json, {"file": str(file), "cluster": cluster,
                                   "arguments": [each.text for each in arguments], "seed": seed})


@ptx.command(cls=WithLanguage, short_help="Find the bugs of a kernel of a PTX file.")
@_file
@launch_options
@timeout_option
@click.option("--strict", is_flag=True, help="Exit with status 1 for warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: Path, name: str | None, grid: tuple[int, ...], block: tuple[int, ...] | None, shared: int,
          cluster: tuple[int, ...] | None, specs: tuple[str, ...], outs: tuple[str, ...], seed: int, timeout: float,
          strict: bool, as_json: bool) -> None:
    """Run a kernel of FILE.ptx on the CPU with checks, and show what it does wrong, as `gpunet kernel check` does: by
    the lines of the file's .loc lines, or else those of the PTX.

    The exit status is 0 where nothing is found or only warnings are, 1 where a mistake is, and 2 where nothing could be
    checked.
    """
    from gpunet import ptx

    kernel, arguments, values, saved = _prepared(file, name, cluster, specs, outs, seed)
    block = block or (min(THREADS, kernel.most_threads),)
    start = perf_counter()
    with waiting("Compiling and running ..."), _told(), redirect_stdout(sys.stderr if as_json else sys.stdout):
        findings = ptx.check(kernel, grid, block, values, shared_mem=shared, timeout=timeout, path=str(file))
    seconds = perf_counter() - start
    for position, path in saved:
        save(path, values[position])
    told = {"file": str(file), "kernel": kernel.name, "grid": grid, "block": block, "shared": shared,
            "cluster": cluster, "arguments": [each.text for each in arguments], "seed": seed}
    deliver_findings(findings, told, seconds, as_json, strict, _Texts(file, kernel.text), str(file))


class _Texts(dict):
    """Texts of the files that findings name."""

    def __init__(self, file: Path, text: str) -> None:
        super().__init__({str(file): text})

    def get(self, key: str, default: Any = None) -> Any:
        if key not in self and (path := Path(key)).is_file():
            self[key] = path.read_text(encoding="utf-8", errors="replace")
        return super().get(key, default)


class _told:
    """What running PTX raises, as a sentence."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, trace: Any) -> None:
        from gpunet import ptx

        if isinstance(error, (ptx.PtxError, ptx.MissingError, ptx.LaunchError, TypeError, ValueError)):
            raise UserError(f"{error}.".replace("..", ".")) from error


def _prepared(file: Path, name: str | None, cluster: tuple[int, ...] | None, specs: tuple[str, ...],
              outs: tuple[str, ...], seed: int) -> tuple[Kernel, list[Argument], list[Any], list[tuple[int, Path]]]:
    """The kernel, its arguments, and the arrays to save."""
    from gpunet import ptx

    arguments = parse_arguments(specs, seed)
    with _told():
        function = _function(file, name, cluster) if file.suffix == ".cu" else None
        kernel = ptx.Kernel(_text(file), name, cluster=cluster) if function is None else _compiled(function, file)
        parameters = [parameter.name for parameter in kernel.entry.parameters]
    if len(parameters) != len(arguments):
        kinds = ", ".join(f".{each.type}{f'[{each.size}]' if each.type == 'b8' else ''} {each.name}"
                          for each in kernel.entry.parameters)
        plural = "s" * (len(parameters) != 1)
        raise UserError(f"{kernel.name} takes {len(parameters)} argument{plural} ({kinds}), and --arg is given "
                        f"{times(len(arguments))}.")
    values = values_of(arguments)
    if function is not None and (wrong := function.wrong_elements(values)):
        raise UserError(f"{function.name}: {wrong[0]}.")
    return kernel, arguments, values, [output_of(each, parameters, arguments) for each in outs]


def _function(file: Path, name: str | None, cluster: tuple[int, ...] | None) -> Function:
    """A kernel of a CUDA source."""
    from gpunet import ptx
    from gpunet.ptx.function import PROFILED
    from gpunet.sim.translate.device_part import device_part

    source = read_source(file)
    return ptx.Function(source.path, choose_kernel(source, name), (), PROFILED,
                        device_part(source, [source.path.parent]), cluster)


def _compiled(function: Function, file: Path) -> Kernel:
    from gpunet.kernel import nvrtc

    try:
        return function.compiled()
    except nvrtc.NvrtcError as error:
        raise UserError(str(error).replace(str(function.source.path), str(file))) from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{file} cannot be read: {getattr(error, 'strerror', None) or error}.") from error


def _changes(old: Any, new: Any) -> dict[str, Any]:
    """How many elements of an array the kernel changed, and the first ones."""
    import numpy as np

    differ = old.reshape(-1).view(np.uint8).reshape(old.size, -1) != new.reshape(-1).view(np.uint8).reshape(
        old.size, -1)
    return {"elements": int(old.size), "changed": int(differ.any(axis=1).sum()),
            "first": [float(value) for value in new.reshape(-1)[:_FIRST]]}
