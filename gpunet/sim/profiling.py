"""profile(): what a launch asks of memory and arithmetic; profiled(): the same for all launches of a block."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gpunet.kernel.source import Source
from gpunet.sim.launches import pointed_to, replaced
from gpunet.sim.module import Function
from gpunet.sim.translate.device_part import device_part

if TYPE_CHECKING:
    from gpunet.ptx import Function as Compiled
    from gpunet.ptx import Profile

_LEFT_OUT = ("-arch", "--gpu-architecture")


def profile(kernel: Function, grid: int | tuple, block: int | tuple, args: tuple, *, shared_mem: int = 0,
            architecture: str | None = None) -> Profile:
    """Run a kernel once and count, by source line, what it asks for: sectors of global memory, bank conflicts,
    branches at which lanes part, atomics on one address, bytes and operations. docs/kernel-profile.md has the rules.

    What runs is what NVRTC compiles (gpunet.ptx), so this needs NVRTC and llvmlite: pip install "gpunet[sim]". The
    kernel runs in this process: an access outside of all arrays may end it, so check a new kernel first.

    Args:
        kernel: from `load` or `Module.get_function`.
        grid: blocks: a number, or up to three of them.
        block: threads of a block: a number, or up to three of them.
        args: as for a launch, where arrays may also be NumPy's: they are copied and results stand in them afterwards.
            A `Record` is a structure with pointers.
        shared_mem: bytes of dynamic shared memory.
        architecture: to compile for; "sm_90a" by default.

    Returns:
        The profile: `lines`, the largest excess first, `total`, `occupancy`, `roofline`; `as_dict()` for JSON.

    Raises:
        gpunet.kernel.nvrtc.NvrtcError: there is no NVRTC, or the kernel does not compile for it.
        gpunet.ptx.LaunchError: the kernel failed.

    Examples:
        >>> text = '''
        ... __global__ void columns(float* y, const float* x, int n) { y[threadIdx.x] = x[n * threadIdx.x]; }'''
        >>> kernel = gpunet.sim.Module(text).get_function("columns")
        >>> x, y = numpy.ones((32, 100), numpy.float32), numpy.zeros(32, numpy.float32)
        >>> line, = gpunet.sim.profile(kernel, 1, 32, (y, x, numpy.int32(100))).lines[:1]
        >>> line.chain[0][1], line.sectors, line.least_sectors
        (2, 36, 8)
    """
    from gpunet import ptx

    return ptx.profile(compiled(kernel, architecture), grid, block, args, shared_mem=shared_mem,
                       extents=_extents(args))


@contextlib.contextmanager
def profiled() -> Iterator[list[Profile]]:
    """Within this, every launch on the simulated device is profiled.

    Yields:
        The list of profiles, launch by launch.

    Examples:
        >>> x = gpunet.ones(1024, device="sim")
        >>> with gpunet.sim.profiled() as launches:
        ...     y = gpunet.relu(x)
        >>> sum(line.excess for each in launches for line in each.lines)
        0
    """
    from gpunet import ptx

    found: list[Profile] = []

    def built(kernel: Function, grid: tuple, block: tuple, args: tuple, shared_mem: int) -> None:
        found.append(profile(kernel, grid, block, args, shared_mem=shared_mem))

    def from_ptx(kernel: Compiled, grid: tuple, block: tuple, args: tuple, shared_mem: int) -> None:
        found.append(ptx.profile(_profiled(kernel), grid, block, args, shared_mem=shared_mem, extents=_extents(args)))

    with replaced(built, from_ptx):
        yield found


def _profiled(kernel: Compiled) -> Compiled:
    """The same kernel for the GPU of profiles."""
    from gpunet import ptx
    from gpunet.ptx.function import PROFILED

    found = ptx.Function(kernel.file, kernel.name, kernel.options, PROFILED, kernel.source)
    found.max_dynamic_shared_size_bytes = kernel.max_dynamic_shared_size_bytes
    return found


def compiled(kernel: Function, architecture: str | None = None) -> Compiled:
    """The same kernel for gpunet.ptx."""
    from gpunet import ptx
    from gpunet.ptx.function import PROFILED

    module = kernel.module
    folders = [Path(option[2:]) for option in module.options if option.startswith("-I")]
    source = Source(Path(module.file), module.code, {}, hashlib.sha256(module.code.encode()).hexdigest())
    options = tuple(each for each in module.options if not each.startswith(_LEFT_OUT))
    found = ptx.Function(module.file, kernel.name, options, architecture or PROFILED, device_part(source, folders))
    found.max_dynamic_shared_size_bytes = kernel.max_dynamic_shared_size_bytes
    return found


def _extents(args: tuple) -> Iterator[tuple[int, int]]:
    return (each[:2] for each in pointed_to(args))
