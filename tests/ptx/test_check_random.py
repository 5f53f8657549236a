"""Races of random programs: what the checker tells is a race by the definition, and where there is one it tells some.

The definition needs no stamps: two accesses of one byte by different threads, one of them a write, with no barrier of
their block between them. Accesses have all sizes, and arrays are only read, only written, both, or given twice, so that
cells of all sizes and all shorter ways of the checks take part. Launches follow each other in the same memory.
"""

import itertools
import random

import numpy as np
import pytest

from gpunet import ptx
from tests.ptx.harness import HEAD

BYTES = 512  # of an array, and of the tile
PROGRAMS, QUICK = 40, 4
TYPES = {1: "u8", 2: "u16", 4: "u32", 8: "u64", 16: "v4.u32"}
REGISTERS = {1: "%h", 2: "%h", 4: "%r", 8: "%d", 16: "{%r, %r1, %r2, %r3}"}


class Program:
    """Loads and stores at places that follow from the thread, some under a condition, and barriers."""

    def __init__(self, seed):
        pick = self.random = random.Random(seed)
        self.grid, self.block = pick.choice([(1, 32), (1, 64), (2, 32), (1, 96), (3, 40)])
        self.aliased = pick.random() < 0.3
        self.steps = []  # of (store, space, size, factor, offset, mask, first thread, last thread), or "barrier"
        widths = [pick.sample(list(TYPES), pick.choice([1, 1, 2])) for _ in range(4)]
        for _ in range(pick.randrange(3, 8)):
            if pick.random() < 0.3:
                self.steps.append("barrier")
                continue
            space = pick.randrange(4)  # three arrays, and the tile
            size = pick.choice(widths[space])
            elements = BYTES // size
            factor = pick.choice([1, 1, 1, 1, 2, 3, 0])
            mask = elements - 1 if pick.random() < 0.9 else 2 * elements - 1  # some reach beyond the end
            first = pick.choice([0, 0, 0, 5])
            last = pick.choice([self.block, self.block, 31, 17])
            offset = pick.randrange(4) * pick.choice([0, 1, 32])
            self.steps.append((pick.random() < 0.45, space, size, factor, offset, mask, first, last))

    def text(self):
        """The PTX, a step a line from the eleventh on."""
        lines = [""] * 10
        lines[:3] = HEAD.rstrip("\n").split("\n")
        lines[3] = ".visible .entry body(.param .u64 p0, .param .u64 p1, .param .u64 p2) {"
        lines[4] = (f".shared .align 16 .b8 tile[{BYTES}]; .reg .b64 %a<4>; .reg .b64 %at; .reg .b64 %d; .reg .b16 %h; "
                    ".reg .b32 %r<6>; .reg .b32 %r; .reg .b32 %t; .reg .b32 %u; .reg .b32 %x; .reg .pred %p; "
                    ".reg .pred %q; .reg .b32 %tile;")
        lines[5] = "".join(f"ld.param.u64 %a{k}, [p{k}]; cvta.to.global.u64 %a{k}, %a{k}; " for k in range(3))
        lines[6] = "mov.u32 %t, %tid.x; mov.u32 %u, %ctaid.x; mov.u32 %x, %ntid.x; mad.lo.u32 %u, %u, %x, %t;"
        lines[7] = "mov.u32 %tile, tile; cvt.u16.u32 %h, %u; cvt.u64.u32 %d, %u; mov.u32 %r, %u; mov.u32 %r1, %u;"
        lines[8] = "mov.u32 %r2, %u; mov.u32 %r3, %u;"
        for step in self.steps:
            if step == "barrier":
                lines.append("bar.sync 0;")
                continue
            store, space, size, factor, offset, mask, first, last = step
            place = "%u" if space < 3 else "%t"
            at = "%at" if space < 3 else "%x"
            found = (f"setp.ge.u32 %p, %t, {first}; setp.lt.u32 %q, %t, {last}; and.pred %p, %p, %q; "
                     f"mad.lo.u32 %x, {place}, {factor}, {offset}; and.b32 %x, %x, {mask}; mul.lo.u32 %x, %x, {size}; ")
            found += (f"cvt.u64.u32 %at, %x; add.s64 %at, %a{space}, %at; " if space < 3 else "add.u32 %x, %tile, %x; ")
            kind = f"{'shared' if space == 3 else 'global'}.{TYPES[size]}"
            found += (f"@%p st.{kind} [{at}], {REGISTERS[size]};" if store else
                      f"@%p ld.{kind} {REGISTERS[size]}, [{at}];")
            lines.append(found)
        return "\n".join((*lines, "ret; }"))

    def by_definition(self):
        """The pairs of lines that race, and the lines that reach beyond an array."""
        at, beyond, phase = {}, set(), 0
        for line, step in enumerate(self.steps, 11):
            if step == "barrier":
                phase += 1
                continue
            store, space, size, factor, offset, mask, first, last = step
            for block, thread in itertools.product(range(self.grid), range(self.block)):
                if not first <= thread < last:
                    continue
                unit = block * self.block + thread if space < 3 else thread
                place = (unit * factor + offset & mask) * size
                if place >= BYTES:
                    beyond.add(line)
                    continue
                array = ("tile", block) if space == 3 else 0 if self.aliased and space == 2 else space
                for byte in range(place, place + size):
                    at.setdefault((array, byte), []).append((line, store, block, thread, phase))
        races = set()
        for there in at.values():
            for (a, a_writes, *a_is), (b, b_writes, *b_is) in itertools.combinations(there, 2):
                if (a_writes or b_writes) and a_is[:2] != b_is[:2] and (a_is[0] != b_is[0] or a_is[2] == b_is[2]):
                    races.add(frozenset((a, b)))
        return races, beyond


@pytest.mark.parametrize("seed", [pytest.param(seed, marks=() if seed < QUICK else pytest.mark.slow)
                                  for seed in range(PROGRAMS)])
def test_races_of_random_programs(seed):
    program = Program(seed)
    races, beyond = program.by_definition()
    kernel = ptx.Kernel(program.text())
    for _ in range(2):
        arrays = [np.zeros(BYTES, np.uint8) for _ in range(3)]
        args = (arrays[0], arrays[1], arrays[0] if program.aliased else arrays[2])
        found = ptx.check(kernel, program.grid, program.block, args)
        told = {frozenset((each.line, each.other.line)) for each in found if each.kind == "race" and each.other}
        assert {each.line for each in found if each.kind == "out of bounds"} == beyond
        assert told <= races
        assert told or not races or beyond
