"""What the functions of one kernel share while they are lowered: shared memory, called functions, names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gpunet.ptx import clusters, model
from gpunet.ptx.emit import Module
from gpunet.ptx.errors import PtxError
from gpunet.ptx.layout import FUEL, FUEL_AT_ONCE, SPINS, SPINS_CHECKED
from gpunet.ptx.model import Instruction

if TYPE_CHECKING:
    from gpunet.ptx.checking import Checking
    from gpunet.ptx.counting import Counting


class Kernel:
    """What a kernel's functions have in common while they are lowered.

    Args:
        module: the PTX.
        entry: the kernel.
        whole_warps: a block's threads are a multiple of 32.
        scalars: with the analysis.
        counting: the counters, where executions and accesses are to be counted.
        checking: makes the checks, where mistakes are to be found.
        cluster: its sizes, where the launch says them.

    Attributes:
        out: helper functions and declarations.
        sites: the instructions that an error may name, by number.
        shared: offsets of the variables in shared memory.
        shared_bytes: where the launch's own part of it begins.
        functions: the called functions' code.
        cluster: its sizes, in blocks.
        at_once: it needs all blocks of its grid at once.
        lanes_apart: activemask finds each lane alone.
        fuel: branches that a warp takes before others get their turn.
        fuel_to_wait: of these, what a round takes of a loop that may wait for others.
    """

    def __init__(self, module: model.Module, entry: model.Function, whole_warps: bool, scalars: bool,
                 counting: Counting | None = None, checking: Checking | None = None,
                 cluster: tuple[int, int, int] | None = None) -> None:
        self.module, self.whole_warps, self.scalars = module, whole_warps, scalars
        self.out = Module()
        self.sites: list[Instruction] = []
        self.functions: dict[str, str] = {}
        self.counting, self.checking = counting, checking
        self.lanes_apart = checking is not None and checking.lanes_apart
        declared = entry.directives.get("reqnctapercluster", ())
        x, y, z = (*(declared or cluster or ()), 1, 1, 1)[:3]
        if cluster is not None and cluster != (x, y, z):
            raise PtxError(f"kernel {entry.name} says that its clusters have the size {(x, y, z)}, not {cluster}")
        self.cluster = x, y, z
        self.at_once = clusters.at_once(reached(module, entry))
        self.fuel = FUEL_AT_ONCE if self.at_once else FUEL
        self.fuel_to_wait = self.fuel // (SPINS if checking is None else SPINS_CHECKED)
        variables = {variable.name: variable for function in reached(module, entry)
                     for variable in function.variables if variable.space == "shared"}
        variables |= {variable.name: variable for variable in module.variables.values() if variable.space == "shared"}
        self.shared, at, most = {}, 0, 16
        for variable in sorted(variables.values(), key=lambda each: each.size == 0):
            most = max(most, variable.align)
            at += -at % (max(variable.align, 1) if variable.size else most)
            self.shared[variable.name] = at
            at += variable.size
            if checking is not None and variable.size:
                at += BETWEEN
        self.shared_bytes = at + -at % most
        self.shared_sizes = {variable.name: variable.size for variable in variables.values()}

    @property
    def cluster_size(self) -> int:
        return self.cluster[0] * self.cluster[1] * self.cluster[2]

    def site(self, instruction: Instruction) -> int:
        self.sites.append(instruction)
        return len(self.sites) - 1


BETWEEN = 64  # bytes behind each shared variable, under the checker


def reached(module: model.Module, entry: model.Function) -> list[model.Function]:
    """The kernel and the functions that it calls."""
    found, todo = {entry.name: entry}, [entry]
    while todo:
        for item in todo.pop().body or ():
            if not isinstance(item, Instruction) or item.opcode != "call":
                continue
            called = [module.functions.get(each.name) for each in item.operands if isinstance(each, model.Symbol)]
            if is_indirect(item):
                called = pointed_to(module)
            for each in called:
                if each is not None and each.name not in found:
                    found[each.name] = each
                    todo.append(each)
    return list(found.values())


def is_indirect(call: Instruction) -> bool:
    """By a pointer in a register."""
    return any(isinstance(each, model.Register) for each in call.operands[:2])


def pointed_to(module: model.Module) -> list[model.Function]:
    """The functions whose addresses are taken."""
    names = {value.name for variable in module.variables.values() for _, value in variable.initial
             if isinstance(value, model.Symbol)}
    for function in (*module.functions.values(), *module.entries):
        for item in function.body or ():
            if isinstance(item, Instruction) and item.opcode != "call":
                names |= {each.name for each in item.operands if isinstance(each, model.Symbol)}
    return [each for each in module.functions.values() if each.name in names and each.body is not None]


def function_address(module: model.Module, name: str) -> int | None:
    """What a pointer to a function holds."""
    return (1 << 62) + 16 * list(module.functions).index(name) if name in module.functions else None


def global_name(name: str) -> str:
    return f'@"gpunet.variable.{name}"'


def function_name(name: str) -> str:
    return f'@"gpunet.function.{name}"'


def lane_bytes(size: int, align: int = 0) -> int:
    """From one lane's copy of a variable to the next lane's. Of parameters caller and function must find the same."""
    return size + -size % max(align, 16 if size > 8 else 8)


def argument_name(function: model.Function, parameter: model.Parameter) -> str:
    return f"p{[*function.parameters, *function.returns].index(parameter)}"
