"""check(): run a kernel under the checker and give what it found; checked(): the same for all launches of a block."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from gpunet.kernel import other_launches
from gpunet.kernel.finding import Finding, fold
from gpunet.sim.checker import structures
from gpunet.sim.checker.arrays import Arrays, pointers, poison_of, wrong_types
from gpunet.sim.checker.locate import Context, located
from gpunet.sim.checker.process import process
from gpunet.sim.checker.worker import Build, Launch, Reply, Started
from gpunet.sim.errors import ArgumentError, KernelError, SimulatorLimit
from gpunet.sim.launches import pointed_to, replaced
from gpunet.sim.module import Function


def check(kernel: Function, grid: int | tuple, block: int | tuple, args: tuple, *, shared_mem: int = 0,
          timeout: float = 60.0, other_data: bool = False, other_sizes: bool = False) -> list[Finding]:
    """Run a kernel once under the checker, in a process of its own.

    Whatever the kernel does is a finding, also arguments that do not fit, a crash and a kernel that does not end.
    Elements of floating-point device arrays (gpunet.sim.cupy.empty) and of `uninitialised` arrays that nothing has
    written count as uninitialised; other NumPy arrays are taken as written. What a launch without mistakes leaves
    unwritten of an `uninitialised` array is a warning.

    Args:
        kernel: from `load` or `Module.get_function`.
        grid: blocks: a number, or up to three of them.
        block: threads of a block: a number, or up to three of them.
        args: as for a launch, where arrays may also be NumPy's: they are copied to the device and back, so that results
            stand in them afterwards. A `Record` is a structure with pointers.
        shared_mem: bytes of dynamic shared memory.
        timeout: seconds that the kernel may run.
        other_data: where no mistake is found, launch once more with each array that was only read holding one of its
            values throughout, and warn of updates such as `y[i[t]] += 1` that several threads then make to one element.
        other_sizes: where no mistake is found, launch also with other sizes (n - 1; n + 1 and 2 n + 1 with a grid that
            fits) in place of a number that plainly is the arrays' length, and warn of what is then wrong.

    Returns:
        The findings, each mistake once; empty when there are none.

    Raises:
        CompileError: the kernel does not compile.
        KernelError: the checker's process did not come to the kernel.
        MemoryError: the simulated device has no room for the arrays.

    Examples:
        >>> text = '__global__ void fill(float* y, int n) { y[threadIdx.x] = 1; }'
        >>> fill = gpunet.sim.Module(text).get_function("fill")
        >>> found, = gpunet.sim.check(fill, 1, 32, (gpunet.sim.uninitialised(31), 31))
        >>> found.kind, found.element, found.thread
        ('out of bounds', 'y[31]', (31, 0, 0))
    """
    return check_printing(kernel, grid, block, args, shared_mem, timeout, 1, other_data, other_sizes)


def check_printing(kernel: Function, grid: int | tuple, block: int | tuple, args: tuple, shared_mem: int,
                   timeout: float, prints_to: int, with_data: bool = False, with_sizes: bool = False) -> list[Finding]:
    """`check`, with what the kernel prints going to a descriptor of its process: 1 or 2."""
    grid, block = ((size,) if isinstance(size, int | np.integer) else tuple(size) for size in (grid, block))
    return other_launches.found_in(
        lambda grid, args: _check(kernel, grid, block, args, shared_mem, timeout, prints_to),
        kernel.parameter_names, grid, block, args, shared_mem, with_data, with_sizes)


def _check(kernel: Function, grid: tuple, block: tuple, args: tuple, shared_mem: int, timeout: float,
           prints_to: int) -> list[Finding]:
    arrays = Arrays(args)
    values = tuple([arrays.argument(number, value) for number, value in enumerate(args)])

    def make(started: Started) -> Launch | Reply:
        packer = started.packer
        try:
            head = kernel.head(grid, block, shared_mem)
            packed = packer(values)
        except SimulatorLimit:
            raise
        except KernelError as error:
            return Reply(refusal=("argument" if isinstance(error, ArgumentError) else "limit", str(error)))
        places = tuple(pointers(values, packer.places, len(head)))
        return Launch(started.number, head + packed, places, arrays.contents(), timeout, prints_to)

    module = kernel.module
    build = Build((module.code, module.options, module.name_expressions, module.file), kernel.name)
    started, reply = process.run(build, make)
    found = [Finding("argument", f"{kernel.name}: {message}", kernel.name, kernel.file)
             for message in wrong_types(args, started)]
    if isinstance(reply, str):
        crash = Finding("crash", "the process that ran the kernel died", kernel.name, kernel.file)
        return found + (located(reply, _context(kernel, started, arrays)) or [crash])
    if reply.refusal:
        kind, message = reply.refusal
        return [*found, Finding(kind, message, kernel.name, kernel.file)]
    arrays.take(reply.arrays)
    return found + located(reply.records, _context(kernel, started, arrays)) if reply.records else found


def _context(kernel: Function, started: Started, arrays: Arrays) -> Context:
    texts = kernel.module.texts

    def field(number: int, place: int) -> tuple[str, int]:
        pointee = started.pointee(number)
        return structures.field_at(pointee.type if pointee else "", place, texts.values())

    return Context(kernel.name, kernel.file, texts, arrays.named(started, field))


@contextlib.contextmanager
def checked(timeout: float = 60.0, findings: list[Finding] | None = None) -> Iterator[list[Finding]]:
    """Within this, every launch on the simulated device runs under the checker.

    The findings come into a list, launch by launch; at the end each mistake is in it once.

    Args:
        timeout: seconds that each launch may run.
        findings: the list; a new one by default.

    Yields:
        The list.

    Examples:
        >>> x = gpunet.rand(100, device="sim", requires_grad=True)
        >>> with gpunet.sim.checked() as findings:
        ...     x.relu().sum().backward()
        >>> findings
        []
    """
    found = [] if findings is None else findings

    def built(kernel: Function, grid: tuple, block: tuple, args: tuple, shared_mem: int) -> None:
        found.extend(check(kernel, grid, block, args, shared_mem=shared_mem, timeout=timeout))

    def compiled(kernel: Any, grid: tuple, block: tuple, args: tuple, shared_mem: int) -> None:
        from gpunet import ptx
        from gpunet.ptx.arena import Extent

        arrays: dict[int, Extent] = {}
        for start, size, dtype in pointed_to(args):
            arrays.setdefault(start, Extent(start, size, poison_of(dtype)))
        found.extend(ptx.check(kernel, grid, block, args, shared_mem=shared_mem, timeout=timeout,
                               extents=arrays.values()))

    try:
        with replaced(built, compiled):
            yield found
    finally:
        found[:] = fold(found)
