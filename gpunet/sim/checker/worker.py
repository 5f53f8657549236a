"""The process that runs kernels under the checker: reads jobs, runs them, writes what was found.

Started by process.py, with three descriptors of pipes: for jobs, replies and last words. A kernel
that crashes takes this process down, which then says its last words (runtime/check/last_words.h).
"""

import ctypes
import dataclasses
import os
import signal
import sys
import zlib
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from gpunet.kernel.finding import KINDS
from gpunet.sim import memory, toolchain
from gpunet.sim.arguments import Pointee
from gpunet.sim.errors import ArgumentError, KernelError, SimulatorLimit
from gpunet.sim.module import Function, Module


@dataclasses.dataclass(frozen=True)
class Pointer:
    """In a job's arguments: the address of a byte of one of its arrays. `dtype` and `shape` are for messages."""

    array: int
    offset: int
    dtype: np.dtype = np.dtype(np.uint8)
    shape: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Structure:
    """In a job's arguments: a structure's bytes, and the addresses in it as (place, pointer)."""

    content: bytes
    pointers: tuple[tuple[int, Pointer], ...]


@dataclasses.dataclass(frozen=True)
class Array:
    """A job's array. Elements of `poison` bytes, all of them 0xff, count as not written; 0: all is written. Of an
    `output` that nothing has written yet it is told what stays so."""

    content: bytes
    poison: int
    output: bool = False


@dataclasses.dataclass(frozen=True)
class Job:
    module: tuple  # code, options, name_expressions, file
    kernel: str
    grid: tuple[int, ...]
    block: tuple[int, ...]
    shared_mem: int
    shared_limit: int
    arrays: tuple[Array, ...]
    args: tuple[Any, ...]
    timeout: float
    prints_to: int = 1  # the descriptor that takes what the kernel prints
    built: bool = False  # the kernel has been Started before


@dataclasses.dataclass(frozen=True)
class Started:
    """The job's kernel is built. Its parameters' names and, of pointers, what they point to."""

    names: tuple[str, ...]
    pointees: tuple[Pointee | None, ...]


@dataclasses.dataclass(frozen=True)
class Reply:
    """What the checker found: records of the runtime (runtime/report.h), or a refusal (kind, message) of the launch.

    `arrays`: their content afterwards, None where it is as before.
    """

    records: str = ""
    refusal: tuple[str, str] | None = None
    arrays: tuple[bytes | None, ...] = ()


_STANDARD_OUTPUT = os.dup(1)
_fflush = ctypes.CDLL(None).fflush


class _Address:
    """A pointer argument as a launch takes it."""

    def __init__(self, address: int, dtype: np.dtype, shape: tuple[int, ...]) -> None:
        self._address = address
        self.dtype = dtype
        self.shape = shape


class _Functions(dict):
    """Kernels by their modules and names; built once."""

    def __init__(self) -> None:
        self._modules: dict[tuple, Module] = {}

    def __missing__(self, key: tuple[tuple, str]) -> Function:
        what, name = key
        code, options, expressions, file = what
        module = self._modules.get(what)
        if module is None:
            module = self._modules[what] = Module(code, options=options, name_expressions=expressions, file=file)
        function = module.get_function(name)
        function.parameters  # noqa: B018 - to ask for them builds it
        self[key] = function
        return function


def _fill(address: int, array: Array) -> None:
    """The array's content in this process's device memory, and which of it counts as not written yet."""
    ctypes.memmove(address, array.content, len(array.content))
    if array.poison and array.content:
        elements = np.frombuffer(array.content, np.uint8)
        elements = elements[: elements.size // array.poison * array.poison].reshape(-1, array.poison)
        unwritten = np.repeat((elements == 0xFF).all(axis=1), array.poison).astype(np.uint8)
        if unwritten.any():
            toolchain.runtime().gpunet_sim_mark_unwritten(address, unwritten.ctypes.data, unwritten.size,
                                                        array.poison if array.output and unwritten.all() else 0)


def _argument(value: Any, addresses: list[int]) -> Any:
    if isinstance(value, Pointer):
        return _Address(addresses[value.array] + value.offset, value.dtype, value.shape)
    if isinstance(value, Structure):
        content = bytearray(value.content)
        for place, pointer in value.pointers:
            content[place:place + 8] = (addresses[pointer.array] + pointer.offset).to_bytes(8, "little")
        return bytes(content)
    return value


# Of the records of a launch with lanes apart these count; what else is wrong has been found without.
_KINDS_OF_LANES = tuple(f"{KINDS.index(kind)}\t" for kind in ("race", "mask"))


def _launch(function: Function, job: Job) -> Reply:
    reply = _launch_once(function, job)
    if reply.refusal or not any("__activemask" in text for text in function.module.texts.values()):
        return reply
    # __activemask() finds all lanes together that can be, and once more each by itself, as it may on a device.
    runtime = toolchain.runtime()
    runtime.gpunet_sim_keep_lanes_apart(True)
    with open(os.devnull, "w") as nowhere:
        again = _launch_once(function, dataclasses.replace(job, prints_to=nowhere.fileno()))
    runtime.gpunet_sim_keep_lanes_apart(False)
    found = [line for line in again.records.splitlines(True) if line.startswith(_KINDS_OF_LANES)]
    return dataclasses.replace(reply, records=reply.records + "".join(found))


def _launch_once(function: Function, job: Job) -> Reply:
    # What tells launches apart decides where arrays lie, and nothing that came before. The arrays of the launch before
    # are gone by then: they do not wait for the garbage collector with the traceback of an exception.
    launch = repr((job.kernel, job.grid, job.block, job.shared_mem, job.args))
    toolchain.runtime().gpunet_sim_begin_layout(zlib.crc32(launch.encode()))
    addresses: list[int] = []
    try:
        for array in job.arrays:
            addresses.append(memory.reserve(len(array.content)))
            _fill(addresses[-1], array)
        return _launched(function, job, addresses)
    finally:
        for address in addresses:
            memory.release(address)


def _launched(function: Function, job: Job, addresses: list[int]) -> Reply:
    runtime = toolchain.runtime()
    records, refusal = "", None
    runtime.gpunet_sim_set_deadline(job.timeout)
    os.dup2(_STANDARD_OUTPUT if job.prints_to == 1 else job.prints_to, 1)
    try:
        function.max_dynamic_shared_size_bytes = job.shared_limit
        function(job.grid, job.block, tuple(_argument(value, addresses) for value in job.args),
                 shared_mem=job.shared_mem)
    except ArgumentError as error:
        refusal = "argument", str(error)
    except SimulatorLimit:
        raise
    except KernelError as error:
        if not error.in_kernel:
            refusal = "limit", str(error)
        else:
            records = runtime.gpunet_sim_last_findings().decode(errors="replace")
    finally:
        runtime.gpunet_sim_set_deadline(0)
    _fflush(None)  # what the kernel printed
    contents = [ctypes.string_at(address, len(array.content))
                for address, array in zip(addresses, job.arrays, strict=True)]
    changed = tuple(new if new != array.content else None for new, array in zip(contents, job.arrays, strict=True))
    return Reply(records, refusal, changed)


def replies(jobs: Iterable[Job]) -> Iterable[Any]:
    """For each job an exception that stopped it (it does not compile), or Started, where the kernel is new, and then
    its Reply, or what kept it from being run (no memory for its arrays)."""
    functions = _Functions()
    for job in jobs:
        try:
            function = functions[job.module, job.kernel]
            pointees = () if job.built else tuple(parameter.pointed_to for parameter in function.parameters)
        except Exception as error:  # told to who asked, who raises it
            yield error
            continue
        if not job.built:
            yield Started(function.parameter_names, pointees)
        try:
            yield _launch(function, job)
        except Exception as error:
            yield error


def _received(jobs: Connection) -> Iterable[Job]:
    while True:
        try:
            yield jobs.recv()
        except EOFError:
            return


def main() -> None:
    jobs, answers, last_words = map(int, sys.argv[-3:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both processes; the parent ends this one
    toolchain.use_check_builds()
    toolchain.runtime().gpunet_sim_say_last_words_to(last_words)
    answer = Connection(answers, readable=False)
    for reply in replies(_received(Connection(jobs, writable=False))):
        answer.send(reply)
