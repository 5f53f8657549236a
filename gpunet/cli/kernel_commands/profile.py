"""`gpunet kernel profile`."""

from __future__ import annotations

import faulthandler
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import UserError, make_console, printable, waiting
from gpunet.cli.kernel_commands.common import choose_kernel, compiler_options, read_source, source_options
from gpunet.cli.kernel_commands.launching import (
    THREADS,
    WithLanguage,
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
    from gpunet.ptx import Profile

_SHOWN = 20  # lines of the table; JSON and the page have all


def profile_options(command: Callable[..., None]) -> Callable[..., None]:
    """How long it may take, and what it gives."""
    for option in reversed([
        timeout_option,
        click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
                     help="Write a page with the source beside the counters."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON with all lines."),
    ]):
        command = option(command)
    return command


@click.command(cls=WithLanguage, short_help="Count what a kernel asks for, by source line, without a GPU.")
@source_options
@launch_options
@click.option("--arch", metavar="sm_80", show_default="sm_90a",
              help="The architecture to compile for; its limits and its data sheet are taken.")
@profile_options
def profile(file: Path, name: str | None, grid: tuple[int, ...], block: tuple[int, ...] | None, shared: int,
            cluster: tuple[int, ...] | None, specs: tuple[str, ...], outs: tuple[str, ...], seed: int,
            defines: tuple[str, ...], includes: tuple[str, ...], arch: str | None, timeout: float, page: Path | None,
            as_json: bool) -> None:
    """Run a kernel of FILE.cu on the CPU, as NVRTC compiles it, and count for each source line: executions and active
    lanes, sectors of global memory and wavefronts of shared memory against the least possible, branches at which lanes
    part, turns of atomics, bytes and floating-point operations. Registers, occupancy and a roofline stand beside them.
    Nothing is a time. Needs NVRTC and llvmlite (pip install "gpunet[sim]"), no GPU and no C++ compiler.

    The exit status is 0; 2 where the call is wrong, the kernel does not compile or fails, or something is missing.
    """
    from gpunet import ptx, sim
    from gpunet.kernel import nvrtc
    from gpunet.ptx.function import PROFILED
    from gpunet.sim.translate.device_part import device_part

    source = read_source(file)
    name = choose_kernel(source, name)
    arguments = parse_arguments(specs, seed)
    options = compiler_options(defines, includes)
    names = parameter_names(sim.load(source.path, name, options), arguments)
    saved = [output_of(each, names, arguments) for each in outs]
    values = values_of(arguments)
    device = device_part(source, [file.resolve().parent, *(Path(each).resolve() for each in includes)])
    function = ptx.Function(source.path, name, options, arch or PROFILED, device, cluster)
    try:
        with waiting("Compiling and running ..."):
            block = block or (min(THREADS, function.compiled().most_threads),)
            found = ptx.profile(function, grid, block, values, shared_mem=shared,
                                run=lambda work: run_apart(work, timeout, as_json, "kernel"))
    except nvrtc.CompileError as error:
        raise UserError(str(error).replace(str(source.path), str(file))) from error
    except (nvrtc.NvrtcError, ptx.PtxError, ptx.MissingError, ptx.LaunchError, TypeError, ValueError) as error:
        raise UserError(f"{error}.".replace("..", ".")) from error
    for position, path in saved:
        save(path, values[position])
    deliver(found, page, as_json, {"file": str(file), "cluster": cluster,
                                   "arguments": [each.text for each in arguments], "seed": seed})


def run_apart(work: Callable[[], None], timeout: float, quiet: bool, command: str = "ptx") -> None:
    """Work in a process of its own: an access outside of all arrays ends that, and not the command. `command`: of the
    group "kernel" or "ptx"."""
    import multiprocessing

    context = multiprocessing.get_context("fork")
    mine, theirs = context.Pipe(duplex=False)

    def inside() -> None:
        faulthandler.disable()  # the end is told in one sentence
        if quiet:  # what the kernel prints must not come between the lines of JSON
            sys.stdout = sys.stderr
        try:
            work()
            theirs.send("")
        except Exception as error:
            theirs.send(str(error))
        sys.stdout.flush()

    sys.stdout.flush()
    process = context.Process(target=inside, daemon=True)
    process.start()
    theirs.close()
    try:
        if not mine.poll(timeout):
            raise UserError(f"The kernel has not ended after {timeout:g} s; --timeout allows more, and "
                            f"`gpunet {command} check` tells where it is then.")
        message = mine.recv()
    except EOFError:
        raise UserError(f"The kernel ended its process, as an access outside of all arrays does: "
                        f"`gpunet {command} check` finds the line.") from None
    finally:
        process.kill()
        process.join()
    if message:
        raise UserError(f"{message}.")


def deliver(profile: Profile, page: Path | None, as_json: bool, more: dict[str, Any]) -> None:
    """The profile as a page, as JSON or as a table."""
    if page is not None:
        from gpunet import files
        from gpunet.ptx import page as pages

        try:
            files.replace(page, pages.page(profile))
        except OSError as error:
            raise UserError(f"{page} cannot be written: {error.strerror}.") from error
    if as_json:
        click.echo(json.dumps({**more, **profile.as_dict()}, indent=2))
    else:
        _show(profile)
        if page is not None:
            click.echo(f"Written: {page}")


def _show(profile: Profile) -> None:
    from rich.table import Table
    from rich.text import Text

    from gpunet.ptx.page import COLUMNS, OUTSIDE, by_users_lines, cells, place

    console = make_console()
    if not console.is_terminal:
        console.width = 160
    table = Table(title=Text(printable(f"{profile.kernel}, grid {sizes(profile.grid)}, block {sizes(profile.block)}, "
                                       f"{profile.architecture}"), style="bold"), title_justify="left")
    table.add_column("line, inlined in", no_wrap=True)
    lines = by_users_lines(profile.lines)
    shown = [line for line in lines if line.excess or line.sectors or line.wavefronts or line.operations]
    rows = [(line, cells(line)) for line in shown[:_SHOWN]]
    total = cells(profile.total)
    used = [number for number in range(len(COLUMNS)) if total[number][0] or number < 3]
    for number in used:
        table.add_column(COLUMNS[number], justify="right", no_wrap=True)
    for line, figures in rows:
        calls = "".join(f"\n  in {place((each,))}" for each in line.chain[1:])
        table.add_row(Text(place(line.chain)).append(calls, "dim"),
                      *(Text(figures[number][0], "bold red" if figures[number][1] else "") for number in used))
    table.add_section()
    table.add_row(Text("the whole launch", "bold"), *(total[number][0] for number in used))
    console.print(table)
    if more := len(lines) - len(rows):
        without = "" if any(line.excess for line in shown[_SHOWN:]) else ", without excess"
        console.print(Text(f"{more} line{'s' * (more > 1)} more{without}: --json and --html have all", "dim"))
    for text in _facts(profile):
        console.print(Text(text))
    if profile.not_counted:
        console.print(Text(f"Not counted: the memory that {', '.join(profile.not_counted)} move.", "bold yellow"))
    if profile.outside:
        console.print(Text(f"{OUTSIDE}: gpunet {'kernel' if profile.resources else 'ptx'} check finds the line.",
                           "bold yellow"))
    console.print(Text("Counted, not measured: nothing here is a time, and caches are not known.", "dim"))


def _facts(profile: Profile) -> list[str]:
    found = []
    if profile.resources is not None:
        spilled = profile.resources.spill_stores + profile.resources.spill_loads
        occupancy = profile.occupancy
        found.append(f"registers: {profile.resources.registers} a thread, "
                     f"{f'{spilled} bytes spilled' if spilled else 'none spilled'}"
                     + (f"; occupancy {occupancy.share:.0%}, {occupancy.blocks} blocks a multiprocessor, limited by "
                        f"{occupancy.limited_by}" if occupancy else ""))
    if profile.touched is not None:
        read, written = profile.touched
        found.append(f"global memory: {read:,} bytes read and {written:,} written, each sector once; "
                     f"{32 * profile.total.sectors:,} bytes by all accesses")
    bounds = profile.roofline
    if bounds is not None:
        once = "" if bounds.share_once is None else (f"at most {_share(bounds.share_once)} of the arithmetic's peak if "
                                                     "each sector moves once, ")
        found.append(f"roofline ({bounds.machine}, {bounds.unit}): {once}at most {_share(bounds.share_every)} if every "
                     "access goes to memory")
    if profile.mix:
        every = math.fsum(profile.mix.values())
        found.append("machine code: " + ", ".join(f"{kind} {count / every:.0%}" for kind, count in profile.mix.items()))
    return found


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.1 else f"{share:.2g}" if share < 0.001 else f"{share:.1%}"
