"""Basic blocks of a function's body, and what follows from their order: liveness, and where lanes may be apart."""

from __future__ import annotations

from dataclasses import dataclass, field

from gpunet.ptx import model
from gpunet.ptx.errors import Unsupported
from gpunet.ptx.model import Instruction, Label, Register

_BARRIERS = ("bar", "barrier")
_COLLECTIVES = ("shfl", "vote", "match", "redux", "elect", "mma", "wmma", "wgmma", "ldmatrix", "stmatrix", "call")
# Opcodes whose first operand is not a result.
_NO_RESULT = {"st", "stmatrix", "red", "bra", "cp", "fence", "membar", "prefetch", "prefetchu", "discard",
              "applypriority",
              "nanosleep", "trap", "brkpt", "exit", "ret", "pmevent", "griddepcontrol", "call", "createpolicy"}

_WITHOUT_STATE = ("init", "inval", "expect_tx", "complete_tx")  # of mbarriers


@dataclass
class Block:
    """Instructions that run one after another. `end` is what comes then: None for the next block, else the branch,
    the return or the barrier."""

    body: list[Instruction] = field(default_factory=list)
    end: Instruction | None = None
    target: int = -1  # of a branch
    falls: bool = True  # the block that stands next in the text may follow,
    following: int = -1  # which is this one


def waits(instruction: Instruction) -> bool:
    """A barrier of the block, at which a warp waits."""
    return instruction.opcode in _BARRIERS and not instruction.has("warp") and bool(
        {"sync", "red"} & set(instruction.modifiers)
        or instruction.has("cluster") and instruction.has("wait"))


def meets(block: Block) -> bool:
    """Lanes of a warp meet within the block, as in a shuffle, or may do so in a function that it calls."""
    return any(each.opcode in _COLLECTIVES or each.opcode in _BARRIERS for each in block.body)


def runs_into(blocks: list[Block], number: int) -> Instruction | None:
    """The barrier of the block at which lanes that go on from here wait before anything could part them, or make them
    meet other lanes of their warp; None where that is not plain."""
    for _ in blocks:
        block = blocks[number]
        if meets(block):
            return None
        if block.end is not None and waits(block.end):
            return block.end if not block.end.has("cluster") else None
        if block.end is not None and (block.end.opcode != "bra" or block.end.guard is not None):
            return None
        number = block.following if block.end is None else block.target
    return None


def results(instruction: Instruction) -> list[Register]:
    """The registers that an instruction writes."""
    if instruction.opcode in _NO_RESULT or not instruction.operands:
        return []
    if instruction.opcode == "mbarrier" and instruction.modifiers[0] in _WITHOUT_STATE:
        return []
    if instruction.opcode == "wgmma":
        return _registers(instruction.operands[0]) if instruction.has("mma_async") else []
    if instruction.opcode in _BARRIERS and not instruction.has("red"):
        return []
    if instruction.opcode == "wmma" and instruction.has("store"):
        return []
    return _registers(instruction.operands[0])


def sources(instruction: Instruction) -> list[Register]:
    """The registers that it reads."""
    # A product adds to its results.
    operands = instruction.operands[1:] if results(instruction) and instruction.opcode != "wgmma" else (
        instruction.operands)
    found = [register for operand in operands for register in _registers(operand)]
    if instruction.guard is not None:
        found.append(instruction.guard.register)
    return found


def _registers(operand: model.Operand) -> list[Register]:
    match operand:
        case Register():
            return [operand] if operand.type else []
        case model.Vector() | model.Group():
            return [register for each in operand.elements for register in _registers(each)]
        case model.Pair():
            return _registers(operand.first) + _registers(operand.second)
        case model.Inverted():
            return [operand.operand]
        case model.Address():
            bases = [operand.base] if operand.base is not None else []
            return [register for each in (*bases, *operand.coordinates) for register in _registers(each)]
    return []


def blocks(function: model.Function) -> list[Block]:
    """The body as blocks. The last one always ends."""
    found, labels = [Block()], {}
    for item in _without_tables(function):
        if isinstance(item, Label):
            if found[-1].body:
                found.append(Block())
            labels[item.name] = len(found) - 1
        elif item.opcode in ("bra", "ret", "exit") or waits(item):
            if waits(item) and item.guard is not None:
                raise Unsupported(f"line {item.line}: {item.name} under a guard is not simulated")
            found[-1].end = item
            found[-1].falls = item.guard is not None or waits(item)
            found.append(Block())
        else:
            found[-1].body.append(item)
    if found[-1].end is None:
        line = found[-1].body[-1].line if found[-1].body else function.line
        found[-1].end = Instruction("ret", (), (), None, line, None)
        found[-1].falls = False
    for block in found:
        if block.end is not None and block.end.opcode == "bra":
            name = block.end.operands[0]
            if not isinstance(name, model.Symbol) or name.name not in labels:
                raise Unsupported(f"line {block.end.line}: {block.end.name} to {name}, "
                                  f"which is no label of {function.name}")
            block.target = labels[name.name]
    for number, block in enumerate(found):
        block.following = number + 1 if block.falls else -1
    return _ordered(found)


def _without_tables(function: model.Function) -> list[Instruction | Label]:
    """The body, in which a branch by a table (brx.idx, as of a switch) is one by comparisons, which halve the table."""
    tables = {item.name: item.labels for item in function.body or () if isinstance(item, model.Targets)}
    found: list[Instruction | Label] = []

    def choose(i: Instruction, index: model.Operand, labels: tuple[str, ...], first: int) -> None:
        stem, middle = f"$brx.{len(found)}", len(labels) // 2
        if not middle:
            found.append(Instruction("bra", ("uni",), (model.Symbol(labels[0]),), None, i.line, i.location))
            return
        below = Register(stem, "pred")
        found.append(Instruction("setp", ("lt", "u32"), (below, index, model.Integer(first + middle)), None, i.line,
                                 i.location))
        found.append(Instruction("bra", (), (model.Symbol(stem),), model.Guard(below, False), i.line, i.location))
        choose(i, index, labels[middle:], first + middle)
        found.append(Label(stem, i.line))
        choose(i, index, labels[:middle], first)

    for item in function.body or ():
        if isinstance(item, model.Targets):
            continue
        if isinstance(item, Label) or item.opcode != "brx":
            found.append(item)
            continue
        index, table = item.operands
        if not isinstance(table, model.Symbol) or table.name not in tables:
            raise Unsupported(f"line {item.line}: {item.name} by {table}, "
                              f"which is no .branchtargets of {function.name}")
        over = f"$brx.over.{len(found)}"
        if item.guard is not None:
            guard = model.Guard(item.guard.register, not item.guard.negated)
            found.append(Instruction("bra", (), (model.Symbol(over),), guard, item.line, item.location))
        choose(item, index, tables[table.name], 0)
        found.append(Label(over, item.line))
    return found


def successors(all_blocks: list[Block]) -> list[list[int]]:
    return [([block.target] if block.target >= 0 else []) + ([block.following] if block.falls else [])
            for block in all_blocks]


def predecessors(all_blocks: list[Block]) -> list[list[int]]:
    before: list[list[int]] = [[] for _ in all_blocks]
    for number, following in enumerate(successors(all_blocks)):
        for each in following:
            before[each].append(number)
    return before


def reached(after: list[list[int]], start: list[int], stop: int = -1) -> set[int]:
    """The blocks on all ways from some blocks on, not beyond `stop`."""
    found, todo = set(), list(start)
    while todo:
        if (each := todo.pop()) != stop and each not in found:
            found.add(each)
            todo += after[each]
    return found


def _ordered(found: list[Block]) -> list[Block]:
    """The same blocks in an order in which what lies between a branch and the block where all ways meet stands between
    them: after each block all those to which every way leads through it, one after another as in the text, but for
    what has to come first. Compilers interleave these."""
    after, over = successors(found), dominators(found)
    nearest = [immediate_dominator(over, number) for number in range(len(found))]
    reachable = reached(after, [0])
    first: dict[int, set[int]] = {number: set() for number in reachable}  # of its siblings in the tree of dominators
    children: dict[int, list[int]] = {number: [] for number in reachable}
    for number in sorted(reachable - {0}):
        children[nearest[number]].append(number)
    for number in reachable:
        for each in after[number]:
            if each == 0 or over[number] >> each & 1:  # back to the beginning of a loop
                continue
            sibling = number
            while sibling != nearest[each] and nearest[sibling] != nearest[each]:
                sibling = nearest[sibling]
            if sibling not in (nearest[each], each):
                first[each].add(sibling)
    order, todo = [], [0]
    while todo:
        order.append(number := todo.pop())
        left, sorted_children = children[number], []
        while left:
            chosen = next((each for each in left if not first[each] & set(left)), left[0])
            left = [each for each in left if each != chosen]
            sorted_children.append(chosen)
        todo += reversed(sorted_children)
    order += [number for number in range(len(found)) if number not in reachable]
    place = {number: at for at, number in enumerate(order)}
    for block in found:
        block.target, block.following = (place.get(each, -1) for each in (block.target, block.following))
    return [found[number] for number in order]


def immediate_dominator(over: list[int], number: int) -> int:
    """The nearest block through which all ways to a block lead; -1 of the first. `over`: what `dominators` gives."""
    return _nearest(over, number)


def _nearest(sets: list[int], number: int) -> int:
    """Of the blocks in a block's set the one whose own set has all the others."""
    strict = sets[number] & ~(1 << number)
    count, left = strict.bit_count(), strict
    while left:
        bit = left & -left
        if sets[each := bit.bit_length() - 1].bit_count() == count:
            return each
        left ^= bit
    return -1


def liveness(all_blocks: list[Block]) -> tuple[list[set[Register]], set[Register]]:
    """The registers that are live where each block ends, and those that live in more than one block."""
    after = successors(all_blocks)
    used, defined = zip(*map(_used_and_defined, all_blocks), strict=True)
    live_in: list[set[Register]] = [set() for _ in all_blocks]
    live_out: list[set[Register]] = [set() for _ in all_blocks]
    changed = True
    while changed:
        changed = False
        for number in range(len(all_blocks) - 1, -1, -1):
            out: set[Register] = set().union(*(live_in[each] for each in after[number]))
            new = used[number] | (out - defined[number])
            if new != live_in[number] or out != live_out[number]:
                live_in[number], live_out[number], changed = new, out, True
    return live_out, set().union(*live_in)


def used(all_blocks: list[Block]) -> list[set[Register]]:
    """The registers that each block reads before it writes them."""
    return [_used_and_defined(block)[0] for block in all_blocks]


def _used_and_defined(block: Block) -> tuple[set[Register], set[Register]]:
    use: set[Register] = set()
    define: set[Register] = set()
    for item in (*block.body, *([block.end] if block.end else ())):
        use |= {register for register in sources(item) if register not in define}
        if item.guard is None:
            define |= set(results(item))
        else:  # lanes without it keep the value before
            use |= {register for register in results(item) if register not in define}
    if block.end is not None and waits(block.end) and results(block.end):
        define -= set(results(block.end))  # the result is there after the wait
    return use, define


def constants(all_blocks: list[Block]) -> dict[Register, int]:
    """Registers that only ever hold one whole number."""
    found: dict[Register, int | None] = {}
    for block in all_blocks:
        for item in (*block.body, *([block.end] if block.end else ())):
            for register in results(item):
                known = item.operands[1] if item.opcode == "mov" and len(item.operands) == 2 else None
                once = register not in found and isinstance(known, model.Integer) and item.guard is None
                found[register] = known.value if once and isinstance(known, model.Integer) else None
    return {register: value for register, value in found.items() if value is not None}


def post_dominators(all_blocks: list[Block]) -> list[int]:
    """Of each block the nearest one through which every way on leads; the number of blocks where there is none."""
    after, end = successors(all_blocks), len(all_blocks)
    everything = (1 << end + 1) - 1
    sets = [everything] * end + [1 << end]
    changed = True
    while changed:
        changed = False
        for number in range(end - 1, -1, -1):
            new = everything
            for each in after[number] or [end]:
                new &= sets[each]
            if not all_blocks[number].falls and all_blocks[number].target < 0:
                new = sets[end]
            elif _may_end(all_blocks[number]):
                new &= sets[end]
            new |= 1 << number
            if new != sets[number]:
                sets[number], changed = new, True
    return [end if (each := _nearest(sets, number)) < 0 else each for number in range(end)]


def _may_end(block: Block) -> bool:
    return block.end is not None and block.end.opcode in ("ret", "exit")


def dominators(all_blocks: list[Block]) -> list[int]:
    """Of each block the blocks through which every way to it leads, as bits, itself among them."""
    count = len(all_blocks)
    before = predecessors(all_blocks)
    everything = (1 << count) - 1
    sets = [1] + [everything] * (count - 1)
    changed = True
    while changed:
        changed = False
        for number in range(1, count):
            new = everything
            for each in before[number]:
                new &= sets[each]
            new |= 1 << number
            if new != sets[number]:
                sets[number], changed = new, True
    return sets


def scratch_bytes(i: Instruction) -> int:
    """Memory for the sums of a product, of all lanes."""
    if i.opcode != "wgmma" or not i.has("mma_async"):
        return 0
    first = i.operands[0]
    return 128 * len(first.elements) if isinstance(first, model.Vector) else 0
