"""The process that runs kernels under the checker: builds them, runs launches, writes what was found.

Started by process.py, with three descriptors of pipes: for orders, replies and last words. A kernel
that crashes takes this process down, which then says its last words (runtime/check/last_words.h).
"""

import ctypes
import dataclasses
import functools
import os
import pickle
import signal
import struct
import sys
import zlib
from collections.abc import Iterable
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from gpunet.kernel.finding import KINDS
from gpunet.sim import memory, toolchain
from gpunet.sim.arguments import Packer, Parameter, Pointee
from gpunet.sim.module import Function, Module


# What goes through the pipes: tuples of numbers and bytes, which cost a launch the least.
class Build(NamedTuple):
    """An order: make a kernel ready. It is answered by Started."""

    module: tuple  # code, options, name_expressions, file
    kernel: str


@dataclasses.dataclass(frozen=True)
class Started:
    """The kernel is built, and has this number. Its parameters, and their names."""

    kernel: str
    number: int
    names: tuple[str, ...]
    parameters: tuple[Parameter, ...]

    @functools.cached_property
    def packer(self) -> Packer:
        return Packer(self.kernel, self.parameters)

    def name(self, number: int) -> str:
        return (self.names[number] if number < len(self.names) else "") or f"argument {number}"

    def pointee(self, number: int) -> Pointee | None:
        """What the parameter points to; of a structure its type."""
        return self.parameters[number].pointed_to if number < len(self.parameters) else None


class Array(NamedTuple):
    """A launch's array. Elements of `poison` bytes, all of them 0xff, count as not written; 0: all is written. Of an
    `output` that nothing has written yet it is told what stays so."""

    content: bytes
    poison: int
    output: bool = False


class Launch(NamedTuple):
    """An order: launch a kernel. It is answered by a Reply."""

    kernel: int
    packed: bytes  # as Function.run_packed takes it
    pointers: tuple[tuple[int, int, int], ...]  # where in these bytes an address goes: of which array, which byte of it
    arrays: tuple[Array, ...]
    timeout: float
    prints_to: int = 1  # the descriptor that takes what the kernel prints


class Reply(NamedTuple):
    """What the checker found: records of the runtime (runtime/report.h), or why it is no launch (kind, message).

    `arrays`: their content afterwards, None where it is as before.
    """

    records: str = ""
    refusal: tuple[str, str] | None = None
    arrays: tuple[bytes | None, ...] = ()


_STANDARD_OUTPUT = os.dup(1)
_fflush = ctypes.CDLL(None).fflush
_ADDRESS = struct.Struct("=Q")


class _Kernels(list[tuple[Function, bool]]):
    """The kernels that are built, by number: each with whether it is to run once more with lanes apart."""

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[tuple, Module] = {}

    def build(self, order: Build) -> Started:
        module = self._modules.get(order.module)
        if module is None:
            code, options, expressions, file = order.module
            module = Module(code, options=options, name_expressions=expressions, file=file)
            self._modules[order.module] = module
        function = module.get_function(order.kernel)
        parameters = function.parameters  # to ask for them builds it
        self.append((function, any("__activemask" in text for text in module.texts.values())))
        return Started(order.kernel, len(self) - 1, function.parameter_names, parameters)


# Of the records of a launch with lanes apart these count; what else is wrong has been found without.
_KINDS_OF_LANES = tuple(f"{KINDS.index(kind)}\t" for kind in ("race", "mask"))


def _launch(function: Function, asks_for_lanes: bool, launch: Launch) -> Reply:
    reply = _launch_once(function, launch)
    if not asks_for_lanes:
        return reply
    # __activemask() finds all lanes together that can be, and once more each by itself, as it may on a device.
    runtime = toolchain.runtime()
    runtime.gpunet_sim_keep_lanes_apart(True)
    with open(os.devnull, "w") as nowhere:
        again = _launch_once(function, launch._replace(prints_to=nowhere.fileno()))
    runtime.gpunet_sim_keep_lanes_apart(False)
    found = [line for line in again.records.splitlines(True) if line.startswith(_KINDS_OF_LANES)]
    return reply._replace(records=reply.records + "".join(found))


def _launch_once(function: Function, launch: Launch) -> Reply:
    # What tells launches apart decides where arrays lie, and nothing that came before.
    what = zlib.crc32(launch.packed, zlib.crc32(repr((function.name, launch.pointers)).encode()))
    runtime = toolchain.runtime()
    runtime.gpunet_sim_begin_layout(what)
    addresses: list[int] = []
    try:
        for content, poison, output in launch.arrays:
            addresses.append(memory.reserve(len(content)))
            runtime.gpunet_sim_fill(addresses[-1], content, len(content), poison, output)
        return _launched(function, launch, addresses)
    finally:
        for address in addresses:
            memory.release(address)


def _launched(function: Function, launch: Launch, addresses: list[int]) -> Reply:
    runtime, records = toolchain.runtime(), ""
    packed = bytearray(launch.packed)
    for place, array, offset in launch.pointers:
        _ADDRESS.pack_into(packed, place, addresses[array] + offset)
    os.dup2(_STANDARD_OUTPUT if launch.prints_to == 1 else launch.prints_to, 1)
    runtime.gpunet_sim_set_deadline(launch.timeout)
    try:
        if function.run_packed(bytes(packed), len(packed)):
            records = runtime.gpunet_sim_last_findings().decode(errors="replace")
    finally:
        runtime.gpunet_sim_set_deadline(0)
    _fflush(None)  # what the kernel printed
    contents = [ctypes.string_at(address, len(array.content))
                for address, array in zip(addresses, launch.arrays, strict=True)]
    return Reply(records, None, tuple([None if new == array.content else new
                                       for new, array in zip(contents, launch.arrays, strict=True)]))


def replies(orders: Iterable[Build | Launch]) -> Iterable[Any]:
    """For each order its answer, or the exception that stopped it: the kernel does not compile, or there is no memory
    for its arrays."""
    kernels = _Kernels()
    for order in orders:
        try:
            if isinstance(order, Build):
                yield kernels.build(order)
            else:
                yield _launch(*kernels[order.kernel], order)
        except Exception as error:  # told to who asked, who raises it
            yield error


def _received(orders: Connection) -> Iterable[Build | Launch]:
    while True:
        try:
            yield pickle.loads(orders.recv_bytes())
        except EOFError:
            return


def main() -> None:
    orders, answers, last_words = map(int, sys.argv[-3:])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both processes; the parent ends this one
    toolchain.use_check_builds()
    toolchain.runtime().gpunet_sim_say_last_words_to(last_words)
    answer = Connection(answers, readable=False)
    for reply in replies(_received(Connection(orders, writable=False))):
        answer.send_bytes(pickle.dumps(reply, pickle.HIGHEST_PROTOCOL))
