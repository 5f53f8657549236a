"""Which arrays an access may reach: the parameters of the kernel from which its address is computed.

Addresses have 64 bits; what has fewer, such as an index, leads to no array. An address that is read from memory, put
together from halves or given by a called function may lead to any. The checker takes cells as large as an array's
smallest access allows, and keeps no account of readers where nothing writes, nor looks for any where nobody reads.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gpunet.ptx import flow, model, shadow
from gpunet.ptx.model import SIZES, Instruction, Integer, Register, Symbol, Vector

VARIABLES = -1  # as the number of a parameter: the module's variables
ANY = frozenset((-2,))  # may be everything

_MOST, _MOST_UNKNOWN = 16, 4  # bytes of a cell
_NOWHERE: frozenset[int] = frozenset()
_ACCESSES = ("ld", "ldu", "st", "atom", "red")


@dataclass(frozen=True)
class Access:
    """Of global memory: where it may go, and what it does."""

    origins: frozenset[int]  # numbers of parameters
    size: int  # bytes of its smallest part
    reads: bool
    writes: bool


class Reach:
    """What the accesses of a kernel may reach. The first function is the kernel.

    Attributes:
        cells: bytes of a cell of an array, by the number of the parameter that it is given for; at the end those of the
            module's variables.
        groups: parameters, sorted, of which accesses are computed; those of the first reach nothing that is known.
        read: the parameters from which something is read, None where it may be any.
        written: those to which something is written.
    """

    def __init__(self, module: model.Module, functions: list[model.Function]) -> None:
        self._accesses = accesses(module, functions[0], functions)
        all_of_them, count = list(self._accesses.values()), len(functions[0].parameters)
        self._unknown = any(each.origins == ANY for each in all_of_them)
        self.cells = self._cells(all_of_them, count + 1)
        groups = dict.fromkeys(tuple(sorted(each.origins)) for each in all_of_them if each.origins != ANY)
        self.groups = [(), *([] if self._unknown else groups)][:shadow.MOST_REACHED]
        self.read = self._all([each for each in all_of_them if each.reads])
        self.written = self._all([each for each in all_of_them if each.writes])

    def _all(self, some: list[Access]) -> list[int] | None:
        return None if self._unknown else sorted({number for each in some for number in each.origins})

    def _cells(self, all_of_them: list[Access], count: int) -> list[int]:
        """Parameters that an access may mean alike have cells of one size."""
        if self._unknown:
            return [min((_MOST_UNKNOWN, *(each.size for each in all_of_them)))] * count
        cells, sets = [_MOST] * count, [{number} for number in (*range(count - 1), VARIABLES)]
        for each in all_of_them:
            together = set().union(*(sets[number] for number in each.origins))
            size = min(each.size, *(cells[number] for number in together))
            for number in together:
                sets[number], cells[number] = together, size
        return cells

    def of(self, i: Instruction) -> tuple[int, int]:
        """Bytes of a cell of what an access may reach, and its group; 0 where that is not known."""
        access = self._accesses.get(id(i))
        if access is None or self._unknown:
            return self.cells[0], 0
        group = tuple(sorted(access.origins))
        return self.cells[group[0]], self.groups.index(group) if group in self.groups else 0


def accesses(module: model.Module, entry: model.Function, functions: Iterable[model.Function]) -> dict[int, Access]:
    """The accesses of a kernel that may be of global memory, by their instructions' id()."""
    numbers = {parameter.name: number for number, parameter in enumerate(entry.parameters)}
    found: dict[int, Access] = {}
    for function in functions:
        body = [each for each in function.body or () if isinstance(each, Instruction)]
        come_from = _registers(module, body, numbers if function.entry else {})
        for i in body:
            access = _access(module, i, come_from)
            if access is not None:
                found[id(i)] = access
    return found


def _access(module: model.Module, i: Instruction, come_from: dict[Register, frozenset[int]]) -> Access | None:
    if i.opcode in _ACCESSES:
        if space_of(i) not in ("global", "const", ""):
            return None
        address = i.operands[0] if i.opcode in ("st", "red") else i.operands[1]
        origins = _of(module, address, come_from)
        return Access(_known(origins), bytes_of(i), i.opcode != "st", i.opcode in ("st", "atom", "red"))
    if i.opcode == "wmma" and not i.has("mma") and space_of(i) != "shared":
        address = i.operands[0 if i.has("store") else 1]
        return Access(_known(_of(module, address, come_from)), SIZES[i.type], i.has("load"), i.has("store"))
    if i.opcode == "cp" and i.modifiers[:1] == ("async",) and not i.has("bulk"):
        if len(i.operands) < 3:
            return None  # of groups of copies
        size = i.operands[2].value if isinstance(i.operands[2], Integer) else 4
        return Access(_known(_of(module, i.operands[1], come_from)), size, True, False)
    if i.opcode == "cp" and len(i.operands) > 1:
        return Access(ANY, 4, True, True)
    return None


def _registers(module: model.Module, body: list[Instruction],
               numbers: dict[str, int]) -> dict[Register, frozenset[int]]:
    """Of registers with 64 bits, what they may be computed from."""
    come_from: dict[Register, frozenset[int]] = {}
    changed = True
    while changed:
        changed = False
        for i in body:
            results = [each for each in flow.results(i) if each.type and SIZES[each.type] >= 8]
            if not results:
                continue
            origins = _result(module, i, numbers, come_from)
            for register in results:
                before = come_from.get(register, _NOWHERE)
                if not origins <= before:
                    come_from[register] = before | origins
                    changed = True
    return come_from


def _result(module: model.Module, i: Instruction, numbers: dict[str, int],
            come_from: dict[Register, frozenset[int]]) -> frozenset[int]:
    if i.opcode in ("ld", "ldu"):
        address = i.operands[1]
        base = address.base if isinstance(address, model.Address) else None
        if space_of(i) == "param" and isinstance(base, Symbol) and base.name in numbers:
            return frozenset((numbers[base.name],))
        return ANY
    if i.opcode == "atom" or i.opcode == "mov" and isinstance(i.operands[1], Vector):
        return ANY
    if i.opcode == "mov" and isinstance(i.operands[1], Symbol) and i.operands[1].name in numbers:
        return ANY  # the address of a parameter
    return frozenset().union(*(_of(module, each, come_from) for each in i.operands[1:]))


def _known(origins: frozenset[int]) -> frozenset[int]:
    return origins if origins and not origins & ANY else ANY


def _of(module: model.Module, operand: model.Operand, come_from: dict[Register, frozenset[int]]) -> frozenset[int]:
    match operand:
        case Register():
            return come_from.get(operand, _NOWHERE)
        case Symbol(name):
            variable = module.variables.get(name)
            return frozenset((VARIABLES,)) if variable is not None and variable.space != "shared" else _NOWHERE
        case model.Address(base):
            return _NOWHERE if base is None else _of(module, base, come_from)
    return _NOWHERE


def bytes_of(i: Instruction) -> int:
    """Of a lane's access."""
    operand = i.operands[0] if i.opcode in ("ld", "ldu") else i.operands[-1]
    return SIZES[i.type] * (len(operand.elements) if isinstance(operand, Vector) else 1)


def space_of(i: Instruction) -> str:
    spaces = ("global", "shared", "local", "const", "param")
    return next((each.split("::")[0] for each in i.modifiers if each.split("::")[0] in spaces), "")
