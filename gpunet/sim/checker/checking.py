"""check(): run a kernel under the checker and give what it found; checked(): the same for all launches of a block."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gpunet.kernel.finding import Finding, fold
from gpunet.kernel.unwritten import Unwritten
from gpunet.sim import toolchain
from gpunet.sim.checker import other_data, structures
from gpunet.sim.checker.locate import ArrayName, Context, located
from gpunet.sim.checker.process import process
from gpunet.sim.checker.worker import Array, Job, Pointer, Started, Structure
from gpunet.sim.module import Function


class Record:
    """A structure that a kernel takes by value, for `check`: what is an array in it becomes a pointer.

    The fields lie as the compiler lays them out, each at the next multiple of its own size.

    Args:
        fields: NumPy numbers, arrays (NumPy's or of the simulated device), None for a null pointer, or records.

    Examples:
        >>> text = '''
        ... struct Row { int n; const float* x; };
        ... __global__ void sum(float* y, Row row) { for (int i = 0; i <= row.n; i++) *y += row.x[i]; }'''
        >>> row = gpunet.sim.Record(numpy.int32(3), numpy.ones(3, numpy.float32))
        >>> kernel = gpunet.sim.Module(text).get_function("sum")
        >>> found, = gpunet.sim.check(kernel, 1, 1, (numpy.zeros(1, numpy.float32), row))
        >>> found.kind, found.element
        ('out of bounds', 'row.x[3]')
    """

    def __init__(self, *fields: Any) -> None:
        self.fields = fields

    def places(self) -> tuple[list[tuple[int, Any]], int, int]:
        """The fields with their places in bytes, records taken apart; the size; the alignment."""
        found: list[tuple[int, Any]] = []
        at, most = 0, 1
        for field in self.fields:
            if isinstance(field, Record):
                inner, size, align = field.places()
            elif isinstance(field, np.generic):
                inner, size, align = [(0, field)], field.dtype.itemsize, max(1, field.dtype.alignment)
            else:
                inner, size, align = [(0, field)], 8, 8
            at += -at % align
            found += [(at + place, each) for place, each in inner]
            at, most = at + size, max(most, align)
        return found, at + -at % most, most


def check(kernel: Function, grid: int | tuple, block: int | tuple, args: tuple, *, shared_mem: int = 0,
          timeout: float = 60.0, other_data: bool = False) -> list[Finding]:
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
    return check_printing(kernel, grid, block, args, shared_mem, timeout, 1, other_data)


def check_printing(kernel: Function, grid: int | tuple, block: int | tuple, args: tuple, shared_mem: int,
                   timeout: float, prints_to: int, other: bool = False) -> list[Finding]:
    """`check`, with what the kernel prints going to a descriptor of its process: 1 or 2."""
    before = other_data.copied(args) if other else ()
    found = _check(kernel, grid, block, args, shared_mem, timeout, prints_to)
    if not other or any(each.severity == "error" for each in found):
        return found
    even = other_data.evened(before, args)
    if even is None:
        return found
    return found + other_data.updates(_check(kernel, grid, block, even, shared_mem, timeout, prints_to))


def _check(kernel: Function, grid: int | tuple, block: int | tuple, args: tuple, shared_mem: int, timeout: float,
           prints_to: int) -> list[Finding]:
    grid, block = ((size,) if isinstance(size, int | np.integer) else tuple(size) for size in (grid, block))
    arrays = _Arrays()
    values = tuple(arrays.argument(number, value) for number, value in enumerate(args))
    module = kernel.module
    job = Job((module.code, module.options, module.name_expressions, module.file), kernel.name, grid, block,
              shared_mem, kernel.max_dynamic_shared_size_bytes, arrays.contents(), values, timeout, prints_to)
    started, reply = process.run(job)

    def field(number: int, place: int) -> tuple[str, int]:
        kind = started.pointees[number] if number < len(started.pointees) else None
        return structures.field_at(kind.type if kind else "", place, module.texts.values())

    context = Context(kernel.name, kernel.file, module.texts, arrays.named(started, field))
    found = [Finding("argument", f"{kernel.name}: {message}", kernel.name, kernel.file)
             for message in _wrong_types(args, started)]
    if isinstance(reply, str):
        crash = Finding("crash", "the process that ran the kernel died", kernel.name, kernel.file)
        return found + (located(reply, context) or [crash])
    arrays.take(reply.arrays)
    if reply.refusal:
        kind, message = reply.refusal
        return [*found, Finding(kind, message, kernel.name, kernel.file)]
    return found + located(reply.records, context)


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

    def launch(self: Function, grid: tuple, block: tuple, args: tuple, shared_mem: int = 0, stream: Any = None) -> None:
        found.extend(check(self, grid, block, args, shared_mem=shared_mem, timeout=timeout))

    before, Function.__call__ = Function.__call__, launch
    try:
        yield found
    finally:
        Function.__call__ = before
        found[:] = fold(found)


# ---- arguments ---------------------------------------------------------------------------------------------------
class _Arrays:
    """The arrays of a job: NumPy's, and the allocations on this process's simulated device that arguments point to."""

    def __init__(self) -> None:
        # By argument and, in a structure, place (else -1): bytes of an element (0: not known), shape.
        self._given: dict[tuple[int, int], tuple[int, tuple[int, ...]]] = {}
        self._numbers: dict[int, int] = {}  # by the address of the first byte
        self._sources: list[tuple[np.ndarray, int, np.ndarray | None]] = []  # bytes, poison, array to copy back to

    def argument(self, number: int, value: Any) -> Any:
        """The argument as a job has it."""
        if isinstance(value, np.void) or (isinstance(value, np.ndarray) and not value.ndim and value.dtype.kind == "V"):
            return self._structure(number, value.tobytes())
        return self._record(number, value) if isinstance(value, Record) else self._number_or_array(number, value)

    def _number_or_array(self, number: int, value: Any, place: int = -1) -> Any:
        if isinstance(value, np.ndarray) and value.ndim:
            array = self._numpy(value)
            self._given[number, place] = value.dtype.itemsize, value.shape
            return Pointer(array, 0, value.dtype, value.shape)
        address = getattr(value, "_address", getattr(value, "ptr", None))
        if address is None:
            return value
        dtype = getattr(value, "dtype", np.dtype(np.uint8))
        pointer = self._pointer(address, dtype)
        if pointer is None:
            return int(address)
        shape = getattr(value, "shape", ())
        self._given[number, place] = dtype.itemsize, shape
        return Pointer(*pointer, dtype, shape)

    def _record(self, number: int, record: Record) -> Structure:
        fields, size, _ = record.places()
        content, pointers = bytearray(size), []
        for place, field in fields:
            value = self._number_or_array(number, field, place)
            if isinstance(value, Pointer):
                pointers.append((place, value))
            elif value is not None:
                data = value.tobytes() if isinstance(value, np.generic) else int(value).to_bytes(8, "little")
                content[place:place + len(data)] = data
        return Structure(bytes(content), tuple(pointers))

    def contents(self) -> tuple[Array, ...]:
        return tuple(Array(content.tobytes(), poison, target is not None) for content, poison, target in self._sources)

    def take(self, contents: tuple[bytes | None, ...]) -> None:
        """What the kernel has written becomes the arrays' content."""
        for new, (content, _, target) in zip(contents, self._sources, strict=True):
            if new is None:
                continue
            if target is None:
                content[:] = np.frombuffer(new, np.uint8)
            else:
                target[...] = np.frombuffer(new, target.dtype).reshape(target.shape)

    def named(self, started: Started,
              fields: Callable[[int, int], tuple[str, int]]) -> dict[tuple[int, int], ArrayName]:
        """By argument and place, what reports call the arrays: elements are counted as the kernel's pointer counts
        them. `fields` names what is at a place in a structure."""
        names = {}
        for (number, place), (itemsize, shape) in self._given.items():
            pointee = started.pointees[number] if number < len(started.pointees) else None
            size = pointee.size if pointee and pointee.kind else itemsize
            name = (started.names[number] if number < len(started.names) else "") or f"argument {number}"
            if place >= 0:
                field, its_size = fields(number, place)
                name, size = name + field, itemsize or its_size or 1
            names[number, place] = ArrayName(name, size, shape if size == itemsize else ())
        return names

    def _numpy(self, array: np.ndarray) -> int:
        key = array.__array_interface__["data"][0] if array.size else id(array)
        if key not in self._numbers:
            content = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
            poison = array.dtype.itemsize if isinstance(array, Unwritten) else 0
            self._add(key, content, poison, array if array.flags.writeable else None)
        return self._numbers[key]

    def _add(self, key: int, content: np.ndarray, poison: int, target: np.ndarray | None) -> None:
        self._numbers[key] = len(self._sources)
        self._sources.append((content, poison, target))

    def _pointer(self, address: int, dtype: np.dtype) -> tuple[int, int] | None:
        """Array and offset of an address on this process's device, or None when there is no array."""
        size = ctypes.c_size_t()
        start = toolchain.runtime().gpunet_sim_find_allocation(address, ctypes.byref(size))
        if start is None:
            return None
        if start not in self._numbers:
            memory: Any = (ctypes.c_char * size.value).from_address(start)
            content = np.frombuffer(memory, np.uint8)
            # No computation gives a NaN with all bits set, but -1 and 255 are numbers like others.
            floating = dtype.kind == "f" or dtype.name == "bfloat16"
            self._add(start, content, dtype.itemsize if floating else 0, None)
        return self._numbers[start], address - start

    def _structure(self, number: int, content: bytes) -> Structure:
        """A structure by value: what looks like an address on the device is one (a tensor map has such)."""
        pointers = []
        for place in range(0, len(content) - 7, 8):
            found = self._pointer(int.from_bytes(content[place:place + 8], "little"), np.dtype(np.uint8))
            if found is not None:
                pointers.append((place, Pointer(*found)))
                self._given[number, place] = 0, ()
        return Structure(content, tuple(pointers))


def _wrong_types(args: tuple, started: Started) -> Iterator[str]:
    """Arrays whose elements are not what the parameter points to. Bytes may stand for anything."""
    for number, (value, pointee) in enumerate(zip(args, started.pointees, strict=False)):
        given = getattr(value, "dtype", None)
        if pointee is None or not pointee.kind or given is None or isinstance(value, np.generic):
            continue
        if 1 in (given.itemsize, pointee.size):
            continue
        kinds = {_kind(given), pointee.kind}
        differ = len(kinds) == 2 and (given.itemsize > 2 or not kinds <= {"number", "integer"})
        if given.itemsize != pointee.size or differ or not given.isnative:
            order = "" if given.isnative else " in another machine's byte order"
            name = started.names[number] if number < len(started.names) else f"argument {number}"
            yield f"parameter '{pointee.type}* {name}': an array of {given}{order} given"


def _kind(dtype: np.dtype) -> str:
    """`integer`, `number` (floating point of any width), or NumPy's name of what is neither: text, dates, records."""
    if dtype.kind in "iu":
        return "integer"
    return "number" if dtype.kind in "fb" or dtype.name == "bfloat16" else dtype.str
