"""`gpunet build`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gpunet.cli.common import COUNT, UserError, is_live, make_console

if TYPE_CHECKING:
    from gpunet.kernel import Kernel


@click.command(short_help="Compile gpunet's kernels for a GPU ahead, without one.")
@click.option("--arch", metavar="sm_80,sm_90a", show_default="that of the GPU here", help="Architectures.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER",
              show_default="the kernel cache",
              help="Where the compiled kernels go. Set GPUNET_CACHE_DIR to this folder where they are to be used.")
@click.option("--file", "files", multiple=True, metavar="NAME.cu", show_default="all",
              help="Only the kernels of this file; may be given several times.")
@click.option("--cpu", is_flag=True, help="The native CPU kernels, for the processor here, instead.")
@click.option("--cpu-levels", metavar="x86-64-v3,x86-64-v4", show_default="none",
              help="The native CPU kernels, for these processors, for machines without a compiler.")
@click.option("--jobs", type=COUNT, metavar="N", show_default="one a core", help="Compilers at once.")
def build(arch: str | None, out: Path | None, files: tuple[str, ...], cpu: bool, cpu_levels: str | None,
          jobs: int | None) -> None:
    """Compile all kernels that gpunet's operations launch, so that a GPU machine need not; or those of the CPU.

    It needs NVRTC (pip install nvidia-cuda-nvrtc nvidia-cuda-runtime) and no GPU. The folder can be copied to any
    machine: its files are found by the contents of the kernels and the CUDA headers, the architecture and the version
    of NVRTC, wherever gpunet lies. Where one of these differs, kernels are compiled there as usual. What is compiled
    already is left as it is.
    """
    if cpu_levels:
        _build_levels(cpu_levels.split(","), jobs, out)
        return
    if out is not None:
        os.environ["GPUNET_CACHE_DIR"] = str(out.absolute())
    if cpu:
        _build_native(jobs)
        return
    from gpunet.kernel import nvrtc

    try:
        architectures = _architectures(arch)
        kernels = _kernels(files)
        from gpunet.kernel import cache

        place = cache.directory()
        if out is not None and place != out.absolute():
            raise UserError(f"{out} cannot be written: choose another folder with --out.")
        there = set(place.glob("*.cubin"))
        paths = _compile(kernels, architectures, jobs or len(os.sched_getaffinity(0)))
    except (nvrtc.NvrtcError, OSError) as error:
        raise UserError(str(error)) from error
    new = len(paths - there)
    click.echo(f"{len(paths)} kernels for {', '.join(architectures)} in {place}: {new} compiled now.")


def _build_native(jobs: int | None) -> None:
    """The native CPU kernels for this machine."""
    from gpunet.native import toolchain

    try:
        click.echo(f"CPU kernels for this processor: {toolchain.build(jobs).library}")
    except (OSError, RuntimeError) as error:
        raise UserError(str(error)) from error


def _build_levels(levels: list[str], jobs: int | None, folder: Path | None) -> None:
    """The native CPU kernels for each level, and what calls them."""
    from gpunet.native import toolchain

    try:
        for level in levels:
            for path in toolchain.build_level(level, jobs, folder):
                click.echo(f"CPU kernels for {level}: {path}")
    except (OSError, RuntimeError) as error:
        raise UserError(str(error)) from error


def _architectures(wanted: str | None) -> list[str]:
    """The architectures by name; a UserError says which are known."""
    from gpunet.kernel import nvrtc

    if wanted is None:
        return [_of_this_gpu()]
    # The names under which a GPU would look for its kernels.
    known = [nvrtc.architecture(capability) for capability in nvrtc.architectures()]
    names = wanted.split(",")
    for name in names:
        if name not in known:
            hint = f"; a GPU of {name} looks for {name}a" if f"{name}a" in known else ""
            raise UserError(f"There is no architecture {name!r}{hint}; NVRTC {'.'.join(map(str, nvrtc.version()))} "
                            f"compiles for {', '.join(known)}.")
    return list(dict.fromkeys(names))


def _of_this_gpu() -> str:
    from gpunet.devices import get

    try:
        gpu: Any = get("cuda")
        return gpu.arch
    except RuntimeError as error:
        raise UserError("Without a GPU in this machine, name its architecture: --arch sm_90a, for example "
                        f"({str(error).rstrip('.')}).") from error


def _kernels(files: tuple[str, ...]) -> list[Kernel]:
    """What to compile: our kernels, or those of some files."""
    import gpunet  # noqa: F401  (its operations declare their kernels)
    from gpunet.kernel import Kernel

    known = list(dict.fromkeys(str(kernel.file) for kernel in Kernel.ours))
    if unknown := [file for file in files if file not in known]:
        raise UserError(f"gpunet has no kernel file {unknown[0]!r}; it has {', '.join(known)}.")
    return [kernel for kernel in Kernel.ours if not files or kernel.file in files]


def _compile(kernels: list[Kernel], architectures: list[str], jobs: int) -> set[Path]:
    """The compiled files of all instances."""
    from rich.progress import Progress

    from gpunet.kernel import ahead

    paths = set()
    console = make_console(stderr=True)
    with Progress(console=console, transient=True, disable=not is_live(console)) as progress:
        task = progress.add_task("Compiling", total=len(ahead.planned(kernels, architectures)))
        for path in ahead.build(kernels, architectures, jobs):
            paths.add(path)
            progress.advance(task)
    return paths
