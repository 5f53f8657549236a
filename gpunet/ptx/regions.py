"""Where lanes that come apart surely meet again at once, and what blocks know of those before them.

A closed region is what lies between a branch on which lanes may differ and the block where all ways on meet, if it has
no other way in or out, no loop, no barrier and no return. Its blocks need no dispatcher: they run in their order, each
for the lanes that have come to it, or are passed over.

A block that the dispatcher never enters is only reached by way of the nearest block that all ways to it pass through
(its dominator), and finds in LLVM's registers what that had in them, but for what is written in between. So most
registers need no place in the warp's frame.
"""

from __future__ import annotations

from dataclasses import dataclass

from gpunet.ptx import flow, uniform
from gpunet.ptx.model import Register


@dataclass(frozen=True)
class Regions:
    """Blocks by their numbers.

    Attributes:
        closed: where a closed region begins: the block where its lanes meet. Regions lie within others.
        ends: of these the first block behind the region, where they meet if no others come there.
        outermost: of each block in a closed region, and of those that begin one: the first block of the outermost.
        joins: where all lanes of a block are together again that parted there: that block.
        direct: blocks of a region that come after their only predecessor, in the text too.
        single: blocks of a region with one predecessor.
        dominator: the nearest block through which all ways lead to a block; -1 of the first.
        over: all such blocks, as bits.
        known: blocks that the dispatcher does not enter: the block whose registers they know, and which of these are
            written in between.
        kept: registers that need a place in the frame.
        entered: blocks that the dispatcher may enter.
    """

    closed: dict[int, int]
    ends: dict[int, int]
    outermost: dict[int, int]
    joins: dict[int, int]
    direct: frozenset[int]
    single: frozenset[int]
    dominator: list[int]
    over: list[int]
    known: dict[int, tuple[int, frozenset[Register]]]
    kept: frozenset[Register]
    entered: frozenset[int]

    def after(self, number: int) -> int:
        """The next block that may have lanes where this one has none."""
        return _after(self.over, number)

    def needs_sum(self, number: int) -> bool:
        """A block of a region to whose lanes several blocks add."""
        return number not in self.joins and number not in self.single


def find(all_blocks: list[flow.Block], facts: uniform.Facts, every_branch: bool, checked: bool) -> Regions:
    """Args:
        all_blocks: of a function.
        facts: what is known of them.
        every_branch: lanes may differ on each branch.
        checked: the checker looks where the others are when lanes of a warp meet, as in a shuffle. The dispatcher knows
            that, so that no closed region has such a block.
    """
    after, meeting, over = flow.successors(all_blocks), flow.post_dominators(all_blocks), flow.dominators(all_blocks)
    before = flow.predecessors(all_blocks)
    dominator = [flow.immediate_dominator(over, number) for number in range(len(all_blocks))]
    parting = ([number for number, block in enumerate(all_blocks)
                if block.end is not None and block.end.opcode == "bra" and block.end.guard is not None]
               if every_branch else sorted(facts.divergent))
    closed, ends, outermost, inner = {}, {}, {}, set()
    for number in parting:
        meet = meeting[number]
        if not number < meet < len(all_blocks):
            continue
        end = meet if over[meet] >> number & 1 else _after(over, number)
        if _is_closed(all_blocks, after, before, number, end, meet) and not (
                checked and any(map(flow.meets, all_blocks[number + 1:end]))) and all(
                over[each - 1] >> dominator[each] & 1 for each in range(number + 1, end)):
            closed[number], ends[number] = meet, end
    for number, end in ends.items():  # in order: the outermost first
        for each in range(number, end):
            outermost.setdefault(each, number)
        inner |= set(range(number + 1, end))
    joins: dict[int, int] = {}
    for number, end in ends.items():
        if end == closed[number] and all(number <= each < end for each in before[end]):
            joins.setdefault(end, number)
    direct = frozenset(each for each in inner if before[each] == [each - 1] and each not in joins)
    single = frozenset(each for each in inner if len(before[each]) == 1 and each not in joins)
    entered = _entered(all_blocks, after, facts, closed, inner, joins)
    defined = [{register for item in block.body for register in flow.results(item)} for block in all_blocks]
    known: dict[int, tuple[int, frozenset[Register]]] = {}
    for number in range(1, len(all_blocks)):
        nearest = dominator[number]
        if number in entered or not 0 <= nearest < number:
            continue
        between = flow.reached(before, before[number], nearest)
        if not between & entered:
            known[number] = nearest, frozenset().union(*(defined[each] for each in between))
    kept = set()
    for number, used in enumerate(flow.used(all_blocks)):
        for register in used:
            if not _is_known(number, register, known, defined, register in facts.uniform):
                kept.add(register)
    return Regions(closed, ends, outermost, joins, direct, single, dominator, over, known, frozenset(kept),
                   frozenset(entered))


def none(all_blocks: list[flow.Block]) -> Regions:
    """The dispatcher enters all blocks."""
    count = len(all_blocks)
    return Regions({}, {}, {}, {}, frozenset(), frozenset(), [-1] * count, [0] * count, {},
                   frozenset().union(*flow.used(all_blocks)), frozenset(range(count)))


def _after(over: list[int], number: int) -> int:
    following = number + 1
    while over[following] >> number & 1:
        following += 1
    return following


def _is_closed(all_blocks: list[flow.Block], after: list[list[int]], before: list[list[int]], start: int, end: int,
               meet: int) -> bool:
    return all(start < each < end or each == meet for each in after[start]) and all(
        (block.end is None or block.end.opcode == "bra")
        and all(number < each < end or each == meet for each in after[number])
        and before[number] and all(start <= each < end for each in before[number])
        for number, block in enumerate(all_blocks[start + 1:end], start + 1))


def _entered(all_blocks: list[flow.Block], after: list[list[int]], facts: uniform.Facts, closed: dict[int, int],
             inner: set[int], joins: dict[int, int]) -> set[int]:
    """The blocks at which lanes may wait."""
    entered = {0} | set(range(len(all_blocks))) - flow.reached(after, [0])
    for number, following in enumerate(after):
        end = all_blocks[number].end
        if number in closed:
            meet = closed[number]
            following = [meet] if meet not in joins and meet not in inner else []
        elif number in inner:
            following = []
        for each in following:
            if number in facts.apart or each in facts.apart or number in facts.divergent and number not in closed \
                    or each <= number or end is not None and flow.waits(end):
                entered.add(each)
    return entered


# Blocks in which vectors stay in LLVM's registers; its allocator of these takes long for values from far away.
NEAR = 8


def _is_known(number: int, register: Register, known: dict[int, tuple[int, frozenset[Register]]],
              defined: list[set[Register]], scalar: bool) -> bool:
    """A block finds the register's value in LLVM's registers."""
    reader = number
    while number in known:
        number, written = known[number]
        if register in written or not scalar and reader - number > NEAR:
            return False
        if register in defined[number]:
            return True
    return False
