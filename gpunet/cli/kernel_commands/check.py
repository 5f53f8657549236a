"""`gpunet kernel check`."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from gpunet.cli.common import UserError, make_console, printable, waiting
from gpunet.cli.kernel_commands.common import choose_kernel, compiler_options, read_source, source_options
from gpunet.cli.kernel_commands.launching import (
    THREADS,
    WithLanguage,
    duration,
    launch_options,
    output_of,
    parameter_names,
    parse_arguments,
    save,
    sizes,
    timeout_option,
    values_of,
)

if TYPE_CHECKING:
    from gpunet.cli.kernel_commands.spec import Argument
    from gpunet.sim import Finding


@click.command(cls=WithLanguage, short_help="Find a kernel's bugs, without a GPU.")
@source_options
@launch_options
@timeout_option
@click.option("--engine", type=click.Choice(["cxx", "ptx"]), show_default="cxx, or ptx for what that lacks",
              help="What runs the kernel: the source, by a C++ compiler, or the PTX that NVRTC makes of it.")
@click.option("--other-data", is_flag=True,
              help="Launch once more with even inputs, and warn of updates that other data would make race.")
@click.option("--other-sizes", is_flag=True,
              help="Launch also with other lengths in place of a number that plainly is the arrays' length.")
@click.option("--strict", is_flag=True, help="Exit with status 1 for warnings too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(file: Path, name: str | None, grid: tuple[int, ...], block: tuple[int, ...] | None, shared: int,
          cluster: tuple[int, ...] | None, specs: tuple[str, ...], outs: tuple[str, ...], timeout: float, seed: int,
          defines: tuple[str, ...], includes: tuple[str, ...], engine: str | None, other_data: bool, other_sizes: bool,
          strict: bool, as_json: bool) -> None:
    """Run a kernel of FILE.cu on the CPU under the checker, and show what it does wrong: races, accesses out of bounds,
    reads of what nothing has written, barriers that not all threads reach, deadlocks, wrong masks, misaligned accesses,
    arguments that do not fit, asynchronous copies used too early. Needs no GPU, and a C++ compiler or, with --engine
    ptx and for clusters, wmma, CUB and cuda::, NVRTC and llvmlite (pip install "gpunet[sim]").

    The exit status is 0 where nothing is found or only warnings are, and 1 where a mistake is and only then (with
    --strict, for warnings too). It is 2 where nothing could be checked because the call is wrong, the kernel does not
    compile or the machine lacks something, 130 after Ctrl-C, and 70 where gpunet itself fails.
    """
    from gpunet import sim
    from gpunet.sim import engine as engines
    from gpunet.sim.checker.checking import check_printing
    from gpunet.sim.checker.process import process
    from gpunet.sim.translate import surface

    if cluster is not None:
        if engine == "cxx":
            raise UserError("--engine cxx has no clusters of blocks: --cluster goes with --engine ptx.")
        engine = "ptx"
    if engine != "ptx":
        try:
            process.prepare()  # while the source is read
        except sim.CompilerMissingError as error:
            if engine == "cxx" or engines.lacking():
                raise UserError(f"{error}; --engine ptx needs none (pip install 'gpunet[sim]').") from error
            engine = "ptx"
    source = read_source(file)
    name = choose_kernel(source, name)
    arguments = parse_arguments(specs, seed)
    try:
        function = sim.load(source.path, name, compiler_options(defines, includes))
    except sim.CompileError as error:
        raise UserError(f"{file} does not compile for the checker:\n{error}") from error
    except sim.KernelError as error:
        raise UserError(str(error)) from error
    names = parameter_names(function, arguments)
    saved = [output_of(each, names, arguments) for each in outs]
    values = values_of(arguments)

    def by_ptx() -> None:
        _by_ptx(file, name, _Launch(grid, block, shared, cluster), arguments, values, names, saved,
                compiler_options(defines, includes),
                [file.resolve().parent, *(Path(each).resolve() for each in includes)], timeout, seed, as_json,
                strict, other_data, other_sizes)

    if engine == "ptx":
        return by_ptx()
    try:
        with waiting("Compiling and running ..."):
            if shared > function.max_dynamic_shared_size_bytes:
                with contextlib.suppress(sim.KernelError):  # that a device has less is a finding
                    function.max_dynamic_shared_size_bytes = shared
            block = block or (min(THREADS, function.attributes["max_threads_per_block"]),)
            start = perf_counter()
            # What the kernel prints must not come between the lines of JSON.
            findings = check_printing(function, grid, block, tuple(values), shared, timeout, 2 if as_json else 1,
                                      other_data, other_sizes)
    except sim.CompileError as error:
        if engine is None and surface.is_for_ptx(str(error)) and not engines.lacking():
            click.echo(f"{file}: by the PTX engine, as {name} has what the C++ engine does not simulate", err=True)
            return by_ptx()
        raise UserError(f"{file} does not compile for the checker:\n{error}") from error
    except (sim.CompilerMissingError, sim.KernelError) as error:
        raise UserError(str(error)) from error
    seconds = perf_counter() - start
    for position, path in saved:
        save(path, values[position])
    told = {"file": str(file), "kernel": name, "grid": grid, "block": block, "shared": shared,
            "arguments": [each.text for each in arguments], "seed": seed}
    deliver_findings(findings, told, seconds, as_json, strict, function.module.texts, source.path.name)


class _Launch(NamedTuple):
    grid: tuple[int, ...]
    block: tuple[int, ...] | None
    shared: int
    cluster: tuple[int, ...] | None


def _by_ptx(file: Path, name: str, launch: _Launch, arguments: list[Argument], values: list[Any], names: list[str],
            saved: list[tuple[int, Path]], options: tuple[str, ...], folders: list[Path], timeout: float, seed: int,
            as_json: bool, strict: bool, other_data: bool, other_sizes: bool) -> None:
    """The same by the PTX that NVRTC makes."""
    import sys

    from gpunet import ptx
    from gpunet.kernel import nvrtc
    from gpunet.ptx.function import PROFILED
    from gpunet.sim.translate.device_part import device_part

    source, (grid, block, shared, cluster) = read_source(file), launch
    function = ptx.Function(source.path, name, options, PROFILED, device_part(source, folders), cluster)
    start = perf_counter()
    try:
        with waiting("Compiling and running ..."), contextlib.redirect_stdout(sys.stderr if as_json else sys.stdout):
            block = block or (min(THREADS, function.checked.most_threads),)
            findings = ptx.check(function, grid, block, values, shared_mem=shared, timeout=timeout, names=names,
                                 other_data=other_data, other_sizes=other_sizes)
    except nvrtc.CompileError as error:
        raise UserError(str(error).replace(str(source.path), str(file))) from error
    except (nvrtc.NvrtcError, ptx.PtxError, ptx.MissingError) as error:
        raise UserError(f"{error}.".replace("..", ".")) from error
    seconds = perf_counter() - start
    for position, path in saved:
        save(path, values[position])
    told = {"file": str(file), "kernel": name, "grid": grid, "block": block, "shared": shared,
            "cluster": cluster, "arguments": [each.text for each in arguments], "seed": seed}
    texts: dict[str, str | None] = {source.path.name: source.text, **source.includes}
    deliver_findings(findings, told, seconds, as_json, strict, texts, source.path.name)


def deliver_findings(findings: list[Finding], told: dict[str, Any], seconds: float, as_json: bool, strict: bool,
                     texts: Mapping[str, str | None], name: str) -> None:
    """As JSON or as text; the exit status says whether there are mistakes. `name` is what the kernel's file is called
    in the findings."""
    if as_json:
        click.echo(json.dumps({**told, "findings": [each.as_dict() for each in findings], "seconds": round(seconds, 3)},
                              indent=2))
    else:
        _show(findings, texts, name, told["file"])
        what = f"{told['file']}, {told['kernel']}, grid {sizes(told['grid'])}, block {sizes(told['block'])}"
        _summarise(findings, what, seconds)
    if any(strict or each.severity == "error" for each in findings):
        raise SystemExit(1)


_STYLES = {"error": "bold red", "warning": "bold yellow", "message": "bold", "place": "bold", "gutter": "bold blue",
           "mark": "bold red", "other": "bold yellow", "note": "cyan"}


def _show(findings: list[Finding], texts: Mapping[str, str | None], name: str, file: str) -> None:
    """The findings, each a block of lines; how to mend a kind of mistake is said once. `name` is what the kernel's file
    is called in them, `file` what the user calls it."""
    from rich.text import Text

    from gpunet.kernel.finding import remedy_of, spans

    console, told = make_console(), set()
    for finding in findings:
        remedy = remedy_of(finding)
        for line in spans(finding, texts.get, remedy not in told):
            text = Text()
            for words, role in line:
                words = words.replace(name, file, 1) if role == "place" else words
                text.append(printable(words), _STYLES.get(role, ""))
            text.rstrip()
            console.print(text, soft_wrap=True)
        console.print()
        told.add(remedy)


# Of the kinds that are nouns.
_SEVERAL = {"race": "races", "divergent barrier": "divergent barriers", "deadlock": "deadlocks", "mask": "masks",
            "argument": "arguments", "async copy": "async copies", "assertion": "assertions", "crash": "crashes",
            "time-out": "time-outs", "limit": "limits", "misuse": "misuses", "overflow": "overflows"}


def _summarise(findings: list[Finding], what: str, seconds: float) -> None:
    from rich.text import Text

    kinds = Counter((finding.kind, finding.severity) for finding in findings)
    found = ", ".join(f"{count} {kind if count == 1 else _SEVERAL.get(kind, kind)}"
                      + " (warning)" * (severity == "warning") for (kind, severity), count in kinds.items())
    text = Text(printable(f"{what}: "))
    worst = max((finding.severity == "error" for finding in findings), default=None)
    text.append(found or "nothing found", {None: "bold green", False: "bold yellow", True: "bold red"}[worst])
    text.append(f" ({duration(seconds)})", "dim")
    make_console().print(text, soft_wrap=True)
