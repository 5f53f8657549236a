"""`gpunet kernel compile`."""

from __future__ import annotations

import json
import math
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import UserError, make_console
from gpunet.cli.kernel_commands.common import (
    Sizes,
    choose_kernels,
    compiler_options,
    read_source,
    source_options,
    templates,
)

if TYPE_CHECKING:
    from gpunet.kernel.nvrtc import Resources

_CAPABILITIES = (75, 80, 86, 89, 90, 100, 120)  # without --arch: one of each generation
_ASSUMED = 256  # threads of a block where neither the kernel nor --block says


@click.command(short_help="Show registers, spills, memory and occupancy, without a GPU.")
@source_options
@click.option("--kernel", "names", multiple=True, metavar="NAME", show_default="all that are no templates",
              help="A kernel, or an instance of a template: 'scale<float,4>'. May be given several times.")
@click.option("--arch", metavar="sm_80,sm_90a", show_default="one of each generation", help="Architectures.")
@click.option("--block", type=Sizes(), metavar="X[,Y[,Z]]", show_default="what __launch_bounds__ says, else 256",
              help="Block size for the occupancy.")
@click.option("--shared", type=click.IntRange(0, 2**31 - 1), default=0, metavar="BYTES",
              help="Dynamic shared memory of a block, for the occupancy.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def compile(file: Path, names: tuple[str, ...], arch: str | None, block: tuple[int, ...] | None, shared: int,
            defines: tuple[str, ...], includes: tuple[str, ...], as_json: bool) -> None:
    """Compile the kernels of FILE.cu and show what they take: registers, spills, stack, shared memory, and how many
    blocks of them share a multiprocessor. Needs NVRTC (a wheel) and no GPU.

    The exit status is 0, 1 where it does not compile, and 2 where the call is wrong or NVRTC is missing.
    """
    from gpunet.kernel import nvrtc
    from gpunet.sim.translate.device_part import device_part

    source = device_part(read_source(file), [file.resolve().parent, *(Path(each).resolve() for each in includes)])
    kernels = choose_kernels(source, names)
    options = compiler_options(defines, includes)
    try:
        architectures = _architectures(arch)

        def one(architecture: str) -> nvrtc.Program | nvrtc.CompileError:
            try:
                return nvrtc.compile(source, architecture, kernels, options)
            except nvrtc.CompileError as error:
                return error

        with ThreadPoolExecutor() as pool:
            programs = dict(zip(architectures, pool.map(one, architectures), strict=True))
    except nvrtc.NvrtcError as error:
        raise UserError(str(error)) from error
    threads = math.prod(block) if block else None
    rows = [_figures(kernel, architecture, program.resources[kernel], threads, shared)
            for kernel in kernels for architecture, program in programs.items() if isinstance(program, nvrtc.Program)]
    errors = {architecture: str(found).replace(str(source.path), str(file))
              for architecture, found in programs.items() if isinstance(found, Exception)}
    if as_json:
        version = ".".join(map(str, nvrtc.version()))
        click.echo(json.dumps({"file": str(file), "nvrtc": version, "kernels": rows, "errors": errors}, indent=2))
    else:
        if rows:
            _show(rows, [] if names else templates(source))
        for text in dict.fromkeys(_without_architecture(text) for text in errors.values()):
            them = [each for each, full in errors.items() if _without_architecture(full) == text]
            click.echo(f"{', '.join(them)}: {text}", err=True)
    if errors:
        raise SystemExit(1)


def _architectures(wanted: str | None) -> list[str]:
    from gpunet.kernel import nvrtc

    known = nvrtc.architectures()
    if wanted is None:
        return [nvrtc.architecture(each) for each in _CAPABILITIES if each in known]
    names = list(dict.fromkeys(wanted.replace(" ", "").split(",")))
    for name in names:
        match = re.fullmatch(r"sm_(\d+)[af]?", name)
        if not match or int(match.group(1)) not in known:
            version = ".".join(map(str, nvrtc.version()))
            raise UserError(f"{name!r} is no architecture that NVRTC {version} compiles for; there are "
                            f"{', '.join(f'sm_{each}' for each in known)} (sm_90a and the like for the instructions of "
                            "one generation alone).")
    return names


def _without_architecture(text: str) -> str:
    return re.sub(r" does not compile for sm_\w+", " does not compile", text)


def _figures(kernel: str, architecture: str, used: Resources, threads: int | None, dynamic: int) -> dict[str, Any]:
    """All that is known of a kernel on an architecture, for JSON and for the table."""
    from gpunet.kernel.occupancy import capability_of, occupancy

    block = threads or used.bound or _ASSUMED
    found = occupancy(capability_of(architecture), block, used.registers, used.shared + dynamic)
    return {"kernel": kernel, "architecture": architecture, **asdict(used), "dynamic_shared": dynamic, "block": block,
            "block_from": "--block" if threads else "__launch_bounds__" if used.bound else "assumed",
            "occupancy": asdict(found) if found else None}


def _show(rows: list[dict[str, Any]], left_out: list[str]) -> None:
    from rich.table import Table
    from rich.text import Text

    single = len({row["kernel"] for row in rows}) == 1
    table = Table(title=Text(rows[0]["kernel"], style="bold") if single else None, title_justify="left")
    if not single:
        table.add_column("kernel", overflow="fold")
    table.add_column("for", no_wrap=True)
    for name in ("registers", "spilled\nstored / loaded", "stack", "shared", "block", "blocks\nper SM", "occupancy"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("limited by", no_wrap=True)
    before = None
    for row in rows:
        if before not in (None, row["kernel"]):
            table.add_section()
        spills = row["spill_stores"] or row["spill_loads"]
        found = row["occupancy"] or {"blocks": "unknown", "share": None, "limited_by": ""}
        shared = f"{row['shared']:,} B" + (f"\n+ {row['dynamic_shared']:,} B" if row["dynamic_shared"] else "")
        table.add_row(
            *([] if single else [Text(row["kernel"] if row["kernel"] != before else "", style="bold")]),
            row["architecture"],
            str(row["registers"]),
            Text(f"{row['spill_stores']:,} / {row['spill_loads']:,} B" if spills else "none",
                 style="bold red" if spills else "green"),
            Text(f"{row['stack']:,} B", style="yellow" if row["stack"] else ""),
            shared,
            f"{row['block']}" + ("?" if row["block_from"] == "assumed" else ""),
            Text(str(found["blocks"]), style="" if found["blocks"] else "bold red"),
            "" if found["share"] is None else f"{found['share']:.0%}",
            found["limited_by"],
        )
        before = row["kernel"]
    console = make_console()
    if not console.is_terminal:
        console.width = 160  # the names of instances are long
    console.print(table)
    notes = []
    if any(row["block_from"] == "assumed" for row in rows):
        notes.append(f"?  {_ASSUMED} threads assumed: the kernel has no __launch_bounds__; --block says another number")
    if any(row["occupancy"] and not row["occupancy"]["blocks"] for row in rows):
        notes.append("0 blocks: such a launch fails, because one block needs more than a multiprocessor has")
    if left_out:
        notes.append(f"left out, being templates: {', '.join(left_out)}; name an instance with --kernel")
    for note in notes:
        console.print(Text(note, style="dim"))
