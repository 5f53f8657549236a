"""Which registers are alike in all lanes of a warp, and which blocks lanes can reach while others are elsewhere.

A block is "apart" when it lies between a branch on which lanes may differ and the nearest block where all ways on meet
again. The dispatcher lets a block that is not apart wait for all lanes that have not returned, so there they are
together. A branch straight to the end (`if (i >= n) return;`) takes lanes away and parts nobody. Lanes that leave a
loop which may wait for other lanes, as for a lock, do not wait for those still in it: all that follows is apart.

A register is uniform when each of its definitions computes it from uniform operands alone, and when no lane can keep a
value from another round than the others: a register with several definitions must have none in a block apart, and a
definition in a block apart must come before every use on every way (dominate it), and not load from memory.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpunet.ptx import flow, model
from gpunet.ptx.model import Instruction, Register

_VARYING_REGISTERS = ("%tid", "%laneid", "%lanemask", "%clock", "%globaltimer")
# Results that differ between the lanes, or depend on which are active.
_VARYING = {"shfl", "atom", "match", "activemask", "elect", "ldmatrix", "mma", "wmma", "wgmma", "call", "isspacep",
            "movmatrix"}
_TOGETHER = {"vote", "redux", "ld", "ldu"}  # uniform where all lanes are together


@dataclass(frozen=True)
class Facts:
    uniform: frozenset[Register]
    apart: frozenset[int]  # blocks
    divergent: frozenset[int]  # blocks that end with a branch on which lanes may differ
    leaving: frozenset[int]  # blocks that end with a branch to the end of the function, on which lanes may differ
    fewer: frozenset[int]  # blocks that a warp may reach after lanes have returned


def nothing(all_blocks: list[flow.Block]) -> Facts:
    """Nothing is known: every block for some lanes, every register a vector."""
    numbers = frozenset(range(len(all_blocks)))
    return Facts(frozenset(), numbers, numbers, frozenset(), numbers)


def only_returns(block: flow.Block) -> bool:
    """Nothing happens in the block but the return of all its lanes."""
    return not block.body and block.end is not None and block.end.opcode in ("ret", "exit") and block.end.guard is None


def analyse(function: model.Function, all_blocks: list[flow.Block]) -> Facts:
    defined: dict[Register, list[tuple[int, Instruction]]] = {}
    used: dict[Register, set[int]] = {}
    for number, block in enumerate(all_blocks):
        for item in (*block.body, *([block.end] if block.end else ())):
            for register in flow.results(item):
                defined.setdefault(register, []).append((number, item))
            for register in flow.sources(item):
                used.setdefault(register, set()).add(number)
    varying_names = {variable.name for variable in function.variables if variable.space != "shared"}
    after, meeting = flow.successors(all_blocks), flow.post_dominators(all_blocks)
    over = flow.dominators(all_blocks)
    varying: set[Register] = set()
    apart: set[int] = set()
    divergent: set[int] = set()
    leaving: set[int] = set()

    def differs(operand: model.Operand) -> bool:
        match operand:
            case Register(name, ""):
                return name.startswith(_VARYING_REGISTERS)
            case Register():
                return operand in varying
            case model.Symbol(name):
                return name in varying_names
            case model.Address(base):
                return base is not None and differs(base) or any(map(differs, operand.coordinates))
            case model.Vector(elements) | model.Group(elements):
                return any(map(differs, elements))
            case model.Inverted(register):
                return differs(register)
        return False

    def result_differs(number: int, item: Instruction) -> bool:
        if item.guard is not None and differs(item.guard.register):
            return True
        if item.opcode in _VARYING:
            return True
        if item.opcode in _TOGETHER and number in apart and not item.has("param"):
            return True
        if item.opcode == "mbarrier":  # what it was before differs between the lanes that arrive
            return number in apart or not _asks(item) or any(map(differs, item.operands[1:]))
        return any(map(differs, item.operands[1:]))

    changed = True
    while changed:
        changed = False
        for register, places in defined.items():
            if register in varying:
                continue
            spread = any(number in apart for number, _ in places)
            if (len(places) > 1 or any(item.guard for _, item in places)) and spread \
                    or any(result_differs(number, item) for number, item in places) \
                    or spread and not all(over[each] >> places[0][0] & 1 for each in used.get(register, ())):
                varying.add(register)
                changed = True
        for number, block in enumerate(all_blocks):
            end = block.end
            if number in divergent | leaving or end is None or end.guard is None or not differs(end.guard.register):
                continue
            changed = True
            if end.opcode != "bra" or any(only_returns(all_blocks[each]) for each in after[number]):
                leaving.add(number)
                continue
            divergent.add(number)
            region = flow.reached(after, after[number], meeting[number])
            if any(_waits_for_others(all_blocks[each]) and each in flow.reached(after, after[each], meeting[number])
                   for each in region):
                region = flow.reached(after, after[number])
            apart |= region
    fewer = flow.reached(after, [each for number in leaving for each in after[number]])
    return Facts(frozenset(defined.keys() - varying), frozenset(apart), frozenset(divergent), frozenset(leaving),
                 frozenset(fewer))


def _asks(item: Instruction) -> bool:
    """Whether a phase of an mbarrier has ended."""
    return item.opcode == "mbarrier" and item.modifiers[0] in ("test_wait", "try_wait")


def _waits_for_others(block: flow.Block) -> bool:
    """A loop over this block may wait for what another lane does: a lock. A lane that leaves it must then go
    on alone."""
    return any(map(may_wait, block.body))


def may_wait(item: Instruction) -> bool:
    return item.opcode == "atom" or _asks(item) or bool({"volatile", "relaxed", "acquire", "mmio"}
                                                        & set(item.modifiers))
